//! Inviting, and accepting.

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Page, PageRequest, Problem, ProblemKind};
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::mail::{self, Mail};
use ctops_slice::settings::{self, AuthenticationSettings, RegistrationMode};
use ctops_slice::{Actor, AppState, Grant, throttle};
use serde_json::json;
use uuid::Uuid;

use super::model::{Invitation, KnownAccount, LETTERS, LIFE, NewInvitation, TOKEN_PREFIX};
use super::{INVITATIONS_MANAGE, store};
use crate::accounts;
use crate::teams;
use crate::users::membership::{self, Cause, MemberState, Membership, NewMember, RolesFrom};
use crate::users::{may_grant, roles_now};

/// One page of invitations that wait or have expired.
pub(super) async fn list(
    state: &AppState,
    actor: &Actor,
    request: PageRequest,
) -> Result<Page<Invitation>, Problem> {
    let grant = actor.grant(&INVITATIONS_MANAGE)?;
    let total = store::count(&state.pool, &grant).await.map_err(Problem::internal)?;
    let items = store::page(&state.pool, &grant, request).await.map_err(Problem::internal)?;
    Ok(Page { items, total, request })
}

/// What became of an invitation.
pub(super) enum Invited {
    /// A link was made; it cannot be read again.
    Link { invitation: Box<Invitation>, link: String },
    /// The address belongs to somebody who was removed: they are back.
    Restored { user_id: Uuid },
}

/// Invites an address, or restores the person it belongs to.
///
/// # Errors
/// `validation_failed`, `super_admin_required`, `already_exists` for members and for a live invitation, `wrong_state`
/// for deactivated members and while nobody new is let in, `limit_reached`, `rate_limited`.
pub(super) async fn create(state: &AppState, actor: &Actor, new: NewInvitation) -> Result<Invited, Problem> {
    let grant = actor.grant(&INVITATIONS_MANAGE)?;
    let now = state.clock.now();
    let organisation = accounts::organisation(&state.pool, grant.org_id()).await?;
    throttle::hit(&state.pool, &LETTERS, &grant.org_id().to_string(), now).await?;
    let mut tx = begin(state, &grant).await?;
    let actor_roles = roles_now(&mut tx, actor).await?;
    may_grant(&actor_roles, new.roles.last().copied())?;
    teams::check_ids(&mut tx, grant.org_id(), &new.team_ids, &new.host_group_ids).await?;
    let account = store::find_account(&mut tx, new.email.as_str()).await.map_err(Problem::internal)?;
    if let Some(account) = account {
        let member = membership::find(&mut tx, grant.org_id(), account.user_id).await?;
        if comes_back(&account, member.as_ref())? {
            restore(&mut tx, actor, member, account.user_id, &new, now).await?;
            let letter = restored_letter(state, &grant, &organisation.name, new.email.as_str());
            mail::send(&mut tx, &state.seal, &letter, now).await.map_err(Problem::internal)?;
            tx.commit().await.map_err(Problem::internal)?;
            return Ok(Invited::Restored { user_id: account.user_id });
        }
    } else {
        refuse_while_closed(state, grant.org_id()).await?;
    }
    membership::check_room(&mut tx, grant.org_id()).await?;
    if store::has_live(&mut tx, &grant, new.email.as_str(), now).await.map_err(Problem::internal)? {
        let detail = "the address has a live invitation; send that one again or cancel it";
        return Err(Problem::new(ProblemKind::Conflict, "already_exists", detail));
    }
    store::cancel_earlier(&mut tx, grant.org_id(), new.email.as_str(), now)
        .await
        .map_err(Problem::internal)?;
    let (id, token) = (new_id(), random_token(TOKEN_PREFIX));
    let hash = sha256(token.as_bytes());
    store::insert(&mut tx, &grant, id, &new, &hash, actor.user_id, (now, now + LIFE))
        .await
        .map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "user.invited", "invitation")
        .on(id)
        .summary(format!("invited {}", new.email.as_str()))
        .change(None, Some(describe(&new)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    send_link(state, tx, &grant, &organisation.name, id, &token).await
}

fn describe(new: &NewInvitation) -> serde_json::Value {
    let roles: Vec<&str> = new.roles.iter().map(|role| role.as_str()).collect();
    json!({
        "email": new.email.as_str(), "roles": roles, "team_ids": new.team_ids,
        "host_group_ids": new.host_group_ids,
    })
}

/// A transaction in which nobody else changes members of the organisation.
async fn begin(state: &AppState, grant: &Grant) -> Result<Tx<'static>, Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !membership::lock_organisation(&mut tx, grant.org_id()).await? {
        return Err(Problem::not_found("organisation"));
    }
    Ok(tx)
}

