//! `/auth/mfa`: the second step of a sign-in.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use ctops_base::Problem;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::{ApiResult, AppState, JsonBody, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{SignInBody, answer, pending_token};
use super::http::user_agent;
use super::second_step::{self, StepFrom};
use crate::passwords::Secret;
use crate::second_factor::Proof;

/// A sign-in that waits for its second factor.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecondStepBody {
    /// `totp`, `passkey`, `recovery_code`: those the person has.
    methods: Vec<&'static str>,
    /// When the sign-in has to begin anew.
    expires_at: Timestamp,
}

/// A second factor; exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecondStepInput {
    /// Six digits of the authenticator app.
    #[schema(value_type = Option<String>, max_length = 16)]
    code: Option<Secret>,
    /// A recovery code.
    #[schema(value_type = Option<String>, max_length = 32)]
    recovery_code: Option<Secret>,
}

impl SecondStepInput {
    fn proof(self) -> Result<Proof, Problem> {
        match (self.code, self.recovery_code) {
            (Some(code), None) => Ok(Proof::Code(code)),
            (None, Some(code)) => Ok(Proof::RecoveryCode(code)),
            _ => Err(Problem::invalid_field("code", "required", "give a code or a recovery code, not both")),
        }
    }
}

/// Where a second step comes from; without the cookie of a sign-in there is none.
pub(crate) fn step_from(
    state: &AppState,
    headers: &HeaderMap,
    ClientIp(ip): ClientIp,
) -> Result<StepFrom, Problem> {
    ctops_slice::guard::require_anti_forgery_header(headers)?;
    let token = pending_token(headers, &state.installation).ok_or_else(second_step::expired)?;
    Ok(StepFrom { token: token.to_owned(), ip, user_agent: user_agent(headers) })
}

/// The sign-in that waits for its second factor in this browser.
#[utoipa::path(
    get, path = "/auth/mfa", tag = "auth", operation_id = "get_second_step",
    responses(
        (status = 200, body = SecondStepBody),
        (status = 401, body = ProblemBody, description = "sign_in_expired: none waits"),
    )
)]
pub(super) async fn get_second_step(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> ApiResult<Json<SecondStepBody>> {
    let token = pending_token(&headers, &state.installation).ok_or_else(second_step::expired)?;
    let (pending, factors) = second_step::waiting(&state, token).await?;
    Ok(Json(SecondStepBody { methods: factors.methods(), expires_at: pending.expires_at.into() }))
}

/// Goes through the second step with a code; sets the session cookie.
#[utoipa::path(
    post, path = "/auth/mfa/verify", tag = "auth", operation_id = "verify_second_factor",
    request_body = SecondStepInput,
    responses(
        (status = 200, body = SignInBody, description = "signed in; sets the session cookie"),
        (status = 401, body = ProblemBody, description = "invalid_code, sign_in_expired"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn verify_second_factor(
    State(state): State<AppState>,
    ip: ClientIp,
    headers: HeaderMap,
    JsonBody(input): JsonBody<SecondStepInput>,
) -> ApiResult<Response> {
    let from = step_from(&state, &headers, ip)?;
    let outcome = second_step::finish(&state, from, &input.proof()?).await?;
    Ok(answer(&state, outcome).await?)
}
