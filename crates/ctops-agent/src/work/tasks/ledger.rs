//! Which tasks were started, kept on disk: none runs twice, and no result is lost when the agent ends before the server
//! has it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use ctops_proto::agent::{AgentTask, AgentTaskResult};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::files;

/// Where it is kept, in the data directory.
pub(crate) const FILE: &str = "tasks.json";
/// Tasks remembered. A server that repeats a task does so at once or after a reconnect, not after hundreds of others.
const MAX_TASKS: usize = 512;
/// Results that are kept until the server has them; each has at most 16 KiB.
const MAX_RESULTS: usize = 64;
/// Largest file read, bytes.
const MAX_FILE: u64 = 8 * 1024 * 1024;
/// The result of a task during which the agent ended.
const INTERRUPTED: &str = "the agent ended while the task ran";

/// The tasks of this host, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    path: PathBuf,
    tasks: VecDeque<Entry>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Entry {
    id: String,
    #[serde(rename = "type")]
    task_type: String,
    state: State,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Started by this run of the agent.
    Running,
    /// Ended; the server may not have the result.
    Finished { exit_code: i32, result_json: String, error: String },
    /// The server has the result.
    Acknowledged,
}

/// What is known of a task.
#[derive(Debug, PartialEq)]
pub(super) enum Known {
    /// Never seen.
    New,
    /// Ended with this result, which the server may not have.
    Finished(AgentTaskResult),
    /// Nothing is left to do or to say.
    Acknowledged,
}

impl Ledger {
    /// Reads the ledger in `dir`. What ran when the agent ended counts as failed. A damaged ledger is begun anew.
    pub(super) fn load(dir: &Path) -> Self {
        let path = dir.join(FILE);
        let stored = files::read_text_if_present(&path, MAX_FILE).map_err(|error| error.to_string());
        let tasks = stored.and_then(|text| {
            text.map(|text| serde_json::from_str(&text).map_err(|error| error.to_string())).transpose()
        });
        let mut tasks: VecDeque<Entry> = tasks.map(Option::unwrap_or_default).unwrap_or_else(|err| {
            warn!(file = FILE, err, "list of tasks is damaged, beginning anew");
            VecDeque::new()
        });
        for entry in &mut tasks {
            if matches!(entry.state, State::Running) {
                let error = INTERRUPTED.to_owned();
                entry.state = State::Finished { exit_code: -1, result_json: String::new(), error };
            }
        }
        Self { path, tasks }
    }

    /// What is known of the task `id`.
    pub(super) fn known(&self, id: &str) -> Known {
        let Some(entry) = self.tasks.iter().find(|entry| entry.id == id) else { return Known::New };
        match &entry.state {
            State::Running | State::Acknowledged => Known::Acknowledged,
            State::Finished { exit_code, result_json, error } => Known::Finished(AgentTaskResult {
                task_id: entry.id.clone(),
                task_type: entry.task_type.clone(),
                exit_code: *exit_code,
                result_json: result_json.clone(),
                error: error.clone(),
            }),
        }
    }

    /// `task` is about to run.
    pub(super) fn started(&mut self, task: &AgentTask) {
        self.tasks.push_back(Entry {
            id: task.task_id.clone(),
            task_type: task.task_type.clone(),
            state: State::Running,
        });
        while self.tasks.len() > MAX_TASKS {
            self.tasks.pop_front();
        }
        self.store();
    }

    /// A task ended.
    pub(super) fn finished(&mut self, result: &AgentTaskResult) {
        if let Some(entry) = self.tasks.iter_mut().find(|entry| entry.id == result.task_id) {
            entry.state = State::Finished {
                exit_code: result.exit_code,
                result_json: result.result_json.clone(),
                error: result.error.clone(),
            };
        }
        let is_kept = |entry: &&mut Entry| matches!(entry.state, State::Finished { .. });
        for entry in self.tasks.iter_mut().rev().filter(is_kept).skip(MAX_RESULTS) {
            entry.state = State::Acknowledged;
        }
        self.store();
    }

    /// The server has these results.
    pub(super) fn acknowledged(&mut self, results: &[AgentTaskResult]) {
        for result in results {
            if let Some(entry) = self.tasks.iter_mut().find(|entry| entry.id == result.task_id) {
                entry.state = State::Acknowledged;
            }
        }
        self.store();
    }

    /// A full disk does not stop an agent that still knows what it did.
    fn store(&self) {
        let text = serde_json::to_vec(&self.tasks).unwrap_or_default();
        if let Err(error) = files::replace(&self.path, &text, 0o600) {
            warn!(file = FILE, err = %error, "list of tasks cannot be stored, keeping it in memory");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn task(id: &str) -> AgentTask {
        AgentTask { task_id: id.to_owned(), task_type: "service".to_owned(), config_json: String::new() }
    }

    fn result(id: &str) -> AgentTaskResult {
        AgentTaskResult {
            task_id: id.to_owned(),
            task_type: "service".to_owned(),
            exit_code: 3,
            result_json: "{}".to_owned(),
            error: "e".to_owned(),
        }
    }

    /// Spec: tasks 5
    #[test]
    fn tasks_when_the_agent_starts_again_then_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::load(dir.path());
        assert_eq!(ledger.known("a"), Known::New);
        for id in ["a", "b", "c"] {
            ledger.started(&task(id));
        }
        assert_eq!(ledger.known("a"), Known::Acknowledged, "it runs, and there is nothing to say yet");
        ledger.finished(&result("b"));
        ledger.finished(&result("c"));
        ledger.acknowledged(&[result("c")]);
        let again = Ledger::load(dir.path());
        let Known::Finished(interrupted) = again.known("a") else { panic!("a ran when the agent ended") };
        assert_eq!((interrupted.exit_code, interrupted.error.as_str()), (-1, INTERRUPTED));
        assert_eq!(again.known("b"), Known::Finished(result("b")));
        assert_eq!(again.known("c"), Known::Acknowledged);
    }

    #[test]
    fn ledger_when_it_grows_or_is_damaged_then_stays_bounded_and_usable() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::load(dir.path());
        for number in 0..MAX_TASKS + 3 {
            ledger.started(&task(&number.to_string()));
            ledger.finished(&result(&number.to_string()));
        }
        assert_eq!(ledger.known("2"), Known::New);
        assert_eq!(ledger.known("100"), Known::Acknowledged, "only the newest results are kept");
        assert_eq!(ledger.known("514"), Known::Finished(result("514")));
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert_eq!(Ledger::load(dir.path()).known("514"), Known::New);
    }
}
