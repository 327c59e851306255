//! Scan tasks that end without an inventory: the agent could not collect, or refused.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ctops_base::text::clean;
use ctops_pg::Tx;
use ctops_proto::queue::{AgentEvent, TaskResult};
use ctops_queue::HandlerError;
use ctops_slice::AgentEvents;
use ctops_slice::agents::host_of;
use uuid::Uuid;

use super::model::MAX_ERROR_CHARS;
use super::store::{sweep, uploads};
use crate::tasks::SOFTWARE_INVENTORY;

/// Ends the scans whose tasks failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScanEvents;

#[async_trait]
impl AgentEvents for ScanEvents {
    fn name(&self) -> &'static str {
        "software"
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        let (mut tasks, mut errors) = (Vec::new(), Vec::new());
        for event in events {
            for result in event.task_results.iter().filter(|r| r.task_type == SOFTWARE_INVENTORY) {
                if let Ok(task_id) = result.task_id.parse::<Uuid>() {
                    tasks.push((host_of(event), task_id));
                    errors.push(reason(result));
                }
            }
        }
        let now = events.iter().map(|event| event.received_at_ms).max();
        let Some(now) = now.and_then(DateTime::<Utc>::from_timestamp_millis).filter(|_| !tasks.is_empty())
        else {
            return Ok(());
        };
        // Scans whose inventory arrived have ended before the agent sends its result; they are left alone.
        let hosts = sweep::fail_tasks(tx, &tasks, &errors, now).await?;
        if !hosts.is_empty() {
            uploads::note_end(tx, &hosts, false, now).await?;
        }
        Ok(())
    }
}

fn reason(result: &TaskResult) -> String {
    let error = clean(&result.error, MAX_ERROR_CHARS);
    match (error.is_empty(), result.exit_code) {
        (false, _) => error,
        (true, 0) => "the agent ended the scan without an inventory".to_owned(),
        (true, code) => format!("the agent ended the scan with code {code}"),
    }
}
