//! Listing people and deciding about them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ctops_base::text::clean;
use ctops_base::{Page, PageRequest, Problem, Role};
use ctops_pg::Tx;
use ctops_slice::mail::{self, Mail};
use ctops_slice::{Actor, AppState};
use uuid::Uuid;

use super::membership::{self, Cause, MemberState, Membership, RolesFrom};
use super::model::{HistoryRow, MAX_REASON_CHARS, UserFilter, UserPatch, UserRow, judge, last_super_admin};
use super::{USERS_MANAGE, USERS_READ, store};
use crate::accounts;
use crate::external::is_placeholder_address;

/// One page of people.
pub(super) async fn list(
    state: &AppState,
    actor: &Actor,
    filter: UserFilter,
    request: PageRequest,
) -> Result<Page<UserRow>, Problem> {
    let grant = actor.grant(&USERS_READ)?;
    let total = store::count(&state.pool, &grant, &filter).await.map_err(Problem::internal)?;
    let items = store::page(&state.pool, &grant, &filter, request).await.map_err(Problem::internal)?;
    Ok(Page { items, total, request })
}

/// One person.
pub(super) async fn get(state: &AppState, actor: &Actor, user_id: Uuid) -> Result<UserRow, Problem> {
    let grant = actor.grant(&USERS_READ)?;
    let found = store::find(&state.pool, &grant, user_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("user"))
}

/// What happened to a person.
pub(super) async fn history(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
) -> Result<Vec<HistoryRow>, Problem> {
    let grant = actor.grant(&USERS_READ)?;
    get(state, actor, user_id).await?;
    store::history(&state.pool, &grant, user_id).await.map_err(Problem::internal)
}

/// Changes roles or state of a person.
pub(super) async fn update(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
    patch: &UserPatch,
    reason: &str,
) -> Result<(), Problem> {
    decide(state, actor, user_id, reason, |before| patch.apply(before)).await
}

/// Removes a person from the organisation.
pub(super) async fn remove(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
    reason: &str,
) -> Result<(), Problem> {
    decide(state, actor, user_id, reason, |before| match before.state {
        MemberState::Removed => Err(Problem::not_found("user")),
        _ => Ok(Membership { state: MemberState::Removed, ..before.clone() }),
    })
    .await
}

/// Restores a removed person, with the roles they had or with others.
pub(super) async fn restore(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
    roles: Option<BTreeSet<Role>>,
    reason: &str,
) -> Result<(), Problem> {
    decide(state, actor, user_id, reason, |before| restored(before, roles.clone())).await
}

/// A removed member as an active one again.
///
/// # Errors
/// `wrong_state` when they are not removed; `required` on `roles` when they would have none.
fn restored(before: &Membership, roles: Option<BTreeSet<Role>>) -> Result<Membership, Problem> {
    if before.state != MemberState::Removed {
        return Err(Problem::wrong_state("only a removed member can be restored"));
    }
    let roles = roles.unwrap_or_else(|| before.roles.clone());
    if roles.is_empty() {
        return Err(Problem::invalid_field("roles", "required", "say which roles the member gets"));
    }
    Ok(Membership { state: MemberState::Active, roles, roles_from: RolesFrom::People, ..before.clone() })
}

/// Loads both sides under the organisation's lock, judges the change and writes it.
async fn decide(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
    reason: &str,
    change: impl Fn(&Membership) -> Result<Membership, Problem>,
) -> Result<(), Problem> {
    let grant = actor.grant(&USERS_MANAGE)?;
    let now = state.clock.now();
    let reason = clean(reason, MAX_REASON_CHARS);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !membership::lock_organisation(&mut tx, grant.org_id()).await? {
        return Err(Problem::not_found("organisation"));
    }
    let actor_roles = roles_now(&mut tx, actor).await?;
    let before = membership::find(&mut tx, grant.org_id(), user_id).await?;
    let before = before.ok_or_else(|| Problem::not_found("user"))?;
    let after = change(&before)?;
    judge(actor.user_id, &actor_roles, &before, &after)?;
    if after == before {
        return Ok(());
    }
    keep_a_super_admin(&mut tx, &before, &after).await?;
    if before.state == MemberState::Removed {
        membership::check_room(&mut tx, grant.org_id()).await?;
    }
    membership::change(&mut tx, &before, &after, &Cause::actor(actor, &reason), now).await?;
    tx.commit().await.map_err(Problem::internal)?;
    if (before.state, after.state) == (MemberState::Pending, MemberState::Active) {
        tell_approved(state, &after, now).await?;
    }
    Ok(())
}

/// Tells somebody who waited that they are let in.
async fn tell_approved(state: &AppState, member: &Membership, now: DateTime<Utc>) -> Result<(), Problem> {
    let profile = accounts::profile(&state.pool, member.user_id, member.org_id).await?;
    if is_placeholder_address(&profile.email) {
        return Ok(());
    }
    let letter = Mail {
        org_id: Some(member.org_id),
        to: profile.email,
        kind: "approved",
        subject: "Your CT-Ops account is approved".to_owned(),
        text: format!("An administrator of {} let you in.", profile.organisation.name),
        link: Some(format!("{}/login", state.installation.public_url)),
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    mail::send(&mut tx, &state.seal, &letter, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// The roles the actor holds at this moment, with the organisation locked: the request was let in before the lock.
///
/// # Errors
/// `forbidden` when they are no active member any more.
pub(crate) async fn roles_now(tx: &mut Tx<'_>, actor: &Actor) -> Result<BTreeSet<Role>, Problem> {
    if actor.session_id().is_none() {
        return Ok(actor.roles().clone());
    }
    let member = membership::find(tx, actor.org_id, actor.user_id).await?;
    let active = member.filter(|member| member.state == MemberState::Active);
    let member = active.ok_or_else(Problem::forbidden)?;
    Ok(actor.roles().intersection(&member.roles).copied().collect())
}

/// Refuses a change that leaves the organisation without an active super_admin.
async fn keep_a_super_admin(tx: &mut Tx<'_>, before: &Membership, after: &Membership) -> Result<(), Problem> {
    if !before.is_active_super_admin() || after.is_active_super_admin() {
        return Ok(());
    }
    let other = store::has_other_super_admin(tx, before.org_id, before.user_id).await;
    if other.map_err(Problem::internal)? { Ok(()) } else { Err(last_super_admin()) }
}
