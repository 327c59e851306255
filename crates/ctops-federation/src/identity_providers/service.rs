//! Writing, testing and finding identity providers.

use ctops_base::id::new_id;
use ctops_base::{Clock, Problem, ProblemKind, Role};
use ctops_crypto::seal::InstallKey;
use ctops_identity::external::{ProviderKind, forget_provider};
use ctops_identity::passwords::Secret;
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Kind, MAX_PROVIDERS, PENDING, Protocol, Provider, RoleRule, Wanted};
use super::settings::{AttributeMap, OidcSettings, SamlSettings};
use super::{IDENTITY_PROVIDERS_READ, IDENTITY_PROVIDERS_WRITE, store};
use crate::saml;

/// What the protocol needs, as somebody wrote it.
pub(super) enum WantedProtocol {
    Oidc { settings: OidcSettings, secret: Option<Secret> },
    Saml(WantedSaml),
}

/// SAML as somebody wrote it.
pub(super) struct WantedSaml {
    pub(super) metadata_xml: Option<String>,
    pub(super) attributes: AttributeMap,
    pub(super) allow_idp_initiated: bool,
    pub(super) second_factor_contexts: Vec<String>,
}

/// What somebody wants to change; what is none stays.
pub(super) struct Change {
    pub(super) name: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) allowed_domains: Option<Vec<String>>,
    pub(super) trust_email: Option<bool>,
    pub(super) role_map: Option<Vec<RoleRule>>,
    pub(super) default_role: Option<String>,
    pub(super) protocol: Option<WantedProtocol>,
    pub(super) version: Option<i32>,
}

fn secret_name(id: Uuid) -> String {
    format!("identity_providers.secret:{id}")
}

/// Opens the secret of a provider.
///
/// # Errors
/// `internal` when it is not there or was sealed with another key.
pub(crate) fn open_secret(seal: &InstallKey, provider: &Provider) -> Result<String, Problem> {
    let sealed = provider.secret.as_deref();
    let sealed = sealed.ok_or_else(|| Problem::internal("the identity provider has no secret"))?;
    let plain = seal.open(&secret_name(provider.id), sealed).map_err(Problem::internal)?;
    String::from_utf8(plain.to_vec()).map_err(Problem::internal)
}

/// An enabled, licensed provider of the kind, for somebody who is not signed in.
///
/// # Errors
/// `not_found` for everything else, so that nobody learns what exists.
pub(crate) async fn find_for_sign_in(state: &AppState, kind: Kind, id: Uuid) -> Result<Provider, Problem> {
    let provider = store::find_enabled(&state.pool, id).await.map_err(Problem::internal)?;
    let provider = provider.filter(|provider| provider.protocol.kind() == kind).ok_or_else(absent)?;
    let entitlement = state.entitlements.of(provider.org_id).await?;
    if entitlement.has(kind.feature()) { Ok(provider) } else { Err(absent()) }
}

/// The enabled provider of a kind that somebody last signed in through.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn last_used(state: &AppState, kind: Kind, actor: &Actor) -> Result<Option<Uuid>, Problem> {
    let found = store::of_person(&state.pool, kind.as_str(), actor.org_id, actor.user_id).await;
    found.map_err(Problem::internal)
}

/// The providers of the organisation.
pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<Provider>, Problem> {
    let grant = actor.grant(&IDENTITY_PROVIDERS_READ)?;
    store::list(&state.pool, &grant).await.map_err(Problem::internal)
}

/// One provider.
pub(super) async fn find(state: &AppState, actor: &Actor, id: Uuid) -> Result<Provider, Problem> {
    let grant = actor.grant(&IDENTITY_PROVIDERS_READ)?;
    store::find(&state.pool, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)
}

/// Adds a provider.
pub(super) async fn create(
    state: &AppState,
    actor: &Actor,
    wanted: Wanted,
    protocol: WantedProtocol,
) -> Result<Provider, Problem> {
    let grant = actor.grant(&IDENTITY_PROVIDERS_WRITE)?;
    let (wanted, default_role) = wanted.check()?;
    let now = state.clock.now();
    let id = new_id();
    let (protocol, secret) = match protocol {
        WantedProtocol::Oidc { settings, secret } => {
            settings.check()?;
            let secret = secret.ok_or_else(|| required("oidc.client_secret"))?;
            (Protocol::Oidc(settings), secret)
        }
        WantedProtocol::Saml(saml) => {
            let own = saml::make_own_key(&state.installation.public_url, &state.clock)?;
            let mut settings = with_metadata(&saml, saml.metadata_xml.clone())?;
            settings.own_certificate_pem = own.certificate_pem;
            (Protocol::Saml(Box::new(settings)), Secret::new(own.key_pem))
        }
    };
    state.entitlements.of(grant.org_id()).await?.require(protocol.kind().feature())?;
    let provider = Provider {
        id,
        org_id: grant.org_id(),
        name: wanted.name,
        enabled: wanted.enabled,
        protocol,
        allowed_domains: wanted.allowed_domains,
        trust_email: wanted.trust_email,
        role_map: wanted.role_map,
        default_role,
        secret: Some(seal_secret(&state.seal, id, &secret)?),
        secret_set_at: Some(now),
        secret_set_by: Some(actor.user_id),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if store::count(&mut tx, &grant).await.map_err(Problem::internal)? >= MAX_PROVIDERS {
        let detail = format!("an organisation has at most {MAX_PROVIDERS} identity providers");
        return Err(Problem::new(ProblemKind::Conflict, "limit_reached", detail));
    }
    store::insert(&mut tx, &provider).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "identity_provider.created", "identity_provider")
        .on(id)
        .labelled(&provider.name)
        .summary(format!("added identity provider {}", provider.name))
        .change(None, Some(described(&provider)));
    finish(tx, &event, &state.clock).await?;
    find(state, actor, id).await
}