/// # Errors
/// `wrong_state` when the organisation lets nobody new in.
pub(super) async fn refuse_while_closed(state: &AppState, org_id: Uuid) -> Result<(), Problem> {
    let settings = settings::read::<AuthenticationSettings>(&state.pool, org_id).await?;
    if settings.registration_mode == RegistrationMode::Closed {
        return Err(Problem::wrong_state("registration is closed, also by invitation"));
    }
    if settings.sso_only {
        return Err(Problem::wrong_state("people join through the identity provider only"));
    }
    Ok(())
}

/// Whether inviting this account means to restore it at once: its owner could not sign in to accept.
///
/// # Errors
/// `already_exists` for members, `wrong_state` for deactivated ones and accounts shut out altogether.
fn comes_back(account: &KnownAccount, member: Option<&Membership>) -> Result<bool, Problem> {
    if !account.usable {
        return Err(Problem::wrong_state("the account with this address cannot be used"));
    }
    match member.map(|member| member.state) {
        Some(MemberState::Removed) => Ok(true),
        Some(MemberState::Deactivated) => {
            Err(Problem::wrong_state("the member is deactivated; activate them again instead"))
        }
        Some(MemberState::Active | MemberState::Pending) => {
            Err(Problem::new(ProblemKind::Conflict, "already_exists", "the address is that of a member"))
        }
        None => Ok(!account.can_sign_in),
    }
}

/// Makes a removed person an active member with the invitation's roles (auth 28).
async fn restore(
    tx: &mut Tx<'_>,
    actor: &Actor,
    member: Option<Membership>,
    user_id: Uuid,
    new: &NewInvitation,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let org_id = actor.org_id;
    membership::check_room(tx, org_id).await?;
    let cause = Cause::actor(actor, "invited again");
    match member {
        Some(before) => {
            let actor_roles = roles_now(tx, actor).await?;
            may_grant(&actor_roles, before.strongest())?;
            let after = Membership {
                state: MemberState::Active,
                roles: new.roles.clone(),
                roles_from: RolesFrom::People,
                ..before.clone()
            };
            membership::change(tx, &before, &after, &cause, now).await?;
        }
        None => {
            membership::insert(tx, &member_of(org_id, user_id, new.roles.clone(), Some(actor.user_id)), now)
                .await?;
            let event = AuditEvent::by_actor(actor, "user.restored", "user")
                .on(user_id)
                .summary("invited somebody whose account no organisation had any more")
                .change(None, Some(describe(new)));
            audit::append(tx, &event, now).await.map_err(Problem::internal)?;
        }
    }
    teams::join_invited(tx, org_id, user_id, &new.team_ids, Some(actor.user_id), now).await?;
    store::add_scopes(tx, org_id, user_id, &new.host_group_ids).await.map_err(Problem::internal)?;
    store::cancel_earlier(tx, org_id, new.email.as_str(), now).await.map_err(Problem::internal)
}

/// An active member with roles that people chose.
pub(super) fn member_of(
    org_id: Uuid,
    user_id: Uuid,
    roles: std::collections::BTreeSet<ctops_base::Role>,
    invited_by: Option<Uuid>,
) -> NewMember {
    NewMember {
        org_id,
        user_id,
        state: MemberState::Active,
        roles,
        roles_from: RolesFrom::People,
        invited_by,
    }
}

