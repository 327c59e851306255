//! Registering, using and removing passkeys.

use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential,
};

use super::ceremony::{self, refused};
use super::model::{
    Challenge, ListedPasskey, MAX_PASSKEYS, Purpose, StoredPasskey, check_passkey_name, site,
};
use super::store;
use crate::reauthentication::{STEP_UP, confirmed, session_only};
use crate::{accounts, sessions};

/// The actor's passkeys.
pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<ListedPasskey>, Problem> {
    session_only(actor)?;
    store::list(&state.pool, actor.user_id).await.map_err(Problem::internal)
}

/// A challenge for a new passkey.
pub(super) async fn begin(state: &AppState, actor: &Actor) -> Result<Challenge, Problem> {
    actor.confirmed_within(STEP_UP, state.clock.now())?;
    let present = store::of_user(&state.pool, actor.user_id).await.map_err(Problem::internal)?;
    if present.len() >= MAX_PASSKEYS {
        return Err(Problem::wrong_state(format!("at most {MAX_PASSKEYS} passkeys are kept")));
    }
    let profile = accounts::profile(&state.pool, actor.user_id, actor.org_id).await?;
    let exclude = present.iter().map(|stored| stored.passkey.cred_id().clone()).collect();
    let begun = site(&state.installation)?.start_passkey_registration(
        actor.user_id,
        &profile.email,
        &profile.name,
        Some(exclude),
    );
    let (options, registration) = begun.map_err(Problem::internal)?;
    let mut options = serde_json::to_value(options).map_err(Problem::internal)?;
    // Signing in without a name typed first needs a key that the device finds by itself, where it can.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("preferred");
    ceremony::begin(state, (Purpose::Register, Some(actor.user_id)), &options, &registration).await
}

/// Stores the passkey the browser made.
pub(super) async fn create(
    state: &AppState,
    actor: &Actor,
    (token, name): (&str, &str),
    credential: Value,
) -> Result<ListedPasskey, Problem> {
    let now = state.clock.now();
    actor.confirmed_within(STEP_UP, now)?;
    let name = check_passkey_name(name)?;
    let whose = (Purpose::Register, Some(actor.user_id));
    let registration: PasskeyRegistration = ceremony::take(state, token, whose).await?;
    let credential: RegisterPublicKeyCredential = ceremony::credential(credential)?;
    let passkey = site(&state.installation)?.finish_passkey_registration(&credential, &registration);
    let passkey = passkey.map_err(refused)?;
    let id = new_id();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let put = store::insert(&mut tx, (id, actor.user_id, &name), &passkey, now).await;
    if !put.map_err(Problem::internal)? {
        return Err(refused("this credential is registered already"));
    }
    sessions::mark_second_factor(&mut tx, actor).await?;
    let event = AuditEvent::by_actor(actor, "auth.mfa.enrolled", "passkey")
        .on(id)
        .labelled(name.as_str())
        .summary("registered a passkey");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(ListedPasskey { id, name, created_at: now, last_used_at: None })
}

/// Renames one of the actor's passkeys.
pub(super) async fn rename(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    name: &str,
) -> Result<ListedPasskey, Problem> {
    session_only(actor)?;
    let name = check_passkey_name(name)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let renamed = store::rename(&mut tx, actor.user_id, id, &name).await.map_err(Problem::internal)?;
    let renamed = renamed.ok_or_else(|| Problem::not_found("passkey"))?;
    let event = AuditEvent::by_actor(actor, "auth.mfa.enrolled", "passkey")
        .on(id)
        .labelled(name)
        .summary("renamed a passkey");
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(renamed)
}

