//! SQL of the sessions slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, SignInMethod};
use uuid::Uuid;

use super::model::{ListedSession, LiveSession, MAX_LISTED, SessionRow};

pub(super) async fn insert(tx: &mut Tx<'_>, row: &SessionRow<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions
             (id, token_hash, user_id, org_id, method, ip, user_agent, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
    )
    .bind(row.id)
    .bind(&row.token_hash[..])
    .bind(row.user_id)
    .bind(row.org_id)
    .bind(row.method)
    .bind(&row.ip)
    .bind(row.user_agent)
    .bind(row.created_at)
    .bind(row.expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

type LiveRow = (Uuid, Uuid, Uuid, String, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);

/// The session with this token, if it speaks for an active member at `now`.
pub(super) async fn find_live(
    pool: &Pool,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<LiveSession>, sqlx::Error> {
    let row: Option<LiveRow> = sqlx::query_as(
        "SELECT s.id, s.user_id, s.org_id, s.method, s.created_at, s.last_used_at, s.expires_at
         FROM sessions s
         JOIN users u ON u.id = s.user_id AND u.active AND u.deleted_at IS NULL
         JOIN memberships m ON m.user_id = s.user_id AND m.org_id = s.org_id
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.last_used_at > $3",
    )
    .bind(&token_hash[..])
    .bind(now)
    .bind(idle_since)
    .fetch_optional(pool)
    .await?;
    // A method this program does not know (written by a newer one) gives no session.
    Ok(row.and_then(|(id, user_id, org_id, method, created_at, last_used_at, expires_at)| {
        let method = SignInMethod::parse(&method)?;
        Some(LiveSession { id, user_id, org_id, method, created_at, last_used_at, expires_at })
    }))
}

/// Whether the session still speaks for an active member at `now`.
pub(super) async fn is_live(
    pool: &Pool,
    id: Uuid,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM sessions s
             JOIN users u ON u.id = s.user_id AND u.active AND u.deleted_at IS NULL
             JOIN memberships m ON m.user_id = s.user_id AND m.org_id = s.org_id
             WHERE s.id = $1 AND s.expires_at > $2 AND s.last_used_at > $3
         )",
    )
    .bind(id)
    .bind(now)
    .bind(idle_since)
    .fetch_one(pool)
    .await
}

/// Writes down a use, unless one after `unless_after` is on record.
pub(super) async fn touch(
    pool: &Pool,
    id: Uuid,
    ip: &str,
    now: DateTime<Utc>,
    unless_after: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sessions SET last_used_at = $1, ip = $2 WHERE id = $3 AND last_used_at <= $4")
        .bind(now)
        .bind(ip)
        .bind(id)
        .bind(unless_after)
        .execute(pool)
        .await?;
    Ok(())
}

type ListedRow = (Uuid, String, String, String, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);

/// The live sessions of a user, most recently used first.
pub(super) async fn list(
    pool: &Pool,
    _checked: &Grant,
    user_id: Uuid,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Vec<ListedSession>, sqlx::Error> {
    let rows: Vec<ListedRow> = sqlx::query_as(
        "SELECT id, method, ip, user_agent, created_at, last_used_at, expires_at
         FROM sessions
         WHERE user_id = $1 AND expires_at > $2 AND last_used_at > $3
         ORDER BY last_used_at DESC, id DESC
         LIMIT $4",
    )
    .bind(user_id)
    .bind(now)
    .bind(idle_since)
    .bind(MAX_LISTED)
    .fetch_all(pool)
    .await?;
    let listed =
        rows.into_iter().map(|(id, method, ip, user_agent, created_at, last_used_at, expires_at)| {
            ListedSession { id, method, ip, user_agent, created_at, last_used_at, expires_at }
        });
    Ok(listed.collect())
}

/// Deletes one session of a user; whether there was one.
pub(super) async fn delete(tx: &mut Tx<'_>, user_id: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM sessions WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes all sessions of a user but one; how many.
pub(super) async fn delete_others(
    tx: &mut Tx<'_>,
    _checked: &Grant,
    user_id: Uuid,
    keep: Uuid,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
        .bind(user_id)
        .bind(keep)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes sessions that ended by time; how many.
pub(super) async fn delete_ended(
    pool: &Pool,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1 OR last_used_at <= $2")
        .bind(now)
        .bind(idle_since)
        .execute(pool)
        .await?;
    Ok(done.rows_affected())
}
