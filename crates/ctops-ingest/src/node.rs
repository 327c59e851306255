//! What all connections of this node share, and the node's own lease.

use std::sync::Arc;
use std::time::Duration;

use ctops_base::Problem;
use ctops_fleet::agents::{AgentDeps, NODE_LEASE_RENEWAL, NodeLease, NodeRenewal};
use ctops_pg::notify::Notifications;
use ctops_queue::Queue;
use ctops_slice::AgentWork;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::Limits;
use crate::listener;
use crate::measure;
use crate::signals::{self, Waiting};
use crate::stream::{Departed, LiveStreams, Signal};
use crate::tasks::Tasks;
use crate::tls::TlsMaterial;
use crate::work::{self, Board};

/// Time for the last announcement of a node that stops.
const LAST_ANNOUNCEMENT: Duration = Duration::from_secs(5);

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The database refused the node's lease or the list of revoked certificates. Without either it must not serve.
    #[error("ingest cannot start")]
    Start(#[source] Problem),
}

/// An ingest node, not started yet: everything it needs, by value.
pub struct Ingest {
    /// Registration, renewal, identities, trust; brings the pool and the clock.
    pub agents: AgentDeps,
    /// Where reports and status changes go.
    pub queue: Arc<dyn Queue>,
    /// Listens at least on [`ctops_pg::notify::AGENTS`].
    pub notifications: Notifications,
    /// Certificates; kept by the caller as well, to exchange them while the node runs.
    pub tls: Arc<TlsMaterial>,
    /// Features that have work for agents.
    pub work: Vec<Arc<dyn AgentWork>>,
    /// Name of this node for people, for example the host name.
    pub node_name: String,
    /// Bounds.
    pub limits: Limits,
}

/// A running node.
pub(crate) struct Node {
    pub(crate) agents: AgentDeps,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) tls: Arc<TlsMaterial>,
    pub(crate) limits: Limits,
    /// Places for downloads of releases.
    pub(crate) downloads: Arc<Semaphore>,
    pub(crate) lease: NodeLease,
    pub(crate) streams: LiveStreams,
    pub(crate) departed: Departed,
    pub(crate) waiting: Waiting,
    /// Features that have work for agents.
    pub(crate) work: Vec<Arc<dyn AgentWork>>,
    /// Questions to them.
    pub(crate) board: Board,
    /// Connections and streams; empty when the node has stopped.
    pub(crate) tasks: Tasks,
    /// No new work.
    pub(crate) stopping: CancellationToken,
    /// No time left: connections close at once.
    pub(crate) killed: CancellationToken,
}

impl Ingest {
    /// Serves agents on `listener` until `shutdown`; then ends all streams, each with its end announced, and waits for
    /// connections to close for at most the drain time.
    ///
    /// # Errors
    /// [`IngestError`] when the node cannot start. Later failures of database or queue do not stop it.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), IngestError> {
        let Self { agents, queue, notifications, tls, work: features, node_name, limits } = self;
        // Subscribed before the list is read, so that no revocation falls between the two.
        let notices = notifications.subscribe();
        let revocations = signals::Revocations::load(&agents, &tls).await.map_err(IngestError::Start)?;
        let lease = NodeLease::begin(&agents.pool, &node_name, agents.clock.now())
            .await
            .map_err(IngestError::Start)?;
        tracing::info!(node.id = %lease.id(), node.name = node_name, "ingest started");
        let node = Arc::new(Node {
            agents,
            queue,
            tls,
            downloads: Arc::new(Semaphore::new(limits.max_downloads)),
            limits,
            lease,
            streams: LiveStreams::new(),
            departed: Departed::default(),
            waiting: Waiting::default(),
            work: features,
            board: Board::default(),
            tasks: Tasks::new(),
            stopping: shutdown,
            killed: CancellationToken::new(),
        });
        // These serve the streams while they end, so they outlive `stopping`.
        let finished = CancellationToken::new();
        let background = Tasks::new();
        background.spawn(signals::run(Arc::clone(&node), notices, revocations, finished.clone()));
        background.spawn(work::run(Arc::clone(&node), finished.clone()));
        background.spawn(keep_lease(Arc::clone(&node), finished.clone()));

        listener::accept(&node, listener).await;
        node.drain().await;

        finished.cancel();
        background.finished().await;
        if let Err(problem) = node.lease.end(&node.agents.pool, node.agents.clock.now()).await {
            tracing::warn!(
                cause = problem.cause_chain(),
                "the node's lease was not given up and will run out"
            );
        }
        tracing::info!(node.id = %node.lease.id(), "ingest stopped");
        Ok(())
    }
}

impl Node {
    async fn drain(&self) {
        let deadline = Instant::now() + self.limits.drain;
        self.waiting.wake_all();
        let ended = async {
            self.streams.close(self.limits.spread).await;
            self.tasks.finished().await;
        };
        if tokio::time::timeout_at(deadline, ended).await.is_err() {
            tracing::warn!(tasks = self.tasks.running(), "streams did not end in time and were cut");
        }
        self.killed.cancel();
        if self.departed.is_empty() {
            return;
        }
        tokio::time::sleep(self.limits.handover).await;
        let announced =
            tokio::time::timeout(LAST_ANNOUNCEMENT, self.departed.announce(self.queue.as_ref())).await;
        if !matches!(announced, Ok(Ok(()))) {
            tracing::warn!("the ends of leases were not announced; they end with the lease of this node");
        }
    }
}

/// Renews the node's lease, and ends streams whose certificate was revoked although no notification came. When it had run out, every stream announces itself again, because another node may have
/// declared its agents lost.
async fn keep_lease(node: Arc<Node>, finished: CancellationToken) {
    let mut ticks = tokio::time::interval(NODE_LEASE_RENEWAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    let mut read_at = node.agents.clock.now();
    while finished.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = node.agents.clock.now();
        match node.lease.renew(&node.agents.pool, read_at, now).await {
            Ok(NodeRenewal::Kept { revoked }) => {
                (failing, read_at) = (false, now);
                if !revoked.is_empty() {
                    node.tls.revoked().extend(revoked);
                    node.streams.post_revoked(node.tls.revoked());
                }
            }
            Ok(NodeRenewal::Regained) => {
                failing = false;
                metrics::counter!(measure::LEASE_LAPSES).increment(1);
                tracing::warn!(node.id = %node.lease.id(), "the node's lease had run out and was regained");
                node.streams.post_all(Signal::BeginAgain);
            }
            Err(problem) if failing => tracing::debug!(cause = problem.cause_chain(), "lease not renewed"),
            Err(problem) => {
                failing = true;
                tracing::warn!(cause = problem.cause_chain(), "the node's lease could not be renewed");
            }
        }
    }
}
