//! `/me` and `/me/sessions`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, Credential, PathId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::cookie::{clearing_cookie, session_cookie};
use super::model::{DeclaredPermissions, ListedSession, StartedSession};
use super::service::{self, Me};

/// Who is signed in, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeBody {
    user: MeUser,
    organisation: MeOrganisation,
    /// `active`; `pending` (waits for an administrator); `must_enrol` (has to enrol a second factor first);
    /// `must_give_address` (has to enter and verify an e-mail address first).
    standing: &'static str,
    /// Built-in roles held in the organisation.
    roles: Vec<&'static str>,
    /// Names of all permissions held, by whatever role.
    permissions: Vec<&'static str>,
    /// Absent when an API key asks.
    session: Option<MeSession>,
}

/// The account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeUser {
    id: Uuid,
    /// Full name.
    name: String,
    /// E-mail address.
    email: String,
    /// Whether the address was verified.
    email_verified: bool,
}

/// The organisation acted in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeOrganisation {
    id: Uuid,
    /// Name.
    name: String,
}

/// The session in use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeSession {
    id: Uuid,
    /// When it ends at the latest.
    expires_at: Timestamp,
}

impl MeBody {
    fn new(me: Me, session: Option<(Uuid, DateTime<Utc>)>) -> Self {
        let Me { profile, standing, permissions } = me;
        Self {
            user: MeUser {
                id: profile.user_id,
                name: profile.name,
                email: profile.email,
                email_verified: profile.email_verified,
            },
            organisation: MeOrganisation { id: profile.organisation.id, name: profile.organisation.name },
            standing: standing.as_str(),
            roles: profile.roles.iter().map(|role| role.as_str()).collect(),
            permissions,
            session: session.map(|(id, expires_at)| MeSession { id, expires_at: expires_at.into() }),
        }
    }
}

/// The answer to a sign-in: the cookie of the new session and who it speaks for.
pub(crate) async fn me_with_cookie(
    state: &AppState,
    declared: &DeclaredPermissions,
    status: StatusCode,
    started: StartedSession,
) -> Result<Response, Problem> {
    let me = service::me_after(state, declared, &started).await?;
    let cookie = session_cookie(&state.installation, &started.token, state.clock.now(), started.expires_at)?;
    let body = MeBody::new(me, Some((started.id, started.expires_at)));
    Ok((status, [(header::SET_COOKIE, cookie)], Json(body)).into_response())
}

/// Who a session that has just been started speaks for.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn me_after(state: &AppState, started: &StartedSession) -> Result<MeBody, Problem> {
    let me = service::me_after(state, &DeclaredPermissions::in_force(), started).await?;
    Ok(MeBody::new(me, Some((started.id, started.expires_at))))
}

/// One session of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionBody {
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    /// How it was started: `password`, `ldap`, `oidc`, `saml`, `passkey`.
    method: String,
    /// Whether a second factor was shown.
    second_factor: bool,
    /// Address it was last used from, as far as it was written down.
    ip: String,
    /// How the browser described itself.
    user_agent: String,
    created_at: Timestamp,
    /// Last use, to five minutes.
    last_used_at: Timestamp,
    /// When it ends at the latest.
    expires_at: Timestamp,
}

impl SessionBody {
    pub(super) fn new(session: ListedSession, current: Option<Uuid>) -> Self {
        Self {
            id: session.id,
            current: Some(session.id) == current,
            method: session.method,
            second_factor: session.second_factor,
            ip: session.ip,
            user_agent: session.user_agent,
            created_at: session.created_at.into(),
            last_used_at: session.last_used_at.into(),
            expires_at: session.expires_at.into(),
        }
    }
}

/// Sessions of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionListBody {
    /// Most recently used first, at most 200.
    pub(super) items: Vec<SessionBody>,
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/me", tag = "me", operation_id = "get_me",
    responses(
        (status = 200, body = MeBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
    )
)]
pub(super) async fn get_me(
    State(state): State<AppState>,
    Extension(declared): Extension<DeclaredPermissions>,
    actor: Actor,
) -> ApiResult<Json<MeBody>> {
    let me = service::me(&state, &declared, &actor).await?;
    let session = match actor.credential {
        Credential::Session { id, expires_at, .. } => Some((id, expires_at)),
        Credential::ApiKey { .. } => None,
    };
    Ok(Json(MeBody::new(me, session)))
}

/// The sessions of the person who asks.
#[utoipa::path(
    get, path = "/me/sessions", tag = "me", operation_id = "list_sessions",
    responses(
        (status = 200, body = SessionListBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
    )
)]
pub(super) async fn list_sessions(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<SessionListBody>> {
    let sessions = service::list(&state, &actor).await?;
    let items = sessions.into_iter().map(|session| SessionBody::new(session, actor.session_id())).collect();
    Ok(Json(SessionListBody { items }))
}

/// Ends all sessions of the person who asks, except the one in use.
#[utoipa::path(
    delete, path = "/me/sessions", tag = "me", operation_id = "end_other_sessions",
    responses(
        (status = 204, description = "ended"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "untrusted origin"),
    )
)]
pub(super) async fn end_other_sessions(State(state): State<AppState>, actor: Actor) -> ApiResult<StatusCode> {
    service::end_others(&state, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one session of the person who asks; ending the one in use signs out.
#[utoipa::path(
    delete, path = "/me/sessions/{session_id}", tag = "me", operation_id = "end_session",
    params(("session_id" = Uuid, Path, description = "session")),
    responses(
        (status = 204, description = "ended"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "untrusted origin"),
        (status = 404, body = ProblemBody, description = "no session of this person"),
    )
)]
pub(super) async fn end_session(
    State(state): State<AppState>,
    actor: Actor,
    PathId(session_id): PathId,
) -> ApiResult<Response> {
    service::end(&state, &actor, session_id, "ended from the list of sessions").await?;
    if Some(session_id) == actor.session_id() {
        let cookie = clearing_cookie(&state.installation)?;
        return Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
