//! Routes of hosts.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use ctops_base::{FieldProblem, Problem};
use ctops_pg::Pool;
use ctops_slice::events::StillVisible;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::PageBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, QueryParams};
use uuid::Uuid;

mod shapes;

pub(super) use shapes::HostUpdated;
pub(crate) use shapes::{HostItem, HostListParams};

use self::shapes::{FacetsBody, HostBody, HostChange, SampleParams, SamplesBody, SummaryBody, TopicParams};
use super::model::{HostQuery, parse_minutes};
use super::{service, watch};

/// Lists hosts.
#[utoipa::path(get, path = "/hosts", tag = "hosts", params(HostListParams), responses(
    (status = 200, body = PageBody<HostItem>),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list_hosts(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<HostListParams>,
) -> ApiResult<Json<PageBody<HostItem>>> {
    let query = HostQuery::parse(&params.input())?;
    let now = state.clock.now();
    let page = service::list_hosts(&state.pool, &actor, &query, now).await?;
    Ok(Json(page.map(|row| HostItem::new(row, now)).into()))
}

/// Counts the fleet.
#[utoipa::path(get, path = "/hosts/summary", tag = "hosts", responses((status = 200, body = SummaryBody)))]
pub(super) async fn host_summary(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<SummaryBody>> {
    let summary = service::fleet_summary(&state.pool, &actor, state.clock.now()).await?;
    Ok(Json(summary.into()))
}

/// Counts hosts by operating system, architecture and agent version.
#[utoipa::path(get, path = "/hosts/facets", tag = "hosts", responses((status = 200, body = FacetsBody)))]
pub(super) async fn host_facets(State(state): State<AppState>, actor: Actor) -> ApiResult<Json<FacetsBody>> {
    Ok(Json(service::fleet_facets(&state.pool, &actor).await?.into()))
}

/// Shows one host.
#[utoipa::path(get, path = "/hosts/{id}", tag = "hosts", params(("id" = uuid::Uuid, Path)), responses(
    (status = 200, body = HostBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_host(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<HostBody>> {
    let host = service::find_host(&state.pool, &actor, id).await?;
    Ok(Json(HostBody::new(host, state.clock.now())?))
}

/// Changes what people say about a host. Its host name is the machine's own and cannot be changed here.
#[utoipa::path(patch, path = "/hosts/{id}", tag = "hosts", params(("id" = uuid::Uuid, Path)),
    request_body = HostChange, responses(
    (status = 200, body = HostBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change_host(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(change): JsonBody<HostChange>,
) -> ApiResult<Json<HostBody>> {
    let host = service::rename_host(&state, &actor, id, &change.display_name).await?;
    Ok(Json(HostBody::new(host, state.clock.now())?))
}

/// Lists the newest raw samples of a host, at most 720.
#[utoipa::path(get, path = "/hosts/{id}/samples", tag = "hosts",
    params(("id" = uuid::Uuid, Path), SampleParams),
    responses(
        (status = 200, body = SamplesBody),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn host_samples(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<SampleParams>,
) -> ApiResult<Json<SamplesBody>> {
    let span = parse_minutes(params.minutes.as_deref())?;
    let samples = service::recent_samples(&state.pool, &actor, id, span, state.clock.now()).await?;
    Ok(Json(samples.into()))
}

/// Follows one host: `host.updated` with its new figures, `host.deleted` at the end, `reset` when events were missed.
#[utoipa::path(get, path = "/hosts/{id}/events", tag = "hosts", params(("id" = uuid::Uuid, Path)), responses(
    (status = 200, body = HostUpdated, content_type = "text/event-stream"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn follow_host(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    // Subscribed first: a host that is deleted after the check is announced on this stream.
    let topics = vec![format!("{}{id}", watch::HOST_PREFIX)];
    let in_scope: Arc<dyn StillVisible> = Arc::new(HostInScope { pool: state.pool.clone(), id });
    let authenticator = state.authenticator.clone();
    let stream = state.events.stream_while(&actor, topics, &headers, authenticator, Some(in_scope))?;
    service::check_host(&state.pool, &actor, id).await?;
    Ok(stream)
}

/// Ends the stream of a host that left the scope of whoever follows it (host-groups 18).
struct HostInScope {
    pool: Pool,
    id: Uuid,
}

#[async_trait]
impl StillVisible for HostInScope {
    async fn is_visible(&self, actor: &Actor) -> bool {
        service::check_host(&self.pool, actor, self.id).await.is_ok()
    }
}

/// Follows topics. `fleet`: `fleet.changed` with the kinds of change, at most once a second; `reset` when events were
/// missed.
#[utoipa::path(get, path = "/events", tag = "hosts", params(TopicParams), responses(
    (status = 200, body = String, content_type = "text/event-stream"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn follow_topics(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<TopicParams>,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    let topics = parse_topics(params.topics.as_deref())?;
    Ok(state.events.stream(&actor, topics, &headers, state.authenticator.clone())?)
}

fn parse_topics(text: Option<&str>) -> Result<Vec<String>, Problem> {
    let mut topics: Vec<String> =
        text.unwrap_or_default().split(',').map(|topic| topic.trim().to_owned()).collect();
    topics.sort_unstable();
    topics.dedup();
    let unknown: Vec<FieldProblem> = topics
        .iter()
        .filter(|topic| *topic != watch::FLEET)
        .map(|_| FieldProblem {
            path: "topics".into(),
            code: "invalid",
            message: "must be one of fleet".into(),
        })
        .take(1)
        .collect();
    if unknown.is_empty() { Ok(topics) } else { Err(Problem::invalid(unknown)) }
}
