//! What of a report's results travels to the queue.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use ctops_proto::agent::HeartbeatRequest;
use ctops_proto::queue::{AgentEvent, CheckResult, HostFacts, QueryResult, TaskProgress, TaskResult};
use ctops_slice::{Capabilities, ConnectedAgent};
use prost::Message;
use tokio::time::Instant;

use super::Agent;
use crate::validate::Results;

/// The state of the container runtime is sent again after so long, to show that it is still looked at.
const RUNTIME_EVERY: Duration = Duration::from_secs(300);
/// Results of one report travel in several records when they are larger than this, bytes: brokers refuse large records.
const EVENT_BYTES: usize = 512 * 1024;

/// Remembers what was sent last on one stream. Agents of the original product repeat host keys and the state of the
/// runtime with every heartbeat.
#[derive(Default)]
pub(super) struct DeliveryGate {
    host_keys: Option<u64>,
    runtime: Option<(u64, Instant)>,
}

impl DeliveryGate {
    /// Leaves out what was sent before; the rest counts as sent.
    pub(super) fn admit(&mut self, results: &mut Results, now: Instant) {
        if let Some(keys) = &results.ssh_host_keys {
            let fingerprint = hash(&keys.encode_to_vec());
            if self.host_keys.replace(fingerprint) == Some(fingerprint) {
                results.ssh_host_keys = None;
            }
        }
        if let Some(runtime) = &results.container_runtime {
            let fingerprint =
                hash(&(&runtime.status, &runtime.runtime_version, &runtime.api_version, &runtime.error));
            match self.runtime {
                Some((last, at)) if last == fingerprint && now.duration_since(at) < RUNTIME_EVERY => {
                    results.container_runtime = None;
                }
                _ => self.runtime = Some((fingerprint, now)),
            }
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The results as events, in their order; none when there is nothing to say.
pub(super) fn events(agent: &Agent, received_at_ms: i64, results: Results) -> Vec<AgentEvent> {
    if results.is_empty() {
        return Vec::new();
    }
    let empty = AgentEvent {
        host_id: agent.host_id.to_string(),
        org_id: agent.org_id.to_string(),
        agent_id: agent.agent_id.clone(),
        received_at_ms,
        ..AgentEvent::default()
    };
    let first = AgentEvent {
        ssh_host_keys: results.ssh_host_keys,
        container_runtime: results.container_runtime,
        update_outcome: results.update_outcome,
        ..empty.clone()
    };
    let mut split = Split { bytes: first.encoded_len(), events: vec![first], empty };
    for result in results.check_results {
        split.add(&result, |event, result: &CheckResult| event.check_results.push(result.clone()));
    }
    for result in results.query_results {
        split.add(&result, |event, result: &QueryResult| event.query_results.push(result.clone()));
    }
    for progress in results.task_progress {
        split.add(&progress, |event, progress: &TaskProgress| event.task_progress.push(progress.clone()));
    }
    for result in results.task_results {
        split.add(&result, |event, result: &TaskResult| event.task_results.push(result.clone()));
    }
    split.events
}

/// What is known about an agent before its first message was read.
pub(super) fn unknown(agent: &Agent) -> ConnectedAgent {
    ConnectedAgent {
        host_id: agent.host_id,
        org_id: agent.org_id,
        agent_id: agent.agent_id.clone(),
        version: String::new(),
        os: String::new(),
        arch: String::new(),
        capabilities: Capabilities::default(),
        config_revision: 0,
        pinned_certificate: String::new(),
    }
}

/// Notes what a message says about its agent, for those who have work for it.
pub(super) fn learn(known: &mut ConnectedAgent, message: &HeartbeatRequest, facts: &HostFacts) {
    let note = |place: &mut String, text: &str| {
        if place != text {
            text.clone_into(place);
        }
    };
    note(&mut known.version, &facts.agent_version);
    note(&mut known.os, &facts.os);
    note(&mut known.arch, &facts.arch);
    note(&mut known.pinned_certificate, fingerprint(&message.pinned_server_cert_fingerprint));
    known.capabilities = Capabilities::from_names(&message.capabilities);
    known.config_revision = message.config_revision;
}

/// A SHA-256 in lower-case hex, or nothing.
fn fingerprint(text: &str) -> &str {
    let is_hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == 64 && text.bytes().all(is_hex) { text } else { "" }
}

struct Split {
    events: Vec<AgentEvent>,
    empty: AgentEvent,
    bytes: usize,
}

impl Split {
    fn add<T: Message>(&mut self, item: &T, put: impl FnOnce(&mut AgentEvent, &T)) {
        let size = item.encoded_len();
        if self.bytes + size > EVENT_BYTES {
            self.events.push(self.empty.clone());
            self.bytes = 0;
        }
        self.bytes += size;
        if let Some(event) = self.events.last_mut() {
            put(event, item);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctops_proto::queue::{ContainerRuntime, SshHostKey, SshHostKeys};
    use uuid::Uuid;

    fn agent() -> Agent {
        Agent { agent_id: "a".repeat(24), host_id: Uuid::from_u128(1), org_id: Uuid::from_u128(2) }
    }

    fn repeated() -> Results {
        let key = SshHostKey { algorithm: "ssh-ed25519".into(), fingerprint_sha256: "SHA256:x".into() };
        Results {
            ssh_host_keys: Some(SshHostKeys { keys: vec![key] }),
            container_runtime: Some(ContainerRuntime { status: "installed".into(), ..Default::default() }),
            ..Results::default()
        }
    }

    #[test]
    fn gate_when_keys_and_runtime_are_repeated_lets_only_changes_and_a_sign_of_life_pass() {
        let (mut gate, start) = (DeliveryGate::default(), Instant::now());
        let mut passed = |mut results: Results, at| {
            gate.admit(&mut results, at);
            (results.ssh_host_keys.is_some(), results.container_runtime.is_some())
        };
        assert_eq!(passed(repeated(), start), (true, true));
        assert_eq!(passed(repeated(), start + Duration::from_secs(299)), (false, false));
        assert_eq!(passed(repeated(), start + Duration::from_secs(300)), (false, true));
        let mut changed = repeated();
        changed.ssh_host_keys.as_mut().unwrap().keys.clear();
        changed.container_runtime.as_mut().unwrap().status = "unreachable".into();
        assert_eq!(passed(changed, start + Duration::from_secs(301)), (true, true));
        assert_eq!(passed(Results::default(), start), (false, false));
    }

    #[test]
    fn events_of_large_results_are_several_records_in_order() {
        assert!(events(&agent(), 7, Results::default()).is_empty());
        let chunk = |n: usize| TaskProgress { task_id: n.to_string(), output_chunk: "x".repeat(100_000) };
        let results = Results { task_progress: (0..12).map(chunk).collect(), ..repeated() };
        let events = events(&agent(), 7, results);
        assert_eq!(events.len(), 3);
        assert!(
            events.iter().all(|event| event.encoded_len() < 2 * EVENT_BYTES && event.received_at_ms == 7)
        );
        assert_eq!(events.iter().filter(|event| event.ssh_host_keys.is_some()).count(), 1);
        let order: Vec<_> =
            events.iter().flat_map(|event| &event.task_progress).map(|p| p.task_id.clone()).collect();
        assert_eq!(order, (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn learn_notes_what_an_agent_says_about_itself() {
        let mut known = unknown(&agent());
        assert!(known.capabilities.is_original() && known.version.is_empty());
        let facts = HostFacts { agent_version: "1.2.3".into(), os: "linux".into(), ..Default::default() };
        let message = HeartbeatRequest {
            capabilities: vec!["update".into()],
            config_revision: 4,
            pinned_server_cert_fingerprint: "0f".repeat(32),
            ..Default::default()
        };
        learn(&mut known, &message, &facts);
        assert_eq!((known.version.as_str(), known.os.as_str(), known.config_revision), ("1.2.3", "linux", 4));
        assert_eq!(known.pinned_certificate, "0f".repeat(32));
        assert!(known.capabilities.has(Capabilities::UPDATE) && !known.capabilities.has(Capabilities::TASKS));
        for odd in ["0F".repeat(32), "0f".repeat(31), "zz".repeat(32)] {
            let message = HeartbeatRequest { pinned_server_cert_fingerprint: odd, ..Default::default() };
            learn(&mut known, &message, &facts);
            assert_eq!((known.pinned_certificate.as_str(), known.capabilities.is_original()), ("", true));
        }
    }
}
