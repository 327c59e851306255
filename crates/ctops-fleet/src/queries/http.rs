//! Routes of queries.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::service;
use super::store::Query;

/// What to ask.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHostQuery)]
pub(super) struct NewQueryBody {
    /// `list_ports` or `list_services`.
    kind: String,
}

/// A query to a host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostQuery)]
pub(super) struct QueryBody {
    id: Uuid,
    kind: String,
    /// `pending`, `complete` or `error`.
    status: String,
    /// `{"ports":[{"port","protocol","process"}]}` or `{"services":[{"name","load_state","active_sub"}]}`.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    error: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    completed_at: Option<Timestamp>,
}

impl From<Query> for QueryBody {
    fn from(query: Query) -> Self {
        Self {
            id: query.id,
            kind: query.kind,
            status: query.status,
            result: query.result_json.and_then(|json| serde_json::from_str(&json).ok()),
            error: query.error,
            created_at: query.created_at.into(),
            expires_at: query.expires_at.into(),
            completed_at: query.completed_at.map(Timestamp),
        }
    }
}

/// Asks a connected host for its listening ports or running services. The answer is waited for 120 s.
#[utoipa::path(post, path = "/hosts/{id}/queries", tag = "queries", params(("id" = Uuid, Path)),
    request_body = NewQueryBody,
    responses((status = 202, body = QueryBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(super) async fn create_host_query(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(body): JsonBody<NewQueryBody>,
) -> ApiResult<(StatusCode, Json<QueryBody>)> {
    let query = service::create(&state, &actor, id, &body.kind).await?;
    Ok((StatusCode::ACCEPTED, Json(query.into())))
}

/// Shows a query, with its answer when it has arrived.
#[utoipa::path(get, path = "/hosts/{id}/queries/{query_id}", tag = "queries",
    params(("id" = Uuid, Path), ("query_id" = Uuid, Path)),
    responses((status = 200, body = QueryBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_host_query(
    State(state): State<AppState>,
    actor: Actor,
    Path((id, query_id)): Path<(String, String)>,
) -> ApiResult<Json<QueryBody>> {
    let absent = |_| Problem::not_found("query");
    let (id, query_id) = (id.parse().map_err(absent)?, query_id.parse().map_err(absent)?);
    Ok(Json(service::find(&state, &actor, id, query_id).await?.into()))
}
