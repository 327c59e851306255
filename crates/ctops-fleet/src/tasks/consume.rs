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

#[cfg(test)]
mod tests {
    use ctops_proto::queue::{TaskProgress, TaskResult};

    use super::*;

    fn event(host: u128, progress: &[(u128, &str)], results: &[(u128, i32)]) -> AgentEvent {
        let id = |number: u128| Uuid::from_u128(number).to_string();
        AgentEvent {
            host_id: id(host),
            task_progress: progress
                .iter()
                .map(|(task, chunk)| TaskProgress { task_id: id(*task), output_chunk: (*chunk).to_owned() })
                .collect(),
            task_results: results
                .iter()
                .map(|(task, exit_code)| TaskResult {
                    task_id: id(*task),
                    exit_code: *exit_code,
                    ..Default::default()
                })
                .collect(),
            ..AgentEvent::default()
        }
    }

    #[test]
    fn collect_keeps_output_in_order_and_the_first_result_of_each_task() {
        let mut strange = event(1, &[], &[]);
        strange.task_results.push(TaskResult { task_id: "task-1".into(), ..Default::default() });
        let events = [
            event(1, &[(5, "a"), (6, "x")], &[(5, 0)]),
            event(1, &[(5, "b")], &[(5, 7), (6, 1)]),
            event(2, &[], &[(5, 3)]),
            strange,
        ];
        let (output, results) = collect(&events);
        assert_eq!(output.chunks, ["a", "x", "b"]);
        let tasks: Vec<_> = output.task_ids.iter().map(Uuid::as_u128).collect();
        assert_eq!(tasks, [5, 6, 5]);
        let said: Vec<_> = results
            .host_ids
            .iter()
            .zip(&results.task_ids)
            .zip(&results.exit_codes)
            .map(|((host, task), code)| (host.as_u128(), task.as_u128(), *code))
            .collect();
        assert_eq!(
            said,
            [(1, 5, 0), (1, 6, 1), (2, 5, 3)],
            "another host's claim is kept apart, and changes nothing"
        );
        assert_eq!(results.result_jsons, [None, None, None], "an empty text is no JSON");
    }
}