/// Changes a provider.
pub(super) async fn change(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    change: Change,
) -> Result<Provider, Problem> {
    let grant = actor.grant(&IDENTITY_PROVIDERS_WRITE)?;
    let entitlement = state.entitlements.of(grant.org_id()).await?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = lock(&mut tx, actor, &grant, id, change.version).await?;
    // Without the licence a provider can only be switched off.
    if !change.only_disables() {
        entitlement.require(before.protocol.kind().feature())?;
    }
    let (wanted, default_role) = change.merged(&before).check()?;
    let mut after = Provider {
        name: wanted.name,
        enabled: wanted.enabled,
        allowed_domains: wanted.allowed_domains,
        trust_email: wanted.trust_email,
        role_map: wanted.role_map,
        default_role,
        ..before.clone()
    };
    match (change.protocol, &before.protocol) {
        (None, _) => {}
        (Some(WantedProtocol::Oidc { settings, secret }), Protocol::Oidc(old)) => {
            settings.check()?;
            if settings.issuer != old.issuer {
                return Err(fixed("oidc.issuer"));
            }
            match secret {
                Some(secret) => {
                    after.secret = Some(seal_secret(&state.seal, id, &secret)?);
                    (after.secret_set_at, after.secret_set_by) = (Some(now), Some(actor.user_id));
                }
                None if settings.sends_secret_elsewhere(old) => return Err(required("oidc.client_secret")),
                None => {}
            }
            after.protocol = Protocol::Oidc(settings);
        }
        (Some(WantedProtocol::Saml(saml)), Protocol::Saml(old)) => {
            let metadata = saml.metadata_xml.clone().unwrap_or_else(|| old.metadata_xml.clone());
            let mut settings = with_metadata(&saml, Some(metadata))?;
            if settings.entity_id != old.entity_id {
                return Err(fixed("saml.metadata_xml"));
            }
            settings.own_certificate_pem.clone_from(&old.own_certificate_pem);
            after.protocol = Protocol::Saml(Box::new(settings));
        }
        _ => return Err(Problem::invalid_field("kind", "invalid", "cannot be changed")),
    }
    store::update(&mut tx, &after, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "identity_provider.changed", "identity_provider")
        .on(id)
        .labelled(&after.name)
        .summary(format!("changed identity provider {}", after.name))
        .change(Some(described(&before)), Some(described(&after)));
    finish(tx, &event, &state.clock).await?;
    find(state, actor, id).await
}

/// Deletes a provider. Accounts stay, their links go.
pub(super) async fn delete(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    version: Option<i32>,
) -> Result<(), Problem> {
    let grant = actor.grant(&IDENTITY_PROVIDERS_WRITE)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let provider = lock(&mut tx, actor, &grant, id, version).await?;
    let kind = match provider.protocol.kind() {
        Kind::Oidc => ProviderKind::Oidc,
        Kind::Saml => ProviderKind::Saml,
    };
    let forgotten = forget_provider(&mut tx, kind, id).await?;
    store::delete(&mut tx, id, state.clock.now()).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "identity_provider.deleted", "identity_provider")
        .on(id)
        .labelled(&provider.name)
        .summary(format!("deleted identity provider {} with {forgotten} linked identities", provider.name));
    finish(tx, &event, &state.clock).await
}

/// Writes down that somebody tried a provider out.
pub(super) async fn record_test(
    state: &AppState,
    actor: &Actor,
    provider: &Provider,
    passed: bool,
) -> Result<(), Problem> {
    let mut event = AuditEvent::by_actor(actor, "identity_provider.tested", "identity_provider")
        .on(provider.id)
        .labelled(&provider.name)
        .summary(format!("tested identity provider {}", provider.name));
    if !passed {
        event = event.failed("test_failed");
    }
    let tx = state.pool.begin().await.map_err(Problem::internal)?;
    finish(tx, &event, &state.clock).await
}

