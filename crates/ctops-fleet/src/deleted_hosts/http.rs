//! Routes of deletion.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{DeletedHost, DeletedQuery};
use super::service;
use crate::agents::AgentDeps;

/// Which deleted hosts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeletedHostParams {
    /// Part of the host name or display name, at most 200 characters, whatever its case.
    search: Option<String>,
    /// Page, from 1.
    page: Option<String>,
    /// Rows on a page: 10, 20, 25, 50 (default), 100 or 200.
    page_size: Option<String>,
}

/// A deleted host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeletedHost)]
pub(super) struct DeletedHostBody {
    id: Uuid,
    hostname: String,
    /// Empty when nobody gave it a name.
    display_name: String,
    os: Option<String>,
    arch: Option<String>,
    first_seen_at: Timestamp,
    deleted_at: Timestamp,
    /// Null when it disappeared with an agent nobody approved.
    deleted_by: Option<DeletedByBody>,
    /// When it is removed for good.
    purge_at: Timestamp,
}

/// Who deleted it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostDeletedBy)]
pub(super) struct DeletedByBody {
    id: Uuid,
    name: String,
}

impl DeletedHostBody {
    fn new(host: DeletedHost, purge_at: DateTime<Utc>) -> Self {
        let by = host.deleted_by_id.zip(host.deleted_by_name);
        Self {
            id: host.id,
            hostname: host.hostname,
            display_name: host.display_name,
            os: host.os,
            arch: host.arch,
            first_seen_at: host.created_at.into(),
            deleted_at: host.deleted_at.into(),
            deleted_by: by.map(|(id, name)| DeletedByBody { id, name }),
            purge_at: purge_at.into(),
        }
    }
}

/// Lists deleted hosts, the last deleted first.
#[utoipa::path(get, path = "/hosts/deleted", tag = "hosts", params(DeletedHostParams),
    responses((status = 200, body = PageBody<DeletedHostBody>), (status = 422, body = ProblemBody)))]
pub(super) async fn list_deleted_hosts(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<DeletedHostParams>,
) -> ApiResult<Json<PageBody<DeletedHostBody>>> {
    let page = parse_page(params.page.as_deref(), params.page_size.as_deref(), STANDARD_SIZES)?;
    let query = DeletedQuery::check(params.search.as_deref(), page)?;
    let (page, settings) = service::list(&state.pool, &actor, &query).await?;
    let keep = settings.purge_after();
    Ok(Json(
        page.map(|host| {
            let purge_at = host.deleted_at + keep;
            DeletedHostBody::new(host, purge_at)
        })
        .into(),
    ))
}

/// Deletes a host: it leaves every list, its agent is revoked for good, and its tasks are cancelled. Its record is kept until
/// it is purged.
#[utoipa::path(delete, path = "/hosts/{id}", tag = "hosts", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(super) async fn delete_host(
    Extension(deps): Extension<AgentDeps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::delete(&deps, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a deleted host with its history for good.
#[utoipa::path(post, path = "/hosts/{id}/purge", tag = "hosts", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "wrong_state: it is not deleted")))]
pub(super) async fn purge_host(
    Extension(deps): Extension<AgentDeps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::purge(&deps, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
