//! Slices and state put together. Nothing else lists the features.

use std::sync::Arc;

use axum::Router;
use ctops_base::Clock;
use ctops_crypto::seal::InstallKey;
use ctops_egress::Egress;
use ctops_fleet::agents::AgentDeps;
use ctops_fleet::bulk_delete::AdminKey;
use ctops_identity::passwords::Passwords;
use ctops_licensing::Licensing;
use ctops_pg::Pool;
use ctops_settings::mail::EnvironmentRelay;
use ctops_settings::system::ServerFacts;
use ctops_slice::agents::EventsConsumer;
use ctops_slice::licence::Entitlements;
use ctops_slice::settings::Overrides;
use ctops_slice::slice::OperationInfo;
use ctops_slice::state::Installation;
use ctops_slice::{AgentEvents, AgentWork, AppState, Job, Permission, Slice};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::dead_letters;
use crate::settings::host_of;

/// The committed API document, as built into this program.
const COMMITTED_DOCUMENT: &str = include_str!("../../../api/openapi.json");

/// What slices are made from.
pub struct Parts {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// The facts of this installation.
    pub installation: Arc<Installation>,
    /// What registration and certificates need.
    pub agents: AgentDeps,
    /// Seals secrets in the database.
    pub install_key: Arc<InstallKey>,
    /// Lets load tests delete their hosts.
    pub bulk_delete_key: Option<AdminKey>,
    /// What organisations may use.
    pub entitlements: Arc<dyn Entitlements>,
    /// The way out of this network.
    pub egress: Egress,
    /// Licences of all organisations.
    pub licensing: Licensing,
    /// Where the list of revoked licences is fetched from.
    pub revocation_url: Option<String>,
    /// What the settings area learns from the process.
    pub settings: SettingsParts,
}

/// What the settings area learns from the process.
pub struct SettingsParts {
    /// What the environment fixes.
    pub overrides: Arc<Overrides>,
    /// The mail relay that the environment names.
    pub relay: Option<EnvironmentRelay>,
    /// What only the process knows about its health.
    pub facts: Arc<dyn ServerFacts>,
}

/// Everything the slices bring, sorted by who runs it.
pub struct Composition {
    /// The API's routes, below `/api/v1`.
    pub api: Router<AppState>,
    /// The API document.
    pub document: OpenApi,
    /// Every operation with its access rule.
    pub operations: Vec<OperationInfo>,
    /// Every declared permission.
    pub permissions: Vec<&'static Permission>,
    /// Topic and group of every queue consumer, also of those that other processes run.
    pub reads: Vec<(ctops_queue::Topic, &'static str)>,
    /// Queue consumers.
    pub consumers: Vec<Arc<dyn ctops_queue::Handler>>,
    /// Periodic jobs.
    pub jobs: Vec<Arc<dyn Job>>,
    /// Work for agents, asked by ingest.
    pub agent_work: Vec<Arc<dyn AgentWork>>,
}

impl Composition {
    /// Puts all areas together.
    pub fn new(parts: Parts) -> Self {
        let mut slices = ctops_fleet::slices(&parts.agents);
        slices.push(ctops_fleet::bulk_delete::slice(&parts.agents, parts.bulk_delete_key));
        slices.extend(ctops_monitoring::slices(&ctops_monitoring::Deps {
            pool: parts.pool.clone(),
            clock: parts.clock.clone(),
            install_key: Arc::clone(&parts.install_key),
        }));
        slices.extend(ctops_audit::slices(&ctops_audit::Deps {
            pool: parts.pool.clone(),
            clock: parts.clock.clone(),
            seal: Arc::clone(&parts.install_key),
            entitlements: parts.entitlements,
            egress: parts.egress.clone(),
        }));
        slices.extend(ctops_federation::slices(&ctops_federation::Deps {
            pool: parts.pool.clone(),
            clock: parts.clock.clone(),
        }));
        slices.extend(ctops_licensing::slices(&ctops_licensing::Deps {
            pool: parts.pool.clone(),
            clock: parts.clock.clone(),
            seal: Arc::clone(&parts.install_key),
            egress: parts.egress.clone(),
            licensing: parts.licensing,
            revocation_url: parts.revocation_url,
            public_url: parts.installation.public_url.clone(),
        }));
        let directory = ctops_directory::area();
        slices.extend(directory.slices);
        let of_slices = slices.iter().flat_map(|s| s.declared_permissions().iter().copied());
        let others = ctops_settings::PERMISSIONS.into_iter().chain([&dead_letters::SYSTEM_DEAD_LETTERS]);
        let other_permissions = of_slices.chain(others).collect();
        let settings = settings_deps(
            &parts.pool,
            &parts.clock,
            &parts.install_key,
            &parts.egress,
            &parts.installation,
            parts.settings,
        );
        let (pool, clock) = (parts.pool.clone(), parts.clock.clone());
        slices.extend(ctops_identity::slices(ctops_identity::Deps {
            pool: parts.pool,
            clock: parts.clock,
            installation: parts.installation,
            passwords: Passwords::new(),
            other_permissions,
            reauthenticate: ctops_federation::reauthentication()
                .into_iter()
                .chain([directory.reauthenticate])
                .collect(),
        }));
        let pages: Vec<_> = slices.iter().flat_map(|slice| slice.settings_pages().iter().copied()).collect();
        slices.extend(ctops_settings::slices(&settings, pages));
        let handlers = handlers(&slices);
        slices.push(dead_letters::slice(pool, clock, handlers.clone()));
        Self::of(slices, handlers)
    }

