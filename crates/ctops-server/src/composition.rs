//! Slices and state put together. Nothing else lists the features.

use std::sync::Arc;

use axum::Router;
use ctops_base::Clock;
use ctops_fleet::agents::AgentDeps;
use ctops_identity::passwords::Passwords;
use ctops_pg::Pool;
use ctops_slice::agents::EventsConsumer;
use ctops_slice::slice::OperationInfo;
use ctops_slice::state::Installation;
use ctops_slice::{AgentEvents, AgentWork, AppState, Job, Permission, Slice};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

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
        let other_permissions =
            slices.iter().flat_map(|s| s.declared_permissions().iter().copied()).collect();
        slices.extend(ctops_identity::slices(ctops_identity::Deps {
            pool: parts.pool,
            clock: parts.clock,
            installation: parts.installation,
            passwords: Passwords::new(),
            other_permissions,
        }));
        Self::of(slices)
    }

    fn of(slices: Vec<Slice>) -> Self {
        let mut operations: Vec<OperationInfo> = Vec::new();
        let mut permissions: Vec<&'static Permission> = Vec::new();
        let mut consumers: Vec<Arc<dyn ctops_queue::Handler>> = Vec::new();
        let mut agent_work = Vec::new();
        let mut agent_events: Vec<Arc<dyn AgentEvents>> = Vec::new();
        let mut jobs = Vec::new();
        let mut router = OpenApiRouter::with_openapi(document_frame());
        for slice in slices {
            operations.extend_from_slice(slice.operations());
            permissions.extend_from_slice(slice.declared_permissions());
            consumers.extend_from_slice(slice.consumers());
            jobs.extend_from_slice(slice.jobs());
            agent_work.extend_from_slice(slice.works());
            agent_events.extend_from_slice(slice.event_takers());
            router = router.merge(slice.into_router());
        }
        consumers.push(Arc::new(EventsConsumer::new(agent_events)));
        operations.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
        permissions.sort_by_key(|permission| permission.name);
        let (api, document) = router.split_for_parts();
        Self { api, document, operations, permissions, consumers, jobs, agent_work }
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
