//! `ct-ops serve`: every role in one process, from an empty state directory to a clean stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ctops_base::Clock;
use ctops_base::problem::error_chain;
use ctops_crypto::seal::InstallKey;
use ctops_fleet::agents::{AgentDeps, AgentTrust, RegisterLimits};
use ctops_identity::sessions::SessionAuthenticator;
use ctops_ingest::Ingest;
use ctops_ingest::tls::TlsMaterial;
use ctops_pg::notify::Notifications;
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{Handler, Queue, Topic, run_consumer};
use ctops_slice::events::EventHub;
use ctops_slice::state::Installation;
use ctops_slice::{AgentWork, AppState, Job};
use ctops_telemetry::{init_logs, init_metrics};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::composition::{Composition, Parts};
use crate::settings::{Settings, host_of};
use crate::storage::{Storage, prepare_state_dir};
use crate::tls::{ServerCertificate, own_names, write_atomically};
use crate::web::{Check, Health, WebListener, WebParts};
use crate::{install_key, web};

/// Channels of the database that this process listens on.
const CHANNELS: [&str; 2] = [ctops_pg::notify::AGENTS, ctops_pg::notify::CHANGES];
/// Time each part gets to end after the signal.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When something cannot be started, with what to do; or when the embedded database ends by itself.
pub fn run(settings: Settings) -> Result<()> {
    init_logs(settings.log_format(), settings.values.text("CT_OPS_LOG").unwrap_or("info"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<()> {
    for note in settings.values.notes() {
        tracing::warn!("{note}");
    }
    if !settings.public_url.starts_with("https://") {
        tracing::warn!("BETTER_AUTH_URL is not https, so session cookies travel without the Secure flag");
    }
    let clock = Clock::system();
    prepare_state_dir(&settings.state_dir)?;
    let install_key = install_key::load_or_create(&settings.state_dir, settings.install_secret.as_ref())?;
    let storage = Storage::open(&settings).await?;
    let ended = storage.embedded.as_ref().map(|server| server.exited());
    let server = Server::start(&settings, &storage, &install_key, clock).await?;
    tracing::info!(url = settings.public_url, agents = settings.ingest_address, "ct-ops is ready");

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
    server.stop().await;
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
    queue: Arc<Log>,
    edges: TaskTracker,
    stop_edges: CancellationToken,
    background: TaskTracker,
    stop_background: CancellationToken,
    notifications: Notifications,
}

impl Server {
    async fn start(settings: &Settings, storage: &Storage, key: &InstallKey, clock: Clock) -> Result<Self> {
        let metrics = init_metrics().context("starting metrics")?;
        ctops_queue::describe_metrics();
        ctops_ingest::describe_metrics();
        let pool = storage.pool.clone();
        let notifications =
            Notifications::start(&pool, &CHANNELS).await.context("listening for notifications")?;
        let trust =
            AgentTrust::load_or_create(&pool, key, &clock).await.context("loading certificates and keys")?;
        let trust = Arc::new(trust);
        let certificates = Certificates::load(settings, &trust, &clock)?;
        let installation = Arc::new(installation(settings, &trust, &certificates)?);
        let agents = AgentDeps {
            pool: pool.clone(),
            clock: clock.clone(),
            trust: Arc::clone(&trust),
            limits: RegisterLimits {
                per_source: limit(settings, "CT_OPS_REGISTER_PER_SOURCE"),
                per_source_and_token: limit(settings, "CT_OPS_REGISTER_PER_TOKEN"),
            },
        };
        let composition = Composition::new(Parts {
            pool: pool.clone(),
            clock: clock.clone(),
            installation: Arc::clone(&installation),
            agents: agents.clone(),
        });
        let queue = open_queue(settings, &composition.consumers, clock.clone()).await?;
        announce_setup(settings, &pool, &clock).await?;

        let state = AppState {
            pool: pool.clone(),
            clock: clock.clone(),
            events: EventHub::new(clock.clone()),
            authenticator: Arc::new(SessionAuthenticator::new(pool.clone(), clock.clone(), &installation)),
            installation,
        };
        let server = Self {
            queue: Arc::clone(&queue),
            edges: TaskTracker::new(),
            stop_edges: CancellationToken::new(),
            background: TaskTracker::new(),
            stop_background: CancellationToken::new(),
            notifications: notifications.clone(),
        };
        server.run_background(&composition, &state, &queue);
        let web_parts = WebParts {
            health: Health::new(vec![Check::Database(pool), Check::Queue(queue.clone())]),
            metrics: Some(metrics),
            jwks_json: trust.tokens().jwks_json().to_owned(),
            document_json: composition.document_json()?,
        };
        let router = web::router(composition.api, state, web_parts);
        let tls = settings.values.flag("CT_OPS_WEB_TLS").then_some(&certificates.web);
        let listener = WebListener::bind(settings.web_listen, tls).await?;
        server.edges.spawn(web::serve(listener, router, server.stop_edges.clone()));
        server.run_ingest(settings, &certificates, agents, queue, notifications, composition.agent_work).await?;
        Ok(server)
    }

    fn run_background(&self, composition: &Composition, state: &AppState, queue: &Arc<Log>) {
        for handler in &composition.consumers {
            let queue: Arc<dyn Queue> = queue.clone();
            self.background.spawn(run_consumer(
                queue,
                state.pool.clone(),
                state.clock.clone(),
                Arc::clone(handler),
                self.stop_background.clone(),
            ));
        }
        for job in &composition.jobs {
            self.background.spawn(run_job(Arc::clone(job), self.stop_background.clone()));
        }
        self.background.spawn(ctops_fleet::hosts::watch::run(
            state.clone(),
            &self.notifications,
            self.stop_background.clone(),
        ));
    }

    async fn run_ingest(
        &self,
        settings: &Settings,
        certificates: &Certificates,
        agents: AgentDeps,
        queue: Arc<Log>,
        notifications: Notifications,
        work: Vec<Arc<dyn AgentWork>>,
    ) -> Result<()> {
        let certificate = &certificates.ingest;
        let authorities = agents.trust.trusted_agent_cas().to_vec();
        let tls = TlsMaterial::new(
            agents.clock.clone(),
            &certificate.chain_pem,
            &certificate.key_pem,
            &authorities,
        )
        .context("using the certificate for agents")?;
        let listener = TcpListener::bind(settings.ingest_listen).await.with_context(|| {
            format!(
                "listening on {} for agents (CT_OPS_INGEST_BIND, INGEST_GRPC_PORT)",
                settings.ingest_listen
            )
        })?;
        let node_name =
            nix::unistd::gethostname().map_or_else(|_| "ct-ops".into(), |name| name.to_string_lossy().into());
        let limits = ctops_ingest::Limits::default();
        let ingest = Ingest { agents, queue, notifications, tls: Arc::new(tls), work, node_name, limits };
        let stop = self.stop_edges.clone();
        self.edges.spawn(async move {
            if let Err(error) = ingest.serve(listener, stop).await {
                tracing::error!(cause = %error_chain(&error), "agents can no longer be accepted");
            }
        });
        Ok(())
    }

    /// Edges first, so that nothing new arrives; then the consumers, then the queue.
    async fn stop(self) {
        self.stop_edges.cancel();
        finish(&self.edges, "web and ingest").await;
        self.stop_background.cancel();
        finish(&self.background, "consumers and jobs").await;
        self.queue.close().await;
        self.notifications.shutdown().await;
    }
}

async fn finish(tasks: &TaskTracker, what: &str) {
    tasks.close();
    if tokio::time::timeout(STOP_LIMIT, tasks.wait()).await.is_err() {
        tracing::warn!("{what} did not end in time and were cut off");
    }
}

/// Runs a job at its rhythm; a failure is logged and the job runs again next time.
async fn run_job(job: Arc<dyn Job>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(job.every());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(problem) = job.run().await {
            let cause = problem.cause_chain().unwrap_or_default();
            tracing::warn!(
                job = job.name(),
                cause,
                "job {} failed and will run again: {}",
                job.name(),
                problem.detail()
            );
        }
    }
}

/// What browsers and what agents are shown.
struct Certificates {
    web: ServerCertificate,
    ingest: ServerCertificate,
}

impl Certificates {
    fn load(settings: &Settings, trust: &AgentTrust, clock: &Clock) -> Result<Self> {
        let dir = settings.state_dir.join("tls");
        let mut extra = settings.values.list("CT_OPS_TLS_NAMES").to_vec();
        extra.push(host_of(&settings.ingest_address).trim_matches(['[', ']']).to_owned());
        let names = own_names(host_of(&settings.public_url), &extra);
        let own = ServerCertificate::load_or_make(&dir, trust.server_authority(), &names, clock.now())?;
        write_atomically(&dir.join("ca.pem"), trust.server_authority().cert_pem().as_bytes(), 0o644)?;
        let given = |files: &Option<crate::settings::TlsFiles>| match files {
            Some(files) => ServerCertificate::from_files(files),
            None => Ok(own.clone()),
        };
        Ok(Self { web: given(&settings.web_tls)?, ingest: given(&settings.ingest_tls)? })
    }
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

async fn open_queue(settings: &Settings, consumers: &[Arc<dyn Handler>], clock: Clock) -> Result<Arc<Log>> {
    let mut options = LogOptions::new(settings.state_dir.join("queue"));
    options.max_bytes = settings.values.number("CT_OPS_QUEUE_MAX_SIZE");
    options.topics = Topic::ALL.into_iter().filter(|t| consumers.iter().any(|c| c.topic() == *t)).collect();
    options.groups = consumers.iter().map(|handler| (handler.topic(), handler.group())).collect();
    if options.topics.is_empty() {
        bail!("no consumer is part of this program");
    }
    Ok(Arc::new(Log::open(options, clock).await.context("opening the queue")?))
}

/// Prints the set-up code while there is no account yet (auth 1).
async fn announce_setup(settings: &Settings, pool: &ctops_pg::Pool, clock: &Clock) -> Result<()> {
    use ctops_identity::setup::{SetupCode, prepare};
    let wanted = SetupCode::from_setting(settings.setup_code.as_ref().map(|code| code.expose()));
    if let Some(code) = prepare(pool, clock, wanted).await.context("preparing the first-run set-up")? {
        tracing::info!(
            "first visit: open {} and set up the first account with the code {code}",
            settings.public_url
        );
    }
    Ok(())
}
