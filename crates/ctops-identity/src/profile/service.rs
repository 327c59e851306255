//! Showing the own account, renaming it, and asking for another address.

use ctops_base::Problem;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, throttle};
use serde_json::json;

use super::model::{CHANGES, OwnProfile};
use super::store;
use crate::accounts::{self, Email, check_name};
use crate::external::is_placeholder_address;
use crate::passwords::Secret;
use crate::reauthentication::{self, ReauthenticationDeps, STEP_UP, session_only};
use crate::verification::{self, AddressOf, Link};

/// What a person sees of their own account.
pub(super) struct Shown {
    pub(super) profile: OwnProfile,
    /// None when the address only stands for a missing one.
    pub(super) email: Option<String>,
    pub(super) pending_email: Option<String>,
}

/// The account of the person who asks.
///
/// # Errors
/// `not_found` for services; `internal`.
pub(super) async fn show(state: &AppState, actor: &Actor) -> Result<Shown, Problem> {
    let profile = find(state, actor).await?;
    let pending_email = verification::pending_change(&state.pool, actor.user_id, state.clock.now()).await?;
    let email = Some(profile.email.clone()).filter(|email| !is_placeholder_address(email));
    Ok(Shown { profile, email, pending_email })
}

async fn find(state: &AppState, actor: &Actor) -> Result<OwnProfile, Problem> {
    let found = store::find(&state.pool, actor.user_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("user"))
}

/// Gives the account another name.
///
/// # Errors
/// `validation_failed`, `internal`.
pub(super) async fn rename(state: &AppState, actor: &Actor, name: Option<&str>) -> Result<(), Problem> {
    let Some(name) = name else {
        return Ok(());
    };
    let name = check_name("name", name).map_err(|field| Problem::invalid(vec![field]))?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = store::rename(&mut tx, actor.user_id, &name).await.map_err(Problem::internal)?;
    let before = before.ok_or_else(|| Problem::not_found("user"))?;
    if before == name {
        return Ok(());
    }
    let event = AuditEvent::by_actor(actor, "user.renamed", "user")
        .on(actor.user_id)
        .summary("changed their name")
        .change(Some(json!({ "name": before })), Some(json!({ "name": name })));
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Sends a link to a new address (auth 11). Also sends it to the present one while that is not verified.
///
/// # Errors
/// `unchanged` on `email`, `required` on `current_password`, `invalid_credentials`, `reauthentication_required`,
/// `forbidden` for API keys, `rate_limited`, `unavailable`, `internal`.
pub(super) async fn change_email(
    state: &AppState,
    deps: &ReauthenticationDeps,
    actor: &Actor,
    email: &str,
    password: Option<Secret>,
) -> Result<(), Problem> {
    session_only(actor)?;
    let now = state.clock.now();
    let email = Email::parse("email", email).map_err(|field| Problem::invalid(vec![field]))?;
    let profile = find(state, actor).await?;
    if email.as_str() == profile.email && profile.email_verified {
        return Err(Problem::invalid_field("email", "unchanged", "is the address of your account already"));
    }
    if is_placeholder_address(email.as_str()) {
        return Err(Problem::invalid_field("email", "invalid", "is no address that anybody can read"));
    }
    throttle::hit(&state.pool, &CHANGES, &actor.user_id.to_string(), now).await?;
    match password {
        Some(password) => reauthentication::by_password(state, deps, actor, password).await?,
        None if profile.has_password => {
            return Err(Problem::invalid_field("current_password", "required", "is missing"));
        }
        None => actor.confirmed_within(STEP_UP, now)?,
    }
    let organisation = accounts::organisation(&state.pool, actor.org_id).await?.name;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let link = Link {
        of: AddressOf::Account(actor.user_id),
        org_id: actor.org_id,
        organisation: &organisation,
        email: email.as_str(),
        redirect: Some("/account/profile"),
    };
    verification::send(&mut tx, state, &link, now).await?;
    let event = AuditEvent::by_actor(actor, "auth.email.change_requested", "user")
        .on(actor.user_id)
        .summary("asked for another e-mail address")
        .change(None, Some(json!({ "email": email.as_str() })));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Makes the links of a change worthless.
///
/// # Errors
/// `not_found` when no change waits; `forbidden` for API keys; `internal`.
pub(super) async fn cancel_email_change(state: &AppState, actor: &Actor) -> Result<(), Problem> {
    session_only(actor)?;
    let now = state.clock.now();
    if verification::pending_change(&state.pool, actor.user_id, now).await?.is_none() {
        return Err(Problem::not_found("change of address"));
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    verification::cancel_change(&mut tx, actor.user_id).await?;
    let event = AuditEvent::by_actor(actor, "auth.email.change_cancelled", "user")
        .on(actor.user_id)
        .summary("withdrew a change of address");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}
