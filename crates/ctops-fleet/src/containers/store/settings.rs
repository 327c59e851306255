//! What organisations and hosts want.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

use crate::containers::model::{ContainerHostSettings, ContainerSettings};

/// An organisation's choices; none when it never made any.
pub(in crate::containers) async fn of_org<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    org_id: Uuid,
) -> Result<Option<ContainerSettings>, sqlx::Error> {
    sqlx::query_as(
        "SELECT enabled, sample_interval_seconds, inventory_interval_seconds, retention_days, label_prefixes
         FROM container_settings
         WHERE org_id = $1",
    )
    .bind(org_id)
    .fetch_optional(executor)
    .await
}

/// Keeps an organisation's choices.
pub(in crate::containers) async fn save_org(
    tx: &mut Tx<'_>,
    grant: &Grant,
    settings: &ContainerSettings,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO container_settings (org_id, enabled, sample_interval_seconds, inventory_interval_seconds,
                                         retention_days, label_prefixes, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (org_id) DO UPDATE
         SET enabled = EXCLUDED.enabled, sample_interval_seconds = EXCLUDED.sample_interval_seconds,
             inventory_interval_seconds = EXCLUDED.inventory_interval_seconds,
             retention_days = EXCLUDED.retention_days, label_prefixes = EXCLUDED.label_prefixes,
             updated_at = EXCLUDED.updated_at",
    )
    .bind(grant.org_id())
    .bind(settings.enabled)
    .bind(settings.sample_interval_seconds)
    .bind(settings.inventory_interval_seconds)
    .bind(settings.retention_days)
    .bind(&settings.label_prefixes)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// A host's own choices; none when it never had any.
pub(in crate::containers) async fn of_host<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    host_id: Uuid,
) -> Result<Option<ContainerHostSettings>, sqlx::Error> {
    sqlx::query_as("SELECT enabled, retention_days FROM container_host_settings WHERE host_id = $1")
        .bind(host_id)
        .fetch_optional(executor)
        .await
}

/// Keeps a host's own choices.
pub(in crate::containers) async fn save_host(
    tx: &mut Tx<'_>,
    grant: &Grant,
    host_id: Uuid,
    settings: ContainerHostSettings,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO container_host_settings (host_id, org_id, enabled, retention_days, updated_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (host_id) DO UPDATE
         SET enabled = EXCLUDED.enabled, retention_days = EXCLUDED.retention_days, updated_at = EXCLUDED.updated_at",
    )
    .bind(host_id)
    .bind(grant.org_id())
    .bind(settings.enabled)
    .bind(settings.retention_days)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The choices that concern these hosts: for each host with any, its organisation's and whether it is to be watched. Both
/// lists are as long as each other.
pub(in crate::containers) async fn of_hosts(
    pool: &Pool,
    host_ids: &[Uuid],
    org_ids: &[Uuid],
) -> Result<Vec<(Uuid, bool, ContainerSettings)>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        host_id: Uuid,
        host_enabled: bool,
        enabled: Option<bool>,
        sample_interval_seconds: Option<i32>,
        inventory_interval_seconds: Option<i32>,
        retention_days: Option<i32>,
        label_prefixes: Option<Vec<String>>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT u.host_id, COALESCE(h.enabled, true) AS host_enabled, s.enabled, s.sample_interval_seconds,
                s.inventory_interval_seconds, s.retention_days, s.label_prefixes
         FROM UNNEST($1::uuid[], $2::uuid[]) AS u(host_id, org_id)
         LEFT JOIN container_settings AS s ON s.org_id = u.org_id
         LEFT JOIN container_host_settings AS h ON h.host_id = u.host_id
         WHERE s.org_id IS NOT NULL OR h.host_id IS NOT NULL",
    )
    .bind(host_ids)
    .bind(org_ids)
    .fetch_all(pool)
    .await?;
    let usual = ContainerSettings::default();
    let settings = |row: Row| {
        let settings = ContainerSettings {
            enabled: row.enabled.unwrap_or(usual.enabled),
            sample_interval_seconds: row.sample_interval_seconds.unwrap_or(usual.sample_interval_seconds),
            inventory_interval_seconds: row
                .inventory_interval_seconds
                .unwrap_or(usual.inventory_interval_seconds),
            retention_days: row.retention_days.unwrap_or(usual.retention_days),
            label_prefixes: row.label_prefixes.unwrap_or_default(),
        };
        (row.host_id, row.host_enabled, settings)
    };
    Ok(rows.into_iter().map(settings).collect())
}
