//! What the server asks of this host beyond reports: checks, queries and tasks (wire contract 6).
//!
//! [`Work`] belongs to the agent. It obeys every response, does what was asked in the background, and fills the outbox
//! that reports empty. It serves the original server and this product's alike.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ctops_base::Clock;
use ctops_proto::agent::{HeartbeatRequest, HeartbeatResponse};
use tokio::sync::watch;

use crate::collect::Sources;
use crate::config::AllowTasks;
use crate::data_dir::State;

pub mod checks;
mod line;
mod outbox;
pub mod program;
mod queries;
mod tasks;

use line::Line;
pub(crate) use line::Link;
use outbox::Outbox;
use program::Programs;
pub(crate) use tasks::{SCRIPTS_DIR, TASKS_FILE};

/// How long no check begins after the agent has exceeded its limits.
const SHED_PAUSE: Duration = Duration::from_secs(300);

/// What work needs of the agent.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Time.
    pub clock: Clock,
    /// Where facts of this host come from.
    pub sources: Sources,
    /// The agent's data directory.
    pub data_dir: PathBuf,
    /// Which tasks this host accepts.
    pub allow_tasks: AllowTasks,
}

/// Checks, queries and tasks of this host.
#[derive(Debug)]
pub struct Work {
    outbox: Arc<Outbox>,
    line: Arc<Line>,
    checks: checks::Schedule,
    queries: queries::Queries,
    tasks: tasks::Tasks,
}

impl Work {
    /// Nothing to do yet; task ids of earlier runs of the agent are remembered.
    pub fn new(surroundings: Surroundings) -> Self {
        let outbox = Arc::new(Outbox::default());
        let line = Arc::new(Line::default());
        let tools = checks::Tools {
            clock: surroundings.clock.clone(),
            sources: surroundings.sources.clone(),
            programs: Programs::system(),
            scripts_dir: surroundings.data_dir.clone(),
            scripts_allowed: surroundings.allow_tasks.permits(tasks::CUSTOM_SCRIPT),
            roots: Arc::default(),
            max_document: checks::Dialect::Own.max_document(),
        };
        Self {
            checks: checks::Schedule::new(tools, outbox.clone()),
            queries: queries::Queries::new(surroundings.sources.clone(), outbox.clone()),
            tasks: tasks::Tasks::new(surroundings, outbox.clone(), line.clone()),
            outbox,
            line,
        }
    }

    /// What this part of the agent understands beyond the classic contract.
    pub fn capabilities(&self) -> Vec<String> {
        ["checks_complete", "tasks"].map(str::to_owned).to_vec()
    }

    /// How many tasks wait or run; none must be interrupted without need.
    pub(crate) fn tasks(&self) -> watch::Receiver<usize> {
        self.tasks.count()
    }

    /// A stream was opened, on the connection of `link`.
    pub(crate) fn connected(&mut self, link: Link) {
        self.line.connected(link);
        self.queries.forget();
    }

    /// The agent has another token.
    pub(crate) fn token_replaced(&self, state: &State) {
        self.line.token_replaced(state);
    }

    /// Returns when work needs another token. May be dropped and called again.
    pub(crate) async fn token_wanted(&self) {
        self.line.token_wanted().await;
    }

    /// Starts and stops what `response` asks for.
    pub fn obey(&mut self, response: &HeartbeatResponse) {
        if response.checks_complete || !response.checks.is_empty() {
            self.checks.replace(&response.checks, response.checks_complete);
        }
        self.checks.run_now(&response.run_check_ids);
        self.queries.answer(&response.pending_queries);
        if let Some(task) = &response.pending_task {
            self.tasks.start(task);
        }
        self.tasks.cancel(&response.cancel_task_ids);
    }

    /// Moves what waits to be delivered into `report`, as far as it fits.
    pub fn drain(&mut self, report: &mut HeartbeatRequest) {
        self.outbox.drain(report);
    }

    /// Returns once something is to be delivered before the next report. May be dropped and called again.
    pub async fn ready(&self) {
        self.outbox.ready().await;
    }

    /// Takes back what was drained and not delivered.
    pub fn returned(&mut self, cargo: HeartbeatRequest) {
        self.outbox.returned(cargo);
    }

    /// Does with less for a while: results of checks are dropped, and no check begins.
    pub(crate) fn shed(&mut self) {
        self.outbox.shed();
        self.checks.pause(SHED_PAUSE);
    }

    /// The server has what was drained.
    pub fn acknowledged(&mut self, cargo: &HeartbeatRequest) {
        self.tasks.acknowledged(&cargo.task_results);
    }
}
