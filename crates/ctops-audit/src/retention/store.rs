//! Statements on `audit_settings` and `audit_holds`, and the functions that prune and make partitions.

use chrono::{DateTime, NaiveDate, Utc};
use ctops_base::id::new_id;
use ctops_pg::{Pool, Tx};
use ctops_slice::{Actor, Grant};
use uuid::Uuid;

use super::model::{DEFAULT_DAYS, Hold};

/// Days an organisation chose; none when it never chose.
pub(super) async fn retention(pool: &Pool, org_id: Uuid) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar("SELECT retention_days FROM audit_settings WHERE org_id = $1")
        .bind(org_id)
        .fetch_optional(pool)
        .await
}

/// The days in force, locked until the transaction ends.
pub(super) async fn retention_for_update(tx: &mut Tx<'_>, grant: &Grant) -> Result<i32, sqlx::Error> {
    let days: Option<i32> =
        sqlx::query_scalar("SELECT retention_days FROM audit_settings WHERE org_id = $1 FOR UPDATE")
            .bind(grant.org_id())
            .fetch_optional(&mut **tx)
            .await?;
    Ok(days.unwrap_or(DEFAULT_DAYS))
}

/// Keeps the days of an organisation.
pub(super) async fn save_retention(
    tx: &mut Tx<'_>,
    grant: &Grant,
    days: i32,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit_settings (org_id, retention_days, updated_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (org_id) DO UPDATE
         SET retention_days = EXCLUDED.retention_days, updated_at = EXCLUDED.updated_at",
    )
    .bind(grant.org_id())
    .bind(days)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Writes the default down for an organisation that may choose, so that it keeps its events when its licence ends.
pub(super) async fn remember_default(
    pool: &Pool,
    org_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit_settings (org_id, retention_days, updated_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (org_id) DO NOTHING",
    )
    .bind(org_id)
    .bind(DEFAULT_DAYS)
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}

/// The hold of an organisation.
pub(super) async fn hold<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    org_id: Uuid,
) -> Result<Option<Hold>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, reason, set_by_name, set_at FROM audit_holds WHERE org_id = $1 AND lifted_at IS NULL",
    )
    .bind(org_id)
    .fetch_optional(executor)
    .await
}

/// Sets a hold.
pub(super) async fn set_hold(
    tx: &mut Tx<'_>,
    grant: &Grant,
    actor: &Actor,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Uuid, sqlx::Error> {
    let id = new_id();
    sqlx::query(
        "INSERT INTO audit_holds (id, org_id, reason, set_by, set_by_name, set_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(grant.org_id())
    .bind(reason)
    .bind(actor.user_id)
    .bind(&*actor.name)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// Lifts a hold.
pub(super) async fn lift_hold(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE audit_holds SET lifted_at = $3 WHERE org_id = $1 AND id = $2 AND lifted_at IS NULL")
        .bind(grant.org_id())
        .bind(id)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Place and hash of the last event that may go: within the oldest `limit` ones, before the first that must stay.
pub(super) async fn prunable(
    tx: &mut Tx<'_>,
    chain_id: Uuid,
    cutoff: DateTime<Utc>,
    limit: i64,
) -> Result<Option<(i64, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as(
        "WITH oldest AS (
             SELECT seq, event_at, hash FROM audit_chain WHERE chain_id = $1 ORDER BY seq LIMIT $3
         )
         SELECT seq, hash
         FROM oldest
         WHERE seq < COALESCE((SELECT min(seq) FROM oldest WHERE event_at >= $2), 9223372036854775807)
         ORDER BY seq DESC
         LIMIT 1",
    )
    .bind(chain_id)
    .bind(cutoff)
    .bind(limit)
    .fetch_optional(&mut **tx)
    .await
}

/// Removes a chain's events up to a place; how many.
pub(super) async fn prune(tx: &mut Tx<'_>, chain_id: Uuid, up_to: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT audit_prune($1, $2)").bind(chain_id).bind(up_to).fetch_one(&mut **tx).await
}

/// The oldest event that waits in the default partition.
pub(super) async fn oldest_unplaced(pool: &Pool) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar("SELECT min(at) FROM audit_events_default").fetch_one(pool).await
}

/// Makes missing partitions; how many.
pub(super) async fn make_partitions(pool: &Pool, since: NaiveDate, months: i32) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT audit_make_partitions($1, $2)").bind(since).bind(months).fetch_one(pool).await
}
