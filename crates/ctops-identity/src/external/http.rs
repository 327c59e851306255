//! `/me/external-identities`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::LinkedIdentity;
use super::service;
use crate::passwords::Secret;

/// An identity linked to one's account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalIdentity)]
pub(super) struct IdentityBody {
    id: Uuid,
    /// `ldap`, `oidc` or `saml`.
    provider: String,
    provider_id: Uuid,
    /// What the provider calls the person.
    name: String,
    linked_at: Timestamp,
    last_used_at: Timestamp,
}

impl From<LinkedIdentity> for IdentityBody {
    fn from(linked: LinkedIdentity) -> Self {
        Self {
            id: linked.id,
            provider: linked.provider,
            provider_id: linked.provider_id,
            name: linked.name,
            linked_at: linked.linked_at.into(),
            last_used_at: linked.last_used_at.into(),
        }
    }
}

/// Identities linked to one's account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalIdentityList)]
pub(super) struct IdentityListBody {
    /// Newest first.
    items: Vec<IdentityBody>,
}

/// A token from a sign-in through a provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkTokenInput)]
pub(super) struct TokenInput {
    /// The token.
    #[schema(value_type = String)]
    token: Secret,
}

/// What a token would link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkPreview)]
pub(super) struct PreviewBody {
    /// `ldap`, `oidc` or `saml`.
    provider: String,
    /// What the provider calls the person.
    name: String,
    expires_at: Timestamp,
}

/// Identities of directories and identity providers that are linked to one's account.
#[utoipa::path(
    get, path = "/me/external-identities", tag = "me", operation_id = "list_external_identities",
    responses((status = 200, body = IdentityListBody), (status = 401, body = ProblemBody))
)]
pub(super) async fn list_external_identities(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<IdentityListBody>> {
    let items = service::list(&state, &actor).await?.into_iter().map(IdentityBody::from).collect();
    Ok(Json(IdentityListBody { items }))
}

/// What a token would link, so that the person can look at it first.
#[utoipa::path(
    post, path = "/me/external-identities/preview", tag = "me", operation_id = "preview_external_identity",
    request_body = TokenInput,
    responses(
        (status = 200, body = PreviewBody),
        (status = 422, body = ProblemBody, description = "on token: invalid_token"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn preview_external_identity(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<TokenInput>,
) -> ApiResult<Json<PreviewBody>> {
    let found = service::preview(&state, &actor, &input.token).await?;
    let expires_at = found.expires_at.into();
    Ok(Json(PreviewBody { provider: found.provider, name: found.name, expires_at }))
}

/// Links the identity behind a token to one's account, after a fresh sign-in of that account.
#[utoipa::path(
    post, path = "/me/external-identities", tag = "me", operation_id = "link_external_identity",
    request_body = TokenInput,
    responses(
        (status = 204, description = "linked"),
        (status = 403, body = ProblemBody, description = "reauthentication_required"),
        (status = 409, body = ProblemBody, description = "conflict: linked to an account already"),
        (status = 422, body = ProblemBody, description = "on token: invalid_token"),
        (status = 429, body = ProblemBody, description = "rate_limited"),
    )
)]
pub(super) async fn link_external_identity(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(input): JsonBody<TokenInput>,
) -> ApiResult<StatusCode> {
    service::link(&state, &actor, &input.token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a linked identity from one's account.
#[utoipa::path(
    delete, path = "/me/external-identities/{id}", tag = "me", operation_id = "unlink_external_identity",
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "removed"),
        (status = 403, body = ProblemBody, description = "reauthentication_required"),
        (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "conflict: the only way to sign in"),
    )
)]
pub(super) async fn unlink_external_identity(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::unlink(&state, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
