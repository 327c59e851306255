//! Routes of identity providers.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use ctops_base::Problem;
use ctops_identity::passwords::Secret;
use ctops_slice::http::ProblemBody;
use ctops_slice::{Actor, ApiResult, AppState, JsonBody, PathId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answers::{ProviderBody, ProviderListBody, ProviderTestBody};
use super::model::{PENDING, RoleRule, Wanted};
use super::presets::{PRESETS, Preset};
use super::service::{self, Change, WantedProtocol, WantedSaml};
use super::settings::{AttributeMap, OidcSettings};
use crate::oidc::Cache;

/// Members of a group get a role.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdentityProviderRoleRuleInput)]
pub(super) struct RoleRuleInput {
    /// As the provider writes it.
    group: String,
    /// `org_admin`, `engineer` or `read_only`.
    role: String,
}

/// OpenID Connect, with its secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OidcInput)]
pub(super) struct OidcInput {
    /// Everything but the secret.
    settings: OidcSettings,
    /// Client secret; kept when it is left out and goes to the same place.
    #[schema(value_type = Option<String>, format = Password)]
    client_secret: Option<Secret>,
}

/// SAML.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SamlInput)]
pub(super) struct SamlInput {
    /// Metadata of the identity provider; kept when it is left out.
    #[schema(max_length = 524_288)]
    metadata_xml: Option<String>,
    /// Which attributes tell what.
    #[serde(default)]
    attributes: AttributeMap,
    /// Accept sign-in that begins at the provider.
    #[serde(default)]
    allow_idp_initiated: bool,
    /// Authentication contexts that mean a second factor.
    #[serde(default)]
    second_factor_contexts: Vec<String>,
}

/// A provider to be added: `oidc` or `saml`, not both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIdentityProvider)]
pub(super) struct NewProviderBody {
    /// As it stands on the button; 1 to 100 characters.
    name: String,
    /// Off when absent.
    #[serde(default)]
    enabled: bool,
    /// Only people with a trusted address in one of these domains; all when empty.
    #[serde(default)]
    allowed_domains: Vec<String>,
    /// Take addresses for verified although the provider does not say so.
    #[serde(default)]
    trust_email: bool,
    /// Groups to roles.
    #[serde(default)]
    role_map: Vec<RoleRuleInput>,
    /// Role of people in none of these groups; `pending` when absent.
    default_role: Option<String>,
    oidc: Option<OidcInput>,
    saml: Option<SamlInput>,
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdentityProviderChange)]
pub(super) struct ProviderChangeBody {
    name: Option<String>,
    enabled: Option<bool>,
    allowed_domains: Option<Vec<String>>,
    trust_email: Option<bool>,
    role_map: Option<Vec<RoleRuleInput>>,
    /// A role, or `pending`.
    default_role: Option<String>,
    oidc: Option<OidcInput>,
    saml: Option<SamlInput>,
}

fn protocol(oidc: Option<OidcInput>, saml: Option<SamlInput>) -> Result<Option<WantedProtocol>, Problem> {
    match (oidc, saml) {
        (None, None) => Ok(None),
        (Some(oidc), None) => {
            Ok(Some(WantedProtocol::Oidc { settings: oidc.settings, secret: oidc.client_secret }))
        }
        (None, Some(saml)) => Ok(Some(WantedProtocol::Saml(WantedSaml {
            metadata_xml: saml.metadata_xml,
            attributes: saml.attributes,
            allow_idp_initiated: saml.allow_idp_initiated,
            second_factor_contexts: saml.second_factor_contexts,
        }))),
        (Some(_), Some(_)) => {
            Err(Problem::invalid_field("saml", "invalid", "a provider speaks one protocol"))
        }
    }
}

fn rules(input: Vec<RoleRuleInput>) -> Vec<RoleRule> {
    input.into_iter().map(|rule| RoleRule { group: rule.group, role: rule.role }).collect()
}

/// Lists the identity providers of the organisation.
#[utoipa::path(get, path = "/identity-providers", tag = "identity_providers",
    operation_id = "list_identity_providers", responses((status = 200, body = ProviderListBody)))]
pub(super) async fn list_identity_providers(
    State(state): State<AppState>,
    actor: Actor,
) -> ApiResult<Json<ProviderListBody>> {
    let providers = service::list(&state, &actor).await?;
    let entitlement = state.entitlements.of(actor.org_id).await?;
    let body = |provider| ProviderBody::new(provider, &entitlement, &state);
    Ok(Json(ProviderListBody { items: providers.into_iter().map(body).collect() }))
}

/// What the page proposes for known OpenID providers.
#[utoipa::path(get, path = "/identity-providers/presets", tag = "identity_providers",
    operation_id = "list_identity_provider_presets", responses((status = 200, body = Vec<Preset>)))]
