//! Statements on `mail_outbox`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

/// A letter that is to be delivered now.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct DueLetter {
    /// Its id.
    pub(super) id: Uuid,
    /// Whose it is.
    pub(super) org_id: Option<Uuid>,
    /// What it is for.
    pub(super) kind: String,
    /// The letter.
    pub(super) sealed: Vec<u8>,
    /// Attempts made before.
    pub(super) attempts: i32,
}

/// Takes letters that are due; nobody else gets them before `until`.
pub(super) async fn take_due(
    pool: &Pool,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DueLetter>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE mail_outbox
         SET next_attempt_at = $2, attempts = attempts + 1
         WHERE id IN (
             SELECT id FROM mail_outbox
             WHERE state = 'queued' AND next_attempt_at <= $1 AND expires_at > $1
             ORDER BY next_attempt_at, id
             LIMIT $3
             FOR UPDATE SKIP LOCKED
         )
         RETURNING id, org_id, kind, sealed, attempts - 1 AS attempts",
    )
    .bind(now)
    .bind(until)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// A relay has it.
    Sent,
    /// No relay will ever take it.
    Refused(String),
    /// To be tried again.
    Later(String, DateTime<Utc>),
}

/// Writes down how an attempt ended. A letter that was sent is forgotten.
pub(super) async fn end_attempt(
    pool: &Pool,
    id: Uuid,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (state, error, next) = match ending {
        Ending::Sent => ("sent", None, now),
        Ending::Refused(error) => ("refused", Some(error), now),
        Ending::Later(error, next) => ("queued", Some(error), *next),
    };
    sqlx::query(
        "UPDATE mail_outbox
         SET state = $2, last_error = $3, next_attempt_at = $4,
             finished_at = CASE WHEN $2 = 'queued' THEN NULL ELSE $5 END,
             sealed = CASE WHEN $2 = 'sent' THEN NULL ELSE sealed END
         WHERE id = $1 AND state = 'queued'",
    )
    .bind(id)
    .bind(state)
    .bind(error)
    .bind(next)
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}

/// Gives letters up that are past their time, and forgets rows that ended before `before`. Returns how many were given up.
pub(super) async fn expire(
    pool: &Pool,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let expired = sqlx::query(
        "UPDATE mail_outbox SET state = 'expired', sealed = NULL, finished_at = $1
         WHERE state IN ('queued', 'refused') AND expires_at <= $1",
    )
    .bind(now)
    .execute(pool)
    .await?;
    sqlx::query("DELETE FROM mail_outbox WHERE finished_at < $1 AND state <> 'queued'")
        .bind(before)
        .execute(pool)
        .await?;
    Ok(expired.rows_affected())
}

/// A letter that waits or was refused.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct WaitingLetter {
    /// Its id.
    pub(super) id: Uuid,
    /// Whose it is; none is the installation's.
    pub(super) org_id: Option<Uuid>,
    /// What it is for.
    pub(super) kind: String,
    /// The letter.
    pub(super) sealed: Vec<u8>,
    /// `queued` or `refused`.
    pub(super) state: String,
    /// Attempts made.
    pub(super) attempts: i32,
    /// What the last one said.
    pub(super) last_error: Option<String>,
    /// When it was put in.
    pub(super) created_at: DateTime<Utc>,
    /// When it is given up.
    pub(super) expires_at: DateTime<Utc>,
}

/// Letters of an organisation, and of the installation, that nobody has yet; newest first.
pub(super) async fn waiting(
    pool: &Pool,
    grant: &Grant,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<WaitingLetter>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, org_id, kind, sealed, state, attempts, last_error, created_at, expires_at
         FROM mail_outbox
         WHERE (org_id = $1 OR org_id IS NULL) AND state IN ('queued', 'refused') AND sealed IS NOT NULL
               AND expires_at > $2
         ORDER BY created_at DESC, id DESC
         LIMIT $3",
    )
    .bind(grant.org_id())
    .bind(now)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// How many letters of an organisation wait.
pub(crate) async fn count_waiting(
    pool: &Pool,
    grant: &Grant,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM mail_outbox
         WHERE org_id = $1 AND state IN ('queued', 'refused') AND sealed IS NOT NULL AND expires_at > $2",
    )
    .bind(grant.org_id())
    .bind(now)
    .fetch_one(pool)
    .await
}

/// Throws a letter away. Returns whether it was there.
pub(super) async fn discard(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query("DELETE FROM mail_outbox WHERE id = $1 AND state IN ('queued', 'refused')")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(gone.rows_affected() == 1)
}

/// Which of these addresses, in lower case, belong to members of the organisation, and to somebody who is super_admin
/// anywhere.
pub(super) async fn owners(
    pool: &Pool,
    grant: &Grant,
    addresses: &[String],
) -> Result<Vec<(String, bool, bool)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT lower(u.email), bool_or(m.org_id = $1), bool_or('super_admin' = ANY(m.roles))
         FROM users u
         JOIN memberships m ON m.user_id = u.id
         WHERE lower(u.email) = ANY($2) AND u.deleted_at IS NULL
         GROUP BY lower(u.email)",
    )
    .bind(grant.org_id())
    .bind(addresses)
    .fetch_all(pool)
    .await
}
