//! `/system/dead-letters`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ctops_base::Problem;
use ctops_queue::dead_letters::{DeadLetter, LetterStatus};
use ctops_slice::http::ProblemBody;
use ctops_slice::paging::{PageBody, STANDARD_SIZES, parse_page};
use ctops_slice::{Actor, ApiResult, AppState, QueryParams, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{Preview, hex};
use super::service::{self, Who};

/// A record that a consumer group could not apply.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(super) struct DeadLetterBody {
    id: i64,
    /// Consumer group that could not apply it.
    group: String,
    topic: String,
    partition: i32,
    offset: i64,
    /// What the record is about: the host's id for records of agents, hexadecimal.
    key: String,
    payload_bytes: i32,
    /// Why it was refused the last time.
    reason: String,
    /// How often it was refused.
    refusals: i32,
    /// `waiting`, `requested` or `replayed`.
    status: &'static str,
    parked_at: Timestamp,
    replay_requested_at: Option<Timestamp>,
    replayed_at: Option<Timestamp>,
}

impl From<DeadLetter> for DeadLetterBody {
    fn from(letter: DeadLetter) -> Self {
        Self {
            status: letter.status().as_str(),
            id: letter.id,
            group: letter.group,
            topic: letter.topic,
            partition: letter.partition,
            offset: letter.offset,
            key: hex(&letter.key),
            payload_bytes: letter.payload_bytes,
            reason: letter.reason,
            refusals: letter.refusals,
            parked_at: letter.parked_at.into(),
            replay_requested_at: letter.replay_requested_at.map(Into::into),
            replayed_at: letter.replayed_at.map(Into::into),
        }
    }
}

/// One dead letter with the beginning of its payload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterDetail)]
pub(super) struct DeadLetterDetailBody {
    #[serde(flatten)]
    letter: DeadLetterBody,
    /// Beginning of the payload, hexadecimal; null for topics whose records may hold secrets.
    payload_hex: Option<String>,
    /// The same bytes as text, every other byte as a dot.
    payload_text: Option<String>,
    /// Whether the payload has more than is shown.
    payload_truncated: bool,
}

impl DeadLetterDetailBody {
    fn new(letter: DeadLetter, preview: Preview) -> Self {
        Self {
            letter: letter.into(),
            payload_hex: preview.hex,
            payload_text: preview.text,
            payload_truncated: preview.truncated,
        }
    }
}

/// Which dead letters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// Only those that are `waiting`, `requested` or `replayed`.
    status: Option<String>,
    /// Page, from 1.
    page: Option<String>,
    /// 10, 20, 25, 50, 100 or 200.
    page_size: Option<String>,
}

/// Dead letters, newest first.
#[utoipa::path(
    get, path = "/system/dead-letters", tag = "system", operation_id = "list_dead_letters",
    params(ListParams),
    responses(
        (status = 200, body = PageBody<DeadLetterBody>),
        (status = 401, body = ProblemBody, description = "not signed in"),
        (status = 403, body = ProblemBody, description = "permission missing"),
        (status = 422, body = ProblemBody, description = "parameter not acceptable"),
    )
)]
pub(super) async fn list_dead_letters(
    State(state): State<AppState>,
    actor: Actor,
    QueryParams(params): QueryParams<ListParams>,
) -> ApiResult<Json<PageBody<DeadLetterBody>>> {
    let page = parse_page(params.page.as_deref(), params.page_size.as_deref(), STANDARD_SIZES)?;
    let status = params.status.as_deref().map(parse_status).transpose()?;
    let letters = service::list(&state.pool, Who::Person(&actor), status, page).await?;
    Ok(Json(letters.map(DeadLetterBody::from).into()))
}

/// One dead letter.
#[utoipa::path(
    get, path = "/system/dead-letters/{id}", tag = "system", operation_id = "get_dead_letter",
    params(("id" = i64, Path, description = "dead letter")),
    responses(
        (status = 200, body = DeadLetterDetailBody),
        (status = 401, body = ProblemBody, description = "not signed in"),
        (status = 403, body = ProblemBody, description = "permission missing"),
        (status = 404, body = ProblemBody, description = "no such dead letter"),
    )
)]
pub(super) async fn get_dead_letter(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> ApiResult<Json<DeadLetterDetailBody>> {
    let (letter, preview) = service::get(&state.pool, Who::Person(&actor), number(&id)?).await?;
    Ok(Json(DeadLetterDetailBody::new(letter, preview)))
}

/// Asks for a dead letter to be applied again, which happens within seconds.
#[utoipa::path(
    post, path = "/system/dead-letters/{id}/replay", tag = "system", operation_id = "replay_dead_letter",
    params(("id" = i64, Path, description = "dead letter")),
    responses(
        (status = 202, body = DeadLetterBody),
        (status = 401, body = ProblemBody, description = "not signed in"),
        (status = 403, body = ProblemBody, description = "permission missing or untrusted origin"),
        (status = 404, body = ProblemBody, description = "no such dead letter"),
        (status = 409, body = ProblemBody, description = "asked for already, or replayed"),
    )
)]
pub(super) async fn replay_dead_letter(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> ApiResult<(StatusCode, Json<DeadLetterBody>)> {
    let letter = service::replay(&state.pool, &state.clock, Who::Person(&actor), number(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(letter.into())))
}

/// Forgets a dead letter for good.
#[utoipa::path(
    delete, path = "/system/dead-letters/{id}", tag = "system", operation_id = "discard_dead_letter",
    params(("id" = i64, Path, description = "dead letter")),
    responses(
        (status = 204, description = "forgotten"),
        (status = 401, body = ProblemBody, description = "not signed in"),
        (status = 403, body = ProblemBody, description = "permission missing or untrusted origin"),
        (status = 404, body = ProblemBody, description = "no such dead letter"),
    )
)]
pub(super) async fn discard_dead_letter(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::discard(&state.pool, &state.clock, Who::Person(&actor), number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is no number is the id of no letter.
fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::not_found("dead letter"))
}

fn parse_status(name: &str) -> Result<LetterStatus, Problem> {
    let known = LetterStatus::ALL.into_iter().find(|status| status.as_str() == name);
    known.ok_or_else(|| {
        Problem::invalid_field("status", "invalid", "must be one of waiting, requested, replayed")
    })
}
