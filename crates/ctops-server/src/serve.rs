//! One process of the server in one role, or in all of them: from its settings to a clean stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ctops_base::Clock;
use ctops_base::id::new_id;
use ctops_base::problem::error_chain;
use ctops_ingest::{Ingest, Limits};
use ctops_pg::leader::Candidate;
use ctops_pg::notify::Notifications;
use ctops_queue::{Queue, run_consumer};
use ctops_settings::system::RunLog;
use ctops_telemetry::init_logs;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assembly::Assembly;
use crate::queue::{self, ServerQueue};
use crate::queue_claim::QueueClaim;
use crate::roles::{ConsumerGroup, ServerRole};
use crate::settings::Settings;
use crate::storage::{Storage, prepare_state_dir};
use crate::web::{Check, Health, InternalParts, WebListener, WebParts};
use crate::{install_key, jobs, web};

/// Time the edges get to end after the signal: the drain of ingest (30 s), its handover and last announcement.
const EDGES_LIMIT: Duration = Duration::from_secs(40);
/// Time agents get to find another node before their hosts count as offline.
const HANDOVER: Duration = Duration::from_secs(3);
/// Open files below which the server says so at start: 10,000 agents and room for everything else.
const FILES_WANTED: u64 = 12_000;
/// Time consumers and jobs get to end.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(20);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When something cannot be started, with what to do; or when the embedded database ends by itself. The settings must
/// have passed [`ServerRole::check`].
pub fn run(settings: Settings, role: ServerRole) -> Result<()> {
    init_logs(settings.log_format(), settings.values.text("CT_OPS_LOG").unwrap_or("info"))?;
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(settings, role))
}

