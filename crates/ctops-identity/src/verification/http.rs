//! `/auth/verify-email` and `/auth/resend-verification`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::DateTime;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service::{self, Opened, Visitor};
use crate::passwords::{Passwords, Secret};
use crate::sign_in::{self, user_agent};

/// The token of a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyEmailInput {
    /// What stands behind the hash sign of the link.
    #[schema(value_type = String, max_length = 128)]
    token: Secret,
}

/// E-mail address and password of an account whose link did not arrive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResendVerificationInput {
    #[schema(max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, max_length = 128)]
    password: Secret,
    /// Local path that the link leads to.
    #[serde(default)]
    #[schema(max_length = 256)]
    redirect: Option<String>,
}

/// How a verification ended, unless it signed somebody in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
#[schema(as = EmailVerified)]
pub(super) enum VerifiedBody {
    /// The address counts from now on.
    Verified {
        /// The address.
        email: String,
    },
}

/// Proves an address by the token of a link. The first proof of an account with a password signs in.
#[utoipa::path(
    post, path = "/auth/verify-email", tag = "auth", operation_id = "verify_email", request_body = VerifyEmailInput,
    responses(
        (status = 200, body = VerifiedBody, description = "or the answer to a sign-in, with its cookies"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 409, body = ProblemBody, description = "already_exists: an account has the address; wrong_state: registration was closed; limit_reached"),
        (status = 422, body = ProblemBody, description = "on token: invalid_token; unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn verify_email(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    before: Option<Extension<Actor>>,
    headers: HeaderMap,
    JsonBody(input): JsonBody<VerifyEmailInput>,
) -> ApiResult<Response> {
    let before = before.map(|Extension(actor)| actor);
    let visitor = Visitor { ip, user_agent: user_agent(&headers), before };
    match service::open(&state, visitor, &input.token).await? {
        Opened::Verified { email } => Ok(Json(VerifiedBody::Verified { email }).into_response()),
        Opened::SignIn(first) => {
            // Reading somebody's mail is no confirmation of who they are: what needs one asks for the password (auth 17).
            let outcome = sign_in::complete_as_of(&state, *first, DateTime::UNIX_EPOCH).await?;
            Ok(sign_in::answer(&state, outcome).await?)
        }
    }
}

/// Sends the link again to whoever knows the password of an account that waits for its verification.
#[utoipa::path(
    post, path = "/auth/resend-verification", tag = "auth", operation_id = "resend_verification",
    request_body = ResendVerificationInput,
    responses(
        (status = 202, description = "a link is on its way if there is such an account"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: too many sign-ins at the moment"),
    )
)]
pub(super) async fn resend_verification(
    State(state): State<AppState>,
    Extension(passwords): Extension<Passwords>,
    ClientIp(ip): ClientIp,
    JsonBody(input): JsonBody<ResendVerificationInput>,
) -> ApiResult<StatusCode> {
    service::resend(&state, &passwords, ip, (&input.email, input.password), input.redirect.as_deref())
        .await?;
    Ok(StatusCode::ACCEPTED)
}
