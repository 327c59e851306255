//! What is forgotten (containers 12, 16, 24, 25).

use chrono::{DateTime, Utc};
use ctops_pg::Pool;

/// The longest retention of anybody, days; none when nobody chose any.
pub(in crate::containers) async fn longest_retention(pool: &Pool) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT GREATEST((SELECT max(retention_days) FROM container_settings),
                         (SELECT max(retention_days) FROM container_host_settings))",
    )
    .fetch_one(pool)
    .await
}

/// Removes samples of hosts that keep them for less than `longest` days. Returns how many.
pub(in crate::containers) async fn samples(
    pool: &Pool,
    usual: i32,
    longest: i32,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM container_samples AS x
         USING (SELECT c.id, COALESCE(h.retention_days, s.retention_days, $1) AS days
                FROM containers AS c
                LEFT JOIN container_host_settings AS h ON h.host_id = c.host_id
                LEFT JOIN container_settings AS s ON s.org_id = c.org_id) AS k
         WHERE x.container_id = k.id AND k.days < $2 AND x.recorded_at < $3 - make_interval(days => k.days)",
    )
    .bind(usual)
    .bind(longest)
    .bind(now)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Removes containers last seen before `before` that are gone, with their events and samples. Returns how many.
pub(in crate::containers) async fn absent(pool: &Pool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "WITH gone AS (DELETE FROM containers WHERE NOT is_present AND last_seen_at < $1 RETURNING id)
         DELETE FROM container_samples AS x USING gone WHERE x.container_id = gone.id",
    )
    .bind(before)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Removes events before `before`.
pub(in crate::containers) async fn events(pool: &Pool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM container_events WHERE occurred_at < $1").bind(before).execute(pool).await?;
    Ok(done.rows_affected())
}

/// Forgets the ids of batches received before `before`.
pub(in crate::containers) async fn batches(pool: &Pool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM container_batches WHERE received_at < $1")
        .bind(before)
        .execute(pool)
        .await?;
    Ok(done.rows_affected())
}
