//! `/me/passkeys`, and confirming with one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::{Challenge, ListedPasskey};
use super::service;

/// A passkey.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PasskeyBody {
    id: Uuid,
    name: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl From<ListedPasskey> for PasskeyBody {
    fn from(passkey: ListedPasskey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            created_at: passkey.created_at.into(),
            last_used_at: passkey.last_used_at.map(Timestamp),
        }
    }
}

/// Passkeys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PasskeyListBody {
    /// The oldest first, at most 20.
    items: Vec<PasskeyBody>,
}

/// A challenge for the browser's `navigator.credentials`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PasskeyChallengeBody {
    /// Names the challenge; sent back with the answer within five minutes.
    ceremony: String,
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON` in `publicKey`.
    #[schema(value_type = Object)]
    options: Value,
}

impl From<Challenge> for PasskeyChallengeBody {
    fn from(challenge: Challenge) -> Self {
        Self { ceremony: challenge.ceremony, options: challenge.options }
    }
}

/// The browser's answer to a challenge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasskeyAnswerInput {
    /// Which challenge it answers.
    pub(super) ceremony: String,
    /// `PublicKeyCredential.toJSON()`.
    #[schema(value_type = Object)]
    pub(super) credential: Value,
}

/// A passkey the browser made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPasskeyInput {
    /// Which challenge it answers.
    ceremony: String,
    /// What to call it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// `PublicKeyCredential.toJSON()`.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Another name for a passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasskeyNameInput {
    /// What to call it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// The passkeys of the person who asks.
#[utoipa::path(
    get, path = "/me/passkeys", tag = "me", operation_id = "list_passkeys",
    responses(
        (status = 200, body = PasskeyListBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden to API keys"),
    )
)]
pub(super) async fn list_passkeys(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<PasskeyListBody>> {
    let passkeys = service::list(&state, &actor).await?;
    Ok(Json(PasskeyListBody { items: passkeys.into_iter().map(PasskeyBody::from).collect() }))
}

/// Begins the registration of a passkey.
#[utoipa::path(
    post, path = "/me/passkeys/options", tag = "me", operation_id = "begin_passkey",
    responses(
        (status = 200, body = PasskeyChallengeBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: too many, or no name to belong to"),
    )
)]
pub(super) async fn begin_passkey(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<PasskeyChallengeBody>> {
    Ok(Json(service::begin(&state, &actor).await?.into()))
}

/// Stores the passkey that the browser made.
#[utoipa::path(
    post, path = "/me/passkeys", tag = "me", operation_id = "create_passkey", request_body = NewPasskeyInput,
    responses(
        (status = 201, body = PasskeyBody, description = "registered"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, untrusted_origin"),
        (status = 422, body = ProblemBody, description = "passkey_refused, validation_failed, unknown_field"),
    )
)]
pub(super) async fn create_passkey(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<NewPasskeyInput>,
) -> ApiResult<(StatusCode, Json<PasskeyBody>)> {
    let named = (input.ceremony.as_str(), input.name.as_str());
    let made = service::create(&state, &actor, named, input.credential).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Gives a passkey another name.
#[utoipa::path(
    patch, path = "/me/passkeys/{passkey_id}", tag = "me", operation_id = "rename_passkey",
    request_body = PasskeyNameInput,
    params(("passkey_id" = Uuid, Path, description = "passkey")),
    responses(
        (status = 200, body = PasskeyBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "untrusted_origin"),
        (status = 404, body = ProblemBody, description = "no passkey of this person"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
    )
)]
pub(super) async fn rename_passkey(
    State(state): State<AppState>,
    actor: Actor,
    PathId(passkey_id): PathId,
    JsonBody(input): JsonBody<PasskeyNameInput>,
) -> ApiResult<Json<PasskeyBody>> {
    Ok(Json(service::rename(&state, &actor, passkey_id, &input.name).await?.into()))
}

/// Removes a passkey.
#[utoipa::path(
    delete, path = "/me/passkeys/{passkey_id}", tag = "me", operation_id = "delete_passkey",
    params(("passkey_id" = Uuid, Path, description = "passkey")),
    responses(
        (status = 204, description = "removed"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "reauthentication_required, untrusted_origin"),
        (status = 404, body = ProblemBody, description = "no passkey of this person"),
    )
)]
pub(super) async fn delete_passkey(
    State(state): State<AppState>,
    actor: Actor,
    PathId(passkey_id): PathId,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, passkey_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins confirming with a passkey that it is still the same person.
#[utoipa::path(
    post, path = "/me/reauthenticate/passkey/options", tag = "me", operation_id = "begin_passkey_confirmation",
    responses(
        (status = 200, body = PasskeyChallengeBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden to API keys; untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: no passkey"),
    )
)]
pub(super) async fn begin_passkey_confirmation(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<PasskeyChallengeBody>> {
    Ok(Json(service::begin_confirmation(&state, &actor).await?.into()))
}

/// Confirms with a passkey that it is still the same person.
#[utoipa::path(
    post, path = "/me/reauthenticate/passkey", tag = "me", operation_id = "confirm_with_passkey",
    request_body = PasskeyAnswerInput,
    responses(
        (status = 204, description = "confirmed for five minutes"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden to API keys; untrusted_origin"),
        (status = 422, body = ProblemBody, description = "passkey_refused"),
    )
)]
pub(super) async fn confirm_with_passkey(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<PasskeyAnswerInput>,
) -> ApiResult<StatusCode> {
    service::confirm(&state, &actor, &input.ceremony, input.credential).await?;
    Ok(StatusCode::NO_CONTENT)
}
