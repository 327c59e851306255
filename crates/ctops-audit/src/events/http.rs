//! Routes for reading.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::audit::catalogue;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::filter::FilterInput;
use super::service::{self, Detail};
use crate::event::Event;

/// Events of a page, when nothing is said, and at most.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub(super) struct ActorBody {
    /// `user`, `api_key`, `system`, `agent`, `setup`, `support_cli` or `anonymous`.
    kind: String,
    /// Id of the person (also for keys) or agent.
    id: Option<String>,
    /// Name at the time.
    name: Option<String>,
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(super) struct EventBody {
    id: Uuid,
    at: Timestamp,
    actor: ActorBody,
    action: String,
    target_type: String,
    target_id: Option<String>,
    /// What people called it at the time.
    target_label: Option<String>,
    /// `success`, `denied` or `failed`.
    outcome: String,
    reason_code: Option<String>,
    /// What made the server act.
    cause: Option<String>,
    summary: String,
    /// Equal attempts within a minute that this event stands for.
    repeats: i32,
    ip: Option<String>,
    request_id: Option<String>,
}

impl From<Event> for EventBody {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            at: event.at.into(),
            actor: ActorBody { kind: event.actor_kind, id: event.actor_id, name: event.actor_name },
            action: event.action,
            target_type: event.target_type,
            target_id: event.target_id,
            target_label: event.target_label,
            outcome: event.outcome,
            reason_code: event.reason_code,
            cause: event.cause,
            summary: event.summary,
            repeats: event.repeats,
            ip: event.ip,
            request_id: event.request_id,
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEventList)]
pub(super) struct EventListBody {
    items: Vec<EventBody>,
    next_cursor: Option<String>,
}

/// Where an event stands in the hash chain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPlace)]
pub(super) struct PlaceBody {
    seq: i64,
    /// Hex.
    prev_hash: String,
    /// Hex.
    hash: String,
}

/// An event with everything known about it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEventDetail)]
pub(super) struct DetailBody {
    #[serde(flatten)]
    event: EventBody,
    #[schema(value_type = Object, nullable)]
    before: Option<Value>,
    #[schema(value_type = Object, nullable)]
    after: Option<Value>,
    user_agent: Option<String>,
    session_hash: Option<String>,
    auth_method: Option<String>,
    second_factor: Option<bool>,
    api_key_id: Option<Uuid>,
    /// Null for about a second after it was written.
    chain: Option<PlaceBody>,
    /// Whether the target can still be opened; null where nothing can be opened.
    target_exists: Option<bool>,
    /// Other events of the same request.
    same_request: Vec<EventBody>,
    /// Other events of the same session, before and after.
    same_session: Vec<EventBody>,
}

impl From<Detail> for DetailBody {
    fn from(detail: Detail) -> Self {
        let mut event = detail.event;
        let bodies = |events: Vec<Event>| events.into_iter().map(EventBody::from).collect();
        Self {
            before: event.before.take(),
            after: event.after.take(),
            user_agent: event.user_agent.take(),
            session_hash: event.session_hash.take(),
            auth_method: event.auth_method.take(),
            second_factor: event.second_factor,
            api_key_id: event.api_key_id,
            chain: detail.place.map(|(seq, prev_hash, hash)| PlaceBody {
                seq,
                prev_hash: hex::encode(prev_hash),
                hash: hex::encode(hash),
            }),
            target_exists: detail.target_exists,
            same_request: bodies(detail.same_request),
            same_session: bodies(detail.same_session),
            event: event.into(),
        }
    }
}

/// A filter, and where the page begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Not before this moment.
    from: Option<DateTime<Utc>>,
    /// Before this moment, at most 400 days after `from`.
    to: Option<DateTime<Utc>>,
    /// Id of a person, service account or agent.
    actor_id: Option<String>,
    /// `user`, `api_key`, `system`, `agent`, `setup`, `support_cli` or `anonymous`.
    actor_type: Option<String>,
    /// Beginning of the action, for example `auth.`.
    action: Option<String>,
    /// Kind of target, for example `host`.
    target_type: Option<String>,
    /// Id of the target.
    target_id: Option<String>,
    /// `success`, `denied` or `failed`.
    outcome: Option<String>,
    /// Client address.
    ip: Option<String>,
    /// Id of a request.
    request_id: Option<String>,
    /// Text in the summary, at most 200 characters.
    q: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200, 50 when absent.
    limit: Option<u32>,
}

