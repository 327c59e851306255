//! Routes: rollouts, and the settings for them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::version;
use crate::releases::model::{Rollout, RolloutState, UpdateSettings};
use crate::releases::service::{rollouts, updates};

/// A rollout of a release.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentRollout)]
pub(in crate::releases) struct RolloutBody {
    id: Uuid,
    channel: String,
    version: String,
    /// `running`, `halted`, `finished` or `superseded`.
    state: &'static str,
    /// Why it halted.
    halt_reason: Option<String>,
    /// Growing percentages of the agents.
    waves: Vec<i32>,
    /// Number of the current wave, from 1.
    wave: i32,
    /// A wave of which more than this share fails halts the rollout.
    halt_percent: i32,
    began_at: Timestamp,
    agents: i64,
    offered: i64,
    updated: i64,
    /// Rolled back, refused or failed.
    failed: i64,
}

impl From<Rollout> for RolloutBody {
    fn from(rollout: Rollout) -> Self {
        Self {
            id: rollout.id,
            channel: rollout.channel,
            version: rollout.version,
            state: rollout.state.as_str(),
            halt_reason: Some(rollout.halt_reason).filter(|reason| !reason.is_empty()),
            waves: rollout.waves,
            wave: rollout.wave + 1,
            halt_percent: rollout.halt_percent,
            began_at: rollout.began_at.into(),
            agents: rollout.members,
            offered: rollout.offered,
            updated: rollout.updated,
            failed: rollout.failed,
        }
    }
}

/// Rollouts, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentRollouts)]
pub(in crate::releases) struct RolloutsBody {
    items: Vec<RolloutBody>,
}

/// Rollouts, newest first, at most 50.
#[utoipa::path(get, path = "/agent-rollouts", tag = "releases", responses((status = 200, body = RolloutsBody)))]
pub(in crate::releases) async fn list_agent_rollouts(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<RolloutsBody>> {
    let items = rollouts::list(&state, &actor).await?;
    Ok(Json(RolloutsBody { items: items.into_iter().map(RolloutBody::from).collect() }))
}

/// What to roll out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentRolloutRequest)]
pub(in crate::releases) struct StartBody {
    /// `stable` when absent.
    #[serde(default)]
    channel: Option<String>,
    /// The newest release of the channel when absent.
    #[serde(default)]
    version: Option<String>,
}

/// Roll a release out to all agents of a channel that run an older version.
#[utoipa::path(post, path = "/agent-rollouts", tag = "releases", request_body = StartBody,
    responses((status = 201, body = RolloutBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(in crate::releases) async fn start_agent_rollout(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<StartBody>,
) -> ApiResult<(StatusCode, Json<RolloutBody>)> {
    let wanted = version("version", body.version.as_deref())?;
    let rollout = rollouts::start(&state, &actor, body.channel, wanted).await?;
    Ok((StatusCode::CREATED, Json(rollout.into())))
}

/// Halt a running rollout.
#[utoipa::path(post, path = "/agent-rollouts/{id}/halt", tag = "releases", params(("id" = Uuid, Path)),
    responses((status = 200, body = RolloutBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(in crate::releases) async fn halt_agent_rollout(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<RolloutBody>> {
    Ok(Json(rollouts::set_state(&state, &actor, id, RolloutState::Halted).await?.into()))
}

/// Resume a halted rollout. Failures so far no longer count.
#[utoipa::path(post, path = "/agent-rollouts/{id}/resume", tag = "releases", params(("id" = Uuid, Path)),
    responses((status = 200, body = RolloutBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(in crate::releases) async fn resume_agent_rollout(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<RolloutBody>> {
    Ok(Json(rollouts::set_state(&state, &actor, id, RolloutState::Running).await?.into()))
}

/// How agents are updated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentUpdateSettings)]
pub(in crate::releases) struct SettingsBody {
    /// Growing percentages of the agents; the last one is 100.
    waves: Vec<i32>,
    /// A wave of which more than this share rolls back, fails or goes offline halts the rollout.
    halt_percent: i32,
    /// Agents of the original product, which verify nothing, are told to download the newest stable release.
    update_originals: bool,
}

impl From<UpdateSettings> for SettingsBody {
    fn from(settings: UpdateSettings) -> Self {
        let UpdateSettings { waves, halt_percent, update_originals } = settings;
        Self { waves, halt_percent, update_originals }
    }
}

/// Settings to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentUpdateSettingsPatch)]
pub(in crate::releases) struct SettingsPatch {
    waves: Option<Vec<i32>>,
    halt_percent: Option<i32>,
    update_originals: Option<bool>,
}

/// How the organisation's agents are updated.
#[utoipa::path(get, path = "/settings/agent-updates", tag = "releases", responses((status = 200, body = SettingsBody)))]
pub(in crate::releases) async fn get_agent_update_settings(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<SettingsBody>> {
    Ok(Json(updates::settings(&state, &actor).await?.into()))
}

/// Change how the organisation's agents are updated. Rollouts under way keep their waves.
#[utoipa::path(patch, path = "/settings/agent-updates", tag = "releases", request_body = SettingsPatch,
    responses((status = 200, body = SettingsBody), (status = 422, body = ProblemBody)))]
pub(in crate::releases) async fn update_agent_update_settings(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(patch): JsonBody<SettingsPatch>,
) -> ApiResult<Json<SettingsBody>> {
    let before = updates::settings(&state, &actor).await?;
    let wanted = UpdateSettings {
        waves: patch.waves.unwrap_or(before.waves),
        halt_percent: patch.halt_percent.unwrap_or(before.halt_percent),
        update_originals: patch.update_originals.unwrap_or(before.update_originals),
    };
    updates::set_settings(&state, &actor, &wanted).await?;
    Ok(Json(wanted.into()))
}
