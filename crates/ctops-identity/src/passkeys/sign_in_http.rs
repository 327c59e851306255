//! `/auth/passkey` and `/auth/mfa/passkey`: passkeys as first and as second factor.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use ctops_base::{Problem, ProblemKind};
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ProblemBody;
use ctops_slice::settings::{self, AuthenticationSettings};
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, SignInMethod, throttle};
use tokio::time::{Instant, sleep_until};

use super::http::{PasskeyAnswerInput, PasskeyChallengeBody};
use super::model::Purpose;
use super::service;
use crate::sign_in::{
    CREDENTIAL_POSTS, FirstFactor, SignInBody, SignInOutcome, answer, complete, refusal_time, second_step,
    step_from, user_agent,
};

/// Begins a sign-in with a passkey.
#[utoipa::path(
    post, path = "/auth/passkey/options", tag = "auth", operation_id = "begin_passkey_sign_in",
    responses(
        (status = 200, body = PasskeyChallengeBody),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: no name to belong to"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn begin_passkey_sign_in(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
) -> ApiResult<Json<PasskeyChallengeBody>> {
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &ip.to_string(), state.clock.now()).await?;
    Ok(Json(service::begin_sign_in(&state).await?.into()))
}

/// Signs in with a passkey and sets the session cookie.
#[utoipa::path(
    post, path = "/auth/passkey", tag = "auth", operation_id = "sign_in_with_passkey",
    request_body = PasskeyAnswerInput,
    responses(
        (status = 200, body = SignInBody, description = "signed in; sets the session cookie"),
        (status = 401, body = ProblemBody, description = "passkey_refused"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn sign_in_with_passkey(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    before: Option<Extension<Actor>>,
    headers: HeaderMap,
    JsonBody(input): JsonBody<PasskeyAnswerInput>,
) -> ApiResult<Response> {
    let refuse_at = Instant::now() + refusal_time();
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &ip.to_string(), state.clock.now()).await?;
    let finished = service::finish_sign_in(&state, &input.ceremony, input.credential).await;
    let outcome = match finished {
        Ok((user_id, org_id, verified)) => {
            let first = FirstFactor {
                user_id,
                org_id,
                method: SignInMethod::Passkey,
                second_factor_asserted: verified,
                ip,
                user_agent: user_agent(&headers),
                replaces: before.map(|Extension(actor)| actor),
            };
            start(&state, first).await
        }
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(outcome) => Ok(answer(&state, outcome).await?),
        Err(problem) => Err(slowly(unauthenticated(problem), refuse_at).await.into()),
    }
}

async fn start(state: &AppState, first: FirstFactor) -> Result<SignInOutcome, Problem> {
    if settings::read::<AuthenticationSettings>(&state.pool, first.org_id).await?.sso_only {
        return Err(super::ceremony::refused("members sign in through an identity provider only"));
    }
    complete(state, first).await
}

/// Begins the second step of a sign-in with a passkey.
#[utoipa::path(
    post, path = "/auth/mfa/passkey/options", tag = "auth", operation_id = "begin_passkey_second_step",
    responses(
        (status = 200, body = PasskeyChallengeBody),
        (status = 401, body = ProblemBody, description = "sign_in_expired"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: no passkey"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn begin_passkey_second_step(
    State(state): State<AppState>,
    ip: ClientIp,
    headers: HeaderMap,
) -> ApiResult<Json<PasskeyChallengeBody>> {
    let from = step_from(&state, &headers, ip)?;
    second_step::count(&state, from.ip).await?;
    let (pending, _) = second_step::waiting(&state, &from.token).await?;
    Ok(Json(service::begin_for(&state, Purpose::SecondStep, pending.user_id).await?.into()))
}

/// Goes through the second step with a passkey; sets the session cookie.
#[utoipa::path(
    post, path = "/auth/mfa/passkey", tag = "auth", operation_id = "verify_passkey_second_step",
    request_body = PasskeyAnswerInput,
    responses(
        (status = 200, body = SignInBody, description = "signed in; sets the session cookie"),
        (status = 401, body = ProblemBody, description = "passkey_refused, sign_in_expired"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn verify_passkey_second_step(
    State(state): State<AppState>,
    ip: ClientIp,
    headers: HeaderMap,
    JsonBody(input): JsonBody<PasskeyAnswerInput>,
) -> ApiResult<Response> {
    let refuse_at = Instant::now() + refusal_time();
    let from = step_from(&state, &headers, ip)?;
    second_step::count(&state, from.ip).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let pending = second_step::lock(&state, &mut tx, &from.token).await?;
    let whose = (Purpose::SecondStep, pending.user_id);
    match service::finish_for(&state, &mut tx, whose, &input.ceremony, input.credential).await {
        Ok(()) => {
            let outcome = second_step::succeed(&state, tx, pending, &from).await?;
            Ok(answer(&state, outcome).await?)
        }
        Err(problem) if problem.kind() == ProblemKind::Invalid => {
            second_step::fail(&state, tx, &pending, from.ip).await?;
            Err(slowly(unauthenticated(problem), refuse_at).await.into())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// A refused passkey at sign-in is a refused sign-in.
fn unauthenticated(problem: Problem) -> Problem {
    if problem.code() != "passkey_refused" {
        return problem;
    }
    let detail = problem.detail().to_owned();
    Problem::new(ProblemKind::Unauthenticated, "passkey_refused", detail).caused_by(problem)
}

/// Holds a refusal back until its time (auth 23).
async fn slowly(problem: Problem, until: Instant) -> Problem {
    if problem.kind() == ProblemKind::Unauthenticated {
        sleep_until(until).await;
    }
    problem
}
