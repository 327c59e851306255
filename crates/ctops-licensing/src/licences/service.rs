//! Activation, removal, tokens, reading (licensing 5 to 8).

use std::time::Duration;

use ctops_base::id::new_id;
use ctops_base::{FieldProblem, Problem, ProblemKind};
use ctops_crypto::secret::random_token;
use ctops_licence::licence::normalise;
use ctops_licence::{ActivationToken, Licence, LicenceError, Moment, Verifier, read_licence};
use ctops_pg::notify::{LICENCES, notify};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::{Value, json};

use super::entitlements::Licensing;
use super::model::{Snapshot, StoredLicence};
use super::store::{self, HistoryRow};
use super::{LICENCE_MANAGE, LICENCE_READ};

/// Attempts to activate a key (licensing, Limits).
const ATTEMPTS: Rate = Rate { scope: "licence.activate", limit: 10, window: Duration::from_secs(3600) };
/// Lines of the history that are shown.
const HISTORY: i64 = 100;

/// The state of the organisation, and how many seats are taken.
pub(super) async fn find(
    state: &AppState,
    licensing: &Licensing,
    actor: &Actor,
) -> Result<(Snapshot, u64), Problem> {
    let grant = actor.grant(&LICENCE_READ)?;
    let used = store::used_seats(&state.pool, grant.org_id()).await.map_err(Problem::internal)?;
    Ok((licensing.snapshot(grant.org_id()).await?, u64::try_from(used).unwrap_or(0)))
}

/// Makes an activation token (licensing 5).
pub(super) async fn make_token(state: &AppState, actor: &Actor) -> Result<ActivationToken, Problem> {
    let grant = actor.grant(&LICENCE_MANAGE)?;
    let now = state.clock.now();
    let name = store::organisation_name(&state.pool, &grant).await.map_err(Problem::internal)?;
    let token = ActivationToken {
        organisation_id: grant.org_id().to_string(),
        organisation_name: name,
        generated_at: now,
        nonce: random_token(""),
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::insert_token(&mut tx, &grant, &token.nonce, actor.user_id, now)
        .await
        .map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "licence.token_generated", "licence")
        .summary("generated an activation token");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(token)
}

/// Activates a pasted key. Nothing is stored when any check fails, and the previous key stays in force (licensing 7).
pub(super) async fn activate(
    state: &AppState,
    licensing: &Licensing,
    actor: &Actor,
    pasted: &str,
) -> Result<(), Problem> {
    let grant = actor.grant(&LICENCE_MANAGE)?;
    let now = state.clock.now();
    throttle::hit(&state.pool, &ATTEMPTS, &grant.org_id().to_string(), now).await?;
    let verifier = licensing.trust().activation().cloned().ok_or_else(no_verifier)?;
    match check(state, licensing, &grant, &verifier, pasted).await? {
        Ok((key, licence)) => {
            let id = new_id();
            let row = StoredLicence::new(id, grant.org_id(), &key, &verifier, &licence, licensing.seal());
            store_key(state, licensing, actor, &grant, &row).await
        }
        Err(error) => {
            let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
            let event = AuditEvent::by_actor(actor, "licence.activated", "licence")
                .summary("tried to activate a licence key")
                .failed(error.code());
            audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
            tx.commit().await.map_err(Problem::internal)?;
            Err(refusal(error))
        }
    }
}

/// The checks in the order of licensing 7. Failures of the database are the outer error.
async fn check(
    state: &AppState,
    licensing: &Licensing,
    grant: &Grant,
    verifier: &Verifier,
    pasted: &str,
) -> Result<Result<(String, Licence), LicenceError>, Problem> {
    let read = normalise(pasted).and_then(|key| {
        let licence = read_licence(&key, verifier, Moment::At(state.clock.now().timestamp()))?;
        Ok((key, licence))
    });
    let (key, licence) = match read {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    if licence.organisation_id != grant.org_id().to_string() {
        return Ok(Err(LicenceError::WrongOrganisation));
    }
    let mut connection = state.pool.acquire().await.map_err(Problem::internal)?;
    let bundle = licensing.bundle(&mut connection, verifier).await?;
    if bundle.is_some_and(|bundle| bundle.revoked.contains(&licence.jti)) {
        return Ok(Err(LicenceError::Revoked));
    }
    Ok(Ok((key, licence)))
}

async fn store_key(
    state: &AppState,
    licensing: &Licensing,
    actor: &Actor,
    grant: &Grant,
    row: &StoredLicence,
) -> Result<(), Problem> {
    let now = state.clock.now();
    let before = licensing.snapshot(grant.org_id()).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_organisation(&mut tx, grant.org_id()).await.map_err(Problem::internal)?;
    store::end_current(&mut tx, grant, actor.user_id, now).await.map_err(Problem::internal)?;
    store::insert(&mut tx, row, actor.user_id, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "licence.activated", "licence")
        .on(row.id)
        .summary(format!("activated a licence of the {} tier", row.tier))
        .change(describe(&before), Some(describe_row(row)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    notify(&mut *tx, LICENCES, &grant.org_id().to_string()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    licensing.forget(Some(grant.org_id()));
    tracing::info!(
        org.id = %grant.org_id(),
        tier = row.tier,
        jti = row.jti,
        verifier.fingerprint = row.verifier_fingerprint,
        "licence was activated"
    );
    Ok(())
}

/// Removes the current key; the organisation is Community at once.
pub(super) async fn remove(state: &AppState, licensing: &Licensing, actor: &Actor) -> Result<(), Problem> {
    let grant = actor.grant(&LICENCE_MANAGE)?;
    let now = state.clock.now();
    let before = licensing.snapshot(grant.org_id()).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_organisation(&mut tx, grant.org_id()).await.map_err(Problem::internal)?;
    let ended = store::end_current(&mut tx, &grant, actor.user_id, now).await.map_err(Problem::internal)?;
    let id = ended.ok_or_else(|| Problem::not_found("licence"))?;
    let event = AuditEvent::by_actor(actor, "licence.removed", "licence")
        .on(id)
        .summary("removed the licence")
        .change(describe(&before), None);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    notify(&mut *tx, LICENCES, &grant.org_id().to_string()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    licensing.forget(Some(grant.org_id()));
    Ok(())
}

/// Keys that were ever activated, newest first.
pub(super) async fn history(state: &AppState, actor: &Actor) -> Result<Vec<HistoryRow>, Problem> {
    let grant = actor.grant(&LICENCE_READ)?;
    store::history(&state.pool, &grant, HISTORY).await.map_err(Problem::internal)
}

fn no_verifier() -> Problem {
    let detail = "this installation has no key to verify licences with; set LICENCE_PUBLIC_KEY_PATH or LICENCE_PUBLIC_KEY";
    Problem::new(ProblemKind::Unavailable, "not_configured", detail)
}

fn refusal(error: LicenceError) -> Problem {
    let field = FieldProblem { path: "key".into(), code: error.code(), message: error.to_string() };
    Problem::new(ProblemKind::Invalid, error.code(), error.to_string()).with_fields(vec![field])
}

fn describe(snapshot: &Snapshot) -> Option<Value> {
    let licence = &snapshot.current()?.licence;
    Some(json!({
        "jti": licence.jti, "tier": licence.tier.as_str(), "features": licence.features, "max_hosts": licence.max_hosts,
    }))
}

fn describe_row(row: &StoredLicence) -> Value {
    json!({
        "jti": row.jti, "tier": row.tier, "features": row.features, "max_hosts": row.max_hosts,
        "verifier_fingerprint": row.verifier_fingerprint,
    })
}
