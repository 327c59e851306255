//! Reading and changing.

use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_slice::agents::announce_work_for_org;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};

use super::model::HostDefaults;
use super::{HOST_DEFAULTS_MANAGE, store};

/// The organisation's defaults.
pub(super) async fn find(pool: &Pool, actor: &Actor) -> Result<HostDefaults, Problem> {
    let grant = actor.grant(&HOST_DEFAULTS_MANAGE)?;
    Ok(store::find(pool, &grant).await.map_err(Problem::internal)?.unwrap_or_default())
}

/// Replaces the organisation's defaults and tells its agents. What is the same already is left alone, so that a form
/// saved without a change does not reach the whole fleet.
pub(super) async fn replace(
    state: &AppState,
    actor: &Actor,
    wanted: HostDefaults,
) -> Result<HostDefaults, Problem> {
    let grant = actor.grant(&HOST_DEFAULTS_MANAGE)?;
    let (wanted, now) = (wanted.check()?, state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = store::find(&mut *tx, &grant).await.map_err(Problem::internal)?.unwrap_or_default();
    if before == wanted {
        return Ok(wanted);
    }
    store::save(&mut tx, &grant, wanted, now).await.map_err(Problem::internal)?;
    announce_work_for_org(&mut tx, grant.org_id()).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "settings.host_defaults.changed", "organisation")
        .on(grant.org_id())
        .summary("changed the host defaults")
        .change(Some(describe(before)), Some(describe(wanted)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(wanted)
}

fn describe(defaults: HostDefaults) -> Value {
    json!({
        "heartbeat_interval_seconds": defaults.heartbeat_interval_seconds,
        "collect_cpu": defaults.collect_cpu,
        "collect_memory": defaults.collect_memory,
        "collect_disk": defaults.collect_disk,
        "collect_network": defaults.collect_network,
        "collect_containers": defaults.collect_containers,
    })
}
