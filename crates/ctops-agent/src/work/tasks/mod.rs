//! Tasks of the server (wire contract 6.2): started at most once, at most four at a time, with their output on the way
//! while they run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctops_proto::agent::{AgentTask, AgentTaskResult};
use tokio::sync::{Notify, Semaphore, watch};
use tracing::{info, warn};

use super::Surroundings;
use super::line::Line;
use super::outbox::Outbox;
use super::program::{ProgramError, Programs};

mod inventory;
mod ledger;
mod output;
mod patch;
pub(super) mod script;
mod service;
mod uninstall;

pub(crate) use ledger::FILE as TASKS_FILE;
use ledger::{Known, Ledger};
use output::TaskOutput;
pub(crate) use script::FOLDER as SCRIPTS_DIR;

/// The type of a script.
pub(super) const CUSTOM_SCRIPT: &str = "custom_script";
const SOFTWARE_INVENTORY: &str = "software_inventory";
const PATCH: &str = "patch";
const SERVICE: &str = "service";
const AGENT_UNINSTALL: &str = "agent_uninstall";

/// What the original's agent says to tasks it does not accept.
pub(super) const REFUSED: &str =
    "agent-mediated host access is disabled; use SSH-backed host access with a host user password";
/// Tasks that run at the same time (tasks 8).
const AT_ONCE: u32 = 4;
/// Longest configuration, bytes: a script has at most 64 KiB.
const MAX_CONFIG: usize = 256 * 1024;
/// Longest id, bytes.
const MAX_ID: usize = 128;
/// Tasks that wait or run; more are refused.
const MAX_OPEN: usize = 64;

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Done {
    exit_code: i32,
    result_json: String,
    error: String,
}

impl Done {
    fn failed(error: impl Into<String>) -> Self {
        Self { exit_code: -1, result_json: String::new(), error: error.into() }
    }
}

impl From<ProgramError> for Done {
    fn from(error: ProgramError) -> Self {
        Self::failed(error.to_string())
    }
}

/// The tasks of this host.
#[derive(Debug)]
pub(super) struct Tasks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    surroundings: Surroundings,
    programs: Programs,
    outbox: Arc<Outbox>,
    line: Arc<Line>,
    ledger: Mutex<Ledger>,
    /// Those that wait or run, with the wish to cancel them.
    open: Mutex<HashMap<String, Arc<Notify>>>,
    places: Semaphore,
    /// How many wait or run.
    count: watch::Sender<usize>,
}

impl Tasks {
    /// Remembers the tasks of earlier runs of the agent.
    pub(super) fn new(surroundings: Surroundings, outbox: Arc<Outbox>, line: Arc<Line>) -> Self {
        script::remove_leftovers(&surroundings.data_dir);
        let ledger = Mutex::new(Ledger::load(&surroundings.data_dir));
        let places = Semaphore::new(AT_ONCE as usize);
        let programs = Programs::system();
        let open = Mutex::default();
        let count = watch::Sender::new(0);
        Self {
            shared: Arc::new(Shared { surroundings, programs, outbox, line, ledger, open, places, count }),
        }
    }

