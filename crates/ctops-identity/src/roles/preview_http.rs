//! Routes that try a selector out before it is saved (users-teams-rbac 21).

use axum::Json;
use axum::extract::State;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Term;
use super::service;

/// A selector to be tried out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RolePreviewInput)]
pub(super) struct PreviewInput {
    selector: Vec<Term>,
}

/// Another selector for a role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangedRolePreviewInput)]
pub(super) struct ChangedPreviewInput {
    /// What it would select by; its own selector when absent.
    selector: Option<Vec<Term>>,
}

/// What a selector selects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolePreview)]
pub(super) struct PreviewBody {
    hosts: i64,
    /// `matches_nothing` when there is no such host.
    warnings: Vec<&'static str>,
}

impl PreviewBody {
    fn of(hosts: i64) -> Self {
        let warnings = if hosts == 0 { vec!["matches_nothing"] } else { vec![] };
        Self { hosts, warnings }
    }
}

/// Counts the hosts that the selector of a role yet to be made selects, without saving anything.
#[utoipa::path(post, path = "/roles/preview", tag = "roles", request_body = PreviewInput,
    responses((status = 200, body = PreviewBody), (status = 422, body = ProblemBody)))]
pub(super) async fn preview_role(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<PreviewInput>,
) -> ApiResult<Json<PreviewBody>> {
    Ok(Json(PreviewBody::of(service::preview(&state.pool, &actor, &input.selector).await?)))
}

/// Counts the hosts that a role selects, or would select with another selector, without saving anything.
#[utoipa::path(post, path = "/roles/{id}/preview", tag = "roles", params(("id" = Uuid, Path)),
    request_body = ChangedPreviewInput,
    responses((status = 200, body = PreviewBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(super) async fn preview_changed_role(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<ChangedPreviewInput>,
) -> ApiResult<Json<PreviewBody>> {
    let role = service::find(&state.pool, &actor, id).await?;
    let selector = input.selector.unwrap_or(role.draft.selector);
    Ok(Json(PreviewBody::of(service::preview(&state.pool, &actor, &selector).await?)))
}
