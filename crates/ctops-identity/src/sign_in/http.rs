//! `/auth/login` and `/auth/logout`.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::{SignInBody, answer};
use super::model::{Attempt, SignInDeps, check_input};
use super::service;
use crate::passwords::Secret;
use crate::sessions::clearing_cookie;

/// E-mail address and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginInput {
    /// Address of the account, in any case.
    #[schema(max_length = 254)]
    email: String,
    /// Its password.
    #[schema(value_type = String, format = Password, max_length = 128)]
    password: Secret,
}

/// The browser's self-description, or nothing.
pub fn user_agent(headers: &HeaderMap) -> String {
    let text = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

/// Signs in: sets the session cookie, or that of a sign-in which waits for a second factor.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", operation_id = "login", request_body = LoginInput,
    responses(
        (status = 200, body = SignInBody, description = "signed in or waiting for a second factor; sets a cookie"),
        (status = 401, body = ProblemBody, description = "invalid_credentials"),
        (status = 403, body = ProblemBody, description = "email_not_verified, untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: too many sign-ins at the moment"),
    )
)]
pub(super) async fn login(
    State(state): State<AppState>,
    Extension(deps): Extension<SignInDeps>,
    ClientIp(ip): ClientIp,
    before: Option<Extension<Actor>>,
    headers: HeaderMap,
    JsonBody(input): JsonBody<LoginInput>,
) -> ApiResult<Response> {
    let email = check_input(&input.email, &input.password)?;
    let before = before.map(|Extension(actor)| actor);
    let attempt = Attempt { email, password: input.password, ip, user_agent: user_agent(&headers), before };
    let outcome = service::sign_in(&state, &deps.passwords, attempt).await?;
    Ok(answer(&state, outcome).await?)
}

/// Ends the session and clears its cookie.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", operation_id = "logout",
    responses(
        (status = 204, description = "signed out"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "untrusted origin"),
    )
)]
pub(super) async fn logout(State(state): State<AppState>, actor: Actor) -> ApiResult<Response> {
    service::sign_out(&state, &actor).await?;
    let cookie = clearing_cookie(&state.installation)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
