//! The second step of a sign-in: it lives ten minutes, and five wrong answers end it (auth 19).

use std::net::IpAddr;

use ctops_base::{Problem, ProblemKind};
use ctops_crypto::secret::sha256;
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::{AppState, throttle};
use tokio::time::{Instant, sleep_until};

use super::complete::SignInOutcome;
use super::model::{MAX_FAILURES, MFA_POSTS, PendingRow, SECOND_FACTOR_LOCK, refusal_time};
use super::store;
use crate::second_factor::{self, Factors, Proof};
use crate::sessions::{self, NewSession};

/// Where the second step was taken from.
pub(crate) struct StepFrom {
    /// Token of the sign-in's cookie.
    pub(crate) token: String,
    pub(crate) ip: IpAddr,
    pub(crate) user_agent: String,
}

/// The sign-in this browser waits in, and the factors of its person.
///
/// # Errors
/// `sign_in_expired`; `internal`.
pub(crate) async fn waiting(state: &AppState, token: &str) -> Result<(PendingRow, Factors), Problem> {
    let hash = sha256(token.as_bytes());
    let found =
        store::find_pending(&state.pool, &hash, state.clock.now()).await.map_err(Problem::internal)?;
    let pending = found.ok_or_else(expired)?;
    let factors = second_factor::factors_of(&state.pool, pending.user_id).await?;
    Ok((pending, factors))
}

/// Counts an answer to the second step before it is judged, per client address and per account.
///
/// # Errors
/// `rate_limited`; `internal`.
pub(crate) async fn count(state: &AppState, ip: IpAddr) -> Result<(), Problem> {
    throttle::hit(&state.pool, &MFA_POSTS, &ip.to_string(), state.clock.now()).await
}

/// Takes a code or a recovery code as second factor. A wrong one is answered as slowly as a wrong password.
///
/// # Errors
/// `sign_in_expired`, `invalid_code`, `rate_limited`, `internal`.
pub(super) async fn finish(
    state: &AppState,
    from: StepFrom,
    proof: &Proof,
) -> Result<SignInOutcome, Problem> {
    let refuse_at = Instant::now() + refusal_time();
    count(state, from.ip).await?;
    match judge(state, &from, proof).await {
        Err(problem) if problem.kind() == ProblemKind::Unauthenticated => {
            sleep_until(refuse_at).await;
            Err(problem)
        }
        other => other,
    }
}

async fn judge(state: &AppState, from: &StepFrom, proof: &Proof) -> Result<SignInOutcome, Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let pending = lock(state, &mut tx, &from.token).await?;
    let person = (pending.user_id, pending.org_id);
    if second_factor::accept(&mut tx, &state.seal, person, proof, state.clock.now()).await? {
        return succeed(state, tx, pending, from).await;
    }
    Err(fail(state, tx, &pending, from.ip).await?)
}

/// The sign-in, locked so that answers are judged one after another and the fifth wrong one is the last.
///
/// # Errors
/// `sign_in_expired`; `rate_limited` while the account is locked; `internal`.
pub(crate) async fn lock(state: &AppState, tx: &mut Tx<'_>, token: &str) -> Result<PendingRow, Problem> {
    let now = state.clock.now();
    let found = store::pending_for_update(tx, &sha256(token.as_bytes()), now).await;
    let pending = found.map_err(Problem::internal)?.ok_or_else(expired)?;
    throttle::check_lock(&state.pool, &SECOND_FACTOR_LOCK, &pending.user_id.to_string(), now).await?;
    Ok(pending)
}

/// Ends the second step with a session.
///
/// # Errors
/// `internal`.
pub(crate) async fn succeed(
    state: &AppState,
    mut tx: Tx<'_>,
    pending: PendingRow,
    from: &StepFrom,
) -> Result<SignInOutcome, Problem> {
    store::delete_pending(&mut tx, pending.id).await.map_err(Problem::internal)?;
    let new = NewSession {
        user_id: pending.user_id,
        org_id: pending.org_id,
        method: pending.method,
        second_factor: true,
        ip: from.ip,
        user_agent: from.user_agent.clone(),
        replaces: pending.replaces,
    };
    let started = sessions::start_in(&mut tx, state, new).await?;
    tx.commit().await.map_err(Problem::internal)?;
    throttle::clear(&state.pool, SECOND_FACTOR_LOCK.scope, &pending.user_id.to_string()).await?;
    Ok(SignInOutcome::Started(started))
}

/// Writes a wrong answer down, and ends the sign-in with the fifth. Gives the refusal.
///
/// # Errors
/// `internal`.
pub(crate) async fn fail(
    state: &AppState,
    mut tx: Tx<'_>,
    pending: &PendingRow,
    ip: IpAddr,
) -> Result<Problem, Problem> {
    let now = state.clock.now();
    let last = pending.failures + 1 >= MAX_FAILURES;
    if last {
        store::delete_pending(&mut tx, pending.id).await.map_err(Problem::internal)?;
    } else {
        store::count_failure(&mut tx, pending.id).await.map_err(Problem::internal)?;
    }
    let locks = throttle::fail(&state.pool, &SECOND_FACTOR_LOCK, &pending.user_id.to_string(), now).await?;
    let event = |action, summary: &str| {
        AuditEvent::by(By::Anonymous, Some(pending.org_id), action, "user")
            .on(pending.user_id)
            .summary(summary)
            .from_ip(ip)
    };
    let failed = event("auth.login.failed", "wrong second factor").failed("invalid_code");
    audit::append(&mut tx, &failed, now).await.map_err(Problem::internal)?;
    if locks {
        let locked = event("auth.login.locked", "too many wrong second factors in a row");
        audit::append(&mut tx, &locked, now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    Ok(if last { expired() } else { invalid() })
}

fn invalid() -> Problem {
    let detail = "this code is not right, or it was used before";
    Problem::new(ProblemKind::Unauthenticated, "invalid_code", detail)
}

/// There is no sign-in to go on with: too late, too many wrong codes, or never begun.
pub(crate) fn expired() -> Problem {
    let detail = "this sign-in has ended; begin again";
    Problem::new(ProblemKind::Unauthenticated, "sign_in_expired", detail)
}
