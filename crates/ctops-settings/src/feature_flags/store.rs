//! Statements on `feature_flags`.

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use ctops_slice::Grant;
use uuid::Uuid;

/// A flag somebody turned.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Turned {
    /// Its key.
    pub(crate) key: String,
    /// How it was turned.
    pub(crate) value: bool,
    /// When.
    pub(crate) updated_at: DateTime<Utc>,
    /// By whom, if they still exist.
    pub(crate) updated_by_name: Option<String>,
}

/// What an organisation turned.
pub(super) async fn turned(
    executor: impl sqlx::PgExecutor<'_>,
    org_id: Uuid,
) -> Result<Vec<Turned>, sqlx::Error> {
    sqlx::query_as(
        "SELECT f.key, f.value, f.updated_at, u.name AS updated_by_name
         FROM feature_flags f
         LEFT JOIN users u ON u.id = f.updated_by
         WHERE f.org_id = $1
         ORDER BY f.key",
    )
    .bind(org_id)
    .fetch_all(executor)
    .await
}

/// Turns flags.
pub(super) async fn turn(
    tx: &mut Tx<'_>,
    grant: &Grant,
    (keys, values): (&[&str], &[bool]),
    (by, at): (Uuid, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO feature_flags (org_id, key, value, updated_by, updated_at)
         SELECT $1, wanted.key, wanted.value, $4, $5
         FROM UNNEST($2::text[], $3::boolean[]) AS wanted (key, value)
         ON CONFLICT (org_id, key) DO UPDATE
         SET value = EXCLUDED.value, updated_by = EXCLUDED.updated_by, updated_at = EXCLUDED.updated_at",
    )
    .bind(grant.org_id())
    .bind(keys)
    .bind(values)
    .bind(by)
    .bind(at)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Takes flags back to their defaults.
pub(super) async fn forget(tx: &mut Tx<'_>, grant: &Grant, keys: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM feature_flags WHERE org_id = $1 AND key = ANY($2)")
        .bind(grant.org_id())
        .bind(keys)
        .execute(&mut **tx)
        .await
        .map(drop)
}
