//! Verification over the API.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::checkpoint::signing_key;
use super::verify::{Report, verify};
use crate::AUDIT_READ;
use crate::events::Window;
use crate::timeout::query_failed;

/// What to verify.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyInput {
    /// Beginning of the range.
    from: DateTime<Utc>,
    /// End of the range, at most 400 days later.
    to: DateTime<Utc>,
}

/// Where a chain is broken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChainBreak {
    /// Place in the chain.
    seq: i64,
    event_id: Option<Uuid>,
    at: Option<Timestamp>,
    /// `event_missing`, `event_changed`, `link_missing`, `link_changed`, `checkpoint_mismatch`, `checkpoint_forged`,
    /// `end_missing` or `beginning_missing`.
    reason: &'static str,
}

/// What a verification found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VerifyReport {
    /// Whether nothing is wrong.
    intact: bool,
    /// Events whose hash was recomputed.
    checked: i64,
    first_seq: Option<i64>,
    last_seq: Option<i64>,
    /// Hex.
    last_hash: Option<String>,
    /// Signed checkpoints that were compared.
    checkpoints: usize,
    /// Events older than a minute without a place in the chain.
    unsealed: i64,
    first_break: Option<ChainBreak>,
    /// The key that checkpoints and exports are signed with (Ed25519), hex.
    public_key: String,
}

fn body(report: Report, public_key: &[u8; 32]) -> VerifyReport {
    VerifyReport {
        intact: report.is_intact(),
        checked: report.checked,
        first_seq: report.range.map(|range| range.0),
        last_seq: report.range.map(|range| range.1),
        last_hash: report.last_hash,
        checkpoints: report.checkpoints,
        unsealed: report.unsealed,
        first_break: report.first_break.map(|found| ChainBreak {
            seq: found.seq,
            event_id: found.event_id,
            at: found.at.map(Timestamp),
            reason: found.reason,
        }),
        public_key: hex::encode(public_key),
    }
}

/// Recomputes the hash chain over a range of time and reports the first break.
#[utoipa::path(post, path = "/audit/verify", tag = "audit", request_body = VerifyInput, responses(
    (status = 200, body = VerifyReport),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn verify_audit_chain(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<VerifyInput>,
) -> ApiResult<Json<VerifyReport>> {
    let grant = actor.grant(&AUDIT_READ)?;
    let now = state.clock.now();
    let window = Window::checked(Some(input.from), Some(input.to), now)?;
    let public_key = signing_key(&state.seal).public_key();
    let report = verify(&state.pool, grant.org_id(), (window.from, window.to), &public_key, now)
        .await
        .map_err(query_failed)?;
    let outcome = json!({"from": window.from, "to": window.to, "checked": report.checked});
    let mut event = AuditEvent::by_actor(&actor, "audit.verified", "audit_log")
        .summary(format!("verified {} audit events", report.checked))
        .change(None, Some(outcome));
    if let Some(found) = &report.first_break {
        event = event.failed(found.reason);
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(Json(body(report, &public_key)))
}
