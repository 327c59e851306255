//! What follows a right first factor, whichever it was: a session, or the demand for a second factor.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_crypto::secret::{random_token, sha256};
use ctops_slice::settings::{self, AuthenticationSettings};
use ctops_slice::{Actor, AppState, SignInMethod};
use uuid::Uuid;

use super::model::{PENDING_FOR, PendingRow};
use super::store;
use crate::second_factor;
use crate::sessions::{self, NewSession, StartedSession};

/// A first factor that was right. Every way to sign in ends here, so that second factors, sessions and their records are
/// the same for all of them.
#[derive(Clone, Debug)]
pub struct FirstFactor {
    /// The account.
    pub user_id: Uuid,
    /// The organisation to act in.
    pub org_id: Uuid,
    /// How the person proved who they are.
    pub method: SignInMethod,
    /// The first factor contained a second one: a passkey that verified its user, or the word of an identity provider.
    /// The latter counts only where the organisation says so (auth 18).
    pub second_factor_asserted: bool,
    /// Where the request came from.
    pub ip: IpAddr,
    /// How the browser describes itself.
    pub user_agent: String,
    /// Whom the browser spoke for until now; that session ends.
    pub replaces: Option<Actor>,
}

/// How a sign-in goes on.
pub enum SignInOutcome {
    /// Signed in.
    Started(StartedSession),
    /// A second factor is waited for.
    SecondFactor(PendingSignIn),
}

/// A sign-in that waits for its second factor. The token goes into a cookie and nowhere else, so there is no `Debug`.
pub struct PendingSignIn {
    pub(super) token: String,
    pub(super) methods: Vec<&'static str>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Goes on after a right first factor that was given just now.
///
/// # Errors
/// `internal` when the database fails.
pub async fn complete(state: &AppState, first: FirstFactor) -> Result<SignInOutcome, Problem> {
    complete_as_of(state, first, state.clock.now()).await
}

/// Goes on after a right first factor that was given at `given_at`, perhaps long ago: an identity provider may vouch for
/// somebody who signed in there in the morning. The session counts as confirmed from then (auth 17), unless its second
/// factor is shown here and now.
///
/// # Errors
/// `internal` when the database fails.
pub async fn complete_as_of(
    state: &AppState,
    first: FirstFactor,
    given_at: DateTime<Utc>,
) -> Result<SignInOutcome, Problem> {
    let now = state.clock.now();
    let settings = settings::read::<AuthenticationSettings>(&state.pool, first.org_id).await?;
    let second_factor = match first.method {
        SignInMethod::Passkey => first.second_factor_asserted,
        SignInMethod::Oidc | SignInMethod::Saml => {
            first.second_factor_asserted && settings.idp_second_factor_counts
        }
        SignInMethod::Password | SignInMethod::Ldap => false,
    };
    let factors = second_factor::factors_of(&state.pool, first.user_id).await?;
    let replaces = first.replaces.as_ref().and_then(Actor::session_id);
    if second_factor || !factors.any() {
        let new = NewSession {
            user_id: first.user_id,
            org_id: first.org_id,
            method: first.method,
            second_factor,
            ip: first.ip,
            user_agent: first.user_agent,
            replaces,
        };
        let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
        let started = sessions::start_in(&mut tx, state, new).await?;
        sessions::mark_confirmed(&mut tx, started.id, given_at.min(now)).await?;
        tx.commit().await.map_err(Problem::internal)?;
        return Ok(SignInOutcome::Started(started));
    }
    let token = random_token("");
    let row = PendingRow {
        id: new_id(),
        user_id: first.user_id,
        org_id: first.org_id,
        method: first.method,
        replaces,
        failures: 0,
        expires_at: now + PENDING_FOR,
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::insert_pending(&mut tx, &row, &sha256(token.as_bytes()), now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(SignInOutcome::SecondFactor(PendingSignIn {
        token,
        methods: factors.methods(),
        expires_at: row.expires_at,
    }))
}
