//! Charts and the retention setting.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::json;
use uuid::Uuid;

use super::model::{
    Chart, ChartInput, ChartQuery, Engine, GapChart, Kept, Level, NewRetention, OfflinePeriod, Plan, Source,
    Storage, families, gaps_by_bucket, series_of,
};
use super::store::read::ChartHost;
use super::store::{keep, read, roll};
use crate::enrolment::{SETTINGS_READ, SETTINGS_WRITE};
use crate::hosts::HOSTS_READ;

/// Seconds between heartbeats when nobody knows (agents-enrolment 26).
const USUAL_INTERVAL: i32 = 30;

/// The lines of a host's charts (monitoring 6 to 9).
///
/// # Errors
/// `forbidden` without `hosts.read`; `validation_failed`; `not_found`; `internal` when the database fails.
pub async fn chart(
    pool: &Pool,
    actor: &Actor,
    host_id: Uuid,
    input: &ChartInput<'_>,
    now: DateTime<Utc>,
) -> Result<Chart, Problem> {
    let query = ChartQuery::parse(input, now)?;
    let host = find(pool, actor, host_id).await?;
    let plan = Plan::of(&query, &host.retention, now);
    let interval = TimeDelta::seconds(i64::from(host.interval_seconds.unwrap_or(USUAL_INTERVAL)));
    let (mut series, mut bucket_seconds) = (Vec::new(), plan.bucket);
    for family in families() {
        let metrics: Vec<_> =
            query.metrics.iter().filter(|metric| metric.family == family).copied().collect();
        if metrics.is_empty() {
            continue;
        }
        // Space on disks is kept once a minute, however often the agent reports.
        let pause = if family.label == Some("mount_point") { Level::Minute.width() } else { interval };
        let rows = read::rows(pool, &host, family, &metrics, &plan).await.map_err(Problem::internal)?;
        let (lines, bucket) = series_of(&metrics, &rows, &plan, pause.max(interval));
        series.extend(lines);
        bucket_seconds = bucket_seconds.max(bucket);
    }
    Ok(Chart {
        bucket_seconds,
        source: plan.source.name(),
        from: plan.from,
        to: plan.to,
        clipped: plan.clipped,
        series,
    })
}

/// The gaps between a host's heartbeats (monitoring 12). Of `input` only the window counts.
///
/// # Errors
/// As [`chart`].
pub async fn heartbeat_gaps(
    pool: &Pool,
    actor: &Actor,
    host_id: Uuid,
    input: &ChartInput<'_>,
    now: DateTime<Utc>,
) -> Result<GapChart, Problem> {
    let query = ChartQuery::parse(input, now)?;
    let host = find(pool, actor, host_id).await?;
    let plan = Plan::of_gaps(&query, &host.retention, now);
    let gaps = read::gaps(pool, &host, &plan).await.map_err(Problem::internal)?;
    let (points, bucket_seconds) = gaps_by_bucket(gaps, &plan);
    Ok(GapChart {
        bucket_seconds,
        source: plan.source.name(),
        from: plan.from,
        to: plan.to,
        clipped: plan.clipped,
        points,
    })
}

/// The times in which a host had no connection (monitoring 11). Of `input` only the window counts.
///
/// # Errors
/// As [`chart`].
pub async fn offline_periods(
    pool: &Pool,
    actor: &Actor,
    host_id: Uuid,
    input: &ChartInput<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<OfflinePeriod>, Problem> {
    let query = ChartQuery::parse(input, now)?;
    let host = find(pool, actor, host_id).await?;
    let history = read::status_history(pool, &host, query.from, query.to).await.map_err(Problem::internal)?;
    Ok(super::model::offline_periods(&history, query.from, query.to))
}

async fn find(pool: &Pool, actor: &Actor, host_id: Uuid) -> Result<ChartHost, Problem> {
    let grant = actor.grant(&HOSTS_READ)?;
    let host = read::find_host(pool, &grant, host_id).await.map_err(Problem::internal)?;
    host.ok_or_else(|| Problem::not_found("host"))
}

/// The retention setting and what is kept (monitoring 15).
///
/// # Errors
/// `forbidden` without `settings.read`; `internal` when the database fails.
pub(super) async fn storage(pool: &Pool, actor: &Actor) -> Result<Storage, Problem> {
    let grant = actor.grant(&SETTINGS_READ)?;
    let retention = keep::retention(pool, &grant).await.map_err(Problem::internal)?;
    let amounts = keep::amounts(pool).await.map_err(Problem::internal)?;
    let kept = |source: Source| Kept {
        source,
        days: retention.kept_days(source),
        amount: amounts.iter().find(|amount| amount.resolution == source.name()).cloned(),
    };
    Ok(Storage { retention, kept: Source::ALL.map(kept).to_vec() })
}

/// Changes how many days metrics are kept (monitoring 13).
///
/// # Errors
/// `forbidden` without `settings.write`; `validation_failed`, `feature_not_licensed`; `internal` when the database
/// fails.
pub(super) async fn set_retention(state: &AppState, actor: &Actor, days: i64) -> Result<Storage, Problem> {
    let grant = actor.grant(&SETTINGS_WRITE)?;
    let new = NewRetention::check(days)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = keep::retention(&mut *tx, &grant).await.map_err(Problem::internal)?;
    keep::set_retention(&mut tx, &grant, new.days, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "retention.changed", "organisation")
        .on(grant.org_id())
        .summary("changed how long metrics are kept")
        .change(
            Some(json!({"metric_retention_days": before.days})),
            Some(json!({"metric_retention_days": new.days})),
        );
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    storage(&state.pool, actor).await
}

/// Deletes the history of hosts that were deleted for good. Continuous aggregates cannot be deleted from; what they hold
/// of these hosts goes with the chunk.
///
/// # Errors
/// `internal` when the database fails.
pub async fn forget_hosts(pool: &Pool, hosts: &[Uuid], now: DateTime<Utc>) -> Result<(), Problem> {
    let engine = roll::progress(pool).await.map_err(Problem::internal)?.storage;
    let everything = now + TimeDelta::days(1);
    for source in Source::ALL.into_iter().filter(|s| engine != Engine::Continuous || *s == Source::Samples) {
        for family in families() {
            let (table, time) = source.table(family);
            let some = || keep::delete_of_hosts(pool, &table, time, hosts, everything);
            while some().await.map_err(Problem::internal)? > 0 {}
        }
    }
    Ok(())
}
