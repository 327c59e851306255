//! Decisions about scans: who may ask for one, and what people may see.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_base::{Page, Problem};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{PackageQuery, PackageRow, ScanRow, SoftwareSettings};
use super::store::{self, sweep};
use super::{SOFTWARE_READ, SOFTWARE_RESCAN, SOFTWARE_SETTINGS};
use crate::hosts;
use crate::tasks::{self, NewRun, SOFTWARE_INVENTORY};

/// Scans that one person may start per minute (software-inventory 9).
const RESCANS: Rate = Rate { scope: "software.rescan", limit: 5, window: Duration::from_secs(60) };

/// A scan that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartedScan {
    /// The scan; also the id of the host's task.
    pub scan_id: Uuid,
    /// The task run it is in.
    pub run_id: Uuid,
}

/// Starts a scan of one host at once (software-inventory 9).
///
/// # Errors
/// `forbidden` without `software.rescan`; `not_found`; `rate_limited`; `wrong_state` while a scan of the host is pending
/// or running, and for a host without an approved agent.
pub async fn rescan(state: &AppState, actor: &Actor, host_id: Uuid) -> Result<StartedScan, Problem> {
    let grant = actor.grant(&SOFTWARE_RESCAN)?;
    hosts::check_there(&state.pool, &grant, host_id).await?;
    let now = state.clock.now();
    throttle::hit(&state.pool, &RESCANS, &actor.user_id.to_string(), now).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !sweep::has_agent(&mut tx, host_id).await.map_err(Problem::internal)? {
        return Err(Problem::wrong_state("the host has no approved agent"));
    }
    if sweep::has_open_scan(&mut tx, host_id).await.map_err(Problem::internal)? {
        return Err(busy());
    }
    let settings = settings_of(&mut *tx, actor.org_id).await.map_err(Problem::internal)?;
    let started = start(&mut tx, actor.org_id, &[host_id], Some(actor.user_id), &settings, now).await;
    let run = started.map_err(|error| if is_taken(&error) { busy() } else { Problem::internal(error) })?;
    let (run_id, Some(&(_, scan_id))) = (run.run_id, run.targets.first()) else {
        return Err(Problem::not_found("host"));
    };
    let event = AuditEvent::by_actor(actor, "software_scan.started", "host")
        .on(host_id)
        .summary("started a scan of the software of a host")
        .change(None, Some(json!({ "scan_id": scan_id, "task_run_id": run_id })));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(StartedScan { scan_id, run_id })
}

/// Makes the run and its scans. Somebody means a person asked, nobody means the sweeper.
pub(super) async fn start(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    host_ids: &[Uuid],
    by: Option<Uuid>,
    settings: &SoftwareSettings,
    now: DateTime<Utc>,
) -> Result<tasks::CreatedRun, sqlx::Error> {
    let run = NewRun {
        org_id,
        kind: SOFTWARE_INVENTORY.to_owned(),
        host_ids: host_ids.to_vec(),
        config_json: settings.task_config().to_string(),
        max_parallel: 0,
        created_by: by,
    };
    let run = tasks::create_run(tx, &run, now).await?;
    let origin = if by.is_some() { "user" } else { "schedule" };
    sweep::insert_scans(tx, org_id, run.run_id, &run.targets, origin, now).await?;
    Ok(run)
}

/// Another scan of the host was started a moment earlier.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

fn busy() -> Problem {
    Problem::wrong_state("a scan of this host is pending or running already")
}

/// One page of a host's packages (software-inventory 11).
///
/// # Errors
/// `forbidden` without `software.read`; `not_found`; `internal`.
pub async fn list_packages(
    pool: &Pool,
    actor: &Actor,
    host_id: Uuid,
    query: &PackageQuery,
) -> Result<Page<PackageRow>, Problem> {
    let grant = actor.grant(&SOFTWARE_READ)?;
    hosts::check_there(pool, &grant, host_id).await?;
    let (total, items) = tokio::try_join!(
        store::count_packages(pool, &grant, host_id, query),
        store::packages(pool, &grant, host_id, query),
    )
    .map_err(Problem::internal)?;
    Ok(Page { items, total, request: query.page })
}

/// The scans of a host, newest first, at most 100.
///
/// # Errors
/// `forbidden` without `software.read`; `not_found`; `internal`.
pub async fn list_scans(pool: &Pool, actor: &Actor, host_id: Uuid) -> Result<Vec<ScanRow>, Problem> {
    let grant = actor.grant(&SOFTWARE_READ)?;
    hosts::check_there(pool, &grant, host_id).await?;
    store::scans(pool, &grant, host_id).await.map_err(Problem::internal)
}

pub(super) async fn settings_of<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    org_id: Uuid,
) -> Result<SoftwareSettings, sqlx::Error> {
    store::settings(executor, org_id).await.map(Option::unwrap_or_default)
}

/// The organisation's choices.
///
/// # Errors
/// `forbidden` without `software.settings`; `internal`.
pub async fn get_settings(pool: &Pool, actor: &Actor) -> Result<SoftwareSettings, Problem> {
    let grant = actor.grant(&SOFTWARE_SETTINGS)?;
    settings_of(pool, grant.org_id()).await.map_err(Problem::internal)
}

/// Replaces the organisation's choices.
///
/// # Errors
/// `forbidden` without `software.settings`; `validation_failed`; `internal`.
pub async fn put_settings(
    state: &AppState,
    actor: &Actor,
    settings: SoftwareSettings,
) -> Result<SoftwareSettings, Problem> {
    let grant = actor.grant(&SOFTWARE_SETTINGS)?;
    let (settings, now) = (settings.check()?, state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = settings_of(&mut *tx, grant.org_id()).await.map_err(Problem::internal)?;
    store::save_settings(&mut tx, &grant, &settings, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "settings.software.changed", "organisation")
        .on(grant.org_id())
        .summary("changed the settings of the software inventory")
        .change(Some(describe(&before)), Some(describe(&settings)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(settings)
}

fn describe(settings: &SoftwareSettings) -> Value {
    let mut described = settings.task_config();
    described["enabled"] = settings.enabled.into();
    described["interval_hours"] = settings.interval_hours.into();
    described
}
