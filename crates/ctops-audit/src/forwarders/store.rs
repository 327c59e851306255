//! Statements on `audit_forwarders`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

use super::model::{Forwarder, Kind};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    name: String,
    kind: String,
    endpoint: String,
    secret_encrypted: Option<Vec<u8>>,
    enabled: bool,
    cursor_seq: i64,
    failures: i32,
    last_error: Option<String>,
    last_sent_at: Option<DateTime<Utc>>,
}

impl From<Row> for Forwarder {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            org_id: row.org_id,
            name: row.name,
            // The table admits no other kinds.
            kind: Kind::parse(&row.kind).unwrap_or(Kind::Webhook),
            endpoint: row.endpoint,
            secret: row.secret_encrypted,
            enabled: row.enabled,
            cursor_seq: row.cursor_seq,
            failures: row.failures,
            last_error: row.last_error,
            last_sent_at: row.last_sent_at,
        }
    }
}

/// The forwarders of an organisation.
pub(super) async fn list(pool: &Pool, grant: &Grant) -> Result<Vec<Forwarder>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, org_id, name, kind, endpoint, secret_encrypted, enabled, cursor_seq, failures, last_error,
                last_sent_at
         FROM audit_forwarders
         WHERE org_id = $1
         ORDER BY created_at, id",
    )
    .bind(grant.org_id())
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Forwarder::from).collect())
}

/// One forwarder, locked until the transaction ends.
pub(super) async fn find_for_update(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<Forwarder>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, org_id, name, kind, endpoint, secret_encrypted, enabled, cursor_seq, failures, last_error,
                last_sent_at
         FROM audit_forwarders
         WHERE org_id = $1 AND id = $2
         FOR UPDATE",
    )
    .bind(grant.org_id())
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Forwarder::from))
}

/// Writes a new forwarder, unless there are too many already.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    forwarder: &Forwarder,
    most: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO audit_forwarders (id, org_id, name, kind, endpoint, secret_encrypted, enabled, cursor_seq,
                                       next_attempt_at, created_at, updated_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9
         WHERE (SELECT count(*) FROM audit_forwarders WHERE org_id = $2) < $10",
    )
    .bind(forwarder.id)
    .bind(grant.org_id())
    .bind(&forwarder.name)
    .bind(forwarder.kind.as_str())
    .bind(&forwarder.endpoint)
    .bind(&forwarder.secret)
    .bind(forwarder.enabled)
    .bind(forwarder.cursor_seq)
    .bind(now)
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Changes a forwarder; it is tried at once.
pub(super) async fn update(
    tx: &mut Tx<'_>,
    grant: &Grant,
    forwarder: &Forwarder,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE audit_forwarders
         SET name = $3, kind = $4, endpoint = $5, secret_encrypted = $6, enabled = $7, failures = 0,
             last_error = NULL, next_attempt_at = $8, updated_at = $8
         WHERE org_id = $1 AND id = $2",
    )
    .bind(grant.org_id())
    .bind(forwarder.id)
    .bind(&forwarder.name)
    .bind(forwarder.kind.as_str())
    .bind(&forwarder.endpoint)
    .bind(&forwarder.secret)
    .bind(forwarder.enabled)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Deletes a forwarder.
pub(super) async fn delete(tx: &mut Tx<'_>, grant: &Grant, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM audit_forwarders WHERE org_id = $1 AND id = $2")
        .bind(grant.org_id())
        .bind(id)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Forwarders whose turn it is.
pub(super) async fn due(pool: &Pool, now: DateTime<Utc>, limit: i64) -> Result<Vec<Forwarder>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, org_id, name, kind, endpoint, secret_encrypted, enabled, cursor_seq, failures, last_error,
                last_sent_at
         FROM audit_forwarders
         WHERE enabled AND next_attempt_at <= $1
         ORDER BY next_attempt_at
         LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Forwarder::from).collect())
}

/// Moves the cursor past what the other side took.
pub(super) async fn record_sent(
    pool: &Pool,
    id: Uuid,
    cursor_seq: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE audit_forwarders
         SET cursor_seq = GREATEST(cursor_seq, $2), failures = 0, last_error = NULL, last_sent_at = $3
         WHERE id = $1",
    )
    .bind(id)
    .bind(cursor_seq)
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}

/// Keeps a failure and when to try again.
pub(super) async fn record_failure(
    pool: &Pool,
    id: Uuid,
    failures: i32,
    error: &str,
    next_attempt_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE audit_forwarders SET failures = $2, last_error = $3, next_attempt_at = $4 WHERE id = $1",
    )
    .bind(id)
    .bind(failures)
    .bind(error)
    .bind(next_attempt_at)
    .execute(pool)
    .await
    .map(drop)
}
