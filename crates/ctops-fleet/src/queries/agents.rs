//! Queries on their way to agents, and their answers.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::DateTime;
use ctops_base::{Clock, Problem};
use ctops_pg::{Pool, Tx};
use ctops_proto::agent::{AgentQuery, HeartbeatResponse};
use ctops_proto::queue::AgentEvent;
use ctops_queue::HandlerError;
use ctops_slice::agents::host_of;
use ctops_slice::{AgentEvents, AgentWork, ConnectedAgent};
use uuid::Uuid;

use super::store::{self, Answers};

/// The open queries of connected agents.
pub struct QueryWork {
    pool: Pool,
    clock: Clock,
}

impl QueryWork {
    /// Reads from `pool`.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl AgentWork for QueryWork {
    fn name(&self) -> &'static str {
        "queries"
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let hosts: Vec<Uuid> = agents.iter().map(|agent| agent.host_id).collect();
        let open = store::open(&self.pool, &hosts, self.clock.now()).await.map_err(Problem::internal)?;
        let mut by_host: HashMap<Uuid, Vec<AgentQuery>> = HashMap::new();
        for (host_id, id, query_type) in open {
            by_host.entry(host_id).or_default().push(AgentQuery { query_id: id.to_string(), query_type });
        }
        let response = |pending_queries| HeartbeatResponse { pending_queries, ..Default::default() };
        Ok(by_host.into_iter().map(|(host_id, queries)| (host_id, response(queries))).collect())
    }
}

/// Takes the answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryEvents;

#[async_trait]
impl AgentEvents for QueryEvents {
    fn name(&self) -> &'static str {
        "queries"
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        let (mut answers, mut known) = (Answers::default(), HashSet::new());
        for event in events {
            let host_id = host_of(event);
            for result in &event.query_results {
                let Ok(id) = result.query_id.parse::<Uuid>() else { continue };
                // The first answer counts, as it would if it had come in a batch of its own.
                if !known.insert((host_id, id)) {
                    continue;
                }
                answers.ids.push(id);
                answers.host_ids.push(host_id);
                answers.statuses.push(result.status.clone());
                answers.result_jsons.push(Some(result.result_json.clone()).filter(|json| !json.is_empty()));
                answers.errors.push(result.error.clone());
                let received_at = DateTime::from_timestamp_millis(event.received_at_ms);
                answers.received_at.push(received_at.unwrap_or_default());
            }
        }
        if !answers.ids.is_empty() {
            store::answer(tx, &answers).await?;
        }
        Ok(())
    }
}
