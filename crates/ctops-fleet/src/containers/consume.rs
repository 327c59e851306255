//! The runtime's state as heartbeats report it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use ctops_proto::queue::{AgentEvent, ContainerRuntime};
use ctops_queue::HandlerError;
use ctops_slice::AgentEvents;
use ctops_slice::agents::host_of;
use uuid::Uuid;

use super::model::{MAX_AHEAD, MAX_ERROR_BYTES, bounded};
use super::store::telemetry::{Probe, write_probes};

/// States that agents report (containers 1).
const STATUSES: [&str; 5] = ["not_installed", "installed", "permission_denied", "unreachable", "error"];
/// Longest version, bytes (wire contract 5.3).
const MAX_VERSION_BYTES: usize = 128;

/// Keeps the newest state of each host's runtime.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RuntimeEvents;

#[async_trait]
impl AgentEvents for RuntimeEvents {
    fn name(&self) -> &'static str {
        "containers"
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        // The last of each host; in the order of hosts, in which everybody locks.
        let mut newest: BTreeMap<Uuid, Probe> = BTreeMap::new();
        for event in events {
            if let Some(probe) = event.container_runtime.as_ref().and_then(|runtime| probe(event, runtime)) {
                newest.insert(probe.host_id, probe);
            }
        }
        let probes: Vec<Probe> = newest.into_values().collect();
        if !probes.is_empty() {
            write_probes(tx, &probes).await?;
        }
        Ok(())
    }
}

/// None for states of newer agents that this server does not know.
fn probe(event: &AgentEvent, runtime: &ContainerRuntime) -> Option<Probe> {
    if !STATUSES.contains(&runtime.status.as_str()) {
        return None;
    }
    let reported_at = DateTime::<Utc>::from_timestamp_millis(event.received_at_ms)?;
    let checked_at = DateTime::<Utc>::from_timestamp_millis(runtime.checked_at_ms)
        .filter(|at| runtime.checked_at_ms > 0 && *at <= reported_at + MAX_AHEAD);
    let text = |text: &str, max| Some(bounded(text, max)).filter(|text| !text.is_empty());
    Some(Probe {
        host_id: host_of(event),
        status: runtime.status.clone(),
        version: text(&runtime.runtime_version, MAX_VERSION_BYTES),
        api_version: text(&runtime.api_version, MAX_VERSION_BYTES),
        error: text(&runtime.error, MAX_ERROR_BYTES),
        checked_at: checked_at.unwrap_or(reported_at),
        reported_at,
    })
}
