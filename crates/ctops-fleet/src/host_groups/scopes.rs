//! Routes of the groups somebody is limited to.

use axum::Json;
use axum::extract::State;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::{ScopeOf, TeamGroup, at_most};
use super::service;

/// A group or team, by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostScopeGroup)]
pub(super) struct ScopeGroupBody {
    id: Uuid,
    name: String,
}

/// A group that a scoping team brings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostScopeTeamGroup)]
pub(super) struct TeamGroupBody {
    id: Uuid,
    name: String,
    team: ScopeGroupBody,
}

impl From<TeamGroup> for TeamGroupBody {
    fn from(group: TeamGroup) -> Self {
        let team = ScopeGroupBody { id: group.team_id, name: group.team_name };
        Self { id: group.id, name: group.name, team }
    }
}

/// What the built-in roles of somebody reach. Custom roles have selectors of their own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserHostScope)]
pub(super) struct ScopeBody {
    /// Groups the person is limited to.
    groups: Vec<ScopeGroupBody>,
    /// Groups that scoping teams add.
    team_groups: Vec<TeamGroupBody>,
    /// The whole organisation: there is no group, or the person is an administrator.
    sees_all: bool,
    /// Hosts reached now.
    host_count: i64,
}

impl From<ScopeOf> for ScopeBody {
    fn from(scope: ScopeOf) -> Self {
        Self {
            groups: scope.own.into_iter().map(|(id, name)| ScopeGroupBody { id, name }).collect(),
            team_groups: scope.by_teams.into_iter().map(TeamGroupBody::from).collect(),
            sees_all: scope.sees_all,
            host_count: scope.hosts,
        }
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
