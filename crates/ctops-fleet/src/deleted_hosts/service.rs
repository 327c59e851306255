//! Decisions about deletion.

use chrono::{DateTime, Utc};
use ctops_base::{Page, Problem};
use ctops_pg::Pool;
use ctops_slice::Actor;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::settings;
use serde_json::json;
use uuid::Uuid;

use super::model::{DAYS, DeletedHost, DeletedHostSettings, DeletedQuery};
use super::{HOSTS_DELETE, HOSTS_PURGE, store};
use crate::agents::{self, AgentDeps};
use crate::{hosts, metrics, tasks};

/// Hosts that are purged in one transaction.
const BATCH: i64 = 200;

/// One page of deleted hosts, the last deleted first, and after how long they are purged.
pub(super) async fn list(
    pool: &Pool,
    actor: &Actor,
    query: &DeletedQuery,
) -> Result<(Page<DeletedHost>, DeletedHostSettings), Problem> {
    let grant = actor.grant(&HOSTS_DELETE)?;
    let (total, items) =
        tokio::try_join!(store::count(pool, &grant, query), store::page(pool, &grant, query))
            .map_err(Problem::internal)?;
    let settings = settings::read(pool, grant.org_id()).await?;
    Ok((Page { items, total, request: query.page }, settings))
}

/// Deletes a host softly: it leaves every list and count, its agent is revoked and its tasks are cancelled (hosts 29).
pub(super) async fn delete(deps: &AgentDeps, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let grant = actor.grant(&HOSTS_DELETE)?;
    let now = deps.clock.now();
    let (hostname, deleted) =
        store::find(&deps.pool, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    if deleted {
        return Err(absent());
    }
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    agents::revoke_for_host(&mut tx, id, Some(actor.user_id), now).await?;
    if !hosts::soft_delete(&mut tx, id, Some(actor.user_id), now).await? {
        return Err(absent());
    }
    tasks::cancel_for_host(&mut tx, id, now).await?;
    let event = AuditEvent::by_actor(actor, "host.deleted", "host")
        .on(id)
        .labelled(&hostname)
        .summary(format!("deleted the host {hostname}"))
        .change(Some(json!({ "hostname": hostname })), None);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    tracing::info!(host.id = %id, "host was deleted");
    Ok(())
}

/// Removes a deleted host with everything that hangs on it (hosts 32).
pub(super) async fn purge(deps: &AgentDeps, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let grant = actor.grant(&HOSTS_PURGE)?;
    let now = deps.clock.now();
    let (hostname, deleted) =
        store::find(&deps.pool, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    if !deleted {
        return Err(Problem::wrong_state("only deleted hosts can be purged; delete it first"));
    }
    let event = AuditEvent::by_actor(actor, "host.purged", "host")
        .on(id)
        .labelled(&hostname)
        .summary(format!("purged the host {hostname}"))
        .change(Some(json!({ "hostname": hostname })), None);
    if purge_hosts(&deps.pool, &[id], &event, now).await? == 0 {
        return Err(absent());
    }
    Ok(())
}

/// Purges what was deleted longer ago than each organisation keeps it. Returns how many hosts that were.
pub(super) async fn purge_old(pool: &Pool, now: DateTime<Utc>) -> Result<u64, Problem> {
    let earliest = now - chrono::TimeDelta::days(DAYS.0);
    let mut purged = 0;
    for org_id in store::organisations_with(pool, earliest).await.map_err(Problem::internal)? {
        let keep = settings::read::<DeletedHostSettings>(pool, org_id).await?;
        let before = now - keep.purge_after();
        loop {
            let ids = store::deleted_before(pool, org_id, before, BATCH).await.map_err(Problem::internal)?;
            if ids.is_empty() {
                break;
            }
            let days = keep.purge_after().num_days();
            let event = AuditEvent::by(By::System, Some(org_id), "host.purged", "host")
                .because("retention")
                .summary(format!("purged {} hosts deleted more than {days} days ago", ids.len()))
                .change(Some(json!({ "host_ids": ids })), None);
            purged += purge_hosts(pool, &ids, &event, now).await?;
        }
    }
    Ok(purged)
}

async fn purge_hosts(
    pool: &Pool,
    ids: &[Uuid],
    event: &AuditEvent,
    now: DateTime<Utc>,
) -> Result<u64, Problem> {
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    agents::end_for_deletion(&mut tx, ids, now).await?;
    let purged = hosts::purge(&mut tx, ids).await?.into_iter().map(|(_, count)| count).sum();
    audit::append(&mut tx, event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    forget(pool, ids, now).await;
    Ok(purged)
}

/// Deletes the metric history of hosts that are gone. They stay gone when that fails: nothing shows their history, and it
/// is dropped when it is too old for every organisation.
pub(crate) async fn forget(pool: &Pool, ids: &[Uuid], now: DateTime<Utc>) {
    if let Err(problem) = metrics::forget_hosts(pool, ids, now).await {
        tracing::error!(
            cause = problem.cause_chain(),
            hosts = ids.len(),
            "the metric history of deleted hosts could not be deleted"
        );
    }
}

fn absent() -> Problem {
    Problem::not_found("host")
}
