//! Routes of host keys.

use axum::Json;
use axum::extract::State;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{HostKey, HostKeys};
use super::service;

/// SSH host keys of a host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostKeys)]
pub(super) struct HostKeysBody {
    /// `none` when the host never reported any, `trusted`, or `changed` while others wait.
    status: &'static str,
    trusted: Vec<HostKey>,
    trusted_at: Option<Timestamp>,
    /// What the host reports instead.
    pending: Vec<HostKey>,
    pending_since: Option<Timestamp>,
}

impl From<Option<HostKeys>> for HostKeysBody {
    fn from(keys: Option<HostKeys>) -> Self {
        let status = match &keys {
            None => "none",
            Some(keys) if keys.pending.is_some() => "changed",
            Some(_) => "trusted",
        };
        let trusted_at = keys.as_ref().map(|keys| Timestamp(keys.trusted_at));
        let pending_since = keys.as_ref().and_then(|keys| keys.pending_since).map(Timestamp);
        let (trusted, pending) = keys.map(|keys| (keys.trusted.0, keys.pending)).unwrap_or_default();
        Self {
            status,
            trusted,
            trusted_at,
            pending: pending.map(|keys| keys.0).unwrap_or_default(),
            pending_since,
        }
    }
}

/// Shows the SSH host keys of a host.
#[utoipa::path(get, path = "/hosts/{id}/ssh-host-keys", tag = "hosts", params(("id" = Uuid, Path)),
    responses((status = 200, body = HostKeysBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_host_keys(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<HostKeysBody>> {
    Ok(Json(service::find(&state.pool, &actor, id).await?.into()))
}

/// Which keys to trust.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcceptHostKeys)]
pub(super) struct AcceptBody {
    /// Fingerprints of all waiting keys, as they were shown.
    fingerprints: Vec<String>,
}

/// Accepts the keys that wait.
#[utoipa::path(post, path = "/hosts/{id}/ssh-host-keys/accept", tag = "hosts", params(("id" = Uuid, Path)),
    request_body = AcceptBody,
    responses((status = 200, body = HostKeysBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(super) async fn accept_host_keys(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(body): JsonBody<AcceptBody>,
) -> ApiResult<Json<HostKeysBody>> {
    service::accept(&state, &actor, id, &body.fingerprints).await?;
    Ok(Json(service::find(&state.pool, &actor, id).await?.into()))
}
