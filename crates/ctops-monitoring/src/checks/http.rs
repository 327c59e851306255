//! Routes of checks.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, JsonBody, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{Check, CheckResult, DEFAULT_INTERVAL, Wanted};
use super::service::{self, Change};
use crate::Deps;

/// Results in one answer at most, and when nothing is said.
const MAX_RESULTS: u32 = 1000;
const DEFAULT_RESULTS: u32 = 100;

/// A check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(super) struct CheckBody {
    id: Uuid,
    host_id: Uuid,
    name: String,
    /// Type of check.
    #[serde(rename = "type")]
    kind: String,
    /// Parameters of the type. Secrets are left out: `has_password`, and `has_value` of secret headers, say that they are
    /// there.
    #[schema(value_type = Object)]
    config: Value,
    interval_seconds: i32,
    enabled: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// The last five results, newest first.
    latest_results: Vec<ResultBody>,
}

/// A result.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckResult)]
pub(super) struct ResultBody {
    ran_at: Timestamp,
    /// `pass`, `fail` or `error`.
    status: String,
    duration_ms: i64,
    output: String,
}

impl CheckBody {
    fn new(check: Check, latest: Vec<CheckResult>) -> Self {
        Self {
            id: check.id,
            host_id: check.host_id,
            name: check.name,
            kind: check.kind,
            config: check.config,
            interval_seconds: check.interval_seconds,
            enabled: check.enabled,
            created_at: check.created_at.into(),
            updated_at: check.updated_at.into(),
            latest_results: latest.into_iter().map(ResultBody::from).collect(),
        }
    }
}

impl From<CheckResult> for ResultBody {
    fn from(result: CheckResult) -> Self {
        Self {
            ran_at: result.ran_at.into(),
            status: result.status,
            duration_ms: result.duration_ms,
            output: result.output,
        }
    }
}

/// The checks of a host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckList)]
pub(super) struct CheckListBody {
    items: Vec<CheckBody>,
}

/// A check to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCheck)]
pub(super) struct NewCheckBody {
    /// 1 to 100 characters.
    name: String,
    /// `port`, `process`, `http`, `certificate`, `cert_file`, `service_account`, `ssh_key_scan`, `patch_status` or
    /// `script`.
    #[serde(rename = "type")]
    kind: String,
    /// Parameters of the type.
    #[serde(default = "no_parameters")]
    #[schema(value_type = Object)]
    config: Value,
    /// 10 to 3600; 60 when absent.
    interval_seconds: Option<i32>,
    /// True when absent.
    enabled: Option<bool>,
}

fn no_parameters() -> Value {
    Value::Object(serde_json::Map::new())
}

/// What to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CheckChange)]
pub(super) struct CheckChangeBody {
    name: Option<String>,
    /// Only the present type: it cannot be changed.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Parameters to change; null removes one. A secret that is left out stays.
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
    interval_seconds: Option<i32>,
    enabled: Option<bool>,
}

/// Lists the checks of a host with their last results.
#[utoipa::path(get, path = "/hosts/{id}/checks", tag = "checks", params(("id" = Uuid, Path)),
    responses((status = 200, body = CheckListBody), (status = 404, body = ProblemBody)))]