/// Removes one of the actor's passkeys.
pub(super) async fn delete(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let now = state.clock.now();
    actor.confirmed_within(STEP_UP, now)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let name = store::delete(&mut tx, actor.user_id, id).await.map_err(Problem::internal)?;
    let name = name.ok_or_else(|| Problem::not_found("passkey"))?;
    let event = AuditEvent::by_actor(actor, "auth.mfa.disabled", "passkey")
        .on(id)
        .labelled(name)
        .summary("removed a passkey");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Removes all passkeys of somebody, inside the transaction that resets their second factors.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn delete_all_of(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(), Problem> {
    store::delete_all_of(tx, user_id).await.map_err(Problem::internal)
}

/// A challenge for whoever has a passkey of this site.
pub(super) async fn begin_sign_in(state: &AppState) -> Result<Challenge, Problem> {
    let begun = site(&state.installation)?.start_discoverable_authentication();
    let (options, authentication) = begun.map_err(Problem::internal)?;
    let mut options = serde_json::to_value(options).map_err(Problem::internal)?;
    // A button was pressed: the browser asks in a dialog, not in the list of suggestions for a field.
    if let Some(options) = options.as_object_mut() {
        options.remove("mediation");
    }
    ceremony::begin(state, (Purpose::SignIn, None), &options, &authentication).await
}

/// Who signed the challenge, when everything is right; and the organisation to act in.
pub(super) async fn finish_sign_in(
    state: &AppState,
    token: &str,
    credential: Value,
) -> Result<(Uuid, Uuid, bool), Problem> {
    let now = state.clock.now();
    let authentication: DiscoverableAuthentication =
        ceremony::take(state, token, (Purpose::SignIn, None)).await?;
    let credential: PublicKeyCredential = ceremony::credential(credential)?;
    let site = site(&state.installation)?;
    let (user_id, credential_id) = site.identify_discoverable_authentication(&credential).map_err(refused)?;
    let home = store::home_of(&state.pool, user_id).await.map_err(Problem::internal)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let found = store::by_credential(&mut tx, credential_id).await.map_err(Problem::internal)?;
    let mut used =
        found.filter(|stored| stored.user_id == user_id).ok_or_else(|| refused("no such passkey"))?;
    let key = DiscoverableKey::from(&used.passkey);
    let result =
        site.finish_discoverable_authentication_v2(&credential, authentication, &key).map_err(refused)?;
    used.passkey.update_credential(&result);
    let org_id = home.ok_or_else(|| refused("the account is not active"))?;
    store::note_use(&mut tx, &used, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok((user_id, org_id, result.user_verified()))
}

/// A challenge for the passkeys of one person.
pub(super) async fn begin_for(
    state: &AppState,
    purpose: Purpose,
    user_id: Uuid,
) -> Result<Challenge, Problem> {
    let present = store::of_user(&state.pool, user_id).await.map_err(Problem::internal)?;
    if present.is_empty() {
        return Err(Problem::wrong_state("there is no passkey"));
    }
    let passkeys: Vec<_> = present.into_iter().map(|stored| stored.passkey).collect();
    let begun = site(&state.installation)?.start_passkey_authentication(&passkeys);
    let (options, authentication) = begun.map_err(Problem::internal)?;
    ceremony::begin(state, (purpose, Some(user_id)), &options, &authentication).await
}

/// Whether the answer is right, writing the use down inside `tx`.
///
/// # Errors
/// `passkey_refused`; `internal`.
pub(super) async fn finish_for(
    state: &AppState,
    tx: &mut Tx<'_>,
    (purpose, user_id): (Purpose, Uuid),
    token: &str,
    credential: Value,
) -> Result<(), Problem> {
    let authentication: PasskeyAuthentication =
        ceremony::take(state, token, (purpose, Some(user_id))).await?;
    let credential: PublicKeyCredential = ceremony::credential(credential)?;
    let result = site(&state.installation)?.finish_passkey_authentication(&credential, &authentication);
    let result = result.map_err(refused)?;
    let credential_id: &[u8] = result.cred_id().as_ref();
    let found = store::by_credential(tx, credential_id).await.map_err(Problem::internal)?;
    let found = found.filter(|stored: &StoredPasskey| stored.user_id == user_id);
    let mut used = found.ok_or_else(|| refused("the passkey was removed meanwhile"))?;
    used.passkey.update_credential(&result);
    store::note_use(tx, &used, state.clock.now()).await.map_err(Problem::internal)
}

/// A challenge to confirm with a passkey that it is still the same person.
pub(super) async fn begin_confirmation(state: &AppState, actor: &Actor) -> Result<Challenge, Problem> {
    session_only(actor)?;
    begin_for(state, Purpose::Confirm, actor.user_id).await
}

/// Confirms with a passkey (auth 17).
pub(super) async fn confirm(
    state: &AppState,
    actor: &Actor,
    token: &str,
    credential: Value,
) -> Result<(), Problem> {
    session_only(actor)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    finish_for(state, &mut tx, (Purpose::Confirm, actor.user_id), token, credential).await?;
    confirmed(&mut tx, actor, "passkey", state.clock.now()).await?;
    tx.commit().await.map_err(Problem::internal)
}
