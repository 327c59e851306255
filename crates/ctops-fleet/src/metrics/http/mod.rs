//! Routes of metrics.

use axum::Json;
use axum::extract::State;
use ctops_slice::http::{JsonBody, ProblemBody};
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams};

mod shapes;

use self::shapes::{
    ChartBody, ChartParams, GapsBody, OfflineBody, RetentionBody, RetentionInput, WindowParams,
};
use super::service;

/// Charts of one host: at most 300 points per line, a point without figures where a line must end.
#[utoipa::path(get, path = "/hosts/{id}/metrics", tag = "metrics",
    params(("id" = uuid::Uuid, Path), ChartParams),
    responses(
        (status = 200, body = ChartBody),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn host_metrics(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<ChartParams>,
) -> ApiResult<Json<ChartBody>> {
    let chart = service::chart(&state.pool, &actor, id, &params.input(), state.clock.now()).await?;
    Ok(Json(chart.into()))
}

/// Time between the heartbeats of one host; the longest of each bucket.
#[utoipa::path(get, path = "/hosts/{id}/metrics/heartbeat-gaps", tag = "metrics",
    params(("id" = uuid::Uuid, Path), WindowParams),
    responses(
        (status = 200, body = GapsBody),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn host_heartbeat_gaps(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<WindowParams>,
) -> ApiResult<Json<GapsBody>> {
    let gaps = service::heartbeat_gaps(&state.pool, &actor, id, &params.input(), state.clock.now()).await?;
    Ok(Json(gaps.into()))
}

/// Times without a connection to one host.
#[utoipa::path(get, path = "/hosts/{id}/offline-periods", tag = "metrics",
    params(("id" = uuid::Uuid, Path), WindowParams),
    responses(
        (status = 200, body = OfflineBody),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn host_offline_periods(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<WindowParams>,
) -> ApiResult<Json<OfflineBody>> {
    let periods =
        service::offline_periods(&state.pool, &actor, id, &params.input(), state.clock.now()).await?;
    Ok(Json(periods.into()))
}

/// How long metrics are kept, and what is kept.
#[utoipa::path(get, path = "/settings/retention", tag = "metrics", responses((status = 200, body = RetentionBody)))]
pub(super) async fn get_retention_settings(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<RetentionBody>> {
    Ok(Json(service::storage(&state.pool, &actor).await?.into()))
}

/// Change how long metrics are kept. What is older goes with the next retention run, within six hours.
#[utoipa::path(put, path = "/settings/retention", tag = "metrics", request_body = RetentionInput, responses(
    (status = 200, body = RetentionBody),
    (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn update_retention_settings(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<RetentionInput>,
) -> ApiResult<Json<RetentionBody>> {
    let storage = service::set_retention(&state, &actor, input.metric_retention_days).await?;
    Ok(Json(storage.into()))
}
