//! Routes of the policy for outgoing connections.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service::{self, Entry, Wanted};

/// Where outgoing connections may go.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EgressPolicy)]
pub(super) struct PolicyBody {
    /// `internal` (the internet, and private networks by use and entry), `public-only` or `closed` (entries only).
    mode: String,
    /// What is open beside that.
    targets: Vec<TargetBody>,
}

/// One internal target.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EgressTarget)]
pub(super) struct TargetBody {
    /// A range, an address, a host name, or a suffix such as `.corp.example`.
    target: String,
    /// What it is for.
    #[serde(default)]
    note: String,
}

impl From<Wanted> for PolicyBody {
    fn from(policy: Wanted) -> Self {
        let body = |entry: Entry| TargetBody { target: entry.target, note: entry.note };
        Self { mode: policy.mode, targets: policy.targets.into_iter().map(body).collect() }
    }
}

/// Shows where outgoing connections may go.
#[utoipa::path(get, path = "/settings/egress", tag = "settings", responses((status = 200, body = PolicyBody)))]
pub(super) async fn get_egress_policy(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<PolicyBody>> {
    Ok(Json(service::find(&state.pool, &actor).await?.into()))
}

/// Replaces the policy for outgoing connections; it holds from the next connection on.
#[utoipa::path(put, path = "/settings/egress", tag = "settings", request_body = PolicyBody, responses(
    (status = 200, body = PolicyBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn put_egress_policy(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<PolicyBody>,
) -> ApiResult<Json<PolicyBody>> {
    let entry = |body: TargetBody| Entry { target: body.target, note: body.note };
    let wanted = Wanted { mode: body.mode, targets: body.targets.into_iter().map(entry).collect() };
    Ok(Json(service::replace(&state, &actor, wanted).await?.into()))
}

/// Opens one more internal target, and leaves the others as they are.
#[utoipa::path(post, path = "/settings/egress/targets", tag = "settings", request_body = TargetBody, responses(
    (status = 200, body = PolicyBody),
    (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "limit_reached"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn add_egress_target(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<TargetBody>,
) -> ApiResult<Json<PolicyBody>> {
    let entry = Entry { target: body.target, note: body.note };
    Ok(Json(service::add(&state, &actor, entry).await?.into()))
}

/// Closes one internal target.
#[utoipa::path(delete, path = "/settings/egress/targets/{target}", tag = "settings",
    params(("target" = String, Path, description = "as it is listed, percent-encoded")), responses(
    (status = 204),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn remove_egress_target(
    State(state): State<AppState>,
    actor: Actor,
    Path(target): Path<String>,
) -> ApiResult<StatusCode> {
    service::remove(&state, &actor, &target).await?;
    Ok(StatusCode::NO_CONTENT)
}
