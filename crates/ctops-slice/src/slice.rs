//! The one object a slice hands to the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::Request;
use axum::http::{Extensions, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ctops_base::{Problem, ProblemKind};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use uuid::Uuid;

use crate::actor::{Access, Actor, Credential, Permission};
use crate::agents::{AgentEvents, AgentWork};
use crate::http::ApiError;
use crate::licence::{Entitlements, Feature};
use crate::settings::{PageInfo, SettingsPage};
use crate::state::AppState;

/// One feature: its routes with the access each demands, its queue consumers, its periodic jobs, and its work for agents.
pub struct Slice {
    name: &'static str,
    permissions: Vec<&'static Permission>,
    router: OpenApiRouter<AppState>,
    operations: Vec<OperationInfo>,
    consumers: Vec<Arc<dyn ctops_queue::Handler>>,
    jobs: Vec<Arc<dyn Job>>,
    agent_work: Vec<Arc<dyn AgentWork>>,
    agent_events: Vec<Arc<dyn AgentEvents>>,
    settings_pages: Vec<PageInfo>,
}

/// What the permission matrix knows about one operation.
#[derive(Clone, Debug)]
pub struct OperationInfo {
    /// Slice that serves it.
    pub slice: &'static str,
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path below the API root, with `{placeholders}`.
    pub path: String,
    /// Operation id, equal to the handler's name.
    pub id: String,
    /// What it demands.
    pub access: Access,
}

/// A periodic reconciler: idempotent, without input, safe to run on two nodes at once.
#[async_trait]
pub trait Job: Send + Sync {
    /// Name in logs and metrics.
    fn name(&self) -> &'static str;
    /// Pause between two runs.
    fn every(&self) -> Duration;
    /// One run.
    ///
    /// # Errors
    /// Whatever stopped it; the runner logs it and runs the job again later.
    async fn run(&self) -> Result<(), Problem>;
}

impl Slice {
    /// An empty slice.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            permissions: Vec::new(),
            router: OpenApiRouter::new(),
            operations: Vec::new(),
            consumers: Vec::new(),
            jobs: Vec::new(),
            agent_work: Vec::new(),
            agent_events: Vec::new(),
            settings_pages: Vec::new(),
        }
    }

    /// Declares the permissions this slice checks.
    #[must_use]
    pub fn permissions(mut self, permissions: &[&'static Permission]) -> Self {
        self.permissions.extend_from_slice(permissions);
        self
    }

    /// Adds the operations of `routes!(handler)`, each behind `access`.
    #[must_use]
    pub fn operation(mut self, access: Access, routes: UtoipaMethodRouter<AppState>) -> Self {
        let (schemas, mut paths, methods) = routes;
        for (path, item) in &mut paths.paths {
            for (method, operation) in operations_of(item) {
                mark(operation, access);
                self.operations.push(OperationInfo {
                    slice: self.name,
                    method: method.to_owned(),
                    path: path.clone(),
                    id: operation.operation_id.clone().unwrap_or_default(),
                    access,
                });
            }
        }
        let gate =
            axum::middleware::from_fn(move |request: Request, next: Next| admit(access, request, next));
        self.router = self.router.routes((schemas, paths, methods.layer(gate)));
        self
    }

    /// Adds a queue consumer.
    #[must_use]
    pub fn consumer(mut self, handler: Arc<dyn ctops_queue::Handler>) -> Self {
        self.consumers.push(handler);
        self
    }

    /// Adds a periodic job.
    #[must_use]
    pub fn job(mut self, job: Arc<dyn Job>) -> Self {
        self.jobs.push(job);
        self
    }

    /// Adds work for agents.
    #[must_use]
    pub fn agent_work(mut self, work: Arc<dyn AgentWork>) -> Self {
        self.agent_work.push(work);
        self
    }

    /// Adds a taker of what agents deliver.
    #[must_use]
    pub fn agent_events(mut self, events: Arc<dyn AgentEvents>) -> Self {
        self.agent_events.push(events);
        self
    }

    /// Adds a page of settings.
    #[must_use]
    pub fn settings_page<P: SettingsPage>(mut self) -> Self {
        self.settings_pages.push(PageInfo::of::<P>());
        self
    }

    /// Its pages of settings.
    pub fn settings_pages(&self) -> &[PageInfo] {
        &self.settings_pages
    }

    /// Name of the slice.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Permissions it declared.
    pub fn declared_permissions(&self) -> &[&'static Permission] {
        &self.permissions
    }

    /// Its operations.
    pub fn operations(&self) -> &[OperationInfo] {
        &self.operations
    }

    /// Its consumers.
    pub fn consumers(&self) -> &[Arc<dyn ctops_queue::Handler>] {
        &self.consumers
    }

    /// Its jobs.
    pub fn jobs(&self) -> &[Arc<dyn Job>] {
        &self.jobs
    }

    /// Its work for agents.
    pub fn works(&self) -> &[Arc<dyn AgentWork>] {
        &self.agent_work
    }

    /// Its takers of what agents deliver.
    pub fn event_takers(&self) -> &[Arc<dyn AgentEvents>] {
        &self.agent_events
    }

    /// Its routes and their part of the API document.
    pub fn into_router(self) -> OpenApiRouter<AppState> {
        self.router
    }
}

/// Refuses callers that do not meet `access`, before the handler sees the request. An API key looks at its owner's
/// account and changes nothing of it (auth 21).
async fn admit(access: Access, request: Request, next: Next) -> Response {
    let admitted = may_pass(access, request.method(), request.extensions());
    let licensed = match (access.feature(), request.extensions().get::<Actor>()) {
        (Some(feature), Some(actor)) if admitted.is_ok() => {
            let entitlements = request.extensions().get::<Arc<dyn Entitlements>>().cloned();
            entitlements.map(|entitlements| (feature, actor.org_id, entitlements))
        }
        _ => None,
    };
    let admitted = match licensed {
        Some((feature, org_id, entitlements)) => require(feature, org_id, entitlements.as_ref()).await,
        None => admitted,
    };
    match admitted {
        Err(problem) => ApiError::from(problem).into_response(),
        Ok(()) => next.run(request).await,
    }
}

fn may_pass(access: Access, method: &Method, extensions: &Extensions) -> Result<(), Problem> {
    let actor = extensions.get::<Actor>();
    access.admit(actor)?;
    if access.feature().is_some() && extensions.get::<Arc<dyn Entitlements>>().is_none() {
        return Err(Problem::internal("the guard did not run before the handler"));
    }
    match actor.map(|actor| &actor.credential) {
        Some(Credential::ApiKey { .. }) if matches!(access, Access::OwnAccount) && !method.is_safe() => {
            Err(Problem::new(ProblemKind::Forbidden, "forbidden", "API keys may not do this"))
        }
        _ => Ok(()),
    }
}

async fn require(feature: Feature, org_id: Uuid, entitlements: &dyn Entitlements) -> Result<(), Problem> {
    entitlements.of(org_id).await?.require(feature)
}

fn operations_of(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    [
        ("GET", item.get.as_mut()),
        ("PUT", item.put.as_mut()),
        ("POST", item.post.as_mut()),
        ("DELETE", item.delete.as_mut()),
        ("PATCH", item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
    .collect()
}

/// Writes the access into the API document: the UI and the matrix read it there.
fn mark(operation: &mut Operation, access: Access) {
    let extension =
        utoipa::openapi::extensions::ExtensionsBuilder::new().add("x-access", access.name()).build();
    match &mut operation.extensions {
        Some(existing) => existing.merge(extension),
        none => *none = Some(extension),
    }
}
