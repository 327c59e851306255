//! Progress and results of tasks.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use ctops_proto::queue::AgentEvent;
use ctops_queue::HandlerError;
use ctops_slice::AgentEvents;
use ctops_slice::agents::host_of;
use uuid::Uuid;

use super::store::progress::{self, Output, Results};
use super::{service, store};

/// Takes what agents say about their tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskEvents;

#[async_trait]
impl AgentEvents for TaskEvents {
    fn name(&self) -> &'static str {
        "tasks"
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        let (output, results) = collect(events);
        let runs = match results.task_ids.is_empty() {
            true => Vec::new(),
            false => progress::runs_of(tx, &results.task_ids, &results.host_ids).await?,
        };
        // Runs before targets: the order in which everybody locks.
        if !runs.is_empty() {
            store::lock_runs(tx, &runs).await?;
        }
        if !output.task_ids.is_empty() {
            progress::append_output(tx, &output).await?;
        }
        let now = events.iter().map(|event| event.received_at_ms).max();
        if let Some(now) = now.and_then(DateTime::<Utc>::from_timestamp_millis).filter(|_| !runs.is_empty()) {
            progress::finish(tx, &results, now).await?;
            service::go_on(tx, &runs, now).await?;
        }
        Ok(())
    }
}

fn collect(events: &[AgentEvent]) -> (Output, Results) {
    let (mut output, mut results, mut known) = (Output::default(), Results::default(), HashSet::new());
    for event in events {
        let host_id = host_of(event);
        for progress in &event.task_progress {
            let Ok(task_id) = progress.task_id.parse::<Uuid>() else { continue };
            output.task_ids.push(task_id);
            output.host_ids.push(host_id);
            output.chunks.push(progress.output_chunk.clone());
        }
        for result in &event.task_results {
            let Ok(task_id) = result.task_id.parse::<Uuid>() else { continue };
            // The first result counts: a repeated one comes from an agent that did not get its acknowledgement.
            if known.insert((host_id, task_id)) {
                results.task_ids.push(task_id);
                results.host_ids.push(host_id);
                results.exit_codes.push(result.exit_code);
                let json = Some(&result.result_json).filter(|json| !json.is_empty());
                results.result_jsons.push(json.cloned());
                results.errors.push(result.error.clone());
            }
        }
    }
    (output, results)
}
