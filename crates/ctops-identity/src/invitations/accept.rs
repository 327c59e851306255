//! Looking at an invitation and accepting it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::sha256;
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::{Actor, AppState, throttle};
use serde_json::json;
use uuid::Uuid;

use super::model::{Invitation, LOOKS, NewAccount, judge_address, unknown_token};
use super::service::{member_of, refuse_while_closed};
use super::store;
use crate::accounts;
use crate::passwords::{self, Passwords, Secret};
use crate::teams;
use crate::users::may_grant;
use crate::users::membership::{self, MemberState, NewPerson};
use crate::verification::{self, AddressOf, Link};

/// What the page that accepts shows.
pub(super) struct Look {
    pub(super) organisation: String,
    pub(super) invitation: Invitation,
    /// An account has the address, so its owner signs in instead of making one.
    pub(super) has_account: bool,
}

/// What a token stands for. Every look counts against the address that looks, right or wrong.
///
/// # Errors
/// `invalid_token`, `wrong_state`, `rate_limited`.
pub(super) async fn look(state: &AppState, ip: IpAddr, token: &Secret) -> Result<Look, Problem> {
    let now = state.clock.now();
    throttle::hit(&state.pool, &LOOKS, &ip.to_string(), now).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let invitation = find(&mut tx, token, now).await?;
    let account = store::find_account(&mut tx, &invitation.email).await.map_err(Problem::internal)?;
    tx.rollback().await.map_err(Problem::internal)?;
    let organisation = accounts::organisation(&state.pool, invitation.org_id).await?.name;
    Ok(Look { organisation, invitation, has_account: account.is_some() })
}

/// The live invitation behind a token, locked until the transaction ends.
async fn find(tx: &mut Tx<'_>, token: &Secret, now: DateTime<Utc>) -> Result<Invitation, Problem> {
    let hash = sha256(token.reveal().as_bytes());
    let found = store::find_by_token(tx, &hash).await.map_err(Problem::internal)?;
    let invitation = found.ok_or_else(unknown_token)?;
    invitation.must_be_live(now)?;
    check_author(tx, &invitation).await?;
    Ok(invitation)
}

/// Refuses an invitation whose author may not grant its roles any more.
async fn check_author(tx: &mut Tx<'_>, invitation: &Invitation) -> Result<(), Problem> {
    let roles: BTreeSet<_> = match &invitation.invited_by {
        Some((author, _)) => {
            let names = store::author_roles(tx, invitation.org_id, *author).await;
            accounts::parse_roles(&names.map_err(Problem::internal)?)
        }
        None => BTreeSet::new(),
    };
    may_grant(&roles, invitation.roles.last().copied()).map_err(|_| {
        Problem::wrong_state("whoever invited you may not do so any more; ask for a new invitation")
    })
}

/// Somebody new, made by an invitation.
pub(super) struct Joined {
    pub(super) user_id: Uuid,
    pub(super) org_id: Uuid,
    /// They may sign in right away; otherwise they verify their address first.
    pub(super) may_sign_in: bool,
}

/// Accepts for the account that is signed in.
///
/// # Errors
/// `invalid_token`, `wrong_state`, `invitation_for_another_address`, `email_not_verified`, `rate_limited`.
pub(super) async fn accept_signed_in(
    state: &AppState,
    actor: &Actor,
    ip: IpAddr,
    token: &Secret,
) -> Result<Uuid, Problem> {
    if actor.session_id().is_none() {
        return Err(Problem::forbidden());
    }
    let now = state.clock.now();
    let org_id = look(state, ip, token).await?.invitation.org_id;
    let (mut tx, invitation) = open(state, org_id, token).await?;
    let (email, verified) = store::address_of(&mut tx, actor.user_id).await.map_err(Problem::internal)?;
    judge_address(&invitation.email, &email, verified)?;
    let member = membership::find(&mut tx, invitation.org_id, actor.user_id).await?;
    match member {
        None => {
            let new =
                member_of(invitation.org_id, actor.user_id, invitation.roles.clone(), author(&invitation));
            membership::insert(&mut tx, &new, now).await?;
        }
        Some(before) => {
            // Whoever registered meanwhile waits for approval; the invitation is one.
            if before.state != MemberState::Pending {
                return Err(Problem::wrong_state("you are or were a member of the organisation already"));
            }
            let after = membership::Membership {
                state: MemberState::Active,
                roles: invitation.roles.clone(),
                roles_from: membership::RolesFrom::People,
                ..before.clone()
            };
            let cause = membership::Cause::system("accepted an invitation");
            membership::change(&mut tx, &before, &after, &cause, now).await?;
        }
    }
    finish(&mut tx, &invitation, actor.user_id, now).await?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(invitation.org_id)
}

