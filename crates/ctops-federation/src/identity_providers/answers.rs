//! Identity providers as the API shows them: never a secret.

use ctops_base::Role;
use ctops_slice::licence::Entitlement;
use ctops_slice::{AppState, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::certificates::Certificate;
use super::model::{PENDING, Protocol, Provider, RoleRule};
use super::settings::{AttributeMap, OidcSettings, SamlSettings};
use crate::{oidc, saml};

/// Members of a group get a role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProviderRoleRule)]
pub(super) struct RoleRuleBody {
    group: String,
    role: String,
}

impl From<RoleRule> for RoleRuleBody {
    fn from(rule: RoleRule) -> Self {
        Self { group: rule.group, role: rule.role }
    }
}

/// A certificate of an identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProviderCertificate)]
pub(super) struct CertificateBody {
    subject: String,
    /// SHA-256, hex.
    sha256: String,
    not_after: Timestamp,
    /// Ends within 30 days, or ended.
    ends_soon: bool,
}

/// SAML as it is set up, and what the identity provider's administrator needs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SamlSettings)]
pub(super) struct SamlBody {
    /// Entity id of the identity provider.
    entity_id: String,
    /// Where browsers are sent.
    sign_in_url: String,
    /// Certificates it signs with.
    certificates: Vec<CertificateBody>,
    attributes: AttributeMap,
    allow_idp_initiated: bool,
    second_factor_contexts: Vec<String>,
    /// Our entity id; our metadata are there as well.
    own_entity_id: String,
    /// Where the identity provider sends assertions.
    acs_url: String,
}

/// An identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProvider)]
pub(super) struct ProviderBody {
    id: Uuid,
    /// `oidc` or `saml`.
    kind: &'static str,
    name: String,
    enabled: bool,
    /// The licence covers its kind; without, its button is absent.
    licensed: bool,
    allowed_domains: Vec<String>,
    trust_email: bool,
    role_map: Vec<RoleRuleBody>,
    /// A role, or `pending`.
    default_role: &'static str,
    /// When the client secret was set.
    secret_set_at: Option<Timestamp>,
    /// By whom.
    secret_set_by: Option<Uuid>,
    /// Where the provider sends browsers back to (OpenID Connect).
    redirect_url: Option<String>,
    oidc: Option<OidcSettings>,
    saml: Option<SamlBody>,
    version: i32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The identity providers of an organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProviderList)]
pub(super) struct ProviderListBody {
    pub(super) items: Vec<ProviderBody>,
}

/// One thing that was tried.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProviderTestStep)]
pub(super) struct TestStepBody {
    /// `discovery`, `keys`, `metadata`, `certificates`.
    pub(super) name: &'static str,
    pub(super) passed: bool,
    /// What was found, or what to do.
    pub(super) detail: String,
}

/// What a trial found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProviderTest)]
pub(super) struct ProviderTestBody {
    pub(super) passed: bool,
    pub(super) steps: Vec<TestStepBody>,
    /// Host that needs an entry among the internal targets.
    pub(super) needs_target: Option<String>,
}

impl ProviderBody {
    pub(super) fn new(provider: Provider, entitlement: &Entitlement, state: &AppState) -> Self {
        let kind = provider.protocol.kind();
        let public_url = &state.installation.public_url;
        let now = state.clock.now();
        let redirect_url = match &provider.protocol {
            Protocol::Oidc(_) => Some(oidc::redirect_url(public_url, provider.id)),
            Protocol::Saml(_) => None,
        };
        let (oidc, saml) = match provider.protocol {
            Protocol::Oidc(settings) => (Some(settings), None),
            Protocol::Saml(settings) => (None, Some(saml_body(*settings, public_url, provider.id, now))),
        };
        Self {
            id: provider.id,
            kind: kind.as_str(),
            name: provider.name,
            enabled: provider.enabled,
            licensed: entitlement.has(kind.feature()),
            allowed_domains: provider.allowed_domains,
            trust_email: provider.trust_email,
            role_map: provider.role_map.into_iter().map(RoleRuleBody::from).collect(),
            default_role: provider.default_role.map_or(PENDING, Role::as_str),
            // The key of SAML is made here and nobody's to know.
            secret_set_at: oidc.as_ref().and(provider.secret_set_at).map(Timestamp::from),
            secret_set_by: oidc.as_ref().and(provider.secret_set_by),
            redirect_url,
            oidc,
            saml,
            version: provider.version,
            created_at: provider.created_at.into(),
            updated_at: provider.updated_at.into(),
        }
    }

    pub(super) fn version(&self) -> i32 {
        self.version
    }
}

fn saml_body(
    settings: SamlSettings,
    public_url: &str,
    id: Uuid,
    now: chrono::DateTime<chrono::Utc>,
) -> SamlBody {
    let certificate = |found: Certificate| CertificateBody {
        ends_soon: found.ends_soon(now),
        subject: found.subject,
        sha256: found.sha256,
        not_after: found.not_after.into(),
    };
    SamlBody {
        entity_id: settings.entity_id,
        sign_in_url: settings.sign_in_url,
        certificates: settings.certificates.into_iter().map(certificate).collect(),
        attributes: settings.attributes,
        allow_idp_initiated: settings.allow_idp_initiated,
        second_factor_contexts: settings.second_factor_contexts,
        own_entity_id: saml::entity_id(public_url, id),
        acs_url: saml::acs_url(public_url, id),
    }
}
