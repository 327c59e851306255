//! Charts.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_pg::Pool;
use ctops_slice::{Grant, in_scope};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::EPOCH;
use crate::metrics::model::{
    DEFAULT_DAYS, Engine, Family, Gap, HOST, Metric, Plan, Progress, Retention, Row, Source,
};

/// Heartbeats before the window are looked for this far back, so that the first gap inside it is known.
const LOOK_BACK: TimeDelta = TimeDelta::days(1);

/// A host whose charts may be seen, with what is needed to read them. Only a grant makes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::metrics) struct ChartHost {
    id: Uuid,
    progress: Progress,
    pub(in crate::metrics) retention: Retention,
    /// Seconds between its heartbeats, while it is connected.
    pub(in crate::metrics) interval_seconds: Option<i32>,
}

#[derive(sqlx::FromRow)]
struct HostColumns {
    days: i32,
    interval_seconds: Option<i32>,
    #[sqlx(flatten)]
    progress: Progress,
}

/// The host, if it is there.
pub(in crate::metrics) async fn find_host(
    pool: &Pool,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<ChartHost>, sqlx::Error> {
    let row: Option<HostColumns> = sqlx::query_as(concat!(
        "SELECT COALESCE(r.days, $3) AS days, l.interval_seconds, p.storage, p.closed_until, p.minutes_until,
                p.hours_until, p.days_until
         FROM host_vitals AS v
         CROSS JOIN metric_progress AS p
         LEFT JOIN metric_retention AS r ON r.org_id = v.org_id
         LEFT JOIN agent_leases AS l ON l.host_id = v.host_id
         WHERE v.host_id = $1 AND v.org_id = $2 AND ",
        in_scope!("v.host_id", "$4")
    ))
    .bind(id)
    .bind(grant.org_id())
    .bind(DEFAULT_DAYS)
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| ChartHost {
        id,
        progress: row.progress,
        retention: Retention::of(row.days),
        interval_seconds: row.interval_seconds,
    }))
}

