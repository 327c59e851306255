//! Everything a process needs before it opens a listener: the same for every role.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ctops_base::Clock;
use ctops_crypto::seal::InstallKey;
use ctops_egress::Egress;
use ctops_fleet::agents::{AgentDeps, AgentTrust, RegisterLimits};
use ctops_fleet::bulk_delete::AdminKey;
use ctops_fleet::releases::ReleaseDeps;
use ctops_identity::sessions::SessionAuthenticator;
use ctops_ingest::tls::TlsMaterial;
use ctops_licensing::Licensing;
use ctops_pg::notify::{self, Notifications};
use ctops_proto::release::{BUILT_IN_KEY, parse_key};
use ctops_slice::AppState;
use ctops_slice::Entitlements;
use ctops_slice::events::EventHub;
use ctops_slice::state::Installation;
use ctops_telemetry::{MetricsPage, init_metrics};

use crate::certificates::{CertificateKeeper, CertificateSources, Certificates};
use crate::composition::{Composition, Parts, SettingsParts};
use crate::facts::{self, ProcessFacts};
use crate::outgoing::{egress_options, licence_verifiers};
use crate::queue::{self, ServerQueue};
use crate::roles::ServerRole;
use crate::serve::host_name;
use crate::settings::Settings;
use crate::storage::Storage;
use crate::tls::ShownCertificate;
use crate::web_pin::WebPin;

/// Channels of the database that this process listens on.
const CHANNELS: [&str; 4] = [notify::AGENTS, notify::CHANGES, notify::LICENCES, notify::JOBS];

/// The parts, not running yet.
pub struct Assembly {
    /// Metrics of this process.
    pub metrics: MetricsPage,
    /// Notifications of the database.
    pub notifications: Notifications,
    /// Certificates for browsers and agents, with what exchanges them.
    pub certificates: CertificateKeeper,
    /// What registration and certificates of agents need.
    pub agents: AgentDeps,
    /// The slices.
    pub composition: Composition,
    /// Licences of all organisations.
    pub licensing: Licensing,
    /// What handlers reach.
    pub state: AppState,
    /// The queue; none when the role has no use for it.
    pub queue: Option<ServerQueue>,
}

impl Assembly {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When one of them cannot be had, with what to do.
    pub async fn new(
        settings: &Settings,
        role: ServerRole,
        storage: &Storage,
        key: &InstallKey,
        clock: Clock,
    ) -> Result<Self> {
        let metrics = init_metrics().context("starting metrics")?;
        describe_metrics();
        let pool = storage.pool.clone();
        let notifications =
            Notifications::start(&pool, &CHANNELS).await.context("listening for notifications")?;
        let trust =
            AgentTrust::load_or_create(&pool, key, &clock).await.context("loading certificates and keys")?;
        let trust = Arc::new(trust);
        let sources = CertificateSources::new(settings, role, Arc::clone(&trust), clock.clone());
        let present = sources.load()?;
        let installation = Arc::new(installation(settings, &sources, &present)?);
        let pin = WebPin::new(pool.clone());
        if let Some(chain_pem) = &present.pinned {
            pin.set(chain_pem).context("reading the certificate for browsers")?;
        }
        let parts = (present, Arc::clone(&installation), Arc::clone(&pin));
        let certificates = listeners(settings, role, sources, parts, &trust, &clock)?;
        let seal = Arc::new(InstallKey::from_base64(&key.to_base64()).context("reading the install key")?);
        let verifiers =
            licence_verifiers(settings).context("reading the key that licences are verified with")?;
        let licensing = Licensing::new(pool.clone(), clock.clone(), Arc::clone(&seal), verifiers);
        let entitlements: Arc<dyn Entitlements> = Arc::new(licensing.clone());
        let agents = agent_deps(settings, storage, trust, &clock, &entitlements)?;
        let egress = Egress::new(pool.clone(), egress_options(settings));
        let mut composition = Composition::new(Parts {
            pool: pool.clone(),
            clock: clock.clone(),
            installation: Arc::clone(&installation),
            agents: agents.clone(),
            bulk_delete_key: settings
                .values
                .secret("CT_OPS_LOADTEST_ADMIN_KEY")
                .map(|key| AdminKey::new(key.expose())),
            install_key: Arc::clone(&seal),
            entitlements: Arc::clone(&entitlements),
            egress: egress.clone(),
            licensing: licensing.clone(),
            revocation_url: settings.values.text("LICENCE_REVOCATION_URL").map(str::to_owned),
            settings: settings_parts(settings, &metrics),
        });
        composition.agent_work.push(pin);
        let queue = match role.needs_queue() {
            true => Some(queue::open(settings, &composition.reads, clock.clone()).await?),
            false => None,
        };
        composition.consumers.retain(|handler| role.consumes(handler.group()));
        if let ServerRole::Consume(group) = role
            && composition.consumers.is_empty()
        {
            bail!("this version has no consumer in the group {}; there is nothing to run", group.name());
        }
        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: Arc::new(SessionAuthenticator::new(pool.clone(), clock, &installation)),
            installation,
            seal,
            entitlements,
            egress,
        };
        Ok(Self { metrics, notifications, certificates, agents, composition, licensing, state, queue })
    }
}

