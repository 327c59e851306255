//! `/users/{id}/security` and `/users/{id}/unlock`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, PathId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::security::{self, Security};

/// How a member stands with signing in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserSecurity)]
pub(super) struct SecurityBody {
    /// End of the lock that failed sign-ins caused; null while there is none.
    locked_until: Option<Timestamp>,
    /// Whether an authenticator app is enrolled.
    authenticator_app: bool,
    passkeys: i64,
}

impl From<Security> for SecurityBody {
    fn from(security: Security) -> Self {
        let Security { locked_until, authenticator_app, passkeys } = security;
        Self { locked_until: locked_until.map(Timestamp::from), authenticator_app, passkeys }
    }
}

/// Shows whether a member is locked out and has a second factor.
#[utoipa::path(
    get, path = "/users/{id}/security", tag = "people", operation_id = "get_user_security",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = SecurityBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn get_user_security(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<SecurityBody>> {
    Ok(Json(security::of(&state, &actor, id).await?.into()))
}

/// Lifts the lock that failed sign-ins put on an account.
#[utoipa::path(
    post, path = "/users/{id}/unlock", tag = "people", operation_id = "unlock_user", params(("id" = Uuid, Path)),
    responses((status = 204, description = "unlocked, or it never was locked"), (status = 404, body = ProblemBody))
)]
pub(super) async fn unlock_user(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    security::unlock(&state, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
