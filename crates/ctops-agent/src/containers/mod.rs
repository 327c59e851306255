//! Containers of this host: runtime status, inventory and use of resources, read from the engine's API on its socket
//! (containers 1 to 14, wire contract 9).
//!
//! Two tasks work beside the heartbeat and never hold it up. The [`sampler`] measures the running containers at its own
//! interval into a [`ring`]. The [`uploader`] wakes with every heartbeat: it looks for the engine, lists the containers,
//! and uploads what there is on the connection of the heartbeat.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctops_base::Clock;
use ctops_proto::agent::{DockerStatus, HeartbeatResponse};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::collect::Sources;
use crate::dial::Client;

mod answers;
mod batches;
mod engine;
#[cfg(test)]
mod hostile_tests;
mod inventory;
mod labels;
mod orders;
mod ring;
mod sampler;
mod status;
mod uploader;
mod values;

pub use engine::{Engine, EngineError};
pub use orders::Orders;
pub use status::probe;

use ring::Ring;

/// A way to the server for one upload.
#[derive(Clone, Debug)]
pub struct Link {
    /// Calls on the connection of the heartbeat.
    pub client: Client,
    /// Id of this agent.
    pub agent_id: String,
}

/// What inspections told about a container, for its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Facts {
    restart_count: i32,
    /// Cores it may use, in hundredths; 0 means unknown.
    cores_centi: u32,
}

/// What the two tasks share.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    proc: PathBuf,
    run: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ring: Ring,
    facts: HashMap<Arc<str>, Facts>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }
}

/// The containers of this host as the agent sees them.
#[derive(Debug)]
pub struct ContainerWatch {
    shared: Arc<Shared>,
    orders: watch::Sender<Orders>,
    beats: watch::Sender<Option<Link>>,
    status: watch::Sender<Option<DockerStatus>>,
    tasks: JoinSet<()>,
}

impl ContainerWatch {
    /// A watch on the engine of this host; nothing happens before the first [`ContainerWatch::beat`].
    pub fn new(sources: &Sources, clock: Clock) -> Self {
        let shared =
            Shared { clock, proc: sources.proc.clone(), run: sources.run.clone(), state: Mutex::default() };
        Self {
            shared: Arc::new(shared),
            orders: watch::Sender::new(Orders::default()),
            beats: watch::Sender::new(None),
            status: watch::Sender::new(None),
            tasks: JoinSet::new(),
        }
    }

    /// Says that a report is due or was sent: the engine is looked for, and with a `link` what there is goes out. Returns
    /// at once.
    pub fn beat(&mut self, link: Option<Link>) {
        self.beats.send_replace(link);
        if self.tasks.is_empty() {
            let (engines, engine) = watch::channel(None);
            let (orders, beats) = (self.orders.subscribe(), self.beats.subscribe());
            let status = self.status.clone();
            let uploader = uploader::Uploader::new(self.shared.clone(), orders.clone(), engines, status);
            self.tasks.spawn(uploader.run(beats));
            self.tasks.spawn(sampler::run(self.shared.clone(), orders, engine));
        }
    }

    /// The runtime's status as last probed; `None` before the first probe and while collection is off.
    pub fn status(&self) -> Option<DockerStatus> {
        self.status.borrow().clone()
    }

    /// Whether the server wants containers of this host at all (agents-enrolment 32).
    pub fn set_wanted(&mut self, wanted: bool) {
        self.change(|orders| orders.wanted = wanted);
    }

    /// Takes over the server's configuration, if `message` brings one (containers 6).
    pub fn obey(&mut self, message: &HeartbeatResponse) {
        if let Some(config) = &message.docker_telemetry_config {
            self.change(|orders| orders.take(config));
        }
    }

    /// Gives up the samples that wait.
    pub(crate) fn shed(&mut self) {
        self.shared.state().ring = Ring::default();
    }

    fn change(&mut self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_if_modified(|orders| {
            let before = orders.clone();
            change(orders);
            *orders != before
        });
        if !self.orders.borrow().active() {
            self.status.send_replace(None);
            *self.shared.state() = State::default();
        }
    }
}

/// The first `bytes` bytes of `text`, less a character that would be cut in two.
fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}
