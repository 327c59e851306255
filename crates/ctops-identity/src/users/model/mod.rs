//! States of people, and who may change what.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ctops_base::{FieldProblem, Problem, ProblemKind, Role};
use serde_json::Value;
use uuid::Uuid;

use super::membership::Membership;

/// Longest reason somebody may give, characters.
pub(super) const MAX_REASON_CHARS: usize = 500;
/// Longest search text, characters (api-conventions 12).
pub(super) const MAX_SEARCH_CHARS: usize = 200;
/// Changes shown of one person, newest first.
pub(super) const MAX_HISTORY: i64 = 200;

/// State of a member (users-teams-rbac 5). Who is invited has an invitation and no membership yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// Waits for an administrator.
    Pending,
    /// Has their rights.
    Active,
    /// Shut out for a while.
    Deactivated,
    /// Shut out; kept so that history stays attributed.
    Removed,
}

impl MemberState {
    pub(crate) const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Deactivated, Self::Removed];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Removed => "removed",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Who decides a member's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RolesFrom {
    /// An administrator or an invitation.
    People,
    /// The group map of a provider, at every sign-in.
    Provider,
}

impl RolesFrom {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Provider => "provider",
        }
    }

    /// Anything unknown counts as decided by people: a provider then changes nothing.
    pub(crate) fn from_name(name: &str) -> Self {
        if name == "provider" { Self::Provider } else { Self::People }
    }
}

/// Which people a list shows.
#[derive(Clone, Debug, Default)]
pub(super) struct UserFilter {
    pub(super) search: Option<String>,
    /// None shows all but removed ones.
    pub(super) state: Option<MemberState>,
    pub(super) role: Option<Role>,
}

/// A person in a list.
#[derive(Clone, Debug)]
pub(super) struct UserRow {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) membership: Membership,
    pub(super) joined_at: DateTime<Utc>,
    pub(super) last_seen_at: Option<DateTime<Utc>>,
    pub(super) has_password: bool,
    pub(super) invited_by: Option<(Uuid, String)>,
    pub(super) teams: Vec<TeamName>,
}

/// A team by name.
#[derive(Clone, Debug, serde::Deserialize)]
pub(super) struct TeamName {
    pub(super) id: Uuid,
    pub(super) name: String,
}

/// One change of a member.
#[derive(Clone, Debug)]
pub(super) struct HistoryRow {
    pub(super) id: Uuid,
    pub(super) change: String,
    pub(super) actor: Option<(Uuid, String)>,
    pub(super) before: Value,
    pub(super) after: Value,
    pub(super) reason: String,
    pub(super) at: DateTime<Utc>,
}

/// What an administrator wants to change.
#[derive(Clone, Debug, Default)]
pub(super) struct UserPatch {
    pub(super) roles: Option<BTreeSet<Role>>,
    pub(super) state: Option<MemberState>,
}

/// Reads role names. `instance_admin` is what later releases of the predecessor call `org_admin`.
///
/// # Errors
/// `required` for none, `invalid` for a name that is no role, on the field `path`.
pub(crate) fn parse_role_names(path: &str, names: &[String]) -> Result<BTreeSet<Role>, FieldProblem> {
    let problem = |code, message| FieldProblem { path: path.to_owned(), code, message };
    if names.is_empty() {
        return Err(problem("required", "at least one role is needed".to_owned()));
    }
    let parse = |name: &String| match name.as_str() {
        "instance_admin" => Ok(Role::OrgAdmin),
        name => name.parse(),
    };
    let roles: Result<BTreeSet<Role>, _> = names.iter().map(parse).collect();
    roles.map_err(|_| {
        let known = Role::ALL.map(Role::as_str).join(", ");
        problem("invalid", format!("must be some of {known}"))
    })
}

impl UserPatch {
    /// The membership after the change.
    ///
    /// # Errors
    /// `wrong_state` when the present state does not lead there.
    pub(super) fn apply(&self, before: &Membership) -> Result<Membership, Problem> {
        use MemberState::{Active, Deactivated, Pending, Removed};
        let mut after = before.clone();
        if let Some(roles) = &self.roles {
            after.roles = roles.clone();
            after.roles_from = RolesFrom::People;
        }
        match (before.state, self.state) {
            (Removed, _) => return Err(Problem::wrong_state("a removed member must be restored first")),
            (_, None) => {}
            (_, Some(Active)) => after.state = Active,
            (Active | Deactivated, Some(Deactivated)) => after.state = Deactivated,
            (Pending, Some(Deactivated)) => {
                return Err(Problem::wrong_state("a pending member can be approved or removed"));
            }
            (_, Some(Pending | Removed)) => {
                return Err(Problem::wrong_state("a member cannot be put into this state"));
            }
        }
        if after.state == Active && after.roles.is_empty() {
            return Err(Problem::invalid_field(
                "roles",
                "required",
                "an active member has at least one role",
            ));
        }
        Ok(after)
    }
}

/// Judges a change of somebody else's membership by somebody with `actor_roles` (users-teams-rbac 6, 7). Whether it
/// would take the last super_admin is asked afterwards.
///
/// # Errors
/// `cannot_change_self`, `super_admin_required`, `forbidden`.
pub(super) fn judge(
    actor_id: Uuid,
    actor_roles: &BTreeSet<Role>,
    before: &Membership,
    after: &Membership,
) -> Result<(), Problem> {
    if actor_id == before.user_id {
        let detail = "nobody can change their own roles or state; ask another administrator";
        return Err(Problem::new(ProblemKind::Conflict, "cannot_change_self", detail));
    }
    let concerned = before.strongest().max(after.strongest());
    may_grant(actor_roles, concerned)
}

/// Whether somebody with `actor_roles` may grant or take `role`: none stronger than their own.
///
/// # Errors
/// `super_admin_required`, `forbidden`.
pub(crate) fn may_grant(actor_roles: &BTreeSet<Role>, role: Option<Role>) -> Result<(), Problem> {
    if role <= actor_roles.last().copied() {
        return Ok(());
    }
    if role == Some(Role::SuperAdmin) {
        let detail = "only a super_admin may grant or take super_admin";
        return Err(Problem::new(ProblemKind::Forbidden, "super_admin_required", detail));
    }
    Err(Problem::forbidden())
}

/// The refusal to leave an organisation without administrator.
pub(super) fn last_super_admin() -> Problem {
    let detail = "the organisation needs an active super_admin; make another one first";
    Problem::new(ProblemKind::Conflict, "last_super_admin", detail)
}

#[cfg(test)]
mod tests;