pub(super) async fn list_identity_provider_presets() -> Json<&'static [Preset]> {
    Json(PRESETS)
}

/// Shows an identity provider.
#[utoipa::path(get, path = "/identity-providers/{id}", tag = "identity_providers", params(("id" = Uuid, Path)),
    operation_id = "get_identity_provider",
    responses((status = 200, body = ProviderBody), (status = 404, body = ProblemBody)))]
pub(super) async fn get_identity_provider(
    State(state): State<AppState>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<impl IntoResponse> {
    let provider = service::find(&state, &actor, id).await?;
    let entitlement = state.entitlements.of(actor.org_id).await?;
    Ok(tagged(ProviderBody::new(provider, &entitlement, &state)))
}

/// Adds an identity provider.
#[utoipa::path(post, path = "/identity-providers", tag = "identity_providers", request_body = NewProviderBody,
    operation_id = "create_identity_provider",
    responses((status = 201, body = ProviderBody), (status = 403, body = ProblemBody, description = "feature_not_licensed"),
        (status = 409, body = ProblemBody, description = "limit_reached"), (status = 422, body = ProblemBody)))]
pub(super) async fn create_identity_provider(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<NewProviderBody>,
) -> ApiResult<impl IntoResponse> {
    let protocol = protocol(body.oidc, body.saml)?;
    let protocol =
        protocol.ok_or_else(|| Problem::invalid_field("oidc", "required", "oidc or saml is missing"))?;
    let wanted = Wanted {
        name: body.name,
        enabled: body.enabled,
        allowed_domains: body.allowed_domains,
        trust_email: body.trust_email,
        role_map: rules(body.role_map),
        default_role: body.default_role.unwrap_or_else(|| PENDING.to_owned()),
    };
    let provider = service::create(&state, &actor, wanted, protocol).await?;
    let entitlement = state.entitlements.of(actor.org_id).await?;
    Ok((StatusCode::CREATED, tagged(ProviderBody::new(provider, &entitlement, &state))))
}

/// Changes an identity provider.
#[utoipa::path(patch, path = "/identity-providers/{id}", tag = "identity_providers", params(("id" = Uuid, Path)),
    operation_id = "change_identity_provider", request_body = ProviderChangeBody,
    responses((status = 200, body = ProviderBody),
        (status = 403, body = ProblemBody, description = "feature_not_licensed, super_admin_required"),
        (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(super) async fn change_identity_provider(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    PathId(id): PathId,
    JsonBody(body): JsonBody<ProviderChangeBody>,
) -> ApiResult<impl IntoResponse> {
    let change = Change {
        name: body.name,
        enabled: body.enabled,
        allowed_domains: body.allowed_domains,
        trust_email: body.trust_email,
        role_map: body.role_map.map(rules),
        default_role: body.default_role,
        protocol: protocol(body.oidc, body.saml)?,
        version: seen_version(&headers),
    };
    let provider = service::change(&state, &actor, id, change).await?;
    let entitlement = state.entitlements.of(actor.org_id).await?;
    Ok(tagged(ProviderBody::new(provider, &entitlement, &state)))
}

/// Deletes an identity provider. Accounts that came through it stay; they are no longer linked with it.
#[utoipa::path(delete, path = "/identity-providers/{id}", tag = "identity_providers", params(("id" = Uuid, Path)),
    operation_id = "delete_identity_provider",
    responses((status = 204), (status = 403, body = ProblemBody, description = "super_admin_required"),
        (status = 404, body = ProblemBody), (status = 412, body = ProblemBody)))]
pub(super) async fn delete_identity_provider(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    service::delete(&state, &actor, id, seen_version(&headers)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries an identity provider out without signing anybody in, as it is stored.
#[utoipa::path(post, path = "/identity-providers/{id}/test", tag = "identity_providers", params(("id" = Uuid, Path)),
    operation_id = "test_identity_provider",
    responses((status = 200, body = ProviderTestBody),
        (status = 403, body = ProblemBody, description = "feature_not_licensed"), (status = 404, body = ProblemBody)))]
pub(super) async fn test_identity_provider(
    State(state): State<AppState>,
    Extension(cache): Extension<Cache>,
    actor: Actor,
    PathId(id): PathId,
) -> ApiResult<Json<ProviderTestBody>> {
    Ok(Json(super::trial::run(&state, &cache, &actor, id).await?))
}

/// A provider with the tag of its version (api-conventions 7).
fn tagged(body: ProviderBody) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", body.version())) {
        headers.insert(header::ETAG, tag);
    }
    (headers, Json(body))
}

/// The version that `If-Match` names; none when there is no such header.
fn seen_version(headers: &HeaderMap) -> Option<i32> {
    let text = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default().trim();
    // A tag that was never given out matches nothing.
    (text != "*").then(|| text.trim_matches('"').parse().unwrap_or(0))
}
