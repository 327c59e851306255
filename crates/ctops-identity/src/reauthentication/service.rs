//! Which ways somebody has to confirm, and judging what they show.

use chrono::{DateTime, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Credential, throttle};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{ReauthenticationDeps, STEP_UP, Way};
use crate::passwords::{self, Secret};
use crate::sign_in::{ACCOUNT_LOCK, CREDENTIAL_POSTS, refusal_time};
use crate::{accounts, second_factor, sessions};

/// How somebody may confirm, and until when they need not.
pub(super) struct Ways {
    pub(super) password: bool,
    pub(super) passkey: bool,
    pub(super) redirect: Option<String>,
    pub(super) confirmed_until: DateTime<Utc>,
}

/// The ways of the person who asks.
///
/// # Errors
/// `forbidden` for API keys; `internal`.
pub(super) async fn ways(
    state: &AppState,
    deps: &ReauthenticationDeps,
    actor: &Actor,
) -> Result<Ways, Problem> {
    let Credential::Session { confirmed_at, .. } = actor.credential else {
        return Err(keys_may_not());
    };
    let local = accounts::password_hash(&state.pool, actor.user_id).await?.is_some();
    let external = external_way(state, deps, actor).await?;
    let redirect = match &external {
        Some(Way::Redirect(path)) => Some(path.clone()),
        _ => None,
    };
    let factors = second_factor::factors_of(&state.pool, actor.user_id).await?;
    Ok(Ways {
        password: local || external == Some(Way::Password),
        passkey: factors.passkeys > 0,
        redirect,
        confirmed_until: confirmed_at + STEP_UP,
    })
}

/// How the side that signed this session in confirms.
async fn external_way(
    state: &AppState,
    deps: &ReauthenticationDeps,
    actor: &Actor,
) -> Result<Option<Way>, Problem> {
    let Credential::Session { method, .. } = actor.credential else {
        return Ok(None);
    };
    match deps.external.iter().find(|external| external.method() == method) {
        Some(external) => external.way(state, actor).await,
        None => Ok(None),
    }
}

/// Confirms with a password: that of the directory the session came from, else that of the local account. A wrong one
/// counts towards the lock of the account, as at sign-in, and is answered as slowly.
///
/// # Errors
/// `forbidden` for API keys; `invalid_credentials`; `rate_limited`; `internal`.
pub(crate) async fn by_password(
    state: &AppState,
    deps: &ReauthenticationDeps,
    actor: &Actor,
    password: Secret,
) -> Result<(), Problem> {
    let refuse_at = Instant::now() + refusal_time();
    let now = state.clock.now();
    session_only(actor)?;
    passwords::check_length("password", &password).map_err(|field| Problem::invalid(vec![field]))?;
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &actor.ip.to_string(), now).await?;
    let email = accounts::profile(&state.pool, actor.user_id, actor.org_id).await?.email;
    throttle::check_lock(&state.pool, &ACCOUNT_LOCK, &email, now).await?;
    throttle::fail(&state.pool, &ACCOUNT_LOCK, &email, now).await?;
    let right = match external_way(state, deps, actor).await? {
        Some(Way::Password) => check_external(state, deps, actor, &password).await?,
        _ => {
            let stored = accounts::password_hash(&state.pool, actor.user_id).await?;
            deps.passwords.turn().await?.verify(password, stored).await?
        }
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if right {
        throttle::clear(&mut *tx, ACCOUNT_LOCK.scope, &email).await?;
        confirmed(&mut tx, actor, "password", now).await?;
        return tx.commit().await.map_err(Problem::internal);
    }
    let event = AuditEvent::by_actor(actor, "auth.reauthentication.failed", "user")
        .on(actor.user_id)
        .summary("wrong password when asked to confirm");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    sleep_until(refuse_at).await;
    Err(Problem::new(ProblemKind::Invalid, "invalid_credentials", "the password is wrong"))
}

async fn check_external(
    state: &AppState,
    deps: &ReauthenticationDeps,
    actor: &Actor,
    password: &Secret,
) -> Result<bool, Problem> {
    let Credential::Session { method, .. } = actor.credential else {
        return Ok(false);
    };
    match deps.external.iter().find(|external| external.method() == method) {
        Some(external) => external.check(state, actor, password).await,
        None => Ok(false),
    }
}

/// Writes down that the person behind this session confirmed just now.
///
/// # Errors
/// `forbidden` for API keys; `internal`.
pub async fn confirmed(
    tx: &mut Tx<'_>,
    actor: &Actor,
    by: &'static str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let session_id = session_only(actor)?;
    sessions::mark_confirmed(tx, session_id, now).await?;
    let event = AuditEvent::by_actor(actor, "auth.reauthentication.succeeded", "user")
        .on(actor.user_id)
        .summary(format!("confirmed by {by}"));
    audit::append(tx, &event, now).await.map_err(Problem::internal)
}

/// The session behind the request. Keys cannot make keys, change second factors or read secrets (auth 21).
///
/// # Errors
/// `forbidden` for API keys.
pub fn session_only(actor: &Actor) -> Result<Uuid, Problem> {
    actor.session_id().ok_or_else(keys_may_not)
}

fn keys_may_not() -> Problem {
    Problem::new(ProblemKind::Forbidden, "forbidden", "API keys may not do this")
}