    fn of(slices: Vec<Slice>, consumers: Vec<Arc<dyn ctops_queue::Handler>>) -> Self {
        let mut operations: Vec<OperationInfo> = Vec::new();
        let mut permissions: Vec<&'static Permission> = Vec::new();
        let mut agent_work = Vec::new();
        let mut jobs = Vec::new();
        let mut router = OpenApiRouter::with_openapi(document_frame());
        for slice in slices {
            operations.extend_from_slice(slice.operations());
            permissions.extend_from_slice(slice.declared_permissions());
            jobs.extend_from_slice(slice.jobs());
            agent_work.extend_from_slice(slice.works());
            router = router.merge(slice.into_router());
        }
        operations.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
        permissions.sort_by_key(|permission| permission.name);
        let (api, document) = router.split_for_parts();
        let reads = consumers.iter().map(|handler| (handler.topic(), handler.group())).collect();
        Self { reads, api, document, operations, permissions, consumers, jobs, agent_work }
    }

    /// The API document as committed in `api/openapi.json`.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn document_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(&self.document)?;
        text.push('\n');
        Ok(text)
    }
}

fn settings_deps(
    pool: &Pool,
    clock: &Clock,
    seal: &Arc<InstallKey>,
    egress: &Egress,
    installation: &Installation,
    parts: SettingsParts,
) -> ctops_settings::Deps {
    ctops_settings::Deps {
        pool: pool.clone(),
        clock: clock.clone(),
        seal: Arc::clone(seal),
        egress: egress.clone(),
        overrides: parts.overrides,
        relay: parts.relay,
        server_name: host_of(&installation.public_url).trim_matches(['[', ']']).to_owned(),
        facts: parts.facts,
    }
}

/// The queue consumers of the slices, with the one that hands out what agents deliver.
fn handlers(slices: &[Slice]) -> Vec<Arc<dyn ctops_queue::Handler>> {
    let mut handlers: Vec<_> = slices.iter().flat_map(|slice| slice.consumers().iter().cloned()).collect();
    let takers: Vec<Arc<dyn AgentEvents>> =
        slices.iter().flat_map(|slice| slice.event_takers().iter().cloned()).collect();
    handlers.push(Arc::new(EventsConsumer::new(takers)));
    handlers
}

/// The API document that this program serves.
pub fn api_document() -> String {
    COMMITTED_DOCUMENT.to_owned()
}

fn document_frame() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("CT-Ops API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Base path /api/v1. Sign in with a session cookie; writes with a cookie need a trusted Origin and the header \
             X-CTOps-Request. Errors are application/problem+json.",
        ))
        .license(Some(license))
        .build();
    let server = utoipa::openapi::ServerBuilder::new().url("/api/v1").build();
    OpenApiBuilder::new().info(info).servers(Some(vec![server])).build()
}
