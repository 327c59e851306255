//! The one way memberships are written.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind, Role};
use ctops_pg::Tx;
use ctops_slice::Actor;
use ctops_slice::audit::{self, AuditEvent, By};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use super::model::{MemberState, RolesFrom};
use super::store;

/// Members an organisation may have (users-teams-rbac, limits).
const MAX_MEMBERS: i64 = 5_000;

/// What somebody is in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) org_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) state: MemberState,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) roles_from: RolesFrom,
}

impl Membership {
    /// Whether it administers everything right now.
    pub(crate) fn is_active_super_admin(&self) -> bool {
        self.state == MemberState::Active && self.roles.contains(&Role::SuperAdmin)
    }

    /// The strongest role, which is the one shown (users-teams-rbac 4).
    pub(crate) fn strongest(&self) -> Option<Role> {
        self.roles.last().copied()
    }

    fn describe(&self) -> Value {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.as_str()).collect();
        json!({ "state": self.state.as_str(), "roles": roles })
    }
}

/// A membership to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewMember {
    pub(crate) org_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) state: MemberState,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) roles_from: RolesFrom,
    pub(crate) invited_by: Option<Uuid>,
}

/// An account to be made.
#[derive(Clone, Copy)]
pub(crate) struct NewPerson<'a> {
    pub(crate) id: Uuid,
    /// Folded.
    pub(crate) email: &'a str,
    pub(crate) name: &'a str,
    pub(crate) password_hash: Option<&'a str>,
    pub(crate) email_verified: bool,
}

/// Who changes a membership, and why.
pub(crate) struct Cause<'a> {
    actor: Option<&'a Actor>,
    by: By,
    reason: &'a str,
}

impl<'a> Cause<'a> {
    pub(crate) fn actor(actor: &'a Actor, reason: &'a str) -> Self {
        Self { actor: Some(actor), by: By::actor(actor), reason }
    }

    pub(crate) fn system(reason: &'a str) -> Self {
        Self { actor: None, by: By::System, reason }
    }

    pub(crate) fn operator(reason: &'a str) -> Self {
        Self { actor: None, by: By::SupportCli, reason }
    }

    fn event(&self, org_id: Uuid, action: &'static str) -> AuditEvent {
        let mut event = match self.actor {
            Some(actor) => AuditEvent::by_actor(actor, action, "user"),
            None => AuditEvent::by(self.by.clone(), None, action, "user"),
        };
        event.org_id = Some(org_id);
        event
    }
}

/// Locks the organisation until the transaction ends, so that changes to its members happen one after the other.
/// Whether there is one that is not deleted.
pub(crate) async fn lock_organisation(tx: &mut Tx<'_>, org_id: Uuid) -> Result<bool, Problem> {
    store::lock_organisation(tx, org_id).await.map_err(Problem::internal)
}

/// The membership, in whatever state, locked until the transaction ends.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    user_id: Uuid,
) -> Result<Option<Membership>, Problem> {
    store::find_membership(tx, org_id, user_id).await.map_err(Problem::internal)
}

/// Refuses another member when the organisation is full.
///
/// # Errors
/// `limit_reached`.
pub(crate) async fn check_room(tx: &mut Tx<'_>, org_id: Uuid) -> Result<(), Problem> {
    let members = store::count_members(tx, org_id).await.map_err(Problem::internal)?;
    if members >= MAX_MEMBERS {
        let detail = format!("the organisation has {members} members, at most {MAX_MEMBERS}");
        return Err(Problem::new(ProblemKind::Conflict, "limit_reached", detail));
    }
    Ok(())
}

/// Makes an account; false when the address is taken.
pub(crate) async fn insert_person(
    tx: &mut Tx<'_>,
    person: &NewPerson<'_>,
    now: DateTime<Utc>,
) -> Result<bool, Problem> {
    store::insert_person(tx, person, now).await.map_err(Problem::internal)
}

/// Makes a membership. The caller audits what it means.
pub(crate) async fn insert(tx: &mut Tx<'_>, member: &NewMember, now: DateTime<Utc>) -> Result<(), Problem> {
    store::insert_membership(tx, member, now).await.map_err(Problem::internal)
}

