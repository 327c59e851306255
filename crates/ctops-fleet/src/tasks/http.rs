//! Routes of runs.

use axum::Json;
use axum::extract::{Path, State};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{MAX_OUTPUT_BYTES, Run, Target};
use super::service;

/// Runs on one page at most, and when nothing is said (tasks 13).
const MAX_RUNS: u32 = 200;
const DEFAULT_RUNS: u32 = 50;

/// A run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskRun)]
pub(super) struct RunBody {
    id: Uuid,
    /// Task type.
    kind: String,
    /// `pending`, `running`, `cancelling`, `cancelled`, `completed` or `failed`.
    status: String,
    /// `manual` or `automated`.
    origin: &'static str,
    /// Hosts at a time; 0 means all.
    max_parallel: i32,
    /// Null when the system started it.
    created_by: Option<RunCreator>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    /// The hosts, in the order of their turns; of a host's list of runs that host alone.
    hosts: Vec<TargetBody>,
}

/// Who started a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskRunCreator)]
pub(super) struct RunCreator {
    id: Uuid,
    name: String,
}

/// One host of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskTarget)]
pub(super) struct TargetBody {
    task_id: Uuid,
    host_id: Uuid,
    hostname: String,
    /// `pending`, `running`, `cancelling`, `cancelled`, `success`, `failed` or `skipped`.
    status: String,
    /// Why it was skipped.
    skip_reason: Option<String>,
    exit_code: Option<i32>,
    /// What the task answered, as JSON; null when nothing.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    error: String,
    output_bytes: i64,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

impl RunBody {
    fn new(run: Run, hosts: Vec<Target>) -> Self {
        Self {
            id: run.id,
            kind: run.kind,
            status: run.status,
            origin: if run.creator_id.is_some() { "manual" } else { "automated" },
            max_parallel: run.max_parallel,
            created_by: run.creator_id.zip(run.creator_name).map(|(id, name)| RunCreator { id, name }),
            created_at: run.created_at.into(),
            started_at: run.started_at.map(Timestamp),
            completed_at: run.completed_at.map(Timestamp),
            hosts: hosts.into_iter().map(TargetBody::from).collect(),
        }
    }
}

impl From<Target> for TargetBody {
    fn from(target: Target) -> Self {
        Self {
            task_id: target.id,
            host_id: target.host_id,
            hostname: target.hostname,
            status: target.status,
            skip_reason: target.skip_reason,
            exit_code: target.exit_code,
            result: target.result_json.and_then(|json| serde_json::from_str(&json).ok()),
            error: target.error,
            output_bytes: target.output_bytes,
            started_at: target.started_at.map(Timestamp),
            completed_at: target.completed_at.map(Timestamp),
        }
    }
}

/// Shows a run with its hosts.
#[utoipa::path(get, path = "/task-runs/{id}", tag = "tasks", params(("id" = Uuid, Path)),
    responses((status = 200, body = RunBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_task_run(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<RunBody>> {
    let (run, hosts) = service::find_run(&state.pool, &actor, id).await?;
    Ok(Json(RunBody::new(run, hosts)))
}

/// Output of one host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskOutput)]
pub(super) struct OutputBody {
    output: String,
    /// Later output was dropped.
    truncated: bool,
}

/// Shows what a task wrote on one host, as far as it was kept.
#[utoipa::path(get, path = "/task-runs/{id}/hosts/{host_id}/output", tag = "tasks",
    params(("id" = Uuid, Path), ("host_id" = Uuid, Path)),
    responses((status = 200, body = OutputBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_task_output(
    State(state): State<AppState>,
    actor: Actor,
    Path((id, host_id)): Path<(String, String)>,
) -> ApiResult<Json<OutputBody>> {
    let absent = |_| Problem::not_found("task run");
    let (id, host_id) = (id.parse().map_err(absent)?, host_id.parse().map_err(absent)?);
    let output = service::output(&state.pool, &actor, id, host_id).await?;
    let truncated = i64::try_from(output.len()).is_ok_and(|bytes| bytes >= MAX_OUTPUT_BYTES);
    Ok(Json(OutputBody { output, truncated }))
}

/// Which part of a host's runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunListParams {
    /// 1 to 200; 50 when absent.
    limit: Option<String>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// A part of a host's runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskRunList)]
pub(super) struct RunListBody {
    items: Vec<RunBody>,
    /// Null at the end.
    next_cursor: Option<String>,
}

/// Lists the runs of a host, newest first, each with this host's part.
#[utoipa::path(get, path = "/hosts/{id}/task-runs", tag = "tasks", params(("id" = Uuid, Path), RunListParams),
    responses((status = 200, body = RunListBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(super) async fn list_host_task_runs(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    QueryParams(params): QueryParams<RunListParams>,
) -> ApiResult<Json<RunListBody>> {
    let limit = match params.limit.as_deref().map_or(Ok(DEFAULT_RUNS), str::parse::<u32>) {
        Ok(limit) if (1..=MAX_RUNS).contains(&limit) => i64::from(limit),
        _ => {
            return Err(Problem::invalid_field("limit", "invalid", format!("must be 1 to {MAX_RUNS}")).into());
        }
    };
    let bad_cursor = |_| Problem::invalid_field("cursor", "invalid", "is not a cursor of this list");
    let before = params.cursor.as_deref().map(|text| text.parse::<Uuid>().map_err(bad_cursor)).transpose()?;
    // One more than asked for tells whether anything follows.
    let mut runs = service::runs_of_host(&state.pool, &actor, id, before, limit + 1).await?;
    let more = i64::try_from(runs.len()).is_ok_and(|count| count > limit);
    if more {
        runs.pop();
    }
    let next_cursor = runs.last().filter(|_| more).map(|(_, target)| target.id.to_string());
    let items = runs.into_iter().map(|(run, target)| RunBody::new(run, vec![target])).collect();
    Ok(Json(RunListBody { items, next_cursor }))
}

/// Cancels a run: what has not started at once, what runs as soon as its agent says so or is silent for two minutes.
#[utoipa::path(post, path = "/task-runs/{id}/cancel", tag = "tasks", params(("id" = Uuid, Path)),
    responses((status = 200, body = RunBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(super) async fn cancel_task_run(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<RunBody>> {
    service::cancel_run(&state, &actor, id).await?;
    let (run, hosts) = service::find_run(&state.pool, &actor, id).await?;
    Ok(Json(RunBody::new(run, hosts)))
}
