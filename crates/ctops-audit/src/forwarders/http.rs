//! Routes of forwarders.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::deliver::DeliveryError;
use super::model::{Forwarder, Kind, Wanted};
use super::service;

/// A forwarder.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditForwarder)]
pub(super) struct ForwarderBody {
    id: Uuid,
    name: String,
    /// `syslog_tcp`, `syslog_tls` or `webhook`.
    kind: &'static str,
    endpoint: String,
    has_secret: bool,
    enabled: bool,
    /// Events that were not sent yet.
    lag: i64,
    /// Failures in a row.
    failures: i32,
    last_error: Option<String>,
    last_sent_at: Option<Timestamp>,
}

fn body(forwarder: Forwarder, lag: i64) -> ForwarderBody {
    ForwarderBody {
        id: forwarder.id,
        name: forwarder.name,
        kind: forwarder.kind.as_str(),
        endpoint: forwarder.endpoint,
        has_secret: forwarder.secret.is_some(),
        enabled: forwarder.enabled,
        lag,
        failures: forwarder.failures,
        last_error: forwarder.last_error,
        last_sent_at: forwarder.last_sent_at.map(Timestamp),
    }
}

/// All forwarders.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditForwarderList)]
pub(super) struct ForwarderListBody {
    items: Vec<ForwarderBody>,
}

/// A forwarder that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditForwarderInput)]
pub(super) struct ForwarderInput {
    name: String,
    /// `syslog_tcp`, `syslog_tls` or `webhook`.
    kind: String,
    /// `host:port` of a syslog server, `https://` address of a webhook.
    endpoint: String,
    /// Signs deliveries of a webhook, 16 to 200 characters; absent keeps the present one.
    secret: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

impl ForwarderInput {
    fn wanted(self) -> Result<Wanted, Problem> {
        let kind = Kind::parse(&self.kind).ok_or_else(|| {
            Problem::invalid_field("kind", "invalid", "must be syslog_tcp, syslog_tls or webhook")
        })?;
        let secret = self.secret.filter(|secret| !secret.is_empty());
        Ok(Wanted { name: self.name, kind, endpoint: self.endpoint, secret, enabled: self.enabled })
    }
}

/// What a test delivery came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditForwarderTest)]
pub(super) struct TestBody {
    delivered: bool,
    /// What went wrong.
    error: Option<String>,
    /// Host that needs an entry among the internal targets.
    needs_target: Option<String>,
}

/// Lists forwarders with their state.
#[utoipa::path(get, path = "/audit/forwarders", tag = "audit",
    responses((status = 200, body = ForwarderListBody)))]
pub(super) async fn list_audit_forwarders(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<ForwarderListBody>> {
    let forwarders = service::list(&state, &actor).await?;
    let items = forwarders.into_iter().map(|(forwarder, lag)| body(forwarder, lag)).collect();
    Ok(Json(ForwarderListBody { items }))
}

/// Sets up a forwarder. It begins with the next event.
#[utoipa::path(post, path = "/audit/forwarders", tag = "audit", request_body = ForwarderInput, responses(
    (status = 201, body = ForwarderBody),
    (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn create_audit_forwarder(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<ForwarderInput>,
) -> ApiResult<(StatusCode, Json<ForwarderBody>)> {
    let forwarder = service::create(&state, &actor, input.wanted()?).await?;
    Ok((StatusCode::CREATED, Json(body(forwarder, 0))))
}

/// Replaces a forwarder; it goes on where it was.
#[utoipa::path(put, path = "/audit/forwarders/{id}", tag = "audit", params(("id" = Uuid, Path)),
    request_body = ForwarderInput, responses(
    (status = 200, body = ForwarderBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn update_audit_forwarder(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
    JsonBody(input): JsonBody<ForwarderInput>,
) -> ApiResult<Json<ForwarderBody>> {
    let forwarder = service::update(&state, &actor, id, input.wanted()?).await?;
    Ok(Json(body(forwarder, 0)))
}

/// Deletes a forwarder.
#[utoipa::path(delete, path = "/audit/forwarders/{id}", tag = "audit", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn delete_audit_forwarder(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends the newest event once more and says what came of it.
#[utoipa::path(post, path = "/audit/forwarders/{id}/test", tag = "audit", params(("id" = Uuid, Path)), responses(
    (status = 200, body = TestBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn test_audit_forwarder(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<TestBody>> {
    let error = service::test(&state, &actor, id).await?;
    let needs_target = error.as_ref().and_then(DeliveryError::needs_target);
    let error = error.map(|error| error.to_string());
    Ok(Json(TestBody { delivered: error.is_none(), error, needs_target }))
}