/// Writes a change of roles or state, with history, audit trail and the end of sessions where rights are lost.
/// The caller has locked the organisation and judged the change.
pub(crate) async fn change(
    tx: &mut Tx<'_>,
    before: &Membership,
    after: &Membership,
    cause: &Cause<'_>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    store::update_membership(tx, after, before.state != after.state, now).await.map_err(Problem::internal)?;
    let ended = if loses_rights(before, after) {
        store::end_sessions(tx, after.user_id, after.org_id).await.map_err(Problem::internal)?
    } else {
        0
    };
    let action = action_of(before, after);
    let entry = store::HistoryEntry {
        id: new_id(),
        actor_id: cause.actor.map(|actor| actor.user_id),
        change: action.trim_start_matches("user."),
        before: before.describe(),
        after: after.describe(),
        reason: cause.reason,
    };
    store::insert_history(tx, after, &entry, now).await.map_err(Problem::internal)?;
    let mut summary = summary_of(action).to_owned();
    if !cause.reason.is_empty() {
        summary = format!("{summary}: {}", cause.reason);
    }
    if ended > 0 {
        summary = format!("{summary} ({ended} sessions ended)");
    }
    let event = cause
        .event(after.org_id, action)
        .on(after.user_id)
        .summary(summary)
        .change(Some(before.describe()), Some(after.describe()));
    audit::append(tx, &event, now).await.map_err(Problem::internal)
}

/// Whether some right is gone afterwards (auth 14).
fn loses_rights(before: &Membership, after: &Membership) -> bool {
    after.state != MemberState::Active || !before.roles.is_subset(&after.roles)
}

fn action_of(before: &Membership, after: &Membership) -> &'static str {
    use MemberState::{Active, Deactivated, Pending, Removed};
    match (before.state, after.state) {
        (Removed, Active | Pending) => "user.restored",
        (_, Removed) if before.state != Removed => "user.removed",
        (Pending, Active) => "user.approved",
        (Deactivated, Active | Pending) => "user.reactivated",
        (_, Deactivated) if before.state != Deactivated => "user.deactivated",
        _ => "user.role_changed",
    }
}

fn summary_of(action: &str) -> &'static str {
    match action {
        "user.restored" => "restored a removed member",
        "user.removed" => "removed a member",
        "user.approved" => "approved a member",
        "user.reactivated" => "activated a member again",
        "user.deactivated" => "deactivated a member",
        _ => "changed the roles of a member",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(state: MemberState, roles: &[Role]) -> Membership {
        Membership {
            org_id: Uuid::nil(),
            user_id: Uuid::nil(),
            state,
            roles: roles.iter().copied().collect(),
            roles_from: RolesFrom::People,
        }
    }

    /// Spec: auth 14
    #[test]
    fn rights_are_lost_with_the_state_or_any_role() {
        use MemberState::{Active, Deactivated, Removed};
        let engineer = member(Active, &[Role::Engineer]);
        assert!(
            loses_rights(&engineer, &member(Active, &[Role::OrgAdmin])),
            "another role is not a superset"
        );
        assert!(loses_rights(&engineer, &member(Deactivated, &[Role::Engineer])));
        assert!(loses_rights(&engineer, &member(Removed, &[Role::Engineer])));
        assert!(!loses_rights(&engineer, &member(Active, &[Role::Engineer, Role::OrgAdmin])));
    }

    #[test]
    fn every_change_has_the_name_of_what_it_means() {
        use MemberState::{Active, Deactivated, Pending, Removed};
        let name = |from, to| action_of(&member(from, &[]), &member(to, &[]));
        assert_eq!(name(Pending, Active), "user.approved");
        assert_eq!(name(Active, Deactivated), "user.deactivated");
        assert_eq!(name(Deactivated, Active), "user.reactivated");
        assert_eq!(name(Deactivated, Removed), "user.removed");
        assert_eq!(name(Removed, Active), "user.restored");
        assert_eq!(name(Active, Active), "user.role_changed");
        assert_eq!(name(Active, Pending), "user.role_changed", "a provider took the groups away");
    }

    /// Spec: users-teams-rbac 4
    #[test]
    fn the_strongest_role_is_the_one_shown() {
        let both = member(MemberState::Active, &[Role::OrgAdmin, Role::ReadOnly]);
        assert_eq!(both.strongest(), Some(Role::OrgAdmin));
        assert_eq!(member(MemberState::Pending, &[]).strongest(), None);
    }
}
