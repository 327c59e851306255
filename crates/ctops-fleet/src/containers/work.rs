//! Tells agents what to collect.

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_proto::agent::HeartbeatResponse;
use ctops_slice::{AgentWork, ConnectedAgent};
use uuid::Uuid;

use super::store::settings;

/// Sends the configuration of container telemetry (containers 5, 6). Agents of the original product obey it as well.
/// Where nobody ever chose anything, agents work with the same defaults and are told nothing.
pub(super) struct TelemetryWork {
    pool: Pool,
}

impl TelemetryWork {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl AgentWork for TelemetryWork {
    fn name(&self) -> &'static str {
        "containers"
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let hosts: Vec<Uuid> = agents.iter().map(|agent| agent.host_id).collect();
        let orgs: Vec<Uuid> = agents.iter().map(|agent| agent.org_id).collect();
        let wanted = settings::of_hosts(&self.pool, &hosts, &orgs).await.map_err(Problem::internal)?;
        let response = |(host_id, enabled, settings): (Uuid, bool, super::model::ContainerSettings)| {
            let config = Some(settings.config(enabled));
            (host_id, HeartbeatResponse { docker_telemetry_config: config, ..HeartbeatResponse::default() })
        };
        Ok(wanted.into_iter().map(response).collect())
    }
}
