//! Statements on `host_defaults`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

use super::model::HostDefaults;

#[derive(sqlx::FromRow)]
struct Row {
    org_id: Uuid,
    revision: i64,
    #[sqlx(flatten)]
    defaults: HostDefaults,
}

/// The defaults of one organisation; none when it never chose any.
pub(super) async fn find<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    grant: &Grant,
) -> Result<Option<HostDefaults>, sqlx::Error> {
    sqlx::query_as(
        "SELECT heartbeat_interval_seconds, collect_cpu, collect_memory, collect_disk, collect_network,
                collect_containers
         FROM host_defaults
         WHERE org_id = $1",
    )
    .bind(grant.org_id())
    .fetch_optional(executor)
    .await
}

/// Keeps the defaults of an organisation under a new revision.
pub(super) async fn save(
    tx: &mut Tx<'_>,
    grant: &Grant,
    defaults: HostDefaults,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO host_defaults (org_id, revision, heartbeat_interval_seconds, collect_cpu, collect_memory,
                                    collect_disk, collect_network, collect_containers, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (org_id) DO UPDATE
         SET revision = GREATEST(host_defaults.revision + 1, EXCLUDED.revision),
             heartbeat_interval_seconds = EXCLUDED.heartbeat_interval_seconds,
             collect_cpu = EXCLUDED.collect_cpu, collect_memory = EXCLUDED.collect_memory,
             collect_disk = EXCLUDED.collect_disk, collect_network = EXCLUDED.collect_network,
             collect_containers = EXCLUDED.collect_containers, updated_at = EXCLUDED.updated_at",
    )
    .bind(grant.org_id())
    .bind(now.timestamp_millis())
    .bind(defaults.heartbeat_interval_seconds)
    .bind(defaults.collect_cpu)
    .bind(defaults.collect_memory)
    .bind(defaults.collect_disk)
    .bind(defaults.collect_network)
    .bind(defaults.collect_containers)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The defaults of those of these organisations that have chosen some, with their revisions.
pub(super) async fn of_orgs(
    pool: &Pool,
    org_ids: &[Uuid],
) -> Result<Vec<(Uuid, i64, HostDefaults)>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT org_id, revision, heartbeat_interval_seconds, collect_cpu, collect_memory, collect_disk,
                collect_network, collect_containers
         FROM host_defaults
         WHERE org_id = ANY($1)",
    )
    .bind(org_ids)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id, row.revision, row.defaults)).collect())
}
