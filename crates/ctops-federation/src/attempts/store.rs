//! Statements on `sso_attempts`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::Attempt;

type Row = (Uuid, Uuid, Option<Uuid>, String, DateTime<Utc>, DateTime<Utc>);

fn attempt((id, provider_id, confirm_user_id, return_to, created_at, expires_at): Row) -> Attempt {
    Attempt { id, provider_id, confirm_user_id, return_to, created_at, expires_at }
}

/// Adds an attempt.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    attempt: &Attempt,
    state_hash: &[u8; 32],
    browser_hash: &[u8; 32],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sso_attempts
             (id, provider_id, state_hash, browser_hash, confirm_user_id, return_to, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(attempt.id)
    .bind(attempt.provider_id)
    .bind(state_hash.as_slice())
    .bind(browser_hash.as_slice())
    .bind(attempt.confirm_user_id)
    .bind(&attempt.return_to)
    .bind(attempt.created_at)
    .bind(attempt.expires_at)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Marks an attempt as used and returns it; none when it was used before, is over, or another browser's.
pub(super) async fn take(
    tx: &mut Tx<'_>,
    provider_id: Uuid,
    state_hash: &[u8; 32],
    browser_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Attempt>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "UPDATE sso_attempts SET used_at = $4
         WHERE state_hash = $1 AND provider_id = $2 AND browser_hash = $3 AND used_at IS NULL AND expires_at > $4
         RETURNING id, provider_id, confirm_user_id, return_to, created_at, expires_at",
    )
    .bind(state_hash.as_slice())
    .bind(provider_id)
    .bind(browser_hash.as_slice())
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(attempt))
}

/// The same by id.
pub(super) async fn take_by_id(
    tx: &mut Tx<'_>,
    id: Uuid,
    browser_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Attempt>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "UPDATE sso_attempts SET used_at = $3
         WHERE id = $1 AND browser_hash = $2 AND used_at IS NULL AND expires_at > $3
         RETURNING id, provider_id, confirm_user_id, return_to, created_at, expires_at",
    )
    .bind(id)
    .bind(browser_hash.as_slice())
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(attempt))
}

/// An attempt that can still be used.
pub(super) async fn find(
    pool: &Pool,
    provider_id: Uuid,
    state_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Attempt>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, provider_id, confirm_user_id, return_to, created_at, expires_at
         FROM sso_attempts
         WHERE state_hash = $1 AND provider_id = $2 AND used_at IS NULL AND expires_at > $3",
    )
    .bind(state_hash.as_slice())
    .bind(provider_id)
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(attempt))
}

/// Removes attempts that ended before `before`.
pub(super) async fn purge(pool: &Pool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM sso_attempts WHERE expires_at < $1").bind(before).execute(pool).await?;
    Ok(done.rows_affected())
}
