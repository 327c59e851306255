//! SQL of the sessions slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, SignInMethod};
use uuid::Uuid;

use super::model::{ListedSession, LiveSession, MAX_LISTED, SessionRow};

pub(super) async fn insert(tx: &mut Tx<'_>, row: &SessionRow<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions
             (id, token_hash, user_id, org_id, method, ip, user_agent, created_at, last_used_at, confirmed_at,
              expires_at, second_factor)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10)",
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
    .bind(row.second_factor)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

type LiveRow = (Uuid, Uuid, Uuid, String, bool, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);

/// The session with this token, if it speaks for an active member at `now`.
pub(super) async fn find_live(
    pool: &Pool,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<LiveSession>, sqlx::Error> {
    let row: Option<LiveRow> = sqlx::query_as(
        "SELECT s.id, s.user_id, s.org_id, s.method, s.second_factor, s.confirmed_at, s.last_used_at, s.expires_at
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
    Ok(row.and_then(
        |(id, user_id, org_id, method, second_factor, confirmed_at, last_used_at, expires_at)| {
            let method = SignInMethod::parse(&method)?;
            Some(LiveSession {
                id,
                user_id,
                org_id,
                method,
                second_factor,
                confirmed_at,
                last_used_at,
                expires_at,
            })
        },
    ))
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

/// The live sessions of a user, most recently used first.
pub(super) async fn list(
    pool: &Pool,
    _checked: &Grant,
    user_id: Uuid,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Vec<ListedSession>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, method, second_factor, ip, user_agent, created_at, last_used_at, expires_at
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
    .await
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

/// Deletes a session whoever it belongs to; says whose it was.
pub(super) async fn delete_any(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as("DELETE FROM sessions WHERE id = $1 RETURNING user_id, org_id")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await
}

/// Deletes all sessions of a user, in every organisation, but one; whose organisations they were.
pub(super) async fn delete_all_of(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    except: Option<Uuid>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2 RETURNING org_id")
        .bind(user_id)
        .bind(except)
        .fetch_all(&mut **tx)
        .await
}

/// Writes down that the person behind the session proved who they are.
pub(super) async fn confirm(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sessions SET confirmed_at = $1 WHERE id = $2")
        .bind(now)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes down that the person behind the session showed a second factor.
pub(super) async fn set_second_factor(tx: &mut Tx<'_>, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sessions SET second_factor = true WHERE id = $1").bind(id).execute(&mut **tx).await?;
    Ok(())
}

/// Whether somebody is a member of the organisation, in whatever state.
pub(super) async fn is_member(pool: &Pool, grant: &Grant, user_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM memberships m
             JOIN users u ON u.id = m.user_id AND u.kind = 'person'
             WHERE m.user_id = $1 AND m.org_id = $2
         )",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .fetch_one(pool)
    .await
}

/// Sessions of a member in the organisation of the grant.
pub(super) async fn list_in_org(
    pool: &Pool,
    grant: &Grant,
    user_id: Uuid,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Vec<ListedSession>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, method, second_factor, ip, user_agent, created_at, last_used_at, expires_at
         FROM sessions
         WHERE user_id = $1 AND org_id = $2 AND expires_at > $3 AND last_used_at > $4
         ORDER BY last_used_at DESC, id DESC
         LIMIT $5",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .bind(now)
    .bind(idle_since)
    .bind(MAX_LISTED)
    .fetch_all(pool)
    .await
}

/// Deletes sessions of a member in the organisation of the grant, one or all; how many.
pub(super) async fn delete_in_org(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
    id: Option<Uuid>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM sessions WHERE user_id = $1 AND org_id = $2 AND ($3::uuid IS NULL OR id = $3)",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Remembers where somebody signs in from; the kinds of origin (`device`, `network`) that are new to somebody of whom
/// others are known already.
pub(super) async fn remember_origins(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    kinds: &[&str],
    hashes: &[Vec<u8>],
    now: DateTime<Utc>,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH known AS (SELECT count(*) AS origins FROM sign_in_origins WHERE user_id = $1),
         put AS (
             INSERT INTO sign_in_origins (user_id, kind, value_hash, first_seen_at, last_seen_at)
             SELECT $1, kind, hash, $4, $4 FROM unnest($2::text[], $3::bytea[]) AS origin (kind, hash)
             ON CONFLICT (user_id, kind, value_hash) DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at
             RETURNING kind, xmax = 0 AS fresh
         )
         SELECT put.kind FROM put, known WHERE put.fresh AND known.origins > 0 ORDER BY put.kind",
    )
    .bind(user_id)
    .bind(kinds)
    .bind(hashes)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}

/// Forgets origins that were not seen since `before`; how many.
pub(super) async fn delete_old_origins(pool: &Pool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM sign_in_origins WHERE last_seen_at < $1").bind(before).execute(pool).await?;
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