/// Takes all open files that the system grants: every connected agent is one, and a shell's usual limit is 1,024.
fn allow_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(files) if files < FILES_WANTED => {
            tracing::info!(
                "{files} open files are allowed, which bounds the connected agents; raise LimitNOFILE"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

async fn serve(settings: Settings, role: ServerRole) -> Result<()> {
    for note in settings.values.notes() {
        tracing::warn!("{note}");
    }
    if role.serves_web() && !settings.public_url.starts_with("https://") {
        tracing::warn!("BETTER_AUTH_URL is not https, so session cookies travel without the Secure flag");
    }
    let clock = Clock::system();
    prepare_state_dir(&settings.state_dir)?;
    let install_key = install_key::load_or_create(&settings.state_dir, settings.install_secret.as_ref())?;
    let storage = Storage::open(&settings).await?;
    let ended = storage.embedded.as_ref().map(|server| server.exited());
    let assembly = Assembly::new(&settings, role, &storage, &install_key, clock).await?;
    let server = Server::start(&settings, role, assembly).await?;
    tracing::info!(
        role = role.name(),
        url = settings.public_url,
        agents = settings.ingest_address,
        "ct-ops is ready"
    );

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let outcome = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        how = database_end(ended) => {
            Err(anyhow::anyhow!("the embedded database ended ({how}); see its log in the state directory"))
        }
    };
    tracing::info!("stopping");
    if outcome.is_err() {
        // What still asks the database is refused at once: waiting for one that is gone would only delay the next start.
        storage.pool.close().await;
    }
    server.stop(outcome.is_ok()).await;
    storage.close().await?;
    tracing::info!("stopped");
    outcome
}

/// Resolves when the embedded database ends by itself; never when there is none.
async fn database_end(ended: Option<impl Future<Output = String>>) -> String {
    match ended {
        Some(ended) => ended.await,
        None => std::future::pending().await,
    }
}

/// The running parts of this process.
struct Server {
    /// Time between the loss of readiness and the end of the listeners.
    notice: Duration,
    health: Health,
    queue: Option<ServerQueue>,
    edges: TaskTracker,
    stop_edges: CancellationToken,
    background: TaskTracker,
    stop_background: CancellationToken,
    /// Health and metrics: there until the last moment.
    internal: TaskTracker,
    stop_internal: CancellationToken,
    notifications: Notifications,
}

impl Server {
    async fn start(settings: &Settings, role: ServerRole, mut assembly: Assembly) -> Result<Self> {
        let queue = assembly.queue.take();
        let mut checks = vec![Check::Database(assembly.state.pool.clone())];
        checks.extend(queue.as_ref().map(|queue| Check::Queue(queue.handle())));
        let label = format!("{} {} ({})", host_name(), role.name(), std::process::id());
        let claim = match &queue {
            Some(queue) => Some(QueueClaim::take(&assembly.state.pool, queue, label.clone()).await?),
            None => None,
        };
        let server = Self {
            notice: settings.duration("CT_OPS_DRAIN_NOTICE"),
            health: Health::new(checks),
            queue,
            edges: TaskTracker::new(),
            stop_edges: CancellationToken::new(),
            background: TaskTracker::new(),
            stop_background: CancellationToken::new(),
            internal: TaskTracker::new(),
            stop_internal: CancellationToken::new(),
            notifications: assembly.notifications.clone(),
        };
        server.internal.spawn(keep(claim, server.stop_internal.clone()));
        server.run_background(role, label, &assembly);
        if role.accepts_agents() {
            server.run_ingest(settings, &assembly).await?;
        }
        if role.serves_web() {
            announce_setup(settings, &assembly).await?;
            server.run_web(settings, &mut assembly).await?;
        } else {
            server.run_internal(settings, role, &assembly).await?;
        }
        server.background.spawn(assembly.certificates.run(server.stop_background.clone()));
        Ok(server)
    }

    fn run_background(&self, role: ServerRole, label: String, assembly: &Assembly) {
        let state = &assembly.state;
        if let Some(queue) = &self.queue {
            for handler in &assembly.composition.consumers {
                self.background.spawn(run_consumer(
                    queue.handle(),
                    state.pool.clone(),
                    state.clock.clone(),
                    Arc::clone(handler),
                    self.stop_background.clone(),
                ));
            }
        }
        let runs = RunLog::new(state.pool.clone(), state.clock.clone(), label.clone());
        let candidate = Candidate::new(state.pool.clone(), jobs::LEASE_NAME, new_id(), label);
        let leading = jobs::run(
            assembly.composition.jobs.clone(),
            candidate,
            runs,
            self.notifications.clone(),
            self.stop_background.clone(),
        );
        self.background.spawn(leading);
        self.background.spawn(assembly.licensing.follow(&self.notifications, self.stop_background.clone()));
        if role.serves_web() {
            self.background.spawn(ctops_fleet::hosts::watch::run(
                state.clone(),
                &self.notifications,
                self.stop_background.clone(),
            ));
        }
    }

    async fn run_web(&self, settings: &Settings, assembly: &mut Assembly) -> Result<()> {
        let parts = WebParts {
            health: self.health.clone(),
            metrics: Some(assembly.metrics.clone()),
            jwks_json: assembly.agents.trust.tokens().jwks_json().to_owned(),
            document_json: assembly.composition.document_json()?,
        };
        let api = std::mem::take(&mut assembly.composition.api);
        let router = web::router(api, assembly.state.clone(), parts);
        let listener =
            WebListener::bind(settings.web_listen, assembly.certificates.web.clone()).await.with_context(
                || format!("listening on {} for browsers (CT_OPS_WEB_LISTEN)", settings.web_listen),
            )?;
        self.edges.spawn(web::serve(listener, router, self.stop_edges.clone()));
        Ok(())
    }

    /// The plain listener of processes without a web server (wire contract 12.1).
    async fn run_internal(&self, settings: &Settings, role: ServerRole, assembly: &Assembly) -> Result<()> {
        let (address, setting) = internal_address(settings, role);
        let parts = InternalParts {
            health: self.health.clone(),
            metrics: assembly.metrics.clone(),
            jwks_json: assembly.agents.trust.tokens().jwks_json().to_owned(),
        };
        let listener = WebListener::bind(address, None).await.with_context(|| {
            format!("listening on {address} for health and metrics (CT_OPS_INTERNAL_BIND, {setting})")
        })?;
        self.internal.spawn(web::serve(listener, web::internal_router(parts), self.stop_internal.clone()));
        Ok(())
    }

    async fn run_ingest(&self, settings: &Settings, assembly: &Assembly) -> Result<()> {
        let (Some(queue), Some(tls)) = (&self.queue, &assembly.certificates.ingest) else {
            bail!("{} accepts agents without a queue or a certificate", settings.ingest_listen);
        };
        let listener = TcpListener::bind(settings.ingest_listen).await.with_context(|| {
            format!(
                "listening on {} for agents (CT_OPS_INGEST_BIND, INGEST_GRPC_PORT)",
                settings.ingest_listen
            )
        })?;
        let handover = if queue::is_shared(settings) { HANDOVER } else { Duration::ZERO };
        let ingest = Ingest {
            agents: assembly.agents.clone(),
            queue: queue.handle() as Arc<dyn Queue>,
            notifications: assembly.notifications.clone(),
            work: assembly.composition.agent_work.clone(),
            tls: Arc::clone(tls),
            node_name: host_name(),
            limits: Limits { handover, ..Limits::default() },
        };
        let stop = self.stop_edges.clone();
        self.edges.spawn(async move {
            if let Err(error) = ingest.serve(listener, stop).await {
                tracing::error!(cause = %error_chain(&error), "agents can no longer be accepted");
            }
        });
        Ok(())
    }

    /// Readiness first, so that balancers look elsewhere; then the edges, so that nothing new arrives; then the consumers,
    /// then the queue.
    async fn stop(self, orderly: bool) {
        self.health.drain();
        if orderly {
            tokio::time::sleep(self.notice).await;
        }
        self.stop_edges.cancel();
        finish(&self.edges, "web and ingest", EDGES_LIMIT).await;
        self.stop_background.cancel();
        finish(&self.background, "consumers and jobs", BACKGROUND_LIMIT).await;
        if let Some(queue) = &self.queue {
            queue.close().await;
        }
        self.stop_internal.cancel();
        finish(&self.internal, "the internal listener", BACKGROUND_LIMIT).await;
        self.notifications.shutdown().await;
    }
}

async fn keep(claim: Option<QueueClaim>, shutdown: CancellationToken) {
    if let Some(claim) = claim {
        claim.keep(shutdown).await;
    }
}

async fn finish(tasks: &TaskTracker, what: &str, limit: Duration) {
    tasks.close();
    if tokio::time::timeout(limit, tasks.wait()).await.is_err() {
        tracing::warn!("{what} did not end in time and were cut off");
    }
}

/// Where a process without a web server answers, and the setting of the port.
fn internal_address(settings: &Settings, role: ServerRole) -> (SocketAddr, &'static str) {
    let (default, setting) = match role {
        ServerRole::Consume(ConsumerGroup::Metrics) => (8081, "CT_OPS_CONSUME_HTTP_PORT"),
        ServerRole::Consume(ConsumerGroup::Alerts) => (8082, "CT_OPS_CONSUME_HTTP_PORT"),
        ServerRole::Consume(ConsumerGroup::Events) => (8083, "CT_OPS_CONSUME_HTTP_PORT"),
        ServerRole::All | ServerRole::Web | ServerRole::Ingest => (8080, "INGEST_HTTP_PORT"),
    };
    // An unset port reads as 0.
    let port =
        u16::try_from(settings.values.number(setting)).ok().filter(|port| *port > 0).unwrap_or(default);
    (SocketAddr::new(settings.internal_bind, port), setting)
}

/// The name of this machine, for people.
pub(crate) fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "ct-ops".into(), |name| name.to_string_lossy().into())
}

/// Prints the set-up code while there is no account yet (auth 1).
async fn announce_setup(settings: &Settings, assembly: &Assembly) -> Result<()> {
    use ctops_identity::setup::{SetupCode, prepare};
    let wanted = SetupCode::from_setting(settings.setup_code.as_ref().map(|code| code.expose()));
    let (pool, clock) = (&assembly.state.pool, &assembly.state.clock);
    if let Some(code) = prepare(pool, clock, wanted).await.context("preparing the first-run set-up")? {
        tracing::info!(
            "first visit: open {} and set up the first account with the code {code}",
            settings.public_url
        );
    }
    Ok(())
}
