//! Tasks and cancellations on their way to agents.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_proto::agent::{AgentTask, HeartbeatResponse};
use ctops_slice::{AgentWork, Capabilities, ConnectedAgent};
use uuid::Uuid;

use super::model::{OpenTarget, SOFTWARE_INVENTORY};
use super::{service, store};

/// Said of targets whose agent would refuse them.
const UNSUPPORTED: &str = "the agent does not support this task";

/// The tasks of connected agents.
pub struct TaskWork {
    pool: Pool,
    clock: Clock,
}

impl TaskWork {
    /// Reads and claims in `pool`.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// Skips what agents would refuse and claims what has room.
    async fn claim(&self, waiting: &[&OpenTarget], refused: &[Uuid]) -> Result<Vec<OpenTarget>, sqlx::Error> {
        let runs = distinct(waiting.iter().map(|target| target.run_id));
        let hosts = distinct(waiting.iter().map(|target| target.host_id));
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        store::lock_runs(&mut tx, &runs).await?;
        if !refused.is_empty() {
            store::skip(&mut tx, refused, UNSUPPORTED, now).await?;
            service::go_on(&mut tx, &runs, now).await?;
        }
        let claimed = store::claim(&mut tx, &runs, &hosts, now).await?;
        tx.commit().await?;
        Ok(claimed)
    }
}

#[async_trait]
impl AgentWork for TaskWork {
    fn name(&self) -> &'static str {
        "tasks"
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let hosts: Vec<Uuid> = agents.iter().map(|agent| agent.host_id).collect();
        let open = store::open_targets(&self.pool, &hosts).await.map_err(Problem::internal)?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let takes_all: HashSet<Uuid> = agents
            .iter()
            .filter(|agent| agent.capabilities.has(Capabilities::TASKS))
            .map(|agent| agent.host_id)
            .collect();
        let waiting: Vec<&OpenTarget> = open.iter().filter(|target| target.status == "pending").collect();
        let refused: Vec<Uuid> = waiting
            .iter()
            .filter(|target| target.kind != SOFTWARE_INVENTORY && !takes_all.contains(&target.host_id))
            .map(|target| target.id)
            .collect();
        let claimed = match waiting.is_empty() {
            true => Vec::new(),
            false => self.claim(&waiting, &refused).await.map_err(Problem::internal)?,
        };
        let mut responses = cancellations(&open);
        // What runs already is sent again: its agent may never have received it, and ignores what it knows.
        let running = open.into_iter().filter(|target| target.status == "running");
        responses.extend(running.chain(claimed).map(|target| {
            let task = AgentTask {
                task_id: target.id.to_string(),
                task_type: target.kind,
                config_json: target.config_json,
            };
            (target.host_id, HeartbeatResponse { pending_task: Some(task), ..Default::default() })
        }));
        Ok(responses)
    }
}

/// One response per host with everything that is to stop.
fn cancellations(open: &[OpenTarget]) -> Vec<(Uuid, HeartbeatResponse)> {
    let mut by_host: HashMap<Uuid, Vec<String>> = HashMap::new();
    for target in open.iter().filter(|target| target.status == "cancelling") {
        by_host.entry(target.host_id).or_default().push(target.id.to_string());
    }
    by_host
        .into_iter()
        .map(|(host_id, cancel_task_ids)| {
            (host_id, HeartbeatResponse { cancel_task_ids, ..Default::default() })
        })
        .collect()
}

fn distinct(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(id: u128, host: u128, status: &str) -> OpenTarget {
        OpenTarget {
            id: Uuid::from_u128(id),
            run_id: Uuid::from_u128(100 + id % 2),
            host_id: Uuid::from_u128(host),
            status: status.to_owned(),
            kind: SOFTWARE_INVENTORY.to_owned(),
            config_json: "{}".to_owned(),
        }
    }

    #[test]
    fn cancellations_of_one_host_travel_together_and_name_nothing_else() {
        let open = [
            target(1, 7, "cancelling"),
            target(2, 7, "running"),
            target(3, 8, "pending"),
            target(4, 7, "cancelling"),
        ];
        let sent = cancellations(&open);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].0, Uuid::from_u128(7));
        let expected = [Uuid::from_u128(1).to_string(), Uuid::from_u128(4).to_string()];
        assert_eq!(sent[0].1.cancel_task_ids, expected);
        assert!(cancellations(&open[1..3]).is_empty());
    }

    #[test]
    fn distinct_ids_are_in_the_order_of_locks() {
        let ids = [3, 1, 3, 2].map(Uuid::from_u128);
        assert_eq!(distinct(ids.into_iter()), [1, 2, 3].map(Uuid::from_u128));
    }
}
