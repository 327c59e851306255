//! `/users/{user_id}/sessions`: sessions of other members, for administrators.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId};

use super::http::{SessionBody, SessionListBody};
use super::service;

/// The sessions of a member.
#[utoipa::path(
    get, path = "/users/{user_id}/sessions", tag = "users", operation_id = "list_user_sessions",
    params(("user_id" = Uuid, Path, description = "person")),
    responses(
        (status = 200, body = SessionListBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden"),
        (status = 404, body = ProblemBody, description = "no such person in the organisation"),
    )
)]
pub(super) async fn list_user_sessions(
    State(state): State<AppState>,
    actor: Actor,
    PathId(user_id): PathId,
) -> ApiResult<Json<SessionListBody>> {
    let sessions = service::list_of(&state, &actor, user_id).await?;
    let current = actor.session_id();
    let items = sessions.into_iter().map(|session| SessionBody::new(session, current)).collect();
    Ok(Json(SessionListBody { items }))
}

/// Ends all sessions of a member.
#[utoipa::path(
    delete, path = "/users/{user_id}/sessions", tag = "users", operation_id = "end_user_sessions",
    params(("user_id" = Uuid, Path, description = "person")),
    responses(
        (status = 204, description = "ended"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, untrusted_origin"),
        (status = 404, body = ProblemBody, description = "no such person in the organisation"),
    )
)]
pub(super) async fn end_user_sessions(
    State(state): State<AppState>,
    actor: Actor,
    PathId(user_id): PathId,
) -> ApiResult<StatusCode> {
    service::end_of_other(&state, &actor, user_id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one session of a member.
#[utoipa::path(
    delete, path = "/users/{user_id}/sessions/{session_id}", tag = "users", operation_id = "end_user_session",
    params(
        ("user_id" = Uuid, Path, description = "person"),
        ("session_id" = Uuid, Path, description = "session"),
    ),
    responses(
        (status = 204, description = "ended"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, untrusted_origin"),
        (status = 404, body = ProblemBody, description = "no such session of a person in the organisation"),
    )
)]
pub(super) async fn end_user_session(
    State(state): State<AppState>,
    actor: Actor,
    Path((user_id, session_id)): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    // What is no id names nothing.
    let (Ok(user_id), Ok(session_id)) = (user_id.parse(), session_id.parse()) else {
        return Err(Problem::not_found("session").into());
    };
    service::end_of_other(&state, &actor, user_id, Some(session_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