/// Mails the link, commits, and returns what the administrator sees this once.
async fn send_link(
    state: &AppState,
    mut tx: Tx<'static>,
    grant: &Grant,
    organisation: &str,
    id: Uuid,
    token: &str,
) -> Result<Invited, Problem> {
    let invitation = store::find(&mut tx, grant, id).await.map_err(Problem::internal)?;
    let invitation = invitation.ok_or_else(|| Problem::internal("a new invitation cannot be read back"))?;
    // Behind the hash sign, so that the token gets into no log of a server or proxy.
    let link = format!("{}/invitation#{token}", state.installation.public_url);
    let letter = Mail {
        org_id: Some(grant.org_id()),
        to: invitation.email.clone(),
        kind: "invitation",
        subject: format!("You are invited to {organisation} on CT-Ops"),
        text: format!(
            "You are invited to join {organisation} on CT-Ops. Open the link to accept; it works once and for 7 days. \
             If you did not expect this, ignore it."
        ),
        link: Some(link.clone()),
    };
    mail::send(&mut tx, &state.seal, &letter, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(Invited::Link { invitation: Box::new(invitation), link })
}

fn restored_letter(state: &AppState, grant: &Grant, organisation: &str, to: &str) -> Mail {
    Mail {
        org_id: Some(grant.org_id()),
        to: to.to_owned(),
        kind: "member_restored",
        subject: format!("You are back in {organisation} on CT-Ops"),
        text: format!("An administrator of {organisation} let you in again. Sign in as before."),
        link: Some(state.installation.public_url.clone()),
    }
}

/// Sends a new link; the one before stops working.
pub(super) async fn resend(state: &AppState, actor: &Actor, id: Uuid) -> Result<Invited, Problem> {
    let grant = actor.grant(&INVITATIONS_MANAGE)?;
    let now = state.clock.now();
    let organisation = accounts::organisation(&state.pool, grant.org_id()).await?;
    throttle::hit(&state.pool, &LETTERS, &grant.org_id().to_string(), now).await?;
    let mut tx = begin(state, &grant).await?;
    let invitation = find_open(&mut tx, &grant, id).await?;
    let actor_roles = roles_now(&mut tx, actor).await?;
    may_grant(&actor_roles, invitation.roles.last().copied())?;
    let token = random_token(TOKEN_PREFIX);
    let hash = sha256(token.as_bytes());
    store::renew(&mut tx, id, &hash, actor.user_id, (now, now + LIFE)).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "user.invited", "invitation")
        .on(id)
        .summary(format!("sent the invitation of {} again", invitation.email));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    send_link(state, tx, &grant, &organisation.name, id, &token).await
}

/// An invitation that was neither accepted nor cancelled.
async fn find_open(tx: &mut Tx<'_>, grant: &Grant, id: Uuid) -> Result<Invitation, Problem> {
    let found = store::find(tx, grant, id).await.map_err(Problem::internal)?;
    let open = found.filter(|found| found.accepted_at.is_none() && found.cancelled_at.is_none());
    open.ok_or_else(|| Problem::not_found("invitation"))
}

/// Cancels an invitation.
pub(super) async fn cancel(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let grant = actor.grant(&INVITATIONS_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let invitation = find_open(&mut tx, &grant, id).await?;
    store::cancel(&mut tx, id, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "user.invite_cancelled", "invitation")
        .on(id)
        .summary(format!("cancelled the invitation of {}", invitation.email));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ctops_base::Role;

    use super::*;

    /// Spec: auth 28
    #[test]
    fn inviting_somebody_removed_restores_them_and_members_are_not_invited() {
        let account = |usable, can_sign_in| KnownAccount { user_id: Uuid::nil(), usable, can_sign_in };
        let member = |state| Membership {
            org_id: Uuid::nil(),
            user_id: Uuid::nil(),
            state,
            roles: BTreeSet::from([Role::Engineer]),
            roles_from: RolesFrom::People,
        };
        let judge = |account: &KnownAccount, member: Option<Membership>| {
            comes_back(account, member.as_ref()).map_err(|problem| problem.code())
        };
        assert_eq!(judge(&account(true, false), Some(member(MemberState::Removed))), Ok(true));
        assert_eq!(judge(&account(true, true), None), Ok(false), "a member of another organisation accepts");
        assert_eq!(judge(&account(true, false), None), Ok(true), "could not sign in to accept");
        assert_eq!(judge(&account(true, true), Some(member(MemberState::Active))), Err("already_exists"));
        assert_eq!(judge(&account(true, true), Some(member(MemberState::Deactivated))), Err("wrong_state"));
        assert_eq!(judge(&account(false, false), None), Err("wrong_state"));
    }
}
