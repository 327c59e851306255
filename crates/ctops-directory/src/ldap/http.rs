//! `/auth/ldap/login`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ctops_identity::passwords::Secret;
use ctops_identity::sign_in::{SignInBody, answer, user_agent};
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::{Attempt, check_input};
use super::service::{self, Arrival};
use crate::directories::Directories;

/// Directory, name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LdapLoginInput {
    /// The directory, from `GET /auth/methods`.
    directory_id: Uuid,
    /// Name in the directory.
    #[schema(max_length = 128)]
    username: String,
    /// Its password.
    #[schema(value_type = String, format = Password, max_length = 128)]
    password: Secret,
}

/// An account has the address of this person already: they sign in to it in its own way, and then redeem the token at
/// `POST /me/external-identities`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkRequiredBody {
    /// `confirm_link`.
    status: &'static str,
    /// The token.
    token: String,
    /// Until when it can be redeemed.
    expires_at: Timestamp,
}

/// Signs in with the account of a directory and sets the session cookie.
#[utoipa::path(
    post, path = "/auth/ldap/login", tag = "auth", operation_id = "ldap_login", request_body = LdapLoginInput,
    responses(
        (status = 200, body = SignInBody, description = "signed in, or a second factor is waited for; sets a cookie"),
        (status = 202, body = LinkRequiredBody, description = "an account with the same address has to confirm first"),
        (status = 401, body = ProblemBody, description = "invalid_credentials"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed; on directory_id: unknown_directory"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "directory_unavailable, unavailable"),
    )
)]
pub(super) async fn ldap_login(
    State(state): State<AppState>,
    Extension(directories): Extension<Directories>,
    ClientIp(ip): ClientIp,
    before: Option<Extension<Actor>>,
    headers: HeaderMap,
    JsonBody(input): JsonBody<LdapLoginInput>,
) -> ApiResult<Response> {
    let username = check_input(&input.username, &input.password)?;
    let attempt = Attempt {
        directory_id: input.directory_id,
        username,
        password: input.password,
        ip,
        user_agent: user_agent(&headers),
        before: before.map(|Extension(actor)| actor),
    };
    match service::sign_in(&state, &directories, attempt).await? {
        Arrival::Outcome(outcome) => Ok(answer(&state, outcome).await?),
        Arrival::ConfirmFirst { token, expires_at } => {
            let body = LinkRequiredBody { status: "confirm_link", token, expires_at: expires_at.into() };
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
    }
}