pub(super) async fn list_host_checks(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<CheckListBody>> {
    let checks = service::of_host(&deps, &actor, id).await?;
    let items = checks.into_iter().map(|(check, latest)| CheckBody::new(check, latest)).collect();
    Ok(Json(CheckListBody { items }))
}

/// Adds a check to a host; its agent runs it at once.
#[utoipa::path(post, path = "/hosts/{id}/checks", tag = "checks", params(("id" = Uuid, Path)),
    request_body = NewCheckBody,
    responses((status = 201, body = CheckBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(super) async fn create_check(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(body): JsonBody<NewCheckBody>,
) -> ApiResult<impl IntoResponse> {
    let wanted = Wanted {
        name: body.name,
        interval_seconds: body.interval_seconds.unwrap_or(DEFAULT_INTERVAL),
        enabled: body.enabled.unwrap_or(true),
        config: body.config,
    };
    let check = service::create(&deps, &actor, id, &body.kind, wanted).await?;
    Ok((StatusCode::CREATED, tagged(check, Vec::new())))
}

/// Shows a check.
#[utoipa::path(get, path = "/checks/{id}", tag = "checks", params(("id" = Uuid, Path)),
    responses((status = 200, body = CheckBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_check(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<impl IntoResponse> {
    let check = service::find(&deps, &actor, id).await?;
    Ok(tagged(check, service::latest(&deps, id).await?))
}

/// Changes a check; its agent runs it at once.
#[utoipa::path(patch, path = "/checks/{id}", tag = "checks", params(("id" = Uuid, Path)),
    request_body = CheckChangeBody,
    responses((status = 200, body = CheckBody), (status = 404, body = ProblemBody),
        (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(super) async fn change_check(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    headers: HeaderMap,
    PathId(id): PathId,
    JsonBody(body): JsonBody<CheckChangeBody>,
) -> ApiResult<impl IntoResponse> {
    if let Some(kind) = body.kind
        && kind != service::find(&deps, &actor, id).await?.kind
    {
        return Err(Problem::invalid_field("type", "invalid", "cannot be changed").into());
    }
    let change = Change {
        name: body.name,
        interval_seconds: body.interval_seconds,
        enabled: body.enabled,
        config: body.config,
        version: seen_version(&headers)?,
    };
    let check = service::change(&deps, &actor, id, change).await?;
    Ok(tagged(check, service::latest(&deps, id).await?))
}

/// Deletes a check with its results; its agent stops it.
#[utoipa::path(delete, path = "/checks/{id}", tag = "checks", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody)))]
pub(super) async fn delete_check(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    headers: HeaderMap,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::delete(&deps, &actor, id, seen_version(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the agent to run a check once, now.
#[utoipa::path(post, path = "/checks/{id}/run", tag = "checks", params(("id" = Uuid, Path)),
    responses((status = 202), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(super) async fn run_check(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::run(&deps, &actor, id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Which results.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ResultListParams {
    /// 1 to 1000; 100 when absent.
    limit: Option<String>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// A part of a check's results.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckResultList)]
pub(super) struct ResultListBody {
    items: Vec<ResultBody>,
    /// Null at the end.
    next_cursor: Option<String>,
}

/// Lists the results of a check, newest first.
#[utoipa::path(get, path = "/checks/{id}/results", tag = "checks", params(("id" = Uuid, Path), ResultListParams),
    responses((status = 200, body = ResultListBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(super) async fn list_check_results(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    Path(id): Path<String>,
    QueryParams(params): QueryParams<ResultListParams>,
) -> ApiResult<Json<ResultListBody>> {
    let id = id.parse().map_err(|_| Problem::not_found("check"))?;
    let limit = match params.limit.as_deref().map_or(Ok(DEFAULT_RESULTS), str::parse::<u32>) {
        Ok(limit) if (1..=MAX_RESULTS).contains(&limit) => i64::from(limit),
        _ => {
            let range = format!("must be 1 to {MAX_RESULTS}");
            return Err(Problem::invalid_field("limit", "invalid", range).into());
        }
    };
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    // One more than asked for tells whether anything follows.
    let mut results = service::results(&deps, &actor, id, before, limit + 1).await?;
    let more = i64::try_from(results.len()).is_ok_and(|count| count > limit);
    if more {
        results.pop();
    }
    let next_cursor = results.last().filter(|_| more).map(|last| last.ran_at.timestamp_micros().to_string());
    Ok(Json(ResultListBody { items: results.into_iter().map(ResultBody::from).collect(), next_cursor }))
}

/// Removes all results of a check.
#[utoipa::path(delete, path = "/checks/{id}/results", tag = "checks", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(super) async fn clear_check_results(
    Extension(deps): Extension<Deps>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::clear(&deps, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A check with the tag of its version (api-conventions 7).
fn tagged(check: Check, latest: Vec<CheckResult>) -> impl IntoResponse {
    let tag = HeaderValue::try_from(format!("\"{}\"", check.version));
    let mut headers = HeaderMap::new();
    if let Ok(tag) = tag {
        headers.insert(header::ETAG, tag);
    }
    (headers, Json(CheckBody::new(check, latest)))
}

/// The version that `If-Match` names; none when there is no such header.
fn seen_version(headers: &HeaderMap) -> Result<Option<i32>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    // A tag that was never given out matches nothing.
    Ok(Some(text.trim_matches('"').parse().unwrap_or(0)))
}

fn read_cursor(text: &str) -> Result<DateTime<Utc>, Problem> {
    let at = text.parse().ok().and_then(DateTime::from_timestamp_micros);
    at.ok_or_else(|| Problem::invalid_field("cursor", "invalid", "is not a cursor of this list"))
}
