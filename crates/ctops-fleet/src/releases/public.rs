//! Routes for machines: which release is the newest. Nobody is signed in here.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use ctops_base::Problem;
use ctops_proto::release::{DEFAULT_CHANNEL, check_channel, to_hex};
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{ApiResult, AppState, QueryParams};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::store;

/// Questions for the newest version that one address may ask per minute.
const QUERIES: Rate = Rate { scope: "agent.manifest", limit: 10, window: Duration::from_secs(60) };

/// Which channel.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ManifestParams {
    /// `stable` when absent.
    channel: Option<String>,
}

/// The newest release of a channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentManifest)]
pub(super) struct ManifestBody {
    version: String,
    /// The manifest, exactly as it was signed.
    manifest_json: String,
    /// Ed25519 signature over `manifest_json`, hex.
    signature: String,
}

/// The signed manifest of the newest release of a channel.
#[utoipa::path(get, path = "/agent/manifest", tag = "releases", params(ManifestParams),
    responses((status = 200, body = ManifestBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 429, body = ProblemBody)))]
pub(super) async fn get_agent_manifest(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    QueryParams(params): QueryParams<ManifestParams>,
) -> ApiResult<Json<ManifestBody>> {
    throttle::hit(&state.pool, &QUERIES, &ip.to_string(), state.clock.now()).await?;
    let channel = params.channel.as_deref().unwrap_or(DEFAULT_CHANNEL);
    check_channel(channel)
        .map_err(|error| Problem::invalid_field("channel", "invalid", error.to_string()))?;
    let newest = store::newest_manifest(&state.pool, channel).await.map_err(Problem::internal)?;
    let (version, json, signature) = newest.ok_or_else(|| Problem::not_found("release"))?;
    let manifest_json = String::from_utf8(json).map_err(Problem::internal)?;
    Ok(Json(ManifestBody { version, manifest_json, signature: to_hex(&signature) }))
}
