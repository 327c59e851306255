//! Pruning, a batch at a time.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::licence::Feature;
use serde_json::json;
use uuid::Uuid;

use super::model::{COMMUNITY_DAYS, DEFAULT_DAYS, RETENTION_DAYS};
use super::store;
use crate::Deps;
use crate::chain::{Checkpoint, CheckpointKind, INSTALLATION_CHAIN, chains, record_checkpoint, signing_key};
use crate::event::HashBytes;

/// Events removed in one transaction (audit-log 18).
const BATCH: i64 = 10_000;

/// Prunes every chain; returns how many events went.
pub(super) async fn prune_all(deps: &Deps) -> Result<i64, Problem> {
    let mut removed = 0;
    for chain_id in chains(&deps.pool).await.map_err(Problem::internal)? {
        removed += prune_chain(deps, chain_id).await?;
    }
    Ok(removed)
}

/// How long a chain's events are kept. Without a licence it is 90 days, but an organisation that once had one keeps
/// what it chose: a lapse never loses data.
async fn days_of(deps: &Deps, chain_id: Uuid, now: DateTime<Utc>) -> Result<i32, Problem> {
    if chain_id == INSTALLATION_CHAIN {
        return Ok(DEFAULT_DAYS);
    }
    let chosen = store::retention(&deps.pool, chain_id).await.map_err(Problem::internal)?;
    let licensed = deps.entitlements.of(chain_id).await?.has(Feature::AuditLog);
    if licensed && chosen.is_none() {
        store::remember_default(&deps.pool, chain_id, now).await.map_err(Problem::internal)?;
    }
    let without = if licensed { DEFAULT_DAYS } else { COMMUNITY_DAYS };
    Ok(chosen.unwrap_or(without).max(*RETENTION_DAYS.start()))
}

async fn prune_chain(deps: &Deps, chain_id: Uuid) -> Result<i64, Problem> {
    let now = deps.clock.now();
    let cutoff = now - TimeDelta::days(i64::from(days_of(deps, chain_id, now).await?));
    if store::hold(&deps.pool, chain_id).await.map_err(Problem::internal)?.is_some() {
        return Ok(0);
    }
    let mut removed = 0;
    while let Some((seq, gone)) = prune_batch(deps, chain_id, cutoff, now).await.map_err(Problem::internal)? {
        removed += gone;
        tracing::debug!(chain = %chain_id, seq, gone, "pruned a part of the audit log");
    }
    if removed > 0 {
        let org_id = (chain_id != INSTALLATION_CHAIN).then_some(chain_id);
        let event = AuditEvent::by(By::System, org_id, "audit.pruned", "audit_log")
            .because("audit_prune")
            .summary(format!("removed {removed} audit events from before {}", cutoff.date_naive()))
            .change(None, Some(json!({"events": removed, "before": cutoff})));
        let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
        audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
        tx.commit().await.map_err(Problem::internal)?;
    }
    Ok(removed)
}

/// Removes one batch and signs where it ended; none when nothing is left to remove.
async fn prune_batch(
    deps: &Deps,
    chain_id: Uuid,
    cutoff: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let mut tx = deps.pool.begin().await?;
    let Some((seq, hash)) = store::prunable(&mut tx, chain_id, cutoff, BATCH).await? else {
        return Ok(None);
    };
    let hash = HashBytes::try_from(hash).map_err(|error| sqlx::Error::Decode(error.into()))?.0;
    let gone = store::prune(&mut tx, chain_id, seq).await?;
    let stated = (seq, hash, gone);
    let checkpoint = Checkpoint::sign(&signing_key(&deps.seal), chain_id, CheckpointKind::Prune, stated, now);
    record_checkpoint(&mut tx, &checkpoint).await?;
    tx.commit().await?;
    Ok(Some((seq, gone)))
}
