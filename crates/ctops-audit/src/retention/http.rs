//! Routes of settings.

use axum::Json;
use axum::extract::State;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Wanted;
use super::service::{self, InForce};

/// A legal hold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditHold)]
pub(super) struct HoldBody {
    reason: String,
    set_by: String,
    set_at: Timestamp,
}

/// Settings of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditSettings)]
pub(super) struct SettingsBody {
    /// Days events are kept, 30 to 3650.
    retention_days: i32,
    /// While there is one nothing is pruned.
    legal_hold: Option<HoldBody>,
    /// Events of the organisation that were sealed so far.
    events_sealed: i64,
    /// The key that checkpoints and exports are signed with (Ed25519), hex.
    public_key: String,
}

impl From<InForce> for SettingsBody {
    fn from(in_force: InForce) -> Self {
        Self {
            retention_days: in_force.retention_days,
            legal_hold: in_force.hold.map(|hold| HoldBody {
                reason: hold.reason,
                set_by: hold.set_by_name,
                set_at: hold.set_at.into(),
            }),
            events_sealed: in_force.events_sealed,
            public_key: hex::encode(in_force.public_key),
        }
    }
}

/// A hold that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditHoldInput)]
pub(super) struct HoldInput {
    /// 3 to 500 characters.
    reason: String,
}

/// Settings that are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditSettingsInput)]
pub(super) struct SettingsInput {
    /// 30 to 3650.
    retention_days: i32,
    /// Null lifts the hold.
    legal_hold: Option<HoldInput>,
}

/// Shows how long events are kept, whether they are on hold, and the key of signatures.
#[utoipa::path(get, path = "/audit/settings", tag = "audit", responses((status = 200, body = SettingsBody)))]
pub(super) async fn get_audit_settings(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<SettingsBody>> {
    Ok(Json(service::find(&state, &actor).await?.into()))
}

/// Replaces retention and hold.
#[utoipa::path(put, path = "/audit/settings", tag = "audit", request_body = SettingsInput, responses(
    (status = 200, body = SettingsBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn put_audit_settings(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<SettingsInput>,
) -> ApiResult<Json<SettingsBody>> {
    let wanted =
        Wanted { retention_days: input.retention_days, hold: input.legal_hold.map(|hold| hold.reason) };
    Ok(Json(service::replace(&state, &actor, wanted).await?.into()))
}
