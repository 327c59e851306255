//! Routes of packages, scans and settings.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::PageBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{PackageQuery, PackageQueryInput, PackageRow, ScanRow, SoftwareSettings, SourceOutcome};
use super::service;

/// Which packages, in which order, which page. Empty parameters count as absent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PackageParams {
    /// Part of name, version or publisher, at most 200 characters, whatever its case.
    search: Option<String>,
    /// `dpkg`, `rpm`, `pacman`, `apk`, `snap`, `flatpak` and so on.
    source: Option<String>,
    /// `true` to list packages that are gone as well.
    include_removed: Option<String>,
    /// `name` (default), `version`, `architecture`, `publisher`, `source`, `first_seen` or `last_seen`; `-` before it for
    /// descending.
    sort: Option<String>,
    /// Page, from 1.
    page: Option<String>,
    /// 25, 50, 100 (default) or 200.
    page_size: Option<String>,
}

/// A package of a host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostPackage {
    source: String,
    name: String,
    version: String,
    /// Empty when the source has none.
    architecture: String,
    publisher: Option<String>,
    install_date: Option<Timestamp>,
    source_name: Option<String>,
    source_version: Option<String>,
    repository: Option<String>,
    first_seen_at: Timestamp,
    last_seen_at: Timestamp,
    /// When a complete scan no longer found it.
    removed_at: Option<Timestamp>,
    /// The version that came when this one went.
    replaced_by_version: Option<String>,
}

impl From<PackageRow> for HostPackage {
    fn from(row: PackageRow) -> Self {
        Self {
            source: row.source,
            name: row.name,
            version: row.version,
            architecture: row.architecture,
            publisher: row.publisher,
            install_date: row.install_date.map(Timestamp),
            source_name: row.source_name,
            source_version: row.source_version,
            repository: row.repository,
            first_seen_at: row.first_seen_at.into(),
            last_seen_at: row.last_seen_at.into(),
            removed_at: row.removed_at.map(Timestamp),
            replaced_by_version: row.replaced_by_version,
        }
    }
}

/// Lists the packages of a host.
#[utoipa::path(get, path = "/hosts/{id}/packages", tag = "software", params(("id" = Uuid, Path), PackageParams),
    responses(
        (status = 200, body = PageBody<HostPackage>),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_host_packages(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<PackageParams>,
) -> ApiResult<Json<PageBody<HostPackage>>> {
    let query = PackageQuery::parse(&PackageQueryInput {
        search: params.search.as_deref(),
        source: params.source.as_deref(),
        include_removed: params.include_removed.as_deref(),
        sort: params.sort.as_deref(),
        page: params.page.as_deref(),
        page_size: params.page_size.as_deref(),
    })?;
    let page = service::list_packages(&state.pool, &actor, id, &query).await?;
    Ok(Json(page.map(HostPackage::from).into()))
}

/// The newest scans of a host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostScans {
    /// Newest first, at most 100.
    items: Vec<HostScan>,
}

/// A scan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostScan {
    id: Uuid,
    /// Null when the scan's task was not started as a scan.
    task_run_id: Option<Uuid>,
    /// `user`, `schedule` or `task`.
    origin: String,
    /// `pending`, `running`, `success`, `partial` or `failed`.
    status: String,
    error: Option<String>,
    sources: Vec<HostScanSource>,
    package_count: i32,
    added: i32,
    removed: i32,
    unchanged: i32,
    requested_at: Timestamp,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

/// One source of packages in a scan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostScanSource {
    source: String,
    count: i64,
    ok: bool,
    error: Option<String>,
}

impl From<SourceOutcome> for HostScanSource {
    fn from(outcome: SourceOutcome) -> Self {
        Self { source: outcome.source, count: outcome.count, ok: outcome.ok, error: outcome.error }
    }
}

impl From<ScanRow> for HostScan {
    fn from(row: ScanRow) -> Self {
        Self {
            id: row.id,
            task_run_id: row.run_id,
            origin: row.origin,
            status: row.status,
            error: row.error,
            sources: row.sources.0.into_iter().map(HostScanSource::from).collect(),
            package_count: row.package_count,
            added: row.added,
            removed: row.removed,
            unchanged: row.unchanged,
            requested_at: row.requested_at.into(),
            started_at: row.started_at.map(Timestamp),
            completed_at: row.completed_at.map(Timestamp),
        }
    }
}

/// Lists the newest scans of a host.
#[utoipa::path(get, path = "/hosts/{id}/scans", tag = "software", params(("id" = Uuid, Path)), responses(
    (status = 200, body = HostScans),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list_host_scans(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<HostScans>> {
    let scans = service::list_scans(&state.pool, &actor, id).await?;
    Ok(Json(HostScans { items: scans.into_iter().map(HostScan::from).collect() }))
}

/// A scan that was started.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StartedHostScan {
    /// The scan.
    scan_id: Uuid,
    /// The task run it is in.
    task_run_id: Uuid,
}

/// Starts a scan of a host at once.
#[utoipa::path(post, path = "/hosts/{id}/scans", tag = "software", params(("id" = Uuid, Path)), responses(
    (status = 202, body = StartedHostScan),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn start_host_scan(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<(StatusCode, Json<StartedHostScan>)> {
    let started = service::rescan(&state, &actor, id).await?;
    let body = StartedHostScan { scan_id: started.scan_id, task_run_id: started.run_id };
    Ok((StatusCode::ACCEPTED, Json(body)))
}

/// Settings of the software inventory.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SoftwareInventorySettings)]
pub(super) struct SettingsBody {
    /// Hosts are scanned automatically.
    enabled: bool,
    /// Hours between two scans of a host, 1 to 720.
    interval_hours: i32,
    /// Also read snaps.
    include_snap: bool,
    /// Also read flatpaks.
    include_flatpak: bool,
    /// Also read apps of the Windows Store.
    include_windows_store: bool,
    /// Also read packages of pip, npm, cargo and gem.
    include_language_managers: bool,
}

impl From<SoftwareSettings> for SettingsBody {
    fn from(settings: SoftwareSettings) -> Self {
        Self {
            enabled: settings.enabled,
            interval_hours: settings.interval_hours,
            include_snap: settings.include_snap,
            include_flatpak: settings.include_flatpak,
            include_windows_store: settings.include_windows_store,
            include_language_managers: settings.include_language_managers,
        }
    }
}

/// Shows the settings of the software inventory.
#[utoipa::path(get, path = "/settings/software-inventory", tag = "software",
    responses((status = 200, body = SettingsBody)))]
pub(super) async fn get_software_settings(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<SettingsBody>> {
    Ok(Json(service::get_settings(&state.pool, &actor).await?.into()))
}

/// Replaces the settings of the software inventory.
#[utoipa::path(put, path = "/settings/software-inventory", tag = "software", request_body = SettingsBody, responses(
    (status = 200, body = SettingsBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn put_software_settings(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<SettingsBody>,
) -> ApiResult<Json<SettingsBody>> {
    let settings = SoftwareSettings {
        enabled: body.enabled,
        interval_hours: body.interval_hours,
        include_snap: body.include_snap,
        include_flatpak: body.include_flatpak,
        include_windows_store: body.include_windows_store,
        include_language_managers: body.include_language_managers,
    };
    Ok(Json(service::put_settings(&state, &actor, settings).await?.into()))
}
