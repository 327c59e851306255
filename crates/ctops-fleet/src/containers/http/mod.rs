//! Routes of containers, runtimes and settings.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::PageBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams};

mod shapes;

use self::shapes::{
    ContainerBody, ContainerEvents, ContainerParams, ContainerRuntimes, ContainerSamples, EventParams,
    HostSettingsBody, SampleParams, SettingsBody,
};
use super::model::{ContainerQuery, EventRow};
use super::service;

/// Events in one answer (containers 20).
const EVENTS: i64 = 100;
/// Longest span of raw samples that can be asked for, minutes: one day.
const MAX_SAMPLE_MINUTES: i64 = 1_440;

/// Lists the containers of a host.
#[utoipa::path(get, path = "/hosts/{id}/containers", tag = "containers", params(("id" = Uuid, Path), ContainerParams),
    responses(
        (status = 200, body = PageBody<ContainerBody>),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_host_containers(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<ContainerParams>,
) -> ApiResult<Json<PageBody<ContainerBody>>> {
    let query = ContainerQuery::parse(&params.input())?;
    let page = service::list(&state.pool, &actor, id, &query).await?;
    Ok(Json(page.map(ContainerBody::from).into()))
}

/// Lists the container runtimes of a host with their state.
#[utoipa::path(get, path = "/hosts/{id}/container-runtimes", tag = "containers", params(("id" = Uuid, Path)), responses(
    (status = 200, body = ContainerRuntimes),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list_container_runtimes(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<ContainerRuntimes>> {
    let runtimes = service::runtimes(&state.pool, &actor, id).await?;
    Ok(Json(ContainerRuntimes::new(runtimes, state.clock.now())))
}

/// Shows one container.
#[utoipa::path(get, path = "/containers/{id}", tag = "containers", params(("id" = Uuid, Path)), responses(
    (status = 200, body = ContainerBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_container(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<ContainerBody>> {
    Ok(Json(service::find(&state.pool, &actor, id).await?.into()))
}

/// Lists the events of a container, newest first, 100 at a time.
#[utoipa::path(get, path = "/containers/{id}/events", tag = "containers", params(("id" = Uuid, Path), EventParams),
    responses(
        (status = 200, body = ContainerEvents),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_container_events(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<EventParams>,
) -> ApiResult<Json<ContainerEvents>> {
    let bad = || Problem::invalid_field("cursor", "invalid", "is not a cursor of this list");
    let before = params.cursor.as_deref().map(|text| read_cursor(text).ok_or_else(bad)).transpose()?;
    let mut events = service::events(&state.pool, &actor, id, before, EVENTS + 1).await?;
    let more = i64::try_from(events.len()).unwrap_or(i64::MAX) > EVENTS;
    events.truncate(usize::try_from(EVENTS).unwrap_or(usize::MAX));
    let next_cursor = events.last().filter(|_| more).map(write_cursor);
    Ok(Json(ContainerEvents::new(events, next_cursor)))
}

fn write_cursor(last: &EventRow) -> String {
    format!("{}.{}", last.occurred_at.timestamp_micros(), last.id)
}

fn read_cursor(text: &str) -> Option<(DateTime<Utc>, i64)> {
    let (micros, id) = text.split_once('.')?;
    Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
}

/// Lists the newest raw samples of a container, at most 1,440.
#[utoipa::path(get, path = "/containers/{id}/samples", tag = "containers", params(("id" = Uuid, Path), SampleParams),
    responses(
        (status = 200, body = ContainerSamples),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_container_samples(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<SampleParams>,
) -> ApiResult<Json<ContainerSamples>> {
    let minutes = params.minutes.as_deref().map_or(Ok(60), str::parse::<i64>).ok();
    let minutes = minutes.filter(|minutes| (1..=MAX_SAMPLE_MINUTES).contains(minutes)).ok_or_else(|| {
        let message = format!("must be a whole number from 1 to {MAX_SAMPLE_MINUTES}");
        Problem::invalid_field("minutes", "invalid", message)
    })?;
    let span = TimeDelta::minutes(minutes);
    let samples = service::samples(&state.pool, &actor, id, span, state.clock.now()).await?;
    Ok(Json(samples.into()))
}

/// Shows how containers are watched in the organisation.
#[utoipa::path(get, path = "/settings/containers", tag = "containers", responses((status = 200, body = SettingsBody)))]
pub(super) async fn get_container_settings(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<SettingsBody>> {
    Ok(Json(service::get_settings(&state.pool, &actor).await?.into()))
}

/// Replaces how containers are watched in the organisation.
#[utoipa::path(put, path = "/settings/containers", tag = "containers", request_body = SettingsBody, responses(
    (status = 200, body = SettingsBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn put_container_settings(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<SettingsBody>,
) -> ApiResult<Json<SettingsBody>> {
    Ok(Json(service::put_settings(&state, &actor, body.into()).await?.into()))
}

/// Shows how the containers of a host are watched; null means as the organisation.
#[utoipa::path(get, path = "/hosts/{id}/settings/containers", tag = "containers", params(("id" = Uuid, Path)), responses(
    (status = 200, body = HostSettingsBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_host_container_settings(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<HostSettingsBody>> {
    Ok(Json(service::get_host_settings(&state.pool, &actor, id).await?.into()))
}

/// Replaces how the containers of a host are watched.
#[utoipa::path(put, path = "/hosts/{id}/settings/containers", tag = "containers", params(("id" = Uuid, Path)),
    request_body = HostSettingsBody,
    responses(
        (status = 200, body = HostSettingsBody),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn put_host_container_settings(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(body): JsonBody<HostSettingsBody>,
) -> ApiResult<Json<HostSettingsBody>> {
    Ok(Json(service::put_host_settings(&state, &actor, id, body.into()).await?.into()))
}
