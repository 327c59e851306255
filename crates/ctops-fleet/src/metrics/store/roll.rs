//! Aggregates: each is made from the next finer level, the finest from samples.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::EPOCH;
use crate::metrics::model::{Family, HOST, Level, Progress, families};

/// How long closing a minute waits for batches under way. New ones queue behind it.
const CLOSE_LIMIT_MS: &str = "5000";

/// How far the aggregates are.
pub(in crate::metrics) async fn progress<'e>(
    executor: impl sqlx::PgExecutor<'e>,
) -> Result<Progress, sqlx::Error> {
    sqlx::query_as(
        "SELECT p.storage, p.closed_until, p.minutes_until, p.hours_until, p.days_until FROM metric_progress AS p",
    )
    .fetch_one(executor)
    .await
}

/// Moves the moment before which samples are late. When it returns, every sample from before it is committed or will be
/// noted as late.
pub(in crate::metrics) async fn close(tx: &mut Tx<'_>, until: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(CLOSE_LIMIT_MS)
        .execute(&mut **tx)
        .await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('metrics:closing', 0))")
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE metric_progress SET closed_until = $1 WHERE closed_until < $1")
        .bind(until)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Whether this transaction may aggregate: one at a time may.
pub(in crate::metrics) async fn try_begin_rolling(tx: &mut Tx<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('metrics:rolling', 0))")
        .fetch_one(&mut **tx)
        .await
}

/// Time of the oldest sample, for the first aggregation after an update.
pub(in crate::metrics) async fn oldest_sample(tx: &mut Tx<'_>) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT min(s.recorded_at) FROM {} AS s", HOST.samples)))
        .fetch_one(&mut **tx)
        .await
}

/// Notes how far a level is.
pub(in crate::metrics) async fn set_until(
    tx: &mut Tx<'_>,
    level: Level,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let statement = match level {
        Level::Minute => "UPDATE metric_progress SET minutes_until = $1",
        Level::Hour => "UPDATE metric_progress SET hours_until = $1",
        Level::Day => "UPDATE metric_progress SET days_until = $1",
    };
    sqlx::query(statement).bind(until).execute(&mut **tx).await.map(drop)
}

/// Takes a number of slots that end by `until` off the list of those to be made again.
pub(in crate::metrics) async fn take_late(
    tx: &mut Tx<'_>,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(Uuid, DateTime<Utc>)>, sqlx::Error> {
    sqlx::query_as(
        "DELETE FROM metric_late AS l
         USING (SELECT p.host_id, p.slot FROM metric_late AS p
                WHERE p.slot <= $1 - interval '10 minutes'
                ORDER BY p.host_id, p.slot
                LIMIT $2
                FOR UPDATE) AS taken
         WHERE l.host_id = taken.host_id AND l.slot = taken.slot
         RETURNING l.host_id, l.slot",
    )
    .bind(until)
    .bind(limit)
    .fetch_all(&mut **tx)
    .await
}

