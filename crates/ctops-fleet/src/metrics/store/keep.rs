//! Retention, and what the settings page shows of it.

use chrono::{DateTime, NaiveDate, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::metrics::model::{DEFAULT_DAYS, Retention, StoredAmount};

/// Rows that one statement deletes at most.
pub(in crate::metrics) const DELETED_AT_ONCE: i64 = 10_000;

/// What the organisation keeps.
pub(in crate::metrics) async fn retention<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    grant: &Grant,
) -> Result<Retention, sqlx::Error> {
    let days: Option<i32> =
        sqlx::query_scalar("SELECT r.days FROM metric_retention AS r WHERE r.org_id = $1")
            .bind(grant.org_id())
            .fetch_optional(executor)
            .await?;
    Ok(Retention::of(days.unwrap_or(DEFAULT_DAYS)))
}

/// Sets what the organisation keeps, days.
pub(in crate::metrics) async fn set_retention(
    tx: &mut Tx<'_>,
    grant: &Grant,
    days: i32,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO metric_retention (org_id, days, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (org_id) DO UPDATE SET days = EXCLUDED.days, updated_at = EXCLUDED.updated_at",
    )
    .bind(grant.org_id())
    .bind(days)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// What every organisation keeps.
pub(in crate::metrics) async fn all_retentions(pool: &Pool) -> Result<Vec<(Uuid, Retention)>, sqlx::Error> {
    let rows: Vec<(Uuid, i32)> = sqlx::query_as(
        "SELECT o.id, COALESCE(r.days, $1) FROM organisations AS o LEFT JOIN metric_retention AS r ON r.org_id = o.id",
    )
    .bind(DEFAULT_DAYS)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(org_id, days)| (org_id, Retention::of(days))).collect())
}

/// The hosts of an organisation after `after`, deleted ones too.
pub(in crate::metrics) async fn hosts_of(
    pool: &Pool,
    org_id: Uuid,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT h.id FROM hosts AS h WHERE h.org_id = $1 AND h.id > $2 ORDER BY h.id LIMIT $3")
        .bind(org_id)
        .bind(after)
        .bind(limit)
        .fetch_all(pool)
        .await
}

/// Deletes rows of these hosts from before a moment, about [`DELETED_AT_ONCE`] of them. Returns how many.
pub(in crate::metrics) async fn delete_of_hosts(
    pool: &Pool,
    table: &str,
    time: &str,
    hosts: &[Uuid],
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let statement = format!(
        "DELETE FROM {table} AS t
         USING (SELECT DISTINCT p.host_id, p.{time}
                FROM (SELECT s.host_id, s.{time} FROM {table} AS s
                      WHERE s.host_id = ANY($1) AND s.{time} < $2
                      LIMIT $3) AS p) AS old
         WHERE t.host_id = old.host_id AND t.{time} = old.{time} AND t.{time} < $2"
    );
    let done = sqlx::query(AssertSqlSafe(statement))
        .persistent(false)
        .bind(hosts)
        .bind(before)
        .bind(DELETED_AT_ONCE)
        .execute(pool)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes aggregates of days from before a moment, a bounded number. Returns how many.
pub(in crate::metrics) async fn delete_days(
    pool: &Pool,
    table: &str,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let statement = format!(
        "DELETE FROM {table}
         WHERE ctid = ANY(ARRAY(SELECT d.ctid FROM {table} AS d WHERE d.bucket < $1 LIMIT $2))"
    );
    let done = sqlx::query(AssertSqlSafe(statement)).bind(before).bind(DELETED_AT_ONCE).execute(pool).await?;
    Ok(done.rows_affected())
}

/// Partitions of these tables that lie before a day and are not in the order of their keys yet: names of the partition
/// and of its key, oldest first.
pub(in crate::metrics) async fn unordered_days(
    pool: &Pool,
    tables: &[String],
    before: NaiveDate,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.relname::text, k.relname::text
         FROM pg_inherits AS i
         JOIN pg_class AS c ON c.oid = i.inhrelid
         JOIN pg_class AS p ON p.oid = i.inhparent
         JOIN pg_index AS x ON x.indrelid = c.oid AND x.indisprimary AND NOT x.indisclustered
         JOIN pg_class AS k ON k.oid = x.indexrelid
         WHERE i.inhparent IN (SELECT to_regclass(t.name) FROM UNNEST($1::text[]) AS t(name))
           AND c.relname < p.relname || '_p' || to_char($2::date, 'YYYYMMDD')
           AND starts_with(c.relname, p.relname || '_p')
         ORDER BY c.relname",
    )
    .bind(tables)
    .bind(before)
    .fetch_all(pool)
    .await
}

