//! Statements on `egress_settings` and `egress_targets`.

use chrono::{DateTime, Utc};
use ctops_egress::Mode;
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use sqlx::PgConnection;
use uuid::Uuid;

use super::service::{Entry, Wanted};

/// The policy of one organisation.
pub(super) async fn find(pool: &Pool, grant: &Grant) -> Result<Wanted, sqlx::Error> {
    read(&mut *pool.acquire().await?, grant).await
}

/// The policy of one organisation; nobody else changes it before the transaction ends.
pub(super) async fn lock(tx: &mut Tx<'_>, grant: &Grant) -> Result<Wanted, sqlx::Error> {
    sqlx::query("SELECT id FROM organisations WHERE id = $1 FOR NO KEY UPDATE")
        .bind(grant.org_id())
        .execute(&mut **tx)
        .await?;
    read(tx, grant).await
}

async fn read(connection: &mut PgConnection, grant: &Grant) -> Result<Wanted, sqlx::Error> {
    let mode: Option<String> = sqlx::query_scalar("SELECT mode FROM egress_settings WHERE org_id = $1")
        .bind(grant.org_id())
        .fetch_optional(&mut *connection)
        .await?;
    let targets: Vec<Entry> = sqlx::query_as(
        "SELECT target, note FROM egress_targets WHERE org_id = $1 ORDER BY target COLLATE \"C\"",
    )
    .bind(grant.org_id())
    .fetch_all(connection)
    .await?;
    Ok(Wanted { mode: mode.unwrap_or_else(|| Mode::default().as_str().to_owned()), targets })
}

/// Puts another policy in its place; entries that stay keep who made them.
pub(super) async fn replace(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
    policy: &Wanted,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO egress_settings (org_id, mode, updated_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (org_id) DO UPDATE SET mode = EXCLUDED.mode, updated_at = EXCLUDED.updated_at",
    )
    .bind(grant.org_id())
    .bind(&policy.mode)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    let targets: Vec<&str> = policy.targets.iter().map(|entry| entry.target.as_str()).collect();
    let notes: Vec<&str> = policy.targets.iter().map(|entry| entry.note.as_str()).collect();
    sqlx::query("DELETE FROM egress_targets WHERE org_id = $1 AND target <> ALL($2)")
        .bind(grant.org_id())
        .bind(&targets)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "INSERT INTO egress_targets (org_id, target, note, created_by, created_at)
         SELECT $1, entry.target, entry.note, $4, $5
         FROM UNNEST($2::text[], $3::text[]) AS entry (target, note)
         ON CONFLICT (org_id, target) DO UPDATE SET note = EXCLUDED.note",
    )
    .bind(grant.org_id())
    .bind(&targets)
    .bind(&notes)
    .bind(user_id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}
