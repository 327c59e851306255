//! `/me/api-keys` and `/api-keys`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::{Kind, NewKey, service_role};
use super::service::{self, CreatedKey};
use super::store::ListedKey;
use crate::sessions::DeclaredPermissions;

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiKeyBody {
    id: Uuid,
    name: String,
    /// Last four characters of the secret.
    hint: String,
    /// Permissions it may use, as long as whom it speaks for holds them.
    scopes: Vec<String>,
    /// Roles of whom it speaks for.
    roles: Vec<String>,
    /// Host groups it is limited to; null means no limit of its own.
    host_groups: Option<Vec<Uuid>>,
    /// Networks it may be used from; null means everywhere.
    allowed_networks: Option<Vec<String>>,
    created_at: Timestamp,
    /// Who made it.
    created_by: Option<String>,
    expires_at: Timestamp,
    /// Last use, to a minute.
    last_used_at: Option<Timestamp>,
    last_used_ip: Option<String>,
    revoked_at: Option<Timestamp>,
}

impl From<ListedKey> for ApiKeyBody {
    fn from(key: ListedKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            hint: key.hint,
            scopes: key.scopes,
            roles: key.roles,
            host_groups: key.host_groups,
            allowed_networks: key.allowed_networks,
            created_at: key.created_at.into(),
            created_by: key.created_by,
            expires_at: key.expires_at.into(),
            last_used_at: key.last_used_at.map(Timestamp),
            last_used_ip: key.last_used_ip,
            revoked_at: key.revoked_at.map(Timestamp),
        }
    }
}

/// API keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiKeyListBody {
    /// The newest first, at most 500; revoked and expired ones too.
    items: Vec<ApiKeyBody>,
}

/// A new API key with its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedApiKeyBody {
    key: ApiKeyBody,
    /// Goes into `Authorization: Bearer`. Shown this once.
    secret: String,
}

impl From<CreatedKey> for CreatedApiKeyBody {
    fn from(created: CreatedKey) -> Self {
        Self { key: created.key.into(), secret: created.secret }
    }
}

/// A personal API key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiKeyInput {
    /// What it is for.
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// Names of permissions; all must be held by the owner.
    scopes: Vec<String>,
    /// Host groups to limit it to.
    host_groups: Option<Vec<Uuid>>,
    /// Networks (CIDR) or addresses it may be used from.
    allowed_networks: Option<Vec<String>>,
    /// Days until it ends; 90 unless the organisation allows fewer.
    #[schema(minimum = 1, maximum = 365)]
    expires_in_days: Option<u32>,
}

/// A service key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewServiceKeyInput {
    /// What it is for.
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// `org_admin`, `engineer` or `read_only`.
    role: String,
    /// Names of permissions; all must be held by the role and by who makes the key.
    scopes: Vec<String>,
    /// Host groups to limit it to.
    host_groups: Option<Vec<Uuid>>,
    /// Networks (CIDR) or addresses it may be used from.
    allowed_networks: Option<Vec<String>>,
    /// Days until it ends; 90 unless the organisation allows fewer.
    #[schema(minimum = 1, maximum = 365)]
    expires_in_days: Option<u32>,
}