/// A table and the part of the window that is read from it.
struct Part {
    source: Source,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// What makes up the window: aggregates as far as they exist, the rest from finer levels and in the end from samples,
/// so that the newest bucket is complete up to now (monitoring 5).
fn parts(host: &ChartHost, source: Source, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut begin = from;
    let mut level = match source {
        Source::Samples => None,
        Source::Aggregates(level) => Some(level),
    };
    while let Some(current) = level {
        // Continuous aggregates reckon what they have not stored themselves.
        let is_live = host.progress.storage == Engine::Continuous;
        let until = if is_live { to } else { host.progress.until(current).min(to) };
        if begin < until {
            parts.push(Part { source: Source::Aggregates(current), from: begin, to: until });
            begin = until;
        }
        level = current.finer();
    }
    if begin < to {
        parts.push(Part { source: Source::Samples, from: begin, to });
    }
    parts
}

/// The buckets of metrics of one family, oldest first.
pub(in crate::metrics) async fn rows(
    pool: &Pool,
    host: &ChartHost,
    family: &Family,
    metrics: &[&'static Metric],
    plan: &Plan,
) -> Result<Vec<Row>, sqlx::Error> {
    let parts = parts(host, plan.source, plan.from, plan.to);
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let list = |each: &dyn Fn(&str) -> String| {
        metrics.iter().map(|metric| each(metric.column)).collect::<Vec<_>>().join(", ")
    };
    let average = list(&|c| format!("sum(p.{c}_sum::float8) / NULLIF(sum(p.{c}_count), 0)"));
    let low = list(&|c| format!("min(p.{c}_min)::bigint"));
    let high = list(&|c| format!("max(p.{c}_max)::bigint"));
    let label = family.label.map_or_else(|| "''".to_owned(), |label| format!("s.{label}"));
    let selects: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(number, part)| {
            let (table, time, columns) = match part.source {
                Source::Samples => {
                    let columns = list(&|c| {
                        format!(
                            "(s.{c} IS NOT NULL)::integer AS {c}_count, s.{c}::bigint AS {c}_sum, s.{c} AS {c}_min,
                             s.{c} AS {c}_max"
                        )
                    });
                    (family.samples.to_owned(), "recorded_at", columns)
                }
                Source::Aggregates(level) => {
                    let columns =
                        list(&|c| format!("s.{c}_count::integer, s.{c}_sum::bigint, s.{c}_min, s.{c}_max"));
                    (family.aggregates(level), "bucket", columns)
                }
            };
            let (from, to) = (3 + 2 * number, 4 + 2 * number);
            format!(
                "SELECT s.{time} AS at, {label} AS label, {columns} FROM {table} AS s
                 WHERE s.host_id = $1 AND s.{time} >= ${from} AND s.{time} < ${to}"
            )
        })
        .collect();
    let statement = format!(
        "SELECT p.label, date_bin(make_interval(secs => $2), p.at, {EPOCH}) AS at,
                ARRAY[{average}]::float8[] AS average, ARRAY[{low}]::bigint[] AS low, ARRAY[{high}]::bigint[] AS high
         FROM ({}) AS p
         GROUP BY 1, 2
         ORDER BY 1, 2",
        selects.join(" UNION ALL ")
    );
    // Samples as they are: agents measure by the second.
    let width = plan.bucket.unwrap_or(1) as f64;
    // Planned anew each time: which partitions are needed is then known before any is opened.
    let mut query = sqlx::query_as(AssertSqlSafe(statement)).persistent(false).bind(host.id).bind(width);
    for part in &parts {
        query = query.bind(part.from).bind(part.to);
    }
    query.fetch_all(pool).await
}

/// The gaps between heartbeats, oldest first. From aggregates of a minute: every gap of a minute or more lies between
/// two of them, so only shorter ones inside a minute are not seen.
pub(in crate::metrics) async fn gaps(
    pool: &Pool,
    host: &ChartHost,
    plan: &Plan,
) -> Result<Vec<Gap>, sqlx::Error> {
    let selects: Vec<String> = parts(host, plan.source, plan.from - LOOK_BACK, plan.to)
        .iter()
        .map(|part| {
            let (table, time, first, last) = match part.source {
                Source::Samples => (HOST.samples.to_owned(), "recorded_at", "recorded_at", "recorded_at"),
                Source::Aggregates(level) => (HOST.aggregates(level), "bucket", "first_at", "last_at"),
            };
            // The bounds are moments of ours and not input; a time stamp needs no quoting.
            format!(
                "SELECT s.{first} AS first_at, s.{last} AS last_at FROM {table} AS s
                 WHERE s.host_id = $1 AND s.{time} >= '{}' AND s.{time} < '{}'",
                part.from.to_rfc3339(),
                part.to.to_rfc3339()
            )
        })
        .collect();
    let statement = format!(
        "SELECT g.at, EXTRACT(EPOCH FROM g.at - g.before)::float8 AS seconds
         FROM (SELECT p.first_at AS at, lag(p.last_at) OVER (ORDER BY p.first_at) AS before
               FROM ({}) AS p) AS g
         WHERE g.before IS NOT NULL AND g.at >= $2
         ORDER BY g.at",
        selects.join(" UNION ALL ")
    );
    sqlx::query_as(AssertSqlSafe(statement))
        .persistent(false)
        .bind(host.id)
        .bind(plan.from)
        .fetch_all(pool)
        .await
}

/// What happened to the connection of a host's agent from the last change before `from` on, oldest first: status,
/// moment, reason.
pub(in crate::metrics) async fn status_history(
    pool: &Pool,
    host: &ChartHost,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(String, DateTime<Utc>, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT h.status, h.at, h.reason
         FROM agents AS a
         JOIN agent_status_history AS h ON h.agent_id = a.id
         WHERE a.host_id = $1 AND h.at < $3
           AND h.at >= COALESCE((SELECT max(b.at) FROM agent_status_history AS b
                                 WHERE b.agent_id = a.id AND b.at < $2 AND b.status = 'active'), '-infinity')
         ORDER BY h.at, h.id",
    )
    .bind(host.id)
    .bind(from)
    .bind(to)
    .fetch_all(pool)
    .await
}
