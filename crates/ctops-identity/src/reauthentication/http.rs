//! `/me/reauthentication` and `/me/reauthenticate`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ReauthenticationDeps, service};
use crate::passwords::Secret;

/// How the person who asks can confirm that it is them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReauthenticationBody {
    /// With the password of the account, local or of the directory.
    password: bool,
    /// With a passkey.
    passkey: bool,
    /// By a round trip to the identity provider that begins at this local path.
    redirect: Option<String>,
    /// Until then nothing has to be confirmed.
    confirmed_until: Timestamp,
}

/// A password once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReauthenticationInput {
    /// The password of the account.
    #[schema(value_type = String, format = Password, max_length = 128)]
    password: Secret,
}

/// How to confirm that it is still the same person.
#[utoipa::path(
    get, path = "/me/reauthentication", tag = "me", operation_id = "get_reauthentication",
    responses(
        (status = 200, body = ReauthenticationBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden: an API key asks"),
    )
)]
pub(super) async fn get_reauthentication(
    State(state): State<AppState>,
    Extension(deps): Extension<ReauthenticationDeps>,
    actor: Actor,
) -> ApiResult<Json<ReauthenticationBody>> {
    let ways = service::ways(&state, &deps, &actor).await?;
    Ok(Json(ReauthenticationBody {
        password: ways.password,
        passkey: ways.passkey,
        redirect: ways.redirect,
        confirmed_until: ways.confirmed_until.into(),
    }))
}

/// Confirms with the password that it is still the same person.
#[utoipa::path(
    post, path = "/me/reauthenticate", tag = "me", operation_id = "reauthenticate",
    request_body = ReauthenticationInput,
    responses(
        (status = 204, description = "confirmed for five minutes"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden: an API key asks; untrusted_origin"),
        (status = 422, body = ProblemBody, description = "invalid_credentials, validation_failed"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
        (status = 503, body = ProblemBody, description = "unavailable: the directory does not answer"),
    )
)]
pub(super) async fn reauthenticate(
    State(state): State<AppState>,
    Extension(deps): Extension<ReauthenticationDeps>,
    actor: Actor,
    JsonBody(input): JsonBody<ReauthenticationInput>,
) -> ApiResult<StatusCode> {
    service::by_password(&state, &deps, &actor, input.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
