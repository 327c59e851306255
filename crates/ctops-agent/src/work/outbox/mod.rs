//! What waits for the next message to the server, within the limits of wire contract 5.5.
//!
//! Task output, task results and query results ask for a message of their own; check results wait for the next one,
//! except those somebody waits for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctops_proto::agent::{
    AgentQueryResult, AgentTaskProgress, AgentTaskResult, CheckResult, HeartbeatRequest,
};
use prost::Message;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Output of one task in one message, bytes.
const PROGRESS_PER_TASK: usize = 64 * 1024;
/// Output of all tasks in one message, bytes.
const PROGRESS_PER_MESSAGE: usize = 256 * 1024;
/// Ends output that was cut.
const PROGRESS_MARKER: &str = "\n[ct-ops] output truncated before next heartbeat\n";
/// One task result, bytes: id, type, document and error together.
const RESULT_BYTES: usize = 16 * 1024;
/// Task results in one message, bytes.
const RESULTS_PER_MESSAGE: usize = 64 * 1024;
/// In the error of a result that was cut.
const RESULT_MARKER: &str = "task result truncated before next heartbeat";
/// Check results kept while there is no stream (monitoring 20).
pub(super) const CHECK_RESULTS_KEPT: usize = 1000;
/// The same in bytes, so that large outputs do not use up the agent's memory.
const CHECK_BYTES_KEPT: usize = 1024 * 1024;
/// Check and query results in one message, bytes each; the server takes 4 MiB in all.
const BYTES_PER_MESSAGE: usize = 768 * 1024;
/// Task and query results kept while there is no stream.
const RESULTS_KEPT: usize = 256;
/// Between two messages that only carry output.
const OUTPUT_PAUSE: Duration = Duration::from_millis(250);
/// Before another attempt when the server takes no messages at present.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Everything that waits. Shared by those who make results and the heartbeat that delivers them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    checks: VecDeque<CheckResult>,
    check_bytes: usize,
    queries: VecDeque<AgentQueryResult>,
    progress: Vec<Output>,
    results: VecDeque<AgentTaskResult>,
    /// When a message of its own is due.
    due: Option<Instant>,
    last_drained: Option<Instant>,
}

#[derive(Debug)]
struct Output {
    task_id: String,
    text: String,
    cut: bool,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A finished check; an `urgent` one does not wait for the next report.
    pub(super) fn check(&self, result: CheckResult, urgent: bool) {
        let mut waiting = self.waiting();
        waiting.check_bytes += result.encoded_len();
        waiting.checks.push_back(result);
        waiting.shed_checks();
        if urgent {
            waiting.due_at(Instant::now());
            self.changed.notify_one();
        }
    }

    /// An answered query.
    pub(super) fn query(&self, result: AgentQueryResult) {
        let mut waiting = self.waiting();
        waiting.queries.push_back(result);
        if waiting.queries.len() > RESULTS_KEPT {
            waiting.queries.pop_front();
        }
        waiting.due_at(Instant::now());
        self.changed.notify_one();
    }

    /// More output of a task.
    pub(super) fn progress(&self, task_id: &str, chunk: &str) {
        if chunk.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        waiting.add_output(task_id, chunk);
        let now = Instant::now();
        let earliest = waiting.last_drained.map_or(now, |last| last + OUTPUT_PAUSE);
        waiting.due_at(earliest.max(now));
        self.changed.notify_one();
    }

    /// The end of a task.
    pub(super) fn result(&self, result: AgentTaskResult) {
        let mut waiting = self.waiting();
        waiting.results.push_back(fitted(result));
        if waiting.results.len() > RESULTS_KEPT {
            waiting.results.pop_front();
        }
        waiting.due_at(Instant::now());
        self.changed.notify_one();
    }

    /// Moves into `report` what fits; the rest is due at once.
    pub(super) fn drain(&self, report: &mut HeartbeatRequest) {
        let mut waiting = self.waiting();
        waiting.due = None;
        waiting.last_drained = Some(Instant::now());
        report.check_results = take_fitting(&mut waiting.checks, BYTES_PER_MESSAGE, Message::encoded_len);
        let gone: usize = report.check_results.iter().map(Message::encoded_len).sum();
        waiting.check_bytes = waiting.check_bytes.saturating_sub(gone);
        report.query_results = take_fitting(&mut waiting.queries, BYTES_PER_MESSAGE, Message::encoded_len);
        report.task_results = take_fitting(&mut waiting.results, RESULTS_PER_MESSAGE, result_bytes);
        report.task_progress = std::mem::take(&mut waiting.progress)
            .into_iter()
            .map(|output| AgentTaskProgress { task_id: output.task_id, output_chunk: output.text })
            .collect();
        if !(waiting.checks.is_empty() && waiting.queries.is_empty() && waiting.results.is_empty()) {
            waiting.due_at(Instant::now());
            self.changed.notify_one();
        }
    }

