//! Routes: updates of single agents.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{agent_id, version};
use crate::releases::model::AgentUpdate;
use crate::releases::service::updates::{self, Change};

/// What was decided about an agent, and how its last update ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentUpdate)]
pub(in crate::releases) struct UpdateBody {
    channel: String,
    /// The version it is to run whatever its channel says.
    pinned_version: Option<String>,
    /// The version it was told to install and has not reported about yet.
    requested_version: Option<String>,
    last_update_result: Option<ResultBody>,
}

/// How an update ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentUpdateResult)]
pub(in crate::releases) struct ResultBody {
    version: String,
    /// `updated`, `rolled_back`, `refused` or `failed`.
    outcome: String,
    /// Why it did not succeed.
    detail: String,
    at: Timestamp,
}

impl From<AgentUpdate> for UpdateBody {
    fn from(update: AgentUpdate) -> Self {
        Self {
            channel: update.channel,
            pinned_version: update.pinned,
            requested_version: update.requested,
            last_update_result: update.last.map(|last| ResultBody {
                version: last.version,
                outcome: last.outcome,
                detail: last.detail,
                at: last.at.into(),
            }),
        }
    }
}

/// An agent's updates.
#[utoipa::path(get, path = "/agents/{id}/update", tag = "releases", params(("id" = String, Path)),
    responses((status = 200, body = UpdateBody), (status = 404, body = ProblemBody)))]
pub(in crate::releases) async fn get_agent_update(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> ApiResult<Json<UpdateBody>> {
    Ok(Json(updates::find(&state, &actor, &agent_id(id)?).await?.into()))
}

/// What to install.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentUpdateRequest)]
pub(in crate::releases) struct RequestBody {
    /// The newest release of the agent's channel when absent.
    #[serde(default)]
    version: Option<String>,
}

/// Tell an agent to update now. It does so as soon as it is connected.
#[utoipa::path(post, path = "/agents/{id}/update", tag = "releases", params(("id" = String, Path)),
    request_body = RequestBody,
    responses((status = 202, body = UpdateBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(in crate::releases) async fn request_agent_update(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<RequestBody>,
) -> ApiResult<(StatusCode, Json<UpdateBody>)> {
    let id = agent_id(id)?;
    let wanted = version("version", body.version.as_deref())?;
    updates::request(&state, &actor, &id, wanted).await?;
    Ok((StatusCode::ACCEPTED, Json(updates::find(&state, &actor, &id).await?.into())))
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentUpdatePatch)]
pub(in crate::releases) struct ChangeBody {
    /// 1 to 32 characters of a-z, 0-9 and -.
    #[serde(default)]
    channel: Option<String>,
    /// A version to run, older or newer; null removes the pin.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pinned_version: Option<Option<String>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change an agent's channel or pin.
#[utoipa::path(patch, path = "/agents/{id}/update", tag = "releases", params(("id" = String, Path)),
    request_body = ChangeBody,
    responses((status = 200, body = UpdateBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::releases) async fn change_agent_update(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ChangeBody>,
) -> ApiResult<Json<UpdateBody>> {
    let id = agent_id(id)?;
    let pinned = match body.pinned_version {
        None => None,
        Some(text) => Some(version("pinned_version", text.as_deref())?),
    };
    updates::change(&state, &actor, &id, Change { channel: body.channel, pinned }).await?;
    Ok(Json(updates::find(&state, &actor, &id).await?.into()))
}
