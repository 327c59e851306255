//! Routes of the groups somebody is limited to.

use axum::Json;
use axum::extract::State;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::at_most;
use super::service;

/// A group, by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostScopeGroup)]
pub(super) struct ScopeGroupBody {
    id: Uuid,
    name: String,
}

/// The groups somebody is limited to by themselves; those of their teams come on top.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserHostScope)]
pub(super) struct ScopeBody {
    /// None means the whole organisation.
    groups: Vec<ScopeGroupBody>,
}

impl From<Vec<(Uuid, String)>> for ScopeBody {
    fn from(groups: Vec<(Uuid, String)>) -> Self {
        Self { groups: groups.into_iter().map(|(id, name)| ScopeGroupBody { id, name }).collect() }
    }
}

/// The groups somebody is to be limited to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUserHostScope)]
pub(super) struct ScopeInput {
    /// At most 1000; none means the whole organisation.
    group_ids: Vec<Uuid>,
}

/// Shows the host groups a member is limited to.
#[utoipa::path(get, path = "/users/{id}/host-scope", tag = "host-groups", operation_id = "get_host_scope",
    params(("id" = Uuid, Path)), responses((status = 200, body = ScopeBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_host_scope(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<ScopeBody>> {
    Ok(Json(service::scope(&state.pool, &actor, id).await?.into()))
}

/// Limits an engineer or reader to host groups. Acts with their next request, and on open streams within seconds.
#[utoipa::path(put, path = "/users/{id}/host-scope", tag = "host-groups", operation_id = "set_host_scope",
    params(("id" = Uuid, Path)), request_body = ScopeInput,
    responses((status = 200, body = ScopeBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "cannot_change_self"),
        (status = 422, body = ProblemBody, description = "unknown groups, role_not_scopable")))]
pub(super) async fn set_host_scope(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<ScopeInput>,
) -> ApiResult<Json<ScopeBody>> {
    let groups = at_most("group_ids", input.group_ids)?;
    Ok(Json(service::set_scope(&state, &actor, id, &groups).await?.into()))
}