    /// Takes back what was not delivered, as older than everything that waits.
    pub(super) fn returned(&self, report: HeartbeatRequest) {
        let mut waiting = self.waiting();
        let nothing_urgent = report.query_results.is_empty()
            && report.task_progress.is_empty()
            && report.task_results.is_empty();
        for result in report.check_results.into_iter().rev() {
            waiting.check_bytes += result.encoded_len();
            waiting.checks.push_front(result);
        }
        waiting.shed_checks();
        report.query_results.into_iter().rev().for_each(|result| waiting.queries.push_front(result));
        report.task_results.into_iter().rev().for_each(|result| waiting.results.push_front(result));
        let newer = std::mem::take(&mut waiting.progress);
        for chunk in report.task_progress {
            waiting.add_output(&chunk.task_id, &chunk.output_chunk);
        }
        for output in newer {
            waiting.add_output(&output.task_id, &output.text);
        }
        if !nothing_urgent {
            waiting.due_at(Instant::now() + RETRY_PAUSE);
            self.changed.notify_one();
        }
    }

    /// Drops the results of checks, which the next run brings again.
    pub(super) fn shed(&self) {
        let mut waiting = self.waiting();
        waiting.checks = VecDeque::new();
        waiting.check_bytes = 0;
    }

    /// Returns once something is to be delivered early. May be dropped and called again.
    pub(super) async fn ready(&self) {
        loop {
            let due = self.waiting().due;
            match due {
                None => self.changed.notified().await,
                Some(due) if due <= Instant::now() => return,
                Some(due) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }
}

impl Waiting {
    fn due_at(&mut self, when: Instant) {
        self.due = Some(self.due.map_or(when, |due| due.min(when)));
    }

    /// Keeps the latest.
    fn shed_checks(&mut self) {
        while self.checks.len() > CHECK_RESULTS_KEPT || self.check_bytes > CHECK_BYTES_KEPT {
            let Some(oldest) = self.checks.pop_front() else { return };
            self.check_bytes = self.check_bytes.saturating_sub(oldest.encoded_len());
        }
    }

    fn add_output(&mut self, task_id: &str, chunk: &str) {
        let others: usize = self.progress.iter().filter(|o| o.task_id != task_id).map(|o| o.text.len()).sum();
        let limit = PROGRESS_PER_TASK.min(PROGRESS_PER_MESSAGE.saturating_sub(others));
        let position = self.progress.iter().position(|output| output.task_id == task_id);
        let output = match position {
            Some(position) => &mut self.progress[position],
            None if limit < PROGRESS_MARKER.len() => return,
            None => {
                self.progress.push(Output { task_id: task_id.to_owned(), text: String::new(), cut: false });
                let last = self.progress.len() - 1;
                &mut self.progress[last]
            }
        };
        if output.cut {
            return;
        }
        output.text.push_str(chunk);
        if output.text.len() > limit {
            let marker = if limit < PROGRESS_MARKER.len() { "" } else { PROGRESS_MARKER };
            output.text.truncate(output.text.floor_char_boundary(limit - marker.len()));
            output.text.push_str(marker);
            output.cut = true;
        } else if chunk.ends_with(PROGRESS_MARKER) {
            output.cut = true;
        }
    }
}

/// Takes from the front what fits into `limit` bytes, but at least one.
fn take_fitting<T>(queue: &mut VecDeque<T>, limit: usize, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut sum = 0;
    let mut taken = Vec::new();
    while let Some(next) = queue.front() {
        sum += size(next);
        if sum > limit && !taken.is_empty() {
            break;
        }
        taken.extend(queue.pop_front());
    }
    taken
}

fn result_bytes(result: &AgentTaskResult) -> usize {
    result.task_id.len() + result.task_type.len() + result.result_json.len() + result.error.len()
}

/// The result within its limit: the document goes first, then the end of the error.
pub(super) fn fitted(mut result: AgentTaskResult) -> AgentTaskResult {
    if result_bytes(&result) <= RESULT_BYTES {
        return result;
    }
    if !result.result_json.is_empty() {
        result.result_json = "{\"truncated\":true}".to_owned();
    }
    let separator = if result.error.is_empty() { "" } else { "\n" };
    let fixed = result.task_id.len() + result.task_type.len() + result.result_json.len();
    let room = RESULT_BYTES.saturating_sub(fixed + separator.len() + RESULT_MARKER.len());
    result.error.truncate(result.error.floor_char_boundary(room));
    result.error.push_str(separator);
    result.error.push_str(RESULT_MARKER);
    result
}

#[cfg(test)]
mod tests;