impl ListQuery {
    fn split(self) -> (FilterInput, Option<String>, Option<u32>) {
        let filter = FilterInput {
            from: self.from,
            to: self.to,
            actor_id: self.actor_id,
            actor_type: self.actor_type,
            action: self.action,
            target_type: self.target_type,
            target_id: self.target_id,
            outcome: self.outcome,
            ip: self.ip,
            request_id: self.request_id,
            q: self.q,
        };
        (filter, self.cursor, self.limit)
    }
}

/// Lists events, newest first. All filters may be combined.
#[utoipa::path(get, path = "/audit/events", tag = "audit", params(ListQuery), responses(
    (status = 200, body = EventListBody),
    (status = 422, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list_audit_events(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(query): QueryParams<ListQuery>,
) -> ApiResult<Json<EventListBody>> {
    let (filter, cursor, limit) = query.split();
    let limit = limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let message = format!("must be from 1 to {MAX_PAGE}");
        return Err(Problem::invalid_field("limit", "out_of_range", message).into());
    }
    let page = service::list(&state, &actor, filter, cursor.as_deref(), limit).await?;
    let items = page.events.into_iter().map(EventBody::from).collect();
    Ok(Json(EventListBody { items, next_cursor: page.next_cursor }))
}

/// Shows one event with its difference, its place in the chain and its neighbours.
#[utoipa::path(get, path = "/audit/events/{id}", tag = "audit", params(("id" = Uuid, Path)), responses(
    (status = 200, body = DetailBody),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get_audit_event(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<DetailBody>> {
    Ok(Json(service::find(&state, &actor, id).await?.into()))
}

/// An action that can be in the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditAction)]
pub(super) struct ActionBody {
    name: &'static str,
    about: &'static str,
}

/// The actions that can be in the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActionList)]
pub(super) struct ActionListBody {
    items: Vec<ActionBody>,
}

/// Lists the actions of the catalogue.
#[utoipa::path(get, path = "/audit/actions", tag = "audit", responses((status = 200, body = ActionListBody)))]
pub(super) async fn list_audit_actions(actor: Actor) -> ApiResult<Json<ActionListBody>> {
    service::may_read(&actor)?;
    let items = catalogue::all().map(|(name, about)| ActionBody { name, about }).collect();
    Ok(Json(ActionListBody { items }))
}

/// A sign-in of one's own account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnSignIn {
    at: Timestamp,
    /// `auth.login.succeeded`, `auth.login.failed`, `auth.login.locked` or `auth.logout`.
    action: String,
    /// `success`, `denied` or `failed`.
    outcome: String,
    summary: String,
    ip: Option<String>,
    user_agent: Option<String>,
    auth_method: Option<String>,
    second_factor: Option<bool>,
}

/// One's own sign-ins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnSignInList {
    items: Vec<OwnSignIn>,
}

/// Lists the caller's own sign-ins of the last 90 days, refused ones included; newest first, at most 100.
#[utoipa::path(get, path = "/me/sign-ins", tag = "audit", responses((status = 200, body = OwnSignInList)))]
pub(super) async fn list_own_sign_ins(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<OwnSignInList>> {
    let events = service::own_sign_ins(&state, &actor).await?;
    let items = events
        .into_iter()
        .map(|event| OwnSignIn {
            at: event.at.into(),
            action: event.action,
            outcome: event.outcome,
            summary: event.summary,
            ip: event.ip,
            user_agent: event.user_agent,
            auth_method: event.auth_method,
            second_factor: event.second_factor,
        })
        .collect();
    Ok(Json(OwnSignInList { items }))
}
