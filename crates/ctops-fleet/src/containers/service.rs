//! What people may see and decide.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Page, Problem};
use ctops_pg::Pool;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, announce_work, announce_work_for_org};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{
    ContainerHostSettings, ContainerQuery, ContainerRow, ContainerSettings, EventRow, RuntimeRow, SampleRow,
};
use super::store::{self, settings};
use super::{CONTAINERS_HOST_SETTINGS, CONTAINERS_READ, CONTAINERS_SETTINGS};
use crate::hosts;

/// One page of a host's containers (containers 19).
pub(super) async fn list(
    pool: &Pool,
    actor: &Actor,
    host_id: Uuid,
    query: &ContainerQuery,
) -> Result<Page<ContainerRow>, Problem> {
    let grant = actor.grant(&CONTAINERS_READ)?;
    hosts::check_there(pool, &grant, host_id).await?;
    let (total, items) = tokio::try_join!(
        store::count(pool, &grant, host_id, query),
        store::page(pool, &grant, host_id, query)
    )
    .map_err(Problem::internal)?;
    Ok(Page { items, total, request: query.page })
}

/// The runtimes of a host (containers 1 to 3).
pub(super) async fn runtimes(pool: &Pool, actor: &Actor, host_id: Uuid) -> Result<Vec<RuntimeRow>, Problem> {
    let grant = actor.grant(&CONTAINERS_READ)?;
    hosts::check_there(pool, &grant, host_id).await?;
    store::runtimes(pool, &grant, host_id).await.map_err(Problem::internal)
}

/// One container.
pub(super) async fn find(pool: &Pool, actor: &Actor, id: Uuid) -> Result<ContainerRow, Problem> {
    let grant = actor.grant(&CONTAINERS_READ)?;
    let found = store::find(pool, &grant, id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("container"))
}

/// Events of a container, newest first, from after `before` on.
pub(super) async fn events(
    pool: &Pool,
    actor: &Actor,
    id: Uuid,
    before: Option<(DateTime<Utc>, i64)>,
    limit: i64,
) -> Result<Vec<EventRow>, Problem> {
    let container = find(pool, actor, id).await?;
    store::events(pool, &container, before, limit).await.map_err(Problem::internal)
}

/// The samples of the last `span`, oldest first.
pub(super) async fn samples(
    pool: &Pool,
    actor: &Actor,
    id: Uuid,
    span: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<SampleRow>, Problem> {
    let container = find(pool, actor, id).await?;
    store::samples(pool, &container, now - span).await.map_err(Problem::internal)
}

/// The organisation's choices.
pub(super) async fn get_settings(pool: &Pool, actor: &Actor) -> Result<ContainerSettings, Problem> {
    let grant = actor.grant(&CONTAINERS_SETTINGS)?;
    Ok(settings::of_org(pool, grant.org_id()).await.map_err(Problem::internal)?.unwrap_or_default())
}

/// Replaces the organisation's choices and tells its agents.
pub(super) async fn put_settings(
    state: &AppState,
    actor: &Actor,
    wanted: ContainerSettings,
) -> Result<ContainerSettings, Problem> {
    let grant = actor.grant(&CONTAINERS_SETTINGS)?;
    let (wanted, now) = (wanted.check()?, state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before =
        settings::of_org(&mut *tx, grant.org_id()).await.map_err(Problem::internal)?.unwrap_or_default();
    settings::save_org(&mut tx, &grant, &wanted, now).await.map_err(Problem::internal)?;
    announce_work_for_org(&mut tx, grant.org_id()).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "settings.containers.changed", "organisation")
        .on(grant.org_id())
        .summary("changed the settings of container telemetry")
        .change(Some(describe(&before)), Some(describe(&wanted)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(wanted)
}

fn describe(settings: &ContainerSettings) -> Value {
    json!({
        "enabled": settings.enabled,
        "sample_interval_seconds": settings.sample_interval_seconds,
        "inventory_interval_seconds": settings.inventory_interval_seconds,
        "retention_days": settings.retention_days,
        "label_prefixes": settings.label_prefixes,
    })
}

/// A host's own choices.
pub(super) async fn get_host_settings(
    pool: &Pool,
    actor: &Actor,
    host_id: Uuid,
) -> Result<ContainerHostSettings, Problem> {
    let grant = actor.grant(&CONTAINERS_HOST_SETTINGS)?;
    hosts::check_there(pool, &grant, host_id).await?;
    Ok(settings::of_host(pool, host_id).await.map_err(Problem::internal)?.unwrap_or_default())
}

/// Replaces a host's own choices and tells its agent.
pub(super) async fn put_host_settings(
    state: &AppState,
    actor: &Actor,
    host_id: Uuid,
    wanted: ContainerHostSettings,
) -> Result<ContainerHostSettings, Problem> {
    let grant = actor.grant(&CONTAINERS_HOST_SETTINGS)?;
    hosts::check_there(&state.pool, &grant, host_id).await?;
    let (wanted, now) = (wanted.check()?, state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = settings::of_host(&mut *tx, host_id).await.map_err(Problem::internal)?.unwrap_or_default();
    settings::save_host(&mut tx, &grant, host_id, wanted, now).await.map_err(Problem::internal)?;
    announce_work(&mut tx, &[host_id]).await.map_err(Problem::internal)?;
    let described =
        |s: ContainerHostSettings| json!({ "enabled": s.enabled, "retention_days": s.retention_days });
    let event = AuditEvent::by_actor(actor, "host.updated", "host")
        .on(host_id)
        .summary("changed how containers of a host are watched")
        .change(Some(described(before)), Some(described(wanted)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(wanted)
}
