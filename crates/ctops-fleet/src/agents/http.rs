//! Routes for people: agents, their approval and their history.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use chrono::{DateTime, SecondsFormat, Utc};
use ctops_base::Problem;
use ctops_base::id::is_agent_id;
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, QueryParams};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::identity::key_fingerprint;
use super::model::{AgentDeps, AgentRecord, AgentStatus, HistoryEntry};
use super::service;
use super::service::approval::approve_agent as approve;
use super::service::ending::{reject_agent as reject, revoke_agent as revoke};

/// Entries of one history answer at most, and when nothing is said.
const MAX_HISTORY: u32 = 200;
const DEFAULT_HISTORY: u32 = 50;

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Agent)]
pub(super) struct AgentBody {
    id: String,
    /// Null while it waits to take over an existing host.
    host_id: Option<Uuid>,
    hostname: String,
    /// `pending`, `active`, `offline` or `revoked`.
    status: &'static str,
    version: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    ip_addresses: Vec<String>,
    /// `SHA256:` and what `sha256sum` prints for the agent's `agent_key.pub`.
    key_fingerprint: String,
    token: Option<TokenRef>,
    registered_at: String,
    approved_at: Option<String>,
    pending_reason: Option<String>,
    /// While pending: the host that shares an identity with it.
    collision: Option<CollisionBody>,
    certificate: Option<CertificateBody>,
    last_heartbeat_at: Option<String>,
}

/// The enrolment token an agent came with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentToken)]
pub(super) struct TokenRef {
    id: Uuid,
    label: String,
}

/// A host that shares an identity with a pending agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentCollision)]
pub(super) struct CollisionBody {
    host_id: Uuid,
    hostname: String,
    /// `online`, `offline`, `unknown` or `pending`; online forbids the approval.
    status: &'static str,
    /// `machine_id`, `hostname` or `address`.
    matched_on: &'static str,
}

/// An agent's newest client certificate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentCertificate)]
pub(super) struct CertificateBody {
    /// Lower-case hex.
    serial: String,
    not_after: String,
}

impl From<AgentRecord> for AgentBody {
    fn from(record: AgentRecord) -> Self {
        Self {
            id: record.id,
            host_id: record.host_id,
            hostname: record.hostname,
            status: record.status.as_str(),
            version: record.version,
            os: record.os,
            arch: record.arch,
            ip_addresses: record.ip_addresses,
            key_fingerprint: key_fingerprint(&record.key_sha256),
            token: record.token.map(|(id, label)| TokenRef { id, label }),
            registered_at: iso(record.registered_at),
            approved_at: record.approved_at.map(iso),
            pending_reason: record.pending_reason,
            collision: record.collision.map(|other| CollisionBody {
                host_id: other.host_id,
                hostname: other.hostname,
                status: other.status.as_str(),
                matched_on: other.matched_on.as_str(),
            }),
            certificate: record
                .certificate
                .map(|leaf| CertificateBody { serial: leaf.serial, not_after: iso(leaf.not_after) }),
            last_heartbeat_at: record.last_heartbeat_at.map(iso),
        }
    }
}

/// ISO 8601 in UTC with milliseconds (api-conventions 1).
fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An agent id of the path; anything else names nothing.
fn agent_id(text: String) -> Result<String, Problem> {
    if is_agent_id(&text) { Ok(text) } else { Err(Problem::not_found("agent")) }
}

/// Which agents to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// From 1.
    page: Option<String>,
    /// Rows on a page.
    page_size: Option<String>,
    /// `pending`, `active`, `offline` or `revoked`; all when absent.
    status: Option<String>,
}

/// List agents, newest first.
#[utoipa::path(get, path = "/agents", tag = "agents", params(ListParams),
    responses((status = 200, body = PageBody<AgentBody>), (status = 422, body = ProblemBody)))]
pub(super) async fn list_agents(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<ListParams>,
) -> ApiResult<Json<PageBody<AgentBody>>> {
    let request = parse_page(params.page.as_deref(), params.page_size.as_deref(), STANDARD_SIZES)?;
    let status = match params.status.as_deref() {
        None => None,
        Some(name) => Some(AgentStatus::from_name(name).ok_or_else(|| {
            Problem::invalid_field("status", "invalid", "must be pending, active, offline or revoked")
        })?),
    };
    let page = service::list_agents(&state.pool, &actor, status, request).await?;
    Ok(Json(page.map(AgentBody::from).into()))
}

/// One agent.
#[utoipa::path(get, path = "/agents/{id}", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = AgentBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_agent(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> ApiResult<Json<AgentBody>> {
    Ok(Json(service::find_agent(&state.pool, &actor, &agent_id(id)?).await?.into()))
}

