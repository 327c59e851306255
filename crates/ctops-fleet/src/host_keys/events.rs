//! Keys that agents report.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::DateTime;
use ctops_pg::Tx;
use ctops_proto::queue::AgentEvent;
use ctops_queue::HandlerError;
use ctops_slice::AgentEvents;
use ctops_slice::agents::{host_of, org_of};
use ctops_slice::audit::{self, AuditEvent, By};
use serde_json::json;
use uuid::Uuid;

use super::model::{HostKey, HostKeys, Reported, after};
use super::store;

/// Takes reported host keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostKeyEvents;

#[async_trait]
impl AgentEvents for HostKeyEvents {
    fn name(&self) -> &'static str {
        "host_keys"
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        let reports: Vec<(Reported, &AgentEvent)> =
            events.iter().filter_map(|event| Some((reported(event)?, event))).collect();
        if reports.is_empty() {
            return Ok(());
        }
        let mut hosts: Vec<Uuid> = reports.iter().map(|(report, _)| report.host_id).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let known = store::lock(tx, &hosts).await?;
        let mut known: BTreeMap<Uuid, HostKeys> =
            known.into_iter().map(|keys| (keys.host_id, keys)).collect();
        let mut changed: BTreeMap<Uuid, HostKeys> = BTreeMap::new();
        for (report, event) in &reports {
            if let Some(keys) = after(known.get(&report.host_id), report) {
                if keys.pending.is_some() {
                    // One row per host whose keys change: this is rare, and each must be in the trail.
                    audit::append(tx, &alarm(&keys, event), report.at).await?;
                }
                known.insert(report.host_id, keys.clone());
                changed.insert(report.host_id, keys);
            }
        }
        let changed: Vec<HostKeys> = changed.into_values().collect();
        if !changed.is_empty() {
            store::write(tx, &changed).await?;
        }
        Ok(())
    }
}

fn reported(event: &AgentEvent) -> Option<Reported> {
    let keys = &event.ssh_host_keys.as_ref()?.keys;
    let keys: Vec<HostKey> = keys
        .iter()
        .map(|key| HostKey {
            algorithm: key.algorithm.clone(),
            fingerprint_sha256: key.fingerprint_sha256.clone(),
        })
        .collect();
    let at = DateTime::from_timestamp_millis(event.received_at_ms)?;
    (!keys.is_empty()).then(|| Reported { host_id: host_of(event), org_id: org_of(event), keys, at })
}

fn alarm(keys: &HostKeys, event: &AgentEvent) -> AuditEvent {
    AuditEvent::by(By::Agent(event.agent_id.clone()), Some(keys.org_id), "ssh_host_key.changed", "host")
        .on(keys.host_id)
        .summary("the host reports other SSH host keys than the trusted ones")
        .change(Some(json!(keys.trusted.0)), keys.pending.as_ref().map(|pending| json!(pending.0)))
}
