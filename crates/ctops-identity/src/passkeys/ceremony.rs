//! Challenges: given out, kept sealed, taken back once.

use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::{random_token, sha256};
use ctops_slice::AppState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::model::{CEREMONY_FOR, Challenge, Purpose};
use super::store::{self, CeremonyRow};

/// The name under which the state of a ceremony is sealed.
const SEALED_AS: &str = "passkey_ceremonies.state";

/// Keeps `ceremony` for its answer.
///
/// # Errors
/// `internal` when the database fails.
pub(super) async fn begin(
    state: &AppState,
    (purpose, user_id): (Purpose, Option<Uuid>),
    options: &impl Serialize,
    ceremony: &impl Serialize,
) -> Result<Challenge, Problem> {
    let now = state.clock.now();
    let token = random_token("");
    let plain = serde_json::to_vec(ceremony).map_err(Problem::internal)?;
    let row = CeremonyRow {
        token_hash: sha256(token.as_bytes()),
        purpose,
        user_id,
        state_sealed: state.seal.seal(SEALED_AS, &plain),
        expires_at: now + CEREMONY_FOR,
    };
    store::put_ceremony(&state.pool, &row, now).await.map_err(Problem::internal)?;
    let options = serde_json::to_value(options).map_err(Problem::internal)?;
    Ok(Challenge { ceremony: token, options })
}

/// The ceremony this token names, if it was made for this. It cannot be taken twice.
///
/// # Errors
/// `passkey_refused`; `internal`.
pub(super) async fn take<T: DeserializeOwned>(
    state: &AppState,
    token: &str,
    whose: (Purpose, Option<Uuid>),
) -> Result<T, Problem> {
    let hash = sha256(token.as_bytes());
    let taken = store::take_ceremony(&state.pool, &hash, whose, state.clock.now()).await;
    let sealed = taken.map_err(Problem::internal)?.ok_or_else(|| refused("the challenge is over"))?;
    let plain = state.seal.open(SEALED_AS, &sealed).map_err(Problem::internal)?;
    serde_json::from_slice(&plain).map_err(Problem::internal)
}

/// What the browser sent, as the library reads it.
///
/// # Errors
/// `passkey_refused`.
pub(super) fn credential<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|_| refused("the browser's answer cannot be read"))
}

/// One refusal for everything that can be wrong with a passkey; the cause is for the log.
pub(super) fn refused(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Problem {
    let detail = "this passkey was not accepted; try again";
    Problem::new(ProblemKind::Invalid, "passkey_refused", detail).caused_by(cause)
}
