//! Day partitions of time-series tables: made ahead of time, dropped as a whole when retention ends.
//!
//! A partitioned table has one `timestamptz` key column and a default partition `<table>_default`, so that a row is
//! never refused because its day is missing. A day is a UTC day; its partition is called `<table>_p<yyyymmdd>`.

use std::collections::HashSet;
use std::fmt::Write as _;

use chrono::{Days, NaiveDate};
use sqlx::AssertSqlSafe;

use crate::{Pool, Tx};

/// The most days that one call makes: enough to fill in a quarter, small enough to be one transaction.
pub const MAX_DAYS: u32 = 100;

/// The longest name of a partitioned table. PostgreSQL cuts names at 63 bytes and `_p<yyyymmdd>_day` takes 14.
const MAX_NAME: usize = 49;

/// How long maintenance waits for a table in use. Longer would stall the writers that queue behind it.
const LOCK_LIMIT_MS: &str = "5000";

/// Why partitions were not changed.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// The name is not a plain lower-case name of at most 49 characters.
    #[error("{0:?} cannot be the name of a partitioned table")]
    Name(String),
    /// The table is missing or has no partition key.
    #[error("{0} is not a partitioned table")]
    NotPartitioned(String),
    /// More days than [`MAX_DAYS`], or days beyond the calendar.
    #[error("{0} days of partitions asked for, at most {MAX_DAYS}")]
    TooManyDays(u32),
    /// The database failed, or the table was in use for too long; try again later.
    #[error("partitions cannot be read or changed")]
    Database(#[from] sqlx::Error),
}

/// Makes the missing partitions of `parent` for `days` days beginning with `from`; returns how many it made. Rows of
/// these days that waited in the default partition move to their place. Several processes may call it at once.
///
/// # Errors
/// See [`PartitionError`]; nothing is changed then.
pub async fn ensure_days(
    pool: &Pool,
    parent: &str,
    from: NaiveDate,
    days: u32,
) -> Result<u32, PartitionError> {
    let wanted: Option<Vec<NaiveDate>> =
        (0..u64::from(days)).map(|day| from.checked_add_days(Days::new(day))).collect();
    let wanted = wanted.filter(|_| days <= MAX_DAYS).ok_or(PartitionError::TooManyDays(days))?;

    let mut tx = begin(pool, parent).await?;
    let key = key_column(&mut tx, parent).await?;
    let present: HashSet<NaiveDate> = days_of(&mut tx, parent).await?.into_iter().collect();
    let missing: Vec<NaiveDate> = wanted.into_iter().filter(|day| !present.contains(day)).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let statements: String = missing.iter().filter_map(|day| create_day(parent, &key, *day)).collect();
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(u32::try_from(missing.len()).unwrap_or(u32::MAX))
}

/// Drops the partitions of `parent` whose whole day lies before `day`, and such rows of the default partition;
/// returns how many partitions it dropped.
///
/// # Errors
/// See [`PartitionError`]; nothing is changed then.
pub async fn drop_before(pool: &Pool, parent: &str, day: NaiveDate) -> Result<u32, PartitionError> {
    let mut tx = begin(pool, parent).await?;
    let key = key_column(&mut tx, parent).await?;
    let expired: Vec<NaiveDate> =
        days_of(&mut tx, parent).await?.into_iter().filter(|made| *made < day).collect();
    let mut statements = format!("DELETE FROM {parent}_default WHERE {key} < '{day} 00:00:00+00';\n");
    if !expired.is_empty() {
        let names: Vec<String> = expired.iter().map(|day| partition_name(parent, *day)).collect();
        // Formatting into a string cannot fail.
        let _ = writeln!(statements, "DROP TABLE {};", names.join(", "));
    }
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(u32::try_from(expired.len()).unwrap_or(u32::MAX))
}

/// The days that have a partition of their own, oldest first.
///
/// # Errors
/// See [`PartitionError`].
pub async fn list_days(pool: &Pool, parent: &str) -> Result<Vec<NaiveDate>, PartitionError> {
    let mut tx = pool.begin().await?;
    days_of(&mut tx, parent).await
}

/// A transaction that no other maintenance of the same table runs beside.
async fn begin(pool: &Pool, parent: &str) -> Result<Tx<'static>, PartitionError> {
    let plain = parent.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !plain || parent.is_empty() || parent.len() > MAX_NAME || parent.as_bytes()[0].is_ascii_digit() {
        return Err(PartitionError::Name(parent.to_owned()));
    }
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('partitions:' || $1, 0))")
        .bind(parent)
        .execute(&mut *tx)
        .await?;
    sqlx::query("SELECT set_config('lock_timeout', $1, true)").bind(LOCK_LIMIT_MS).execute(&mut *tx).await?;
    Ok(tx)
}

/// The column that `parent` is partitioned by, quoted where SQL wants it.
async fn key_column(tx: &mut Tx<'_>, parent: &str) -> Result<String, PartitionError> {
    sqlx::query_scalar(
        "SELECT quote_ident(a.attname)
         FROM pg_partitioned_table AS p
         JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
         WHERE p.partrelid = to_regclass($1) AND p.partstrat = 'r' AND p.partnatts = 1",
    )
    .bind(parent)
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| PartitionError::NotPartitioned(parent.to_owned()))
}

async fn days_of(tx: &mut Tx<'_>, parent: &str) -> Result<Vec<NaiveDate>, PartitionError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text
         FROM pg_inherits AS i
         JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = to_regclass($1)
         ORDER BY c.relname",
    )
    .bind(parent)
    .fetch_all(&mut **tx)
    .await?;
    Ok(names.iter().filter_map(|name| day_of(parent, name)).collect())
}

fn partition_name(parent: &str, day: NaiveDate) -> String {
    format!("{parent}_p{}", day.format("%Y%m%d"))
}

/// The day of a partition, `None` for the default partition and for those not made here.
fn day_of(parent: &str, partition: &str) -> Option<NaiveDate> {
    let digits = partition.strip_prefix(parent)?.strip_prefix("_p").filter(|digits| digits.len() == 8)?;
    NaiveDate::parse_from_str(digits, "%Y%m%d").ok()
}

/// The statements for one day; `None` at the end of the calendar. The table is made on its own and attached, because
/// attaching takes a weaker lock on the parent than creating it in place: readers and writers of other days go on.
fn create_day(parent: &str, key: &str, day: NaiveDate) -> Option<String> {
    let name = partition_name(parent, day);
    let next = day.succ_opt()?;
    let (from, to) = (format!("'{day} 00:00:00+00'"), format!("'{next} 00:00:00+00'"));
    Some(format!(
        "CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
         WITH moved AS (DELETE FROM {parent}_default WHERE {key} >= {from} AND {key} < {to} RETURNING *)
         INSERT INTO {name} SELECT * FROM moved;
         ALTER TABLE {name} ADD CONSTRAINT {name}_day CHECK ({key} >= {from} AND {key} < {to});
         ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to});
         ALTER TABLE {name} DROP CONSTRAINT {name}_day;\n"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn partition_name_and_day_are_each_others_inverse() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 9).unwrap();
        assert_eq!(partition_name("metric_samples", day), "metric_samples_p20260109");
        assert_eq!(day_of("metric_samples", "metric_samples_p20260109"), Some(day));
    }

    #[test]
    fn day_of_foreign_names_is_none() {
        for name in
            ["metric_samples_default", "metric_samples_p2026", "other_p20260109", "metric_samples_p20261332"]
        {
            assert_eq!(day_of("metric_samples", name), None, "{name}");
        }
    }
}
