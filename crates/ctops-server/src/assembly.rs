//! Everything a process needs before it opens a listener: the same for every role.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ctops_base::Clock;
use ctops_crypto::seal::InstallKey;
use ctops_fleet::agents::{AgentDeps, AgentTrust, RegisterLimits};
use ctops_identity::sessions::SessionAuthenticator;
use ctops_pg::notify::Notifications;
use ctops_slice::AppState;
use ctops_slice::events::EventHub;
use ctops_slice::state::Installation;
use ctops_telemetry::{MetricsPage, init_metrics};

use crate::certificates::Certificates;
use crate::composition::{Composition, Parts};
use crate::queue::{self, ServerQueue};
use crate::roles::ServerRole;
use crate::settings::Settings;
use crate::storage::Storage;

/// Channels of the database that this process listens on.
const CHANNELS: [&str; 2] = [ctops_pg::notify::AGENTS, ctops_pg::notify::CHANGES];

/// The parts, not running yet.
pub struct Assembly {
    /// Metrics of this process.
    pub metrics: MetricsPage,
    /// Notifications of the database.
    pub notifications: Notifications,
    /// Certificates for browsers and agents.
    pub certificates: Certificates,
    /// What registration and certificates of agents need.
    pub agents: AgentDeps,
    /// The slices.
    pub composition: Composition,
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
        let certificates = Certificates::load(settings, &trust, &clock)?;
        let installation = Arc::new(installation(settings, &trust, &certificates)?);
        let agents = AgentDeps {
            pool: pool.clone(),
            clock: clock.clone(),
            trust: Arc::new(trust),
            limits: RegisterLimits {
                per_source: limit(settings, "CT_OPS_REGISTER_PER_SOURCE"),
                per_source_and_token: limit(settings, "CT_OPS_REGISTER_PER_TOKEN"),
            },
        };
        let mut composition = Composition::new(Parts {
            pool: pool.clone(),
            clock: clock.clone(),
            installation: Arc::clone(&installation),
            agents: agents.clone(),
        });
        let queue = match role.needs_queue() {
            true => Some(queue::open(settings, &composition.consumers, clock.clone()).await?),
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
            authenticator: Arc::new(SessionAuthenticator::new(pool, clock, &installation)),
            installation,
        };
        Ok(Self { metrics, notifications, certificates, agents, composition, state, queue })
    }
}

/// Describes every metric of the program to the installed recorder.
pub fn describe_metrics() {
    ctops_queue::describe_metrics();
    ctops_ingest::describe_metrics();
}

fn installation(
    settings: &Settings,
    trust: &AgentTrust,
    certificates: &Certificates,
) -> Result<Installation> {
    let server_ca_pem = match settings.ingest_tls {
        None => trust.server_authority().cert_pem().to_owned(),
        Some(_) => certificates.ingest.chain_pem.clone(),
    };
    let serves_own_certificate = settings.values.flag("CT_OPS_WEB_TLS") && settings.web_tls.is_none();
    Ok(Installation {
        public_url: settings.public_url.clone(),
        trusted_origins: settings.values.list("BETTER_AUTH_TRUSTED_ORIGINS").to_vec(),
        trust_proxy_headers: settings.values.flag("CT_OPS_TRUST_PROXY_HEADERS"),
        require_email_verification: settings.values.flag("REQUIRE_EMAIL_VERIFICATION"),
        session_lifetime: settings.duration("CT_OPS_SESSION_LIFETIME"),
        session_idle: settings.duration("CT_OPS_SESSION_IDLE"),
        ingest_address: settings.ingest_address.clone(),
        server_ca_pem,
        server_pin: serves_own_certificate.then(|| certificates.web.public_key_pin()).transpose()?,
        agent_dist_dir: settings.path("AGENT_DIST_DIR").unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

fn limit(settings: &Settings, env: &'static str) -> i32 {
    i32::try_from(settings.values.number(env)).unwrap_or(i32::MAX)
}