/// Approve a pending agent. The answer is the agent that is active now: for one that waited to take over a host, that
/// host's agent.
#[utoipa::path(post, path = "/agents/{id}/approve", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = AgentBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(super) async fn approve_agent(
    actor: Actor,
    Extension(deps): Extension<AgentDeps>,
    Path(id): Path<String>,
) -> ApiResult<Json<AgentBody>> {
    let active = approve(&deps, &actor, &agent_id(id)?).await?;
    Ok(Json(service::find_agent(&deps.pool, &actor, &active).await?.into()))
}

/// Reject a pending agent, for good.
#[utoipa::path(post, path = "/agents/{id}/reject", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = AgentBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(super) async fn reject_agent(
    actor: Actor,
    Extension(deps): Extension<AgentDeps>,
    Path(id): Path<String>,
) -> ApiResult<Json<AgentBody>> {
    let id = agent_id(id)?;
    reject(&deps, &actor, &id).await?;
    Ok(Json(service::find_agent(&deps.pool, &actor, &id).await?.into()))
}

/// Revoke an agent, for good. Its stream is closed within 5 s.
#[utoipa::path(post, path = "/agents/{id}/revoke", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = AgentBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
pub(super) async fn revoke_agent(
    actor: Actor,
    Extension(deps): Extension<AgentDeps>,
    Path(id): Path<String>,
) -> ApiResult<Json<AgentBody>> {
    let id = agent_id(id)?;
    revoke(&deps, &actor, &id).await?;
    Ok(Json(service::find_agent(&deps.pool, &actor, &id).await?.into()))
}

/// Which part of the history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// 1 to 200; 50 when absent.
    limit: Option<String>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// A part of an agent's history, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentHistory)]
pub(super) struct HistoryBody {
    items: Vec<HistoryItem>,
    /// Null at the end.
    next_cursor: Option<String>,
}

/// What happened to an agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentHistoryItem)]
pub(super) struct HistoryItem {
    /// A status, or `adopted`.
    status: String,
    reason: String,
    /// Null when the server did it.
    actor: Option<HistoryActor>,
    at: String,
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentHistoryActor)]
pub(super) struct HistoryActor {
    id: Uuid,
    name: String,
}

impl From<HistoryEntry> for HistoryItem {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            status: entry.status,
            reason: entry.reason,
            actor: entry.actor.map(|(id, name)| HistoryActor { id, name }),
            at: iso(entry.at),
        }
    }
}

/// The status history of an agent, newest first.
#[utoipa::path(get, path = "/agents/{id}/history", tag = "agents", params(("id" = String, Path), HistoryParams),
    responses((status = 200, body = HistoryBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(super) async fn list_agent_history(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
    QueryParams(params): QueryParams<HistoryParams>,
) -> ApiResult<Json<HistoryBody>> {
    let id = agent_id(id)?;
    let limit = match params.limit.as_deref().map_or(Ok(DEFAULT_HISTORY), str::parse::<u32>) {
        Ok(limit) if (1..=MAX_HISTORY).contains(&limit) => i64::from(limit),
        _ => {
            return Err(
                Problem::invalid_field("limit", "invalid", format!("must be 1 to {MAX_HISTORY}")).into()
            );
        }
    };
    let before = match params.cursor.as_deref() {
        None => None,
        Some(text) => Some(
            read_cursor(text)
                .ok_or_else(|| Problem::invalid_field("cursor", "invalid", "is not a cursor of this list"))?,
        ),
    };
    // One more than asked for tells whether anything follows.
    let mut entries = service::agent_history(&state.pool, &actor, &id, before, limit + 1).await?;
    let more = i64::try_from(entries.len()).is_ok_and(|count| count > limit);
    if more {
        entries.pop();
    }
    let next_cursor = entries.last().filter(|_| more).map(write_cursor);
    Ok(Json(HistoryBody { items: entries.into_iter().map(HistoryItem::from).collect(), next_cursor }))
}

/// Microseconds since the Unix epoch and the entry's number, which together order the history.
fn write_cursor(last: &HistoryEntry) -> String {
    format!("{}.{}", last.at.timestamp_micros(), last.id)
}

fn read_cursor(text: &str) -> Option<(DateTime<Utc>, i64)> {
    let (micros, id) = text.split_once('.')?;
    Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn cursor_when_written_is_read_back_and_junk_is_not() {
        let at = DateTime::from_timestamp_micros(1_780_000_000_123_456).unwrap();
        let entry = HistoryEntry { id: 42, status: "active".into(), reason: String::new(), actor: None, at };
        assert_eq!(read_cursor(&write_cursor(&entry)), Some((at, 42)));
        for junk in ["", ".", "1", "1.", ".1", "a.b", "9223372036854775807.1", "1.1.1", "' OR 1=1"] {
            assert_eq!(read_cursor(junk), None, "{junk}");
        }
    }
}
