//! `/auth/forgot-password`, `/auth/reset-password` and `/me/password`.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::NewPassword;
use super::service;
use crate::passwords::{Passwords, Secret};

/// The address of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForgotPasswordInput {
    #[schema(max_length = 254)]
    email: String,
}

/// A new password and the token of the link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetPasswordInput {
    /// What stands behind the hash sign of the link.
    #[schema(value_type = String, max_length = 128)]
    token: Secret,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    password: Secret,
    #[schema(value_type = String, format = Password, max_length = 128)]
    password_confirmation: Secret,
}

/// A new password and the present one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePasswordInput {
    #[schema(value_type = String, format = Password, max_length = 128)]
    current_password: Secret,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    password: Secret,
    #[schema(value_type = String, format = Password, max_length = 128)]
    password_confirmation: Secret,
}

/// Sends a link to choose a new password, if the address is that of an account.
#[utoipa::path(
    post, path = "/auth/forgot-password", tag = "auth", request_body = ForgotPasswordInput,
    responses(
        (status = 202, description = "a link is on its way if there is such an account"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn forgot_password(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    JsonBody(input): JsonBody<ForgotPasswordInput>,
) -> ApiResult<StatusCode> {
    service::request(&state, ip, &input.email).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a new password by the token of a link and ends all sessions of the account.
#[utoipa::path(
    post, path = "/auth/reset-password", tag = "auth", request_body = ResetPasswordInput,
    responses(
        (status = 204, description = "sign in with the new password"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 422, body = ProblemBody, description = "invalid_token, validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: too many sign-ins at the moment"),
    )
)]
pub(super) async fn reset_password(
    State(state): State<AppState>,
    Extension(passwords): Extension<Passwords>,
    ClientIp(ip): ClientIp,
    JsonBody(input): JsonBody<ResetPasswordInput>,
) -> ApiResult<StatusCode> {
    let new = NewPassword { password: input.password, confirmation: input.password_confirmation };
    service::reset(&state, &passwords, ip, &input.token, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the own password and ends all other own sessions.
#[utoipa::path(
    put, path = "/me/password", tag = "auth", request_body = ChangePasswordInput,
    responses(
        (status = 204, description = "changed"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden for API keys, untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: the account has no password of its own"),
        (status = 422, body = ProblemBody, description = "invalid_credentials, validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: too many sign-ins at the moment"),
    )
)]
pub(super) async fn change_password(
    State(state): State<AppState>,
    Extension(passwords): Extension<Passwords>,
    actor: Actor,
    JsonBody(input): JsonBody<ChangePasswordInput>,
) -> ApiResult<StatusCode> {
    let new = NewPassword { password: input.password, confirmation: input.password_confirmation };
    service::change(&state, &passwords, &actor, input.current_password, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}
