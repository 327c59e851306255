//! Definitions and runs on their way to agents, and what agents found.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::DateTime;
use ctops_base::Problem;
use ctops_pg::{Pool, Tx};
use ctops_proto::agent::{CheckDefinition, HeartbeatResponse};
use ctops_proto::queue::AgentEvent;
use ctops_queue::HandlerError;
use ctops_slice::agents::host_of;
use ctops_slice::{AgentEvents, AgentWork, Capabilities, ConnectedAgent};
use uuid::Uuid;

use super::model::{Dialect, Secrets, for_agent};
use super::store::{self, Definition, Results};
use crate::Deps;

/// Seconds between two runs of the placeholder.
const PLACEHOLDER_INTERVAL: i32 = 24 * 60 * 60;

/// The complete set of checks of connected agents.
pub struct CheckWork {
    deps: Deps,
}

impl CheckWork {
    /// Reads from the area's database.
    pub fn new(deps: Deps) -> Self {
        Self { deps }
    }

    fn definition(&self, row: &Definition, dialect: Dialect) -> Result<CheckDefinition, Problem> {
        let secrets = Secrets::open(&self.deps.install_key, row.id, row.secrets.as_deref())?;
        let mut config = row.config.clone();
        secrets.put_into(&mut config);
        Ok(CheckDefinition {
            check_id: row.id.to_string(),
            check_type: row.kind.clone(),
            config_json: for_agent(config, dialect, row.run_requested_at.map(|at| at.timestamp_millis())),
            interval_seconds: row.interval_seconds,
        })
    }

    fn active(&self, rows: &[Definition], dialect: Dialect) -> Vec<CheckDefinition> {
        let read = |row: &Definition| match self.definition(row, dialect) {
            Ok(definition) => Some(definition),
            Err(problem) => {
                tracing::error!(check.id = %row.id, cause = problem.cause_chain(), "a check cannot be sent");
                None
            }
        };
        rows.iter().filter(|row| row.is_active).filter_map(read).collect()
    }
}

#[async_trait]
impl AgentWork for CheckWork {
    fn name(&self) -> &'static str {
        "checks"
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let hosts: Vec<Uuid> = agents.iter().map(|agent| agent.host_id).collect();
        let rows = store::definitions(&self.deps.pool, &hosts).await.map_err(Problem::internal)?;
        let by_host: HashMap<Uuid, &[Definition]> =
            rows.chunk_by(|a, b| a.host_id == b.host_id).map(|rows| (rows[0].host_id, rows)).collect();
        let mut responses = Vec::new();
        for agent in agents {
            let rows = by_host.get(&agent.host_id).copied().unwrap_or_default();
            if agent.capabilities.has(Capabilities::CHECKS_COMPLETE) {
                let checks = self.active(rows, Dialect::Own);
                let response = HeartbeatResponse { checks, checks_complete: true, ..Default::default() };
                responses.push((agent.host_id, response));
            } else if !rows.is_empty() {
                let mut checks = self.active(rows, Dialect::Original);
                if checks.is_empty() {
                    checks.push(placeholder());
                }
                responses.push((agent.host_id, HeartbeatResponse { checks, ..Default::default() }));
            }
        }
        Ok(responses)
    }
}

/// Stands for an empty set, which agents of the original product ignore: it stops every other check, looks for the agent's
/// own process once a day, and its result belongs to no check.
fn placeholder() -> CheckDefinition {
    CheckDefinition {
        check_id: Uuid::nil().to_string(),
        check_type: "process".to_owned(),
        config_json: r#"{"process_name":"ct-ops-agent"}"#.to_owned(),
        interval_seconds: PLACEHOLDER_INTERVAL,
    }
}

/// Runs that somebody asked for. Agents of the original product learn of them through changed parameters.
pub struct CheckRuns {
    pool: Pool,
}

impl CheckRuns {
    /// Reads from `pool`.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl AgentWork for CheckRuns {
    fn name(&self) -> &'static str {
        "check_runs"
    }

    /// Two requests in a row look the same.
    fn repeats(&self) -> bool {
        true
    }

    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem> {
        let own = agents.iter().filter(|agent| agent.capabilities.has(Capabilities::CHECKS_COMPLETE));
        let hosts: Vec<Uuid> = own.map(|agent| agent.host_id).collect();
        let runs = store::requested_runs(&self.pool, &hosts).await.map_err(Problem::internal)?;
        let of_host = |runs: &[(Uuid, Uuid)]| {
            let run_check_ids = runs.iter().map(|(_, check_id)| check_id.to_string()).collect();
            (runs[0].0, HeartbeatResponse { run_check_ids, ..Default::default() })
        };
        Ok(runs.chunk_by(|a, b| a.0 == b.0).map(of_host).collect())
    }
}

/// Takes results.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckEvents;

#[async_trait]
impl AgentEvents for CheckEvents {
    fn name(&self) -> &'static str {
        "checks"
    }

    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError> {
        let mut results = Results::default();
        for event in events {
            let host_id = host_of(event);
            let received_at = DateTime::from_timestamp_millis(event.received_at_ms).unwrap_or_default();
            for result in &event.check_results {
                let Ok(check_id) = result.check_id.parse::<Uuid>() else { continue };
                let Some(ran_at) = DateTime::from_timestamp_millis(result.ran_at_ms) else { continue };
                results.check_ids.push(check_id);
                results.host_ids.push(host_id);
                results.ran_at.push(ran_at);
                results.received_at.push(received_at);
                results.statuses.push(result.status.clone());
                results.durations_ms.push(i64::from(result.duration_ms));
                results.outputs.push(result.output.clone());
            }
        }
        if !results.check_ids.is_empty() {
            store::insert_results(tx, &results).await?;
        }
        Ok(())
    }
}
