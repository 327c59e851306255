//! TimescaleDB, where it is: hypertables with either licence, continuous aggregates with the Timescale licence.
//!
//! Functions as documented for TimescaleDB 2.9 (the first with continuous aggregates on top of each other) and later.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use sqlx::AssertSqlSafe;

use super::roll::select_list;
use crate::metrics::model::{Engine, Family, Level, families};

/// How often dropping old chunks is tried when a refresh is in the way.
const DROP_ATTEMPTS: u32 = 5;

/// What the extension in this database can do; none without it.
pub(in crate::metrics) async fn best_engine(pool: &Pool) -> Result<Option<Engine>, sqlx::Error> {
    let (installed, licence, has_policies): (bool, Option<String>, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM pg_extension AS e WHERE e.extname = 'timescaledb'),
                current_setting('timescaledb.license', true),
                EXISTS (SELECT 1 FROM pg_proc AS p WHERE p.proname = 'add_continuous_aggregate_policy')",
    )
    .fetch_one(pool)
    .await?;
    Ok(installed.then(|| {
        if has_policies && licence.as_deref() == Some("timescale") {
            Engine::Continuous
        } else {
            Engine::Hypertables
        }
    }))
}

/// Whether anything was measured yet. Nobody can write until `tx` ends.
pub(in crate::metrics) async fn is_empty(tx: &mut Tx<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query("SELECT set_config('lock_timeout', '5000', true)").execute(&mut **tx).await?;
    sqlx::query(
        "LOCK TABLE metric_samples, host_disk_samples, host_network_samples IN ACCESS EXCLUSIVE MODE",
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT 1 FROM metric_samples) AND NOT EXISTS (SELECT 1 FROM host_disk_samples)
            AND NOT EXISTS (SELECT 1 FROM host_network_samples)",
    )
    .fetch_one(&mut **tx)
    .await
}

/// Puts hypertables of the same names and columns in the place of the empty tables, and with the Timescale licence
/// continuous aggregates in the place of the tables of aggregates.
pub(in crate::metrics) async fn convert(tx: &mut Tx<'_>, engine: Engine) -> Result<(), sqlx::Error> {
    let mut statements = String::new();
    for family in families() {
        statements.push_str(&hypertable(family.samples, family, "recorded_at", "1 day", ", received_at"));
        for level in Level::ALL {
            let table = family.aggregates(level);
            let statement = match (engine, level) {
                (Engine::Continuous, _) => continuous_aggregate(&table, family, level),
                (_, Level::Minute) => hypertable(&table, family, "bucket", "1 day", ""),
                (_, Level::Hour) => hypertable(&table, family, "bucket", "7 days", ""),
                (_, Level::Day) => hypertable(&table, family, "bucket", "90 days", ""),
            };
            statements.push_str(&statement);
        }
    }
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut **tx).await?;
    sqlx::query("UPDATE metric_progress SET storage = $1")
        .bind(engine.as_str())
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// A hypertable cannot be made of a partitioned table, so a new one takes its name. Its key is that of the old one:
/// host, time, and what tells rows of one moment apart (`extra`, or the label of the family).
fn hypertable(table: &str, family: &Family, time: &str, chunk: &str, extra: &str) -> String {
    let last = family.label.map_or_else(|| extra.to_owned(), |label| format!(", {label}"));
    format!(
        "CREATE TABLE {table}_new (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
         DROP TABLE {table};
         ALTER TABLE {table}_new RENAME TO {table};
         ALTER TABLE {table} ADD PRIMARY KEY (host_id, {time}{last});
         SELECT create_hypertable('{table}', '{time}', chunk_time_interval => INTERVAL '{chunk}',
                                  create_default_indexes => false);\n"
    )
}

/// The aggregate of one level as the extension keeps it, with the policy that refreshes it (monitoring 5). It adds what
/// it has not stored yet when it is read.
fn continuous_aggregate(view: &str, family: &Family, level: Level) -> String {
    let (source, time) = match level.finer() {
        None => (family.samples.to_owned(), "recorded_at"),
        Some(finer) => (family.aggregates(finer), "bucket"),
    };
    let label = family.label.map(|label| format!(", s.{label}")).unwrap_or_default();
    let (width, columns) = (level.interval(), select_list(family, level));
    // Late samples are a day old at most; a policy has to span two buckets at least.
    let (start, end, every) = match level {
        Level::Minute => ("2 days", "1 minute", "1 minute"),
        Level::Hour => ("3 days", "1 hour", "15 minutes"),
        Level::Day => ("7 days", "1 day", "6 hours"),
    };
    format!(
        "DROP TABLE {view};
         CREATE MATERIALIZED VIEW {view}
         WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
         SELECT s.host_id, time_bucket(INTERVAL '{width}', s.{time}) AS bucket{label}{columns}
         FROM {source} AS s
         GROUP BY s.host_id, time_bucket(INTERVAL '{width}', s.{time}){label}
         WITH NO DATA;
         SELECT add_continuous_aggregate_policy('{view}', start_offset => INTERVAL '{start}',
             end_offset => INTERVAL '{end}', schedule_interval => INTERVAL '{every}');\n"
    )
}

/// Drops the chunks of a hypertable or continuous aggregate that lie before a moment. Returns how many.
pub(in crate::metrics) async fn drop_chunks(
    pool: &Pool,
    table: &str,
    before: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let mut attempts = 0;
    loop {
        let dropped = sqlx::query_scalar(
            "SELECT count(*) FROM drop_chunks($1::text::regclass, older_than => $2::timestamptz)",
        )
        .bind(table)
        .bind(before)
        .fetch_one(pool)
        .await;
        attempts += 1;
        // The extension's own refresh takes the same locks in another order. Its steps are short.
        match dropped {
            Err(error) if attempts < DROP_ATTEMPTS && is_deadlock(&error) => {}
            done => return done,
        }
    }
}

/// SQLSTATE `deadlock_detected` (PostgreSQL, appendix A).
fn is_deadlock(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "40P01")
}

/// Rows (estimated), bytes and oldest time, by chunks, of hypertables and continuous aggregates.
pub(in crate::metrics) async fn amount(
    pool: &Pool,
    tables: &[String],
) -> Result<(i64, i64, Option<DateTime<Utc>>), sqlx::Error> {
    sqlx::query_as(
        "WITH stored AS (
             SELECT COALESCE(c.materialization_hypertable_schema, 'public') AS schema,
                    COALESCE(c.materialization_hypertable_name, t.name) AS name
             FROM UNNEST($1::text[]) AS t(name)
             LEFT JOIN timescaledb_information.continuous_aggregates AS c ON c.view_name = t.name)
         SELECT COALESCE(sum(approximate_row_count(format('%I.%I', s.schema, s.name)::regclass)), 0)::bigint,
                COALESCE(sum(hypertable_size(format('%I.%I', s.schema, s.name)::regclass)), 0)::bigint,
                (SELECT min(k.range_start) FROM timescaledb_information.chunks AS k
                 JOIN stored AS o ON o.schema = k.hypertable_schema AND o.name = k.hypertable_name)
         FROM stored AS s",
    )
    .bind(tables)
    .fetch_one(pool)
    .await
}
