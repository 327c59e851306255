//! The whole run: starts the agents over the ramp, tells the progress, ends by itself.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ctops_agent::dial::{Connection, DialError, Dialer};
use ctops_agent::settings::Address;
use ctops_agent::shutdown::{self, Shutdown};
use ctops_agent::timing::Timing;
use ctops_agent::trust::ServerTrust;
use ctops_base::Clock;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::member::Member;
use crate::options::Options;
use crate::score::Score;
use serde_json::Value;

/// For one connection, and for one answer to a registration.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// For the agents to end; they give outstanding acknowledgements less.
const FAREWELL: Duration = Duration::from_secs(15);
/// Between writes of the ledger to its file, and looks at the streams.
const FLUSH: Duration = Duration::from_millis(200);

/// What all simulated agents share.
#[derive(Debug)]
pub struct Fleet {
    pub(crate) options: Options,
    pub(crate) score: Score,
    pub(crate) clock: Clock,
    pub(crate) timing: Timing,
    pub(crate) registering: Semaphore,
    address: Address,
    trust: ServerTrust,
    /// Connections for registrations, by local address.
    shared: Mutex<HashMap<Option<IpAddr>, Shared>>,
}

/// A connection and how many more registrations it may carry.
type Shared = (Arc<Connection>, usize);

impl Fleet {
    /// A fleet ready to start.
    ///
    /// # Errors
    /// When the address is not `host:port` or the ledger cannot be made.
    pub fn new(options: Options) -> anyhow::Result<Self> {
        let trust = match (&options.ca_cert, options.tls_skip_verify) {
            (_, true) => ServerTrust::Unverified,
            (Some(path), false) => ServerTrust::Anchors(path.clone()),
            (None, false) => ServerTrust::System,
        };
        Ok(Self {
            address: options.address.parse()?,
            trust,
            score: Score::new(options.ledger.as_deref()).context("the ledger cannot be made")?,
            clock: Clock::system(),
            timing: Timing {
                backoff_cap: options.max_backoff,
                ..Timing::standard(options.heartbeat_interval)
            },
            registering: Semaphore::new(options.registration_concurrency),
            shared: Mutex::default(),
            options,
        })
    }

    /// Runs until the time is up or `shutdown` is wished; returns the summary, a JSON object.
    ///
    /// # Errors
    /// When the token or the server does not work, or the ledger cannot be written.
    pub async fn run(self, mut shutdown: Shutdown) -> anyhow::Result<Value> {
        let fleet = Arc::new(self);
        let (stopper, stop) = shutdown::channel();
        let (started, started_at) = (Instant::now(), fleet.clock.now().to_rfc3339());
        let Some(preflight) = shutdown.or(Box::pin(Member::preflight(fleet.clone()))).await else {
            return Ok(fleet.summary(&started_at, started));
        };
        preflight?;
        let mut members = JoinSet::new();
        for index in 0..fleet.options.agents {
            members.spawn(Member::new(fleet.clone(), index)?.live(stop.clone()));
        }
        let length = fleet.options.duration;
        let end = async { if length.is_zero() { std::future::pending().await } else { sleep(length).await } };
        tokio::select! {
            () = shutdown.wait() => {}
            () = end => {}
            result = fleet.observe(started) => result?,
            // Agents end before the time only when they were refused for good.
            () = async { while members.join_next().await.is_some() {} } => {}
        }
        stopper.stop();
        // Whoever has not said goodbye by then is cut off.
        let _ = timeout(FAREWELL, async { while members.join_next().await.is_some() {} }).await;
        members.shutdown().await;
        fleet.score.flush()?;
        Ok(fleet.summary(&started_at, started))
    }

    fn summary(&self, started_at: &str, started: Instant) -> Value {
        self.score.summary(&self.options.run_id, started_at, started.elapsed(), self.options.agents)
    }

    /// A connection for one registration. Up to `-conn-fanout` of them share one that carries no certificate.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(crate) async fn registration_connection(&self, index: usize) -> Result<Arc<Connection>, DialError> {
        let source = self.options.source(index);
        let mut shared = self.shared.lock().await;
        if let Some((connection, left)) = shared.get_mut(&source)
            && *left > 0
            && !connection.is_closed()
        {
            *left -= 1;
            return Ok(Arc::clone(connection));
        }
        if self.options.conn_fanout > 1 {
            let connection = Arc::new(self.dialer(index).dial(None).await?);
            shared.insert(source, (Arc::clone(&connection), self.options.conn_fanout - 1));
            return Ok(connection);
        }
        drop(shared);
        self.dialer(index).dial(None).await.map(Arc::new)
    }

    /// Tells the progress and keeps the ledger on disk; ends only with an error.
    async fn observe(&self, started: Instant) -> anyhow::Result<()> {
        let mut told = Instant::now();
        loop {
            sleep(FLUSH).await;
            self.score.flush()?;
            let all = u64::try_from(self.options.agents).unwrap_or(u64::MAX);
            if self.score.all_open_after_ms.get() == 0 && self.score.streams_open.get() >= all {
                self.score.all_open(started.elapsed());
            }
            if told.elapsed() >= self.options.stats_interval {
                told = Instant::now();
                eprintln!("{}", self.score.line(started.elapsed()));
            }
        }
    }

    /// How agent number `index` connects.
    pub(crate) fn dialer(&self, index: usize) -> Dialer {
        Dialer {
            address: self.address.clone(),
            trust: self.trust.clone(),
            local: self.options.source(index),
            patience: PATIENCE,
        }
    }
}