/// A transaction with the organisation and then the invitation locked, in the order of everybody else.
async fn open(state: &AppState, org_id: Uuid, token: &Secret) -> Result<(Tx<'static>, Invitation), Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !membership::lock_organisation(&mut tx, org_id).await? {
        return Err(unknown_token());
    }
    let invitation = find(&mut tx, token, state.clock.now()).await?;
    membership::check_room(&mut tx, org_id).await?;
    Ok((tx, invitation))
}

fn author(invitation: &Invitation) -> Option<Uuid> {
    invitation.invited_by.as_ref().map(|(id, _)| *id)
}

/// Accepts for somebody who makes an account.
///
/// # Errors
/// `invalid_token`, `wrong_state`, `sign_in_first` when an account has the address, `validation_failed`, `rate_limited`.
pub(super) async fn accept_new(
    state: &AppState,
    passwords: &Passwords,
    ip: IpAddr,
    token: &Secret,
    new: &NewAccount,
) -> Result<Joined, Problem> {
    let now = state.clock.now();
    let seen = look(state, ip, token).await?;
    refuse_while_closed(state, seen.invitation.org_id).await?;
    if seen.has_account {
        return Err(sign_in_first());
    }
    let context = passwords::Context { email: &seen.invitation.email, organisation_name: &seen.organisation };
    let name = new.check(context)?;
    let hash = passwords.turn().await?.hash(new.password.clone()).await?;
    let (mut tx, invitation) = open(state, seen.invitation.org_id, token).await?;
    // The link reached somebody by mail or by the administrator's hand. Where several organisations share the
    // installation, the word of one's administrator is not enough to let the others believe in the address.
    let organisations = store::count_organisations(&mut tx).await.map_err(Problem::internal)?;
    let email_verified = organisations == 1;
    let person = NewPerson {
        id: new_id(),
        email: &invitation.email,
        name: &name,
        password_hash: Some(&hash),
        email_verified,
    };
    if !membership::insert_person(&mut tx, &person, now).await? {
        return Err(sign_in_first());
    }
    let member = member_of(invitation.org_id, person.id, invitation.roles.clone(), author(&invitation));
    membership::insert(&mut tx, &member, now).await?;
    finish(&mut tx, &invitation, person.id, now).await?;
    if !email_verified {
        let link = Link {
            of: AddressOf::Account(person.id),
            org_id: invitation.org_id,
            organisation: &seen.organisation,
            email: &invitation.email,
            redirect: None,
        };
        verification::send(&mut tx, state, &link, now).await?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    let may_sign_in = email_verified || !state.installation.require_email_verification;
    Ok(Joined { user_id: person.id, org_id: invitation.org_id, may_sign_in })
}

fn sign_in_first() -> Problem {
    let detail = "an account has this address; sign in to it to accept";
    Problem::new(ProblemKind::Conflict, "sign_in_first", detail)
}

/// Teams, scope, the invitation's end, and the record of it.
async fn finish(
    tx: &mut Tx<'_>,
    invitation: &Invitation,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let org_id = invitation.org_id;
    teams::join_invited(tx, org_id, user_id, &invitation.team_ids, author(invitation), now).await?;
    store::add_scopes(tx, org_id, user_id, &invitation.host_group_ids).await.map_err(Problem::internal)?;
    store::accept(tx, invitation.id, user_id, now).await.map_err(Problem::internal)?;
    let roles: Vec<&str> = invitation.roles.iter().map(|role| role.as_str()).collect();
    let event = AuditEvent::by(By::User(user_id), Some(org_id), "user.invite_accepted", "user")
        .on(user_id)
        .summary("accepted an invitation")
        .change(None, Some(json!({ "invitation_id": invitation.id, "roles": roles })));
    audit::append(tx, &event, now).await.map_err(Problem::internal)
}
