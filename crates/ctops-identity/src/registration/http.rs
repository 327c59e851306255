//! `/auth/register`.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{ApiResult, AppState, JsonBody};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::Request;
use super::service;
use crate::passwords::{Passwords, Secret};

/// Somebody who wants an account. What they become is decided by an administrator, so nothing here says so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registration)]
pub(super) struct RegisterInput {
    /// Full name.
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// Address to sign in with.
    #[schema(max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    password: Secret,
    /// The same password again.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    password_confirmation: Secret,
    /// Local path that the link of the letter leads to.
    #[serde(default)]
    #[schema(max_length = 256)]
    redirect: Option<String>,
}

/// Asks for an account. A letter says how to go on; an administrator has to approve it.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", operation_id = "register", request_body = RegisterInput,
    responses(
        (status = 202, description = "a letter is on its way, whether or not there is such an account"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: registration is not open"),
        (status = 422, body = ProblemBody, description = "validation_failed, on email: domain_not_allowed; unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: too many sign-ins at the moment"),
    )
)]
pub(super) async fn register(
    State(state): State<AppState>,
    Extension(passwords): Extension<Passwords>,
    ClientIp(ip): ClientIp,
    JsonBody(input): JsonBody<RegisterInput>,
) -> ApiResult<StatusCode> {
    let request = Request {
        name: input.name,
        email: input.email,
        password: input.password,
        password_confirmation: input.password_confirmation,
        redirect: input.redirect,
    };
    service::register(&state, &passwords, ip, &request).await?;
    Ok(StatusCode::ACCEPTED)
}
