//! `/me/profile`, `/me/email` and changes of `/me`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service::{self, Shown};
use crate::passwords::Secret;
use crate::reauthentication::ReauthenticationDeps;

/// The own account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Profile)]
pub(super) struct ProfileBody {
    /// Full name.
    name: String,
    /// E-mail address; null when the directory or identity provider knows none, and one must be entered first.
    email: Option<String>,
    email_verified: bool,
    /// Whether the account has a password of its own, which a new address then needs.
    has_password: bool,
    /// The address that takes effect when the link sent to it is opened.
    pending_email: Option<String>,
}

impl From<Shown> for ProfileBody {
    fn from(shown: Shown) -> Self {
        let Shown { profile, email, pending_email } = shown;
        Self {
            name: profile.name,
            email,
            email_verified: profile.email_verified,
            has_password: profile.has_password,
            pending_email,
        }
    }
}

/// What to change of the own account; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfilePatch)]
pub(super) struct ProfilePatchInput {
    /// Full name.
    #[schema(min_length = 2, max_length = 100)]
    name: Option<String>,
}

/// A new address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EmailChange)]
pub(super) struct EmailChangeInput {
    #[schema(max_length = 254)]
    email: String,
    /// The password of the account. Accounts without one here need a sign-in or a confirmation within five minutes.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, max_length = 128)]
    current_password: Option<Secret>,
}

/// The own account.
#[utoipa::path(
    get, path = "/me/profile", tag = "me", operation_id = "get_profile",
    responses(
        (status = 200, body = ProfileBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 404, body = ProblemBody, description = "not_found: a service asks"),
    )
)]
pub(super) async fn get_profile(State(state): State<AppState>, actor: Actor) -> ApiResult<Json<ProfileBody>> {
    Ok(Json(service::show(&state, &actor).await?.into()))
}

/// Changes the own name.
#[utoipa::path(
    patch, path = "/me", tag = "me", operation_id = "update_profile", request_body = ProfilePatchInput,
    responses(
        (status = 200, body = ProfileBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden for API keys, untrusted_origin"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
    )
)]
pub(super) async fn update_profile(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<ProfilePatchInput>,
) -> ApiResult<Json<ProfileBody>> {
    service::rename(&state, &actor, input.name.as_deref()).await?;
    Ok(Json(service::show(&state, &actor).await?.into()))
}

/// Sends a link to a new address; the address takes effect when it is opened. The present one is told.
#[utoipa::path(
    post, path = "/me/email", tag = "me", operation_id = "change_email", request_body = EmailChangeInput,
    responses(
        (status = 202, description = "a link is on its way, unless somebody else has the address"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, forbidden for API keys, untrusted_origin"),
        (status = 422, body = ProblemBody, description = "invalid_credentials, on current_password: required, on email: unchanged; unknown_field"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: too many sign-ins at the moment"),
    )
)]
pub(super) async fn change_email(
    State(state): State<AppState>,
    Extension(deps): Extension<ReauthenticationDeps>,
    actor: Actor,
    JsonBody(input): JsonBody<EmailChangeInput>,
) -> ApiResult<StatusCode> {
    service::change_email(&state, &deps, &actor, &input.email, input.current_password).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Withdraws a change of address that was not confirmed yet.
#[utoipa::path(
    delete, path = "/me/email", tag = "me", operation_id = "cancel_email_change",
    responses(
        (status = 204, description = "the address stays"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden for API keys, untrusted_origin"),
        (status = 404, body = ProblemBody, description = "not_found: no change waits"),
    )
)]
pub(super) async fn cancel_email_change(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<StatusCode> {
    service::cancel_email_change(&state, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