    /// How many tasks wait or run.
    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.shared.count.subscribe()
    }

    /// Starts `task` unless it was started before; then its result is told again.
    pub(super) fn start(&self, task: &AgentTask) {
        let shared = &self.shared;
        if task.task_id.is_empty() || task.task_id.len() > MAX_ID || shared.open().contains_key(&task.task_id)
        {
            return;
        }
        match shared.ledger().known(&task.task_id) {
            Known::New => {}
            Known::Acknowledged => return,
            Known::Finished(result) => return shared.outbox.result(result),
        }
        if let Some(refusal) = shared.refusal(task) {
            warn!(task_id = task.task_id.as_str(), task_type = task.task_type.as_str(), "task refused");
            shared.ledger().started(task);
            return shared.finish(task, Done::failed(refusal));
        }
        // On disk before anything happens: a task must not run twice, even if it ends the agent.
        shared.ledger().started(task);
        let cancel = Arc::new(Notify::new());
        shared.open().insert(task.task_id.clone(), cancel.clone());
        shared.count.send_modify(|count| *count += 1);
        info!(task_id = task.task_id.as_str(), task_type = task.task_type.as_str(), "task started");
        let (shared, task) = (shared.clone(), task.clone());
        tokio::spawn(async move {
            let done = shared.perform(&task, &cancel).await;
            info!(task_id = task.task_id.as_str(), exit_code = done.exit_code, "task ended");
            shared.open().remove(&task.task_id);
            shared.finish(&task, done);
            shared.count.send_modify(|count| *count -= 1);
        });
    }

    /// Ends tasks that wait or run; other ids mean nothing.
    pub(super) fn cancel(&self, ids: &[String]) {
        let open = self.shared.open();
        for cancel in ids.iter().filter_map(|id| open.get(id)) {
            cancel.notify_one();
        }
    }

    /// The server has these results and will not ask for them again.
    pub(super) fn acknowledged(&self, results: &[AgentTaskResult]) {
        if !results.is_empty() {
            self.shared.ledger().acknowledged(results);
        }
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why `task` is not to be run, if so.
    fn refusal(&self, task: &AgentTask) -> Option<String> {
        let known = [CUSTOM_SCRIPT, SOFTWARE_INVENTORY, PATCH, SERVICE, AGENT_UNINSTALL]
            .contains(&task.task_type.as_str());
        if !known {
            return Some(format!("unsupported task type: {}", task.task_type));
        }
        if !self.surroundings.allow_tasks.permits(&task.task_type) {
            return Some(REFUSED.to_owned());
        }
        if task.config_json.len() > MAX_CONFIG {
            return Some(format!("config is longer than {MAX_CONFIG} bytes"));
        }
        (self.open().len() >= MAX_OPEN).then(|| format!("more than {MAX_OPEN} tasks wait"))
    }

    async fn perform(&self, task: &AgentTask, cancel: &Notify) -> Done {
        // Patching and uninstalling run alone (tasks 8).
        let places = if matches!(task.task_type.as_str(), PATCH | AGENT_UNINSTALL) { AT_ONCE } else { 1 };
        let place = tokio::select! {
            place = self.places.acquire_many(places) => place,
            () = cancel.notified() => return ProgramError::Cancelled.into(),
        };
        // The semaphore is never closed.
        let Ok(_place) = place else { return Done::default() };
        let mut output = TaskOutput::new(&self.outbox, &task.task_id);
        let done = match task.task_type.as_str() {
            CUSTOM_SCRIPT => {
                let dir = &self.surroundings.data_dir;
                script::task(&task.config_json, &self.programs, dir, cancel, &mut output).await
            }
            SERVICE => service::task(&task.config_json, &self.programs, cancel, &mut output).await,
            PATCH => patch::task(&task.config_json, &self.machine(), cancel, &mut output).await,
            AGENT_UNINSTALL => uninstall::task(&self.programs),
            _ => {
                tokio::select! {
                    done = inventory::task(self, task, &mut output) => done,
                    () = cancel.notified() => ProgramError::Cancelled.into(),
                }
            }
        };
        output.finish();
        done
    }

    fn machine(&self) -> crate::software::Machine {
        crate::software::Machine::of(&self.surroundings.sources, self.programs.clone())
    }

    fn finish(&self, task: &AgentTask, done: Done) {
        let result = AgentTaskResult {
            task_id: task.task_id.clone(),
            task_type: task.task_type.clone(),
            exit_code: done.exit_code,
            result_json: done.result_json,
            error: done.error,
        };
        let result = super::outbox::fitted(result);
        self.ledger().finished(&result);
        self.outbox.result(result);
    }
}

fn config<T: serde::de::DeserializeOwned>(task_type: &str, json: &str) -> Result<T, Done> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    serde_json::from_str(json).map_err(|error| Done::failed(format!("invalid {task_type} config: {error}")))
}

#[cfg(test)]
mod tests;
