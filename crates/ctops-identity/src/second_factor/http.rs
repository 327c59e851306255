//! `/me/mfa` and the reset of somebody else's.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Proof;
use super::service::{self, Factors};
use crate::passwords::Secret;

/// The second factors of the person who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MfaBody {
    /// When an authenticator app was enrolled, if one is.
    totp_enrolled_at: Option<Timestamp>,
    /// Recovery codes that were not used yet.
    recovery_codes_left: i64,
    /// Number of passkeys.
    passkeys: i64,
    /// The organisation demands a second factor of everybody.
    required: bool,
}

/// A seed for an authenticator app, shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct TotpEnrolmentBody {
    /// The seed in base 32, for typing.
    secret: String,
    /// The seed as `otpauth://` link.
    link: String,
    /// The link as QR code, an SVG image.
    qr_svg: String,
}

/// The code an authenticator app shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TotpCodeInput {
    /// Six digits.
    #[schema(value_type = String, min_length = 6, max_length = 16)]
    code: Secret,
}

/// Recovery codes, shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodesBody {
    /// Ten codes of ten characters; each works once.
    recovery_codes: Vec<String>,
}

/// The second factors of the person who asks.
#[utoipa::path(
    get, path = "/me/mfa", tag = "me", operation_id = "get_mfa",
    responses(
        (status = 200, body = MfaBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
    )
)]
pub(super) async fn get_mfa(State(state): State<AppState>, actor: Actor) -> ApiResult<Json<MfaBody>> {
    let Factors { totp_enrolled_at, recovery_codes, passkeys } =
        service::factors_of(&state.pool, actor.user_id).await?;
    let required = service::is_required(&state.pool, actor.org_id).await?;
    Ok(Json(MfaBody {
        totp_enrolled_at: totp_enrolled_at.map(Timestamp),
        recovery_codes_left: recovery_codes,
        passkeys,
        required,
    }))
}

/// Begins the enrolment of an authenticator app.
#[utoipa::path(
    post, path = "/me/mfa/totp", tag = "me", operation_id = "begin_totp",
    responses(
        (status = 200, body = TotpEnrolmentBody, description = "to be shown to the app; in use after its first code"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: enrolled already"),
    )
)]
pub(super) async fn begin_totp(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<TotpEnrolmentBody>> {
    let service::Enrolment { secret, link, qr_svg } = service::begin(&state, &actor).await?;
    Ok(Json(TotpEnrolmentBody { secret, link, qr_svg }))
}

/// Ends the enrolment of an authenticator app with its first code.
#[utoipa::path(
    post, path = "/me/mfa/totp/confirm", tag = "me", operation_id = "confirm_totp", request_body = TotpCodeInput,
    responses(
        (status = 200, body = RecoveryCodesBody, description = "enrolled; the codes are shown this once"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: no enrolment was begun"),
        (status = 422, body = ProblemBody, description = "invalid_code"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn confirm_totp(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<TotpCodeInput>,
) -> ApiResult<Json<RecoveryCodesBody>> {
    let recovery_codes = service::confirm(&state, &actor, &Proof::Code(input.code)).await?;
    Ok(Json(RecoveryCodesBody { recovery_codes }))
}

/// Removes the authenticator app.
#[utoipa::path(
    delete, path = "/me/mfa/totp", tag = "me", operation_id = "disable_totp",
    responses(
        (status = 204, description = "removed"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: none is enrolled"),
    )
)]
pub(super) async fn disable_totp(State(state): State<AppState>, actor: Actor) -> ApiResult<StatusCode> {
    service::disable(&state, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes new recovery codes; the old ones stop working.
#[utoipa::path(
    post, path = "/me/mfa/recovery-codes", tag = "me", operation_id = "renew_recovery_codes",
    responses(
        (status = 200, body = RecoveryCodesBody, description = "shown this once"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: no second factor"),
    )
)]
pub(super) async fn renew_recovery_codes(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<RecoveryCodesBody>> {
    let recovery_codes = service::renew_recovery_codes(&state, &actor).await?;
    Ok(Json(RecoveryCodesBody { recovery_codes }))
}

/// Takes every second factor of somebody else away, ends their sessions and tells them by mail.
#[utoipa::path(
    delete, path = "/users/{user_id}/mfa", tag = "users", operation_id = "reset_mfa",
    params(("user_id" = Uuid, Path, description = "person")),
    responses(
        (status = 204, description = "reset"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, reauthentication_required, untrusted_origin"),
        (status = 404, body = ProblemBody, description = "no such person in the organisation"),
        (status = 409, body = ProblemBody, description = "wrong_state: one's own"),
    )
)]
pub(super) async fn reset_mfa(
    State(state): State<AppState>,
    actor: Actor,
    PathId(user_id): PathId,
) -> ApiResult<StatusCode> {
    service::reset(&state, &actor, user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