impl Change {
    fn only_disables(&self) -> bool {
        self.enabled == Some(false)
            && self.name.is_none()
            && self.allowed_domains.is_none()
            && self.trust_email.is_none()
            && self.role_map.is_none()
            && self.default_role.is_none()
            && self.protocol.is_none()
    }

    fn merged(&self, before: &Provider) -> Wanted {
        let role = || before.default_role.map_or(PENDING, Role::as_str).to_owned();
        Wanted {
            name: self.name.clone().unwrap_or_else(|| before.name.clone()),
            enabled: self.enabled.unwrap_or(before.enabled),
            allowed_domains: self.allowed_domains.clone().unwrap_or_else(|| before.allowed_domains.clone()),
            trust_email: self.trust_email.unwrap_or(before.trust_email),
            role_map: self.role_map.clone().unwrap_or_else(|| before.role_map.clone()),
            default_role: self.default_role.clone().unwrap_or_else(role),
        }
    }
}

async fn lock(
    tx: &mut Tx<'_>,
    actor: &Actor,
    grant: &Grant,
    id: Uuid,
    version: Option<i32>,
) -> Result<Provider, Problem> {
    let provider = store::lock(tx, grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    if version.is_some_and(|version| version != provider.version) {
        let detail = "somebody else changed the identity provider in the meantime";
        return Err(Problem::new(ProblemKind::Stale, "version_conflict", detail));
    }
    if !actor.roles().contains(&Role::SuperAdmin)
        && store::serves_super_admin(tx, id).await.map_err(Problem::internal)?
    {
        let detail = "a super_admin signs in through this provider, so only a super_admin may change it";
        return Err(Problem::new(ProblemKind::Forbidden, "super_admin_required", detail));
    }
    Ok(provider)
}

fn with_metadata(wanted: &WantedSaml, metadata: Option<String>) -> Result<SamlSettings, Problem> {
    let metadata_xml = metadata.ok_or_else(|| required("saml.metadata_xml"))?;
    let facts = saml::read_metadata(&metadata_xml)
        .map_err(|reason| Problem::invalid_field("saml.metadata_xml", "invalid_metadata", reason))?;
    let settings = SamlSettings {
        metadata_xml,
        entity_id: facts.entity_id,
        sign_in_url: facts.sign_in_url,
        certificates: facts.certificates,
        attributes: wanted.attributes.clone(),
        allow_idp_initiated: wanted.allow_idp_initiated,
        second_factor_contexts: wanted.second_factor_contexts.clone(),
        own_certificate_pem: String::new(),
    };
    settings.check()?;
    Ok(settings)
}

fn seal_secret(seal: &InstallKey, id: Uuid, secret: &Secret) -> Result<Vec<u8>, Problem> {
    let plain = secret.reveal();
    if plain.is_empty() || plain.len() > 8192 || plain.contains('\0') {
        let message = "must have 1 to 8192 bytes";
        return Err(Problem::invalid_field("oidc.client_secret", "invalid", message));
    }
    Ok(seal.seal(&secret_name(id), plain.as_bytes()))
}

async fn finish(mut tx: Tx<'_>, event: &AuditEvent, clock: &Clock) -> Result<(), Problem> {
    audit::append(&mut tx, event, clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// What the audit trail keeps: no secret, and certificates by their fingerprints.
fn described(provider: &Provider) -> Value {
    let protocol = match &provider.protocol {
        Protocol::Oidc(settings) => json!({
            "issuer": settings.issuer, "client_id": settings.client_id, "endpoints": settings.endpoints,
            "scopes": settings.scopes, "claims": settings.claims, "own_authorities": settings.ca_pem.is_some(),
        }),
        Protocol::Saml(settings) => json!({
            "entity_id": settings.entity_id, "sign_in_url": settings.sign_in_url, "attributes": settings.attributes,
            "certificates": settings.certificates.iter().map(|found| &found.sha256).collect::<Vec<_>>(),
            "allow_idp_initiated": settings.allow_idp_initiated,
            "second_factor_contexts": settings.second_factor_contexts,
        }),
    };
    json!({
        "name": provider.name, "enabled": provider.enabled, "allowed_domains": provider.allowed_domains,
        "trust_email": provider.trust_email, "role_map": provider.role_map,
        "default_role": provider.default_role.map_or(PENDING, Role::as_str),
        provider.protocol.kind().as_str(): protocol,
    })
}

fn required(path: &str) -> Problem {
    Problem::invalid_field(path, "required", "is missing")
}

fn fixed(path: &str) -> Problem {
    let message = "names another issuer; people are known by it, so add another provider instead";
    Problem::invalid_field(path, "issuer_is_fixed", message)
}

fn absent() -> Problem {
    Problem::not_found("identity provider")
}