/// Puts the rows of a partition into the order of its key, and remembers that.
pub(in crate::metrics) async fn put_in_order(
    pool: &Pool,
    partition: &str,
    key: &str,
) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT set_config('lock_timeout', '5000', true)").execute(&mut *tx).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("CLUSTER {partition} USING {key}"))).execute(&mut *tx).await?;
    tx.commit().await
}

/// A table without partitions, or one partition.
#[derive(sqlx::FromRow)]
struct Piece {
    name: String,
    is_of_hosts: bool,
    rows: i64,
    bytes: i64,
}

/// Rows, bytes and oldest time of one resolution in plain PostgreSQL: `tables` of all families, of which the first is
/// about hosts. Rows are those the last ANALYZE saw, and counted where there was none yet.
pub(in crate::metrics) async fn amount(
    pool: &Pool,
    tables: &[String],
    time: &str,
) -> Result<(i64, i64, Option<DateTime<Utc>>), sqlx::Error> {
    let pieces: Vec<Piece> = sqlx::query_as(
        "SELECT c.relname::text AS name, COALESCE(i.inhparent, c.oid) = to_regclass($1[1]) AS is_of_hosts,
                c.reltuples::bigint AS rows, pg_total_relation_size(c.oid) AS bytes
         FROM pg_class AS c
         LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
         WHERE c.relkind = 'r'
           AND COALESCE(i.inhparent, c.oid) IN (SELECT to_regclass(t.name) FROM UNNEST($1::text[]) AS t(name))
         ORDER BY c.relname",
    )
    .bind(tables)
    .fetch_all(pool)
    .await?;
    let bytes = pieces.iter().map(|piece| piece.bytes).sum();
    let estimated: i64 = pieces.iter().map(|piece| piece.rows.max(0)).sum();
    let unknown = pieces.iter().filter(|piece| piece.rows < 0);
    let counts: Vec<String> = unknown.map(|piece| format!("(SELECT count(*) FROM {})", piece.name)).collect();
    let counted = if counts.is_empty() { "0".to_owned() } else { counts.join(" + ") };
    // COALESCE stops at the first day that has rows. Hosts are looked up by key: no day is read in full.
    let oldest: Vec<String> = pieces
        .iter()
        .filter(|piece| piece.is_of_hosts)
        .map(|piece| {
            format!(
                "(SELECT min(f.at) FROM hosts AS h CROSS JOIN LATERAL
                     (SELECT s.{time} AS at FROM {} AS s WHERE s.host_id = h.id ORDER BY s.{time} LIMIT 1) AS f)",
                piece.name
            )
        })
        .collect();
    let (waiting, days): (Vec<String>, Vec<String>) =
        oldest.into_iter().partition(|text| text.contains("_default AS s"));
    let either = |list: Vec<String>, without: &str| {
        if list.is_empty() { without.to_owned() } else { format!("COALESCE({})", list.join(", ")) }
    };
    let (waiting, days) = (either(waiting, "NULL::timestamptz"), either(days, "NULL::timestamptz"));
    let statement = format!("SELECT ({counted})::bigint, LEAST({waiting}, {days})");
    let (counted, oldest): (i64, Option<DateTime<Utc>>) =
        sqlx::query_as(AssertSqlSafe(statement)).persistent(false).fetch_one(pool).await?;
    Ok((estimated + counted, bytes, oldest))
}

/// Notes what there is.
pub(in crate::metrics) async fn set_amounts(
    pool: &Pool,
    amounts: &[StoredAmount],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO metric_storage (resolution, rows, bytes, oldest_at, measured_at)
         SELECT u.resolution, u.rows, u.bytes, u.oldest_at, u.measured_at
         FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
              AS u(resolution, rows, bytes, oldest_at, measured_at)
         ON CONFLICT (resolution) DO UPDATE
         SET rows = EXCLUDED.rows, bytes = EXCLUDED.bytes, oldest_at = EXCLUDED.oldest_at,
             measured_at = EXCLUDED.measured_at",
    )
    .bind(amounts.iter().map(|amount| amount.resolution.as_str()).collect::<Vec<_>>())
    .bind(amounts.iter().map(|amount| amount.rows).collect::<Vec<_>>())
    .bind(amounts.iter().map(|amount| amount.bytes).collect::<Vec<_>>())
    .bind(amounts.iter().map(|amount| amount.oldest_at).collect::<Vec<_>>())
    .bind(amounts.iter().map(|amount| amount.measured_at).collect::<Vec<_>>())
    .execute(pool)
    .await
    .map(drop)
}

/// What there was when it was last noted.
pub(in crate::metrics) async fn amounts(pool: &Pool) -> Result<Vec<StoredAmount>, sqlx::Error> {
    sqlx::query_as(
        "SELECT s.resolution, s.rows, s.bytes, s.oldest_at, s.measured_at FROM metric_storage AS s",
    )
    .fetch_all(pool)
    .await
}
