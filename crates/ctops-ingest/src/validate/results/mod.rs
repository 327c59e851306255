//! What is accepted of an agent's results: checks, queries, tasks, host keys, container runtime, update.
//!
//! Ids are only checked for their form here: whether they are the host's is the features' business, in their transaction.

use ctops_base::text::{clean, is_hostile};
use ctops_proto::agent::{
    self, AgentQueryResult, AgentTaskResult, DockerRuntimeStatus, DockerStatus, HeartbeatRequest, SshHostKey,
};
use ctops_proto::queue::{
    CheckResult, ContainerRuntime, QueryResult, SshHostKeys, TaskProgress, TaskResult, UpdateOutcome,
};
use serde::Serialize;
use uuid::Uuid;

use super::MAX_AHEAD_MS;

/// Output of one check, bytes (monitoring 17).
const MAX_OUTPUT_BYTES: usize = 16 * 1024;
/// Check results in one message: agents keep the latest 1,000 (monitoring 20).
const MAX_CHECK_RESULTS: usize = 2_000;
/// How old a check result may be, milliseconds: as long as results are kept.
const MAX_RESULT_AGE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Answers to queries in one message, and lines in one answer.
const MAX_QUERY_RESULTS: usize = 100;
const MAX_QUERY_LINES: usize = 5_000;
/// Parts of task output in one message, and one part, bytes (wire contract 5.5).
const MAX_PROGRESS: usize = 1_000;
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// Task results in one message, and one JSON document, bytes.
const MAX_TASK_RESULTS: usize = 100;
const MAX_RESULT_JSON_BYTES: usize = 1024 * 1024;
/// Error texts, bytes.
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// Host keys of one host; OpenSSH has five kinds.
const MAX_HOST_KEYS: usize = 32;
/// Version texts and names, characters.
const MAX_NAME_CHARS: usize = 128;
/// Diagnostic texts of the runtime and of updates, characters.
const MAX_DIAGNOSTIC_CHARS: usize = 512;
/// Base64 characters of a SHA-256 without padding.
const FINGERPRINT_CHARS: usize = 43;

/// Results within their bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    pub(crate) check_results: Vec<CheckResult>,
    pub(crate) query_results: Vec<QueryResult>,
    pub(crate) task_progress: Vec<TaskProgress>,
    pub(crate) task_results: Vec<TaskResult>,
    pub(crate) ssh_host_keys: Option<SshHostKeys>,
    pub(crate) container_runtime: Option<ContainerRuntime>,
    pub(crate) update_outcome: Option<UpdateOutcome>,
    /// Results left out because they make no sense or are too many.
    pub(crate) dropped: u64,
}

impl Results {
    /// Whether there is nothing to deliver.
    pub(crate) fn is_empty(&self) -> bool {
        self.check_results.is_empty()
            && self.query_results.is_empty()
            && self.task_progress.is_empty()
            && self.task_results.is_empty()
            && self.ssh_host_keys.is_none()
            && self.container_runtime.is_none()
            && self.update_outcome.is_none()
    }
}

/// Whether the vitals of `message` were measured for it (monitoring 3). Agents of the original product send results in
/// extra messages with the vitals of the last one (wire contract 5.1) and say so in no other way; ours say it.
pub(crate) fn is_sample(message: &HeartbeatRequest) -> bool {
    let delivers = !message.query_results.is_empty()
        || !message.task_progress.is_empty()
        || !message.task_results.is_empty();
    let is_extra = message.results_only || (message.capabilities.is_empty() && delivers);
    !is_extra
}

/// Bounds the results of `message`, which arrived at `now_ms` (milliseconds since the Unix epoch).
pub(crate) fn results(message: &HeartbeatRequest, now_ms: i64) -> Results {
    let mut dropped = 0;
    Results {
        check_results: kept(&message.check_results, MAX_CHECK_RESULTS, &mut dropped, |r| check(r, now_ms)),
        query_results: kept(&message.query_results, MAX_QUERY_RESULTS, &mut dropped, query),
        task_progress: kept(&message.task_progress, MAX_PROGRESS, &mut dropped, |progress| {
            let output_chunk = cut(&progress.output_chunk, MAX_CHUNK_BYTES);
            id(&progress.task_id).map(|task_id| TaskProgress { task_id, output_chunk })
        }),
        task_results: kept(&message.task_results, MAX_TASK_RESULTS, &mut dropped, task),
        ssh_host_keys: host_keys(&message.ssh_host_keys, &mut dropped),
        container_runtime: message.docker_status.as_ref().and_then(|status| runtime(status, now_ms)),
        update_outcome: message.update_outcome.as_ref().and_then(|outcome| {
            let known = ["updated", "rolled_back", "refused", "failed"].contains(&outcome.outcome.as_str());
            dropped += u64::from(!known);
            known.then(|| UpdateOutcome {
                version: clean(&outcome.version, MAX_NAME_CHARS),
                outcome: outcome.outcome.clone(),
                detail: clean(&outcome.detail, MAX_DIAGNOSTIC_CHARS),
            })
        }),
        dropped,
    }
}

fn kept<T, U>(items: &[T], limit: usize, dropped: &mut u64, take: impl Fn(&T) -> Option<U>) -> Vec<U> {
    let kept: Vec<U> = items.iter().take(limit).filter_map(take).collect();
    *dropped += (items.len() - kept.len()) as u64;
    kept
}

/// The id in its usual spelling.
fn id(text: &str) -> Option<String> {
    text.parse::<Uuid>().ok().map(|id| id.to_string())
}