/// What registration and certificates need.
fn agent_deps(
    settings: &Settings,
    storage: &Storage,
    trust: Arc<AgentTrust>,
    clock: &Clock,
    entitlements: &Arc<dyn Entitlements>,
) -> Result<AgentDeps> {
    Ok(AgentDeps {
        pool: storage.pool.clone(),
        clock: clock.clone(),
        trust,
        limits: RegisterLimits {
            per_source: limit(settings, "CT_OPS_REGISTER_PER_SOURCE"),
            per_source_and_token: limit(settings, "CT_OPS_REGISTER_PER_TOKEN"),
        },
        releases: releases(settings)?,
        entitlements: Arc::clone(entitlements),
    })
}

fn settings_parts(settings: &Settings, metrics: &MetricsPage) -> SettingsParts {
    let overrides = facts::overrides(settings);
    overrides.clone().put_in_force();
    SettingsParts {
        overrides: Arc::new(overrides),
        relay: facts::mail_relay(settings),
        facts: Arc::new(ProcessFacts::new(settings, host_name(), Some(metrics.clone()))),
    }
}

/// Describes every metric of the program to the installed recorder.
pub fn describe_metrics() {
    ctops_queue::describe_metrics();
    ctops_ingest::describe_metrics();
    ctops_fleet::hosts::describe_metrics();
    crate::measure::describe_metrics();
}

/// What the listeners of this role show, with what exchanges it.
fn listeners(
    settings: &Settings,
    role: ServerRole,
    sources: CertificateSources,
    (present, installation, pin): (Certificates, Arc<Installation>, Arc<WebPin>),
    trust: &AgentTrust,
    clock: &Clock,
) -> Result<CertificateKeeper> {
    let web = (role.serves_web() && settings.values.flag("CT_OPS_WEB_TLS"))
        .then(|| ShownCertificate::new(&present.web))
        .transpose()
        .context("using the certificate for browsers")?;
    let shown = &present.ingest;
    let material =
        || TlsMaterial::new(clock.clone(), &shown.chain_pem, &shown.key_pem, trust.trusted_agent_cas());
    let ingest =
        role.accepts_agents().then(material).transpose().context("using the certificate for agents")?;
    Ok(CertificateKeeper {
        sources,
        present,
        web: web.map(Arc::new),
        ingest: ingest.map(Arc::new),
        installation,
        pin,
    })
}

fn installation(
    settings: &Settings,
    sources: &CertificateSources,
    certificates: &Certificates,
) -> Result<Installation> {
    Ok(Installation {
        public_url: settings.public_url.clone(),
        trusted_origins: settings.values.list("BETTER_AUTH_TRUSTED_ORIGINS").to_vec(),
        trust_proxy_headers: settings.values.flag("CT_OPS_TRUST_PROXY_HEADERS"),
        require_email_verification: settings.values.flag("REQUIRE_EMAIL_VERIFICATION"),
        session_lifetime: settings.duration("CT_OPS_SESSION_LIFETIME"),
        session_idle: settings.duration("CT_OPS_SESSION_IDLE"),
        ingest_address: settings.ingest_address.clone(),
        server_ca_pem: sources.server_ca_pem(certificates).into(),
        server_pin: sources.server_pin(certificates)?.into(),
        agent_dist_dir: settings.path("AGENT_DIST_DIR").unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// The store of agent releases.
///
/// # Errors
/// When the trusted key cannot be read.
pub fn releases(settings: &Settings) -> Result<ReleaseDeps> {
    let key = match settings.values.text("CT_OPS_RELEASE_PUBLIC_KEY") {
        Some(text) => parse_key(text).context("CT_OPS_RELEASE_PUBLIC_KEY")?,
        None => BUILT_IN_KEY,
    };
    let dist_dir = settings.path("AGENT_DIST_DIR").unwrap_or_default();
    Ok(ReleaseDeps::new(&dist_dir, key, &settings.public_url))
}

fn limit(settings: &Settings, env: &'static str) -> i32 {
    i32::try_from(settings.values.number(env)).unwrap_or(i32::MAX)
}
