//! All SQL of the slice: reading and settings here, uploads in [`uploads`], what the sweeper does in [`sweep`].

use chrono::{DateTime, Utc};
use ctops_base::text::escape_like;
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

pub(super) mod sweep;
pub(super) mod uploads;

use super::model::{
    KEPT_SCANS, PackageQuery, PackageRow, PackageSort, PackageSortKey, ScanRow, SoftwareSettings,
};

/// How many packages pass the query, on all pages together.
pub(super) async fn count_packages(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
    query: &PackageQuery,
) -> Result<i64, sqlx::Error> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM software_packages AS p");
    push_where(&mut sql, grant, host_id, query);
    sql.build_query_scalar().fetch_one(pool).await
}

/// One page of a host's packages.
pub(super) async fn packages(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
    query: &PackageQuery,
) -> Result<Vec<PackageRow>, sqlx::Error> {
    let mut sql = QueryBuilder::new(
        "SELECT p.source, p.name, p.version, p.architecture, p.publisher, p.install_date, p.source_name,
                p.source_version, p.repository, p.first_seen_at, p.last_seen_at, p.removed_at,
                (SELECT n.version FROM software_packages AS n WHERE n.id = p.replaced_by) AS replaced_by_version
         FROM software_packages AS p",
    );
    push_where(&mut sql, grant, host_id, query);
    sql.push(format_args!(" ORDER BY {} LIMIT ", order_by(query.sort))).push_bind(query.page.limit());
    sql.push(" OFFSET ").push_bind(query.page.offset());
    sql.build_query_as().fetch_all(pool).await
}

fn push_where(sql: &mut QueryBuilder<Postgres>, grant: &Grant, host_id: Uuid, query: &PackageQuery) {
    sql.push(" WHERE p.host_id = ").push_bind(host_id);
    sql.push(" AND p.org_id = ").push_bind(grant.org_id());
    if !query.include_removed {
        sql.push(" AND p.removed_at IS NULL");
    }
    if let Some(source) = &query.source {
        sql.push(" AND p.source = ").push_bind(source.clone());
    }
    if let Some(search) = &query.search {
        sql.push(" AND lower(concat_ws(E'\\n', p.name, p.version, p.publisher)) LIKE lower(");
        sql.push_bind(format!("%{}%", escape_like(search))).push(")");
    }
}

/// Absent values last in both directions, equals by name, then id.
fn order_by(sort: PackageSort) -> String {
    let column = match sort.key {
        PackageSortKey::Name => "lower(p.name)",
        PackageSortKey::Version => "p.version",
        PackageSortKey::Architecture => "p.architecture",
        PackageSortKey::Publisher => "lower(p.publisher)",
        PackageSortKey::Source => "p.source",
        PackageSortKey::FirstSeen => "p.first_seen_at",
        PackageSortKey::LastSeen => "p.last_seen_at",
    };
    let way = if sort.descending { "DESC" } else { "ASC" };
    format!("{column} {way} NULLS LAST, lower(p.name), p.id")
}

/// The scans of a host, newest first.
pub(super) async fn scans(pool: &Pool, grant: &Grant, host_id: Uuid) -> Result<Vec<ScanRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, run_id, origin, status, error, sources, package_count, added, removed, unchanged, requested_at,
                started_at, completed_at
         FROM software_scans
         WHERE host_id = $1 AND org_id = $2
         ORDER BY requested_at DESC, id
         LIMIT $3",
    )
    .bind(host_id)
    .bind(grant.org_id())
    .bind(KEPT_SCANS)
    .fetch_all(pool)
    .await
}

/// An organisation's choices; none when it never made any.
pub(super) async fn settings<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    org_id: Uuid,
) -> Result<Option<SoftwareSettings>, sqlx::Error> {
    sqlx::query_as(
        "SELECT enabled, interval_hours, include_snap, include_flatpak, include_windows_store,
                include_language_managers
         FROM software_settings
         WHERE org_id = $1",
    )
    .bind(org_id)
    .fetch_optional(executor)
    .await
}

/// Keeps an organisation's choices.
pub(super) async fn save_settings(
    tx: &mut Tx<'_>,
    grant: &Grant,
    settings: &SoftwareSettings,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO software_settings (org_id, enabled, interval_hours, include_snap, include_flatpak,
                                        include_windows_store, include_language_managers, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (org_id) DO UPDATE
         SET enabled = EXCLUDED.enabled, interval_hours = EXCLUDED.interval_hours,
             include_snap = EXCLUDED.include_snap, include_flatpak = EXCLUDED.include_flatpak,
             include_windows_store = EXCLUDED.include_windows_store,
             include_language_managers = EXCLUDED.include_language_managers, updated_at = EXCLUDED.updated_at",
    )
    .bind(grant.org_id())
    .bind(settings.enabled)
    .bind(settings.interval_hours)
    .bind(settings.include_snap)
    .bind(settings.include_flatpak)
    .bind(settings.include_windows_store)
    .bind(settings.include_language_managers)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}