/// Text of several lines: without control characters but line ends and tabs, at most `max_bytes` bytes.
fn cut(text: &str, max_bytes: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(max_bytes));
    for c in text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_hostile(*c)) {
        if kept.len() + c.len_utf8() > max_bytes {
            break;
        }
        kept.push(c);
    }
    kept
}

fn check(result: &agent::CheckResult, now_ms: i64) -> Option<CheckResult> {
    let known = ["pass", "fail", "error"].contains(&result.status.as_str());
    let check_id = id(&result.check_id).filter(|_| known)?;
    let at = result.ran_at_unix.saturating_mul(1000);
    let believed = (-MAX_AHEAD_MS..=MAX_RESULT_AGE_MS).contains(&now_ms.saturating_sub(at));
    Some(CheckResult {
        check_id,
        status: result.status.clone(),
        output: cut(&result.output, MAX_OUTPUT_BYTES),
        duration_ms: u32::try_from(result.duration_ms).unwrap_or(0),
        ran_at_ms: if believed { at } else { now_ms },
    })
}

#[derive(Serialize)]
struct Port {
    port: u16,
    protocol: String,
    process: String,
}

#[derive(Serialize)]
struct Service {
    name: String,
    load_state: String,
    active_sub: String,
}

fn query(result: &AgentQueryResult) -> Option<QueryResult> {
    let query_id = id(&result.query_id)?;
    let error = cut(&result.error, MAX_ERROR_BYTES);
    let answer = match (result.status.as_str(), result.query_type.as_str()) {
        ("ok", "list_ports") => serde_json::json!({ "ports": ports(result) }).to_string(),
        ("ok", "list_services") => serde_json::json!({ "services": services(result) }).to_string(),
        ("error", "list_ports" | "list_services") => String::new(),
        _ => return None,
    };
    Some(QueryResult {
        query_id,
        query_type: result.query_type.clone(),
        status: result.status.clone(),
        error,
        result_json: answer,
    })
}

fn ports(result: &AgentQueryResult) -> Vec<Port> {
    let ports = result.ports.iter().filter_map(|port| {
        let number = u16::try_from(port.port).ok().filter(|number| *number > 0)?;
        let name = |text: &str| clean(text, MAX_NAME_CHARS);
        Some(Port { port: number, protocol: name(&port.protocol), process: name(&port.process) })
    });
    ports.take(MAX_QUERY_LINES).collect()
}

fn services(result: &AgentQueryResult) -> Vec<Service> {
    let name = |text: &str| clean(text, 2 * MAX_NAME_CHARS);
    let services = result.services.iter().map(|service| Service {
        name: name(&service.name),
        load_state: name(&service.load_state),
        active_sub: name(&service.active_sub),
    });
    services.take(MAX_QUERY_LINES).collect()
}

fn task(result: &AgentTaskResult) -> Option<TaskResult> {
    let json = &result.result_json;
    // Read in full, because readers do so as well: JSON that only nests too deeply is refused here, not there.
    let acceptable =
        json.len() <= MAX_RESULT_JSON_BYTES && serde_json::from_str::<serde_json::Value>(json).is_ok();
    Some(TaskResult {
        task_id: id(&result.task_id)?,
        task_type: clean(&result.task_type, MAX_NAME_CHARS),
        exit_code: result.exit_code,
        result_json: if acceptable { json.clone() } else { String::new() },
        error: cut(&result.error, MAX_ERROR_BYTES),
    })
}

/// Keys with a believable name and fingerprint, each once, in one order. None when the agent reports none.
fn host_keys(sent: &[SshHostKey], dropped: &mut u64) -> Option<SshHostKeys> {
    let mut keys = kept(sent, MAX_HOST_KEYS, dropped, |key| {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '@' | '.' | '_');
        let algorithm = &key.algorithm;
        let is_name = (1..=MAX_NAME_CHARS).contains(&algorithm.len()) && algorithm.chars().all(named);
        let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
        let hash = key.fingerprint_sha256.strip_prefix("SHA256:")?;
        let is_hash = hash.len() == FINGERPRINT_CHARS && hash.chars().all(base64);
        (is_name && is_hash).then(|| ctops_proto::queue::SshHostKey {
            algorithm: algorithm.clone(),
            fingerprint_sha256: key.fingerprint_sha256.clone(),
        })
    });
    keys.sort_by(|a, b| (&a.algorithm, &a.fingerprint_sha256).cmp(&(&b.algorithm, &b.fingerprint_sha256)));
    keys.dedup();
    (!keys.is_empty()).then_some(SshHostKeys { keys })
}

fn runtime(status: &DockerStatus, now_ms: i64) -> Option<ContainerRuntime> {
    let name = match status.status() {
        DockerRuntimeStatus::Unspecified => return None,
        DockerRuntimeStatus::NotInstalled => "not_installed",
        DockerRuntimeStatus::Installed => "installed",
        DockerRuntimeStatus::PermissionDenied => "permission_denied",
        DockerRuntimeStatus::Unreachable => "unreachable",
        DockerRuntimeStatus::Error => "error",
    };
    let at = status.checked_at_unix.saturating_mul(1000);
    Some(ContainerRuntime {
        status: name.to_owned(),
        checked_at_ms: if (1..=now_ms + MAX_AHEAD_MS).contains(&at) { at } else { now_ms },
        runtime_version: clean(&status.runtime_version, MAX_NAME_CHARS),
        api_version: clean(&status.api_version, MAX_NAME_CHARS),
        error: clean(&status.error_message, MAX_DIAGNOSTIC_CHARS),
    })
}

#[cfg(test)]
mod tests;