/// The API keys of the person who asks.
#[utoipa::path(
    get, path = "/me/api-keys", tag = "api-keys", operation_id = "list_own_keys",
    responses(
        (status = 200, body = ApiKeyListBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, also to API keys"),
    )
)]
pub(super) async fn list_own_keys(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<ApiKeyListBody>> {
    let keys = service::list(&state, &actor, Kind::Personal).await?;
    Ok(Json(ApiKeyListBody { items: keys.into_iter().map(ApiKeyBody::from).collect() }))
}

/// Makes an API key that speaks for the person who asks.
#[utoipa::path(
    post, path = "/me/api-keys", tag = "api-keys", operation_id = "create_own_key", request_body = NewApiKeyInput,
    responses(
        (status = 201, body = CreatedApiKeyBody, description = "made; the secret is shown this once"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, also to API keys; untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: too many keys"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
    )
)]
pub(super) async fn create_own_key(
    State(state): State<AppState>,
    Extension(declared): Extension<DeclaredPermissions>,
    actor: Actor,
    JsonBody(input): JsonBody<NewApiKeyInput>,
) -> ApiResult<(StatusCode, Json<CreatedApiKeyBody>)> {
    let new = NewKey {
        name: input.name,
        scopes: input.scopes,
        host_groups: input.host_groups,
        allowed_networks: input.allowed_networks,
        expires_in_days: input.expires_in_days,
    };
    let created = service::create(&state, &declared, &actor, new, None).await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

/// Revokes an API key of the person who asks; it stops working at once.
#[utoipa::path(
    delete, path = "/me/api-keys/{key_id}", tag = "api-keys", operation_id = "revoke_own_key",
    params(("key_id" = Uuid, Path, description = "API key")),
    responses(
        (status = 204, description = "revoked"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, also to API keys; untrusted_origin"),
        (status = 404, body = ProblemBody, description = "no live key of this person"),
    )
)]
pub(super) async fn revoke_own_key(
    State(state): State<AppState>,
    actor: Actor,
    PathId(key_id): PathId,
) -> ApiResult<StatusCode> {
    service::revoke(&state, &actor, Kind::Personal, key_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The service keys of the organisation.
#[utoipa::path(
    get, path = "/api-keys", tag = "api-keys", operation_id = "list_service_keys",
    responses(
        (status = 200, body = ApiKeyListBody),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, also to API keys"),
    )
)]
pub(super) async fn list_service_keys(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<ApiKeyListBody>> {
    let keys = service::list(&state, &actor, Kind::Service).await?;
    Ok(Json(ApiKeyListBody { items: keys.into_iter().map(ApiKeyBody::from).collect() }))
}

/// Makes a service key, with a service account of the given role behind it.
#[utoipa::path(
    post, path = "/api-keys", tag = "api-keys", operation_id = "create_service_key",
    request_body = NewServiceKeyInput,
    responses(
        (status = 201, body = CreatedApiKeyBody, description = "made; the secret is shown this once"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, also to API keys; untrusted_origin"),
        (status = 409, body = ProblemBody, description = "wrong_state: too many keys"),
        (status = 422, body = ProblemBody, description = "validation_failed, unknown_field"),
    )
)]
pub(super) async fn create_service_key(
    State(state): State<AppState>,
    Extension(declared): Extension<DeclaredPermissions>,
    actor: Actor,
    JsonBody(input): JsonBody<NewServiceKeyInput>,
) -> ApiResult<(StatusCode, Json<CreatedApiKeyBody>)> {
    let role = service_role(&input.role)?;
    let new = NewKey {
        name: input.name,
        scopes: input.scopes,
        host_groups: input.host_groups,
        allowed_networks: input.allowed_networks,
        expires_in_days: input.expires_in_days,
    };
    let created = service::create(&state, &declared, &actor, new, Some(role)).await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

/// Revokes a service key; it stops working at once.
#[utoipa::path(
    delete, path = "/api-keys/{key_id}", tag = "api-keys", operation_id = "revoke_service_key",
    params(("key_id" = Uuid, Path, description = "service key")),
    responses(
        (status = 204, description = "revoked"),
        (status = 401, body = ProblemBody, description = "no or expired session"),
        (status = 403, body = ProblemBody, description = "forbidden, also to API keys; untrusted_origin"),
        (status = 404, body = ProblemBody, description = "no live service key of the organisation"),
    )
)]
pub(super) async fn revoke_service_key(
    State(state): State<AppState>,
    actor: Actor,
    PathId(key_id): PathId,
) -> ApiResult<StatusCode> {
    service::revoke(&state, &actor, Kind::Service, key_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