/// Makes the aggregates of one level from `from` to `to` for every host.
pub(in crate::metrics) async fn roll_span(
    tx: &mut Tx<'_>,
    level: Level,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // Minutes are made often: hosts that measured nothing since are not looked at. Who delivered nothing but late
    // samples is noted as late.
    let hosts = match level {
        Level::Minute => "(SELECT v.host_id FROM host_vitals AS v WHERE v.recorded_at >= $1) AS h",
        Level::Hour | Level::Day => "(SELECT v.host_id FROM host_vitals AS v) AS h",
    };
    for family in families() {
        let statement = roll_statement(family, level, hosts, "$1", "$2");
        // Planned anew each time: the partitions it touches are different ones each day.
        sqlx::query(AssertSqlSafe(statement))
            .persistent(false)
            .bind(from)
            .bind(to)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Makes the aggregates of one level again for these hosts, each for as long as `length` says from its moment on.
pub(in crate::metrics) async fn roll_slots(
    tx: &mut Tx<'_>,
    level: Level,
    slots: &[(Uuid, DateTime<Utc>)],
    length: &str,
) -> Result<(), sqlx::Error> {
    if slots.is_empty() {
        return Ok(());
    }
    let (hosts, begins): (Vec<Uuid>, Vec<DateTime<Utc>>) = slots.iter().copied().unzip();
    let end = format!("h.slot + interval '{length}'");
    for family in families() {
        let slots = "UNNEST($1::uuid[], $2::timestamptz[]) AS h(host_id, slot)";
        let statement = roll_statement(family, level, slots, "h.slot", &end);
        sqlx::query(AssertSqlSafe(statement))
            .persistent(false)
            .bind(&hosts)
            .bind(&begins)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// The statement that makes aggregates for the hosts of `hosts`, from `from` to `to`. Each host is looked up by the key
/// of the source, so what it costs depends on the hosts and their samples and not on the size of the tables.
fn roll_statement(family: &Family, level: Level, hosts: &str, from: &str, to: &str) -> String {
    let (source, time) = match level.finer() {
        None => (family.samples.to_owned(), "recorded_at"),
        Some(finer) => (family.aggregates(finer), "bucket"),
    };
    let label = family.label.map(|label| format!(", {label}")).unwrap_or_default();
    let columns = columns(family);
    let names = columns.iter().fold(String::new(), |all, (name, _)| all + ", " + name);
    let mut values = String::new();
    let mut updates = String::new();
    for (position, (name, kind)) in columns.iter().enumerate() {
        // Formatting into a string cannot fail.
        let _ = write!(values, ", {} AS {name}", kind.value(name, level.finer().is_none()));
        let comma = if position > 0 { ", " } else { "" };
        let _ = write!(updates, "{comma}{name} = EXCLUDED.{name}");
    }
    let grouped = family.label.map(|label| format!(", s.{label}")).unwrap_or_default();
    let picked = columns.iter().fold(String::new(), |all, (name, _)| all + ", a." + name);
    let picked_label = family.label.map(|label| format!(", a.{label}")).unwrap_or_default();
    let (target, width) = (family.aggregates(level), level.interval());
    format!(
        "INSERT INTO {target} (host_id, bucket{label}{names})
         SELECT h.host_id, a.bucket{picked_label}{picked}
         FROM {hosts}
         CROSS JOIN LATERAL (
             SELECT date_bin('{width}', s.{time}, {EPOCH}) AS bucket{grouped}{values}
             FROM {source} AS s
             WHERE s.host_id = h.host_id AND s.{time} >= {from} AND s.{time} < {to}
             GROUP BY 1{grouped}) AS a
         ON CONFLICT (host_id, bucket{label}) DO UPDATE SET {updates}"
    )
}

/// What a column of an aggregate holds.
#[derive(Clone, Copy)]
enum Kind {
    Samples,
    First,
    Last,
    Count(&'static str),
    Sum(&'static str),
    Lowest(&'static str),
    Highest(&'static str),
}

impl Kind {
    /// How it is reckoned from samples, or from the column `name` of finer aggregates.
    fn value(self, name: &str, from_samples: bool) -> String {
        match (self, from_samples) {
            (Self::Samples, true) => "count(*)::integer".to_owned(),
            (Self::First, true) => "min(s.recorded_at)".to_owned(),
            (Self::Last, true) => "max(s.recorded_at)".to_owned(),
            (Self::Count(column), true) => format!("NULLIF(count(s.{column}), 0)::integer"),
            (Self::Sum(column), true) => format!("sum(s.{column})::bigint"),
            (Self::Lowest(column), true) => format!("min(s.{column})"),
            (Self::Highest(column), true) => format!("max(s.{column})"),
            (Self::Samples | Self::Count(_), false) => format!("sum(s.{name})::integer"),
            (Self::Sum(_), false) => format!("sum(s.{name})::bigint"),
            (Self::First | Self::Lowest(_), false) => format!("min(s.{name})"),
            (Self::Last | Self::Highest(_), false) => format!("max(s.{name})"),
        }
    }
}

/// The columns of the aggregates of a family after the key.
fn columns(family: &Family) -> Vec<(String, Kind)> {
    let mut all = vec![
        ("samples".to_owned(), Kind::Samples),
        ("first_at".to_owned(), Kind::First),
        ("last_at".to_owned(), Kind::Last),
    ];
    for column in family.columns {
        all.push((format!("{column}_count"), Kind::Count(column)));
        all.push((format!("{column}_sum"), Kind::Sum(column)));
        all.push((format!("{column}_min"), Kind::Lowest(column)));
        all.push((format!("{column}_max"), Kind::Highest(column)));
    }
    all
}

/// The select list of aggregates, for definitions of continuous aggregates.
pub(super) fn select_list(family: &Family, level: Level) -> String {
    columns(family).iter().fold(String::new(), |mut list, (name, kind)| {
        // Formatting into a string cannot fail.
        let _ = write!(list, ", {} AS {name}", kind.value(name, level.finer().is_none()));
        list
    })
}
