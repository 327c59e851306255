//! Routes of host defaults.

use axum::Json;
use axum::extract::State;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::HostDefaults;
use super::service;

/// What the hosts of the organisation collect, and how often they report.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HostDefaults)]
pub(super) struct HostDefaultsBody {
    /// Between two heartbeats, 5 to 300; null leaves it to the configuration of each agent.
    heartbeat_interval_seconds: Option<i32>,
    /// Processor use, load averages, number of processes.
    collect_cpu: bool,
    /// Memory and swap.
    collect_memory: bool,
    /// File systems.
    collect_disk: bool,
    /// Network traffic.
    collect_network: bool,
    /// Container runtimes and containers.
    collect_containers: bool,
}

impl From<HostDefaults> for HostDefaultsBody {
    fn from(defaults: HostDefaults) -> Self {
        Self {
            heartbeat_interval_seconds: defaults.heartbeat_interval_seconds,
            collect_cpu: defaults.collect_cpu,
            collect_memory: defaults.collect_memory,
            collect_disk: defaults.collect_disk,
            collect_network: defaults.collect_network,
            collect_containers: defaults.collect_containers,
        }
    }
}

impl From<HostDefaultsBody> for HostDefaults {
    fn from(body: HostDefaultsBody) -> Self {
        Self {
            heartbeat_interval_seconds: body.heartbeat_interval_seconds,
            collect_cpu: body.collect_cpu,
            collect_memory: body.collect_memory,
            collect_disk: body.collect_disk,
            collect_network: body.collect_network,
            collect_containers: body.collect_containers,
        }
    }
}

/// Shows the host defaults.
#[utoipa::path(get, path = "/settings/host-defaults", tag = "agents",
    responses((status = 200, body = HostDefaultsBody)))]
pub(super) async fn get_host_defaults(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<HostDefaultsBody>> {
    Ok(Json(service::find(&state.pool, &actor).await?.into()))
}

/// Replaces the host defaults; agents obey with their following heartbeat.
#[utoipa::path(put, path = "/settings/host-defaults", tag = "agents", request_body = HostDefaultsBody, responses(
    (status = 200, body = HostDefaultsBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn put_host_defaults(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<HostDefaultsBody>,
) -> ApiResult<Json<HostDefaultsBody>> {
    Ok(Json(service::replace(&state, &actor, body.into()).await?.into()))
}
