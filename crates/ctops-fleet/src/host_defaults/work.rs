//! Tells agents what to collect and how often to report.

use std::collections::HashMap;

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_proto::agent::HeartbeatResponse;
use ctops_slice::agents::Capabilities;
use ctops_slice::{AgentWork, ConnectedAgent};
use uuid::Uuid;

use super::{model, store};

/// Sends the configuration to agents that take one and work with another revision.
#[derive(Debug)]
pub struct ConfigWork {
    pool: Pool,
}

impl ConfigWork {
    /// On the database of `pool`.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl AgentWork for ConfigWork {
    fn name(&self) -> &'static str {
        "host_defaults"
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let able: Vec<_> =
            agents.iter().filter(|agent| agent.capabilities.has(Capabilities::CONFIG)).collect();
        let mut orgs: Vec<Uuid> = able.iter().map(|agent| agent.org_id).collect();
        orgs.sort_unstable();
        orgs.dedup();
        let chosen = store::of_orgs(&self.pool, &orgs).await.map_err(Problem::internal)?;
        let chosen: HashMap<Uuid, _> =
            chosen.into_iter().map(|(org, revision, defaults)| (org, (revision, defaults))).collect();
        let tell = |agent: &&ConnectedAgent| {
            let config = model::to_tell(chosen.get(&agent.org_id).copied(), agent.config_revision)?;
            Some((agent.host_id, HeartbeatResponse { config: Some(config), ..HeartbeatResponse::default() }))
        };
        Ok(able.iter().filter_map(tell).collect())
    }
}
