//! Browsers on their way to an identity provider and back.
//!
//! Not a slice: no routes of its own. Owns `sso_attempts`.
//!
//! Invariants (auth 33):
//! - An attempt is used once, within ten minutes, and by the browser that began it only: its cookie holds a random key of
//!   which only the hash is stored. An answer that somebody else obtained and slips into a browser is worth nothing.
//! - Nothing secret is at rest: nonce and code verifier are derived from the cookie and the state.

mod jobs;
mod model;
mod store;

use axum::http::{HeaderMap, HeaderValue};
use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_crypto::secret::{random_token, sha256};
use ctops_identity::sign_in::is_local_path;
use ctops_slice::state::Installation;
use ctops_slice::{Actor, AppState};
use uuid::Uuid;

pub(crate) use jobs::PurgeAttempts;
pub(crate) use model::{Attempt, BrowserKey, LIFE, cookie_name, replayed};

/// Where a sign-in leads when nothing else was asked for.
const START: &str = "/";

/// An attempt that was just begun.
pub(crate) struct Begun {
    /// Goes to the provider and comes back.
    pub(crate) state: String,
    /// Stays in the browser.
    pub(crate) key: BrowserKey,
    /// The cookie that carries it.
    pub(crate) cookie: HeaderValue,
}

/// Writes down that a browser leaves for a provider. `request` is what the provider will send back (the state, or the
/// id of a SAML request); `confirms` is whose sign-in is to be confirmed.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn begin(
    state: &AppState,
    provider_id: Uuid,
    request: Option<String>,
    return_to: Option<&str>,
    confirms: Option<&Actor>,
) -> Result<Begun, Problem> {
    let now = state.clock.now();
    let request = request.unwrap_or_else(|| random_token(""));
    let key = BrowserKey::new();
    let attempt = Attempt {
        id: new_id(),
        provider_id,
        confirm_user_id: confirms.map(|actor| actor.user_id),
        return_to: return_to.filter(|path| is_local_path(path)).unwrap_or(START).to_owned(),
        created_at: now,
        expires_at: now + LIFE,
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::insert(&mut tx, &attempt, &sha256(request.as_bytes()), &key.hash())
        .await
        .map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    let cookie = model::cookie(&state.installation, key.reveal(), LIFE.num_seconds())?;
    Ok(Begun { state: request, key, cookie })
}

/// Uses an attempt up. Whoever comes second, too late, from another browser or for another provider learns only that it
/// does not work.
///
/// # Errors
/// `sign_in_replayed`; `internal` when the database fails.
pub(crate) async fn finish(
    state: &AppState,
    provider_id: Uuid,
    request: &str,
    key: &BrowserKey,
) -> Result<Attempt, Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let taken =
        store::take(&mut tx, provider_id, &sha256(request.as_bytes()), &key.hash(), state.clock.now()).await;
    let taken = taken.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    taken.ok_or_else(replayed)
}

/// Finds an attempt without using it up, before it is known which browser comes.
///
/// # Errors
/// `sign_in_replayed`; `internal` when the database fails.
pub(crate) async fn find(state: &AppState, provider_id: Uuid, request: &str) -> Result<Attempt, Problem> {
    let found = store::find(&state.pool, provider_id, &sha256(request.as_bytes()), state.clock.now()).await;
    found.map_err(Problem::internal)?.ok_or_else(replayed)
}

/// Uses up an attempt that [`find`] found.
///
/// # Errors
/// `sign_in_replayed`; `internal` when the database fails.
pub(crate) async fn finish_found(state: &AppState, id: Uuid, key: &BrowserKey) -> Result<Attempt, Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let taken =
        store::take_by_id(&mut tx, id, &key.hash(), state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    taken.ok_or_else(replayed)
}

/// The key of the browser that asks.
///
/// # Errors
/// `sign_in_replayed` when it has none.
pub(crate) fn browser_key(headers: &HeaderMap, installation: &Installation) -> Result<BrowserKey, Problem> {
    let value = ctops_slice::guard::cookie(headers, cookie_name(installation));
    value.and_then(BrowserKey::parse).ok_or_else(replayed)
}

/// The cookie that makes the browser forget its key.
///
/// # Errors
/// `internal`, never in practice.
pub(crate) fn clearing_cookie(installation: &Installation) -> Result<HeaderValue, Problem> {
    model::cookie(installation, "", 0)
}
