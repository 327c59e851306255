//! Leases: who is connected, and what becomes of agents whose node died.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_pg::notify::{AGENTS, notify};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use crate::agents::model::{
    AgentStatus, HostStatusChange, LeaseChange, LeaseEnd, LeaseEvent, NODE_LEASE_TTL, NodeRenewal,
    SupersededSessions,
};
use crate::agents::service::COMMIT_DELAY;
use crate::agents::store::leases::{self as store, Lease, LeaseState, StreamLine};
use crate::hosts::{self, HostStatus};

/// Advisory lock of the one process that looks for lost leases: the first eight bytes of "ctopsLSE".
const SWEEP_LOCK: i64 = i64::from_be_bytes(*b"ctopsLSE");
/// Leases ended in one transaction.
const SWEEP_BATCH: i64 = 5_000;
/// How long after a clean stop the ends that were published may still be on their way.
const STOP_GRACE: TimeDelta = TimeDelta::seconds(5);

/// The lease of one ingest node.
#[derive(Clone, Debug)]
pub struct NodeLease {
    id: Uuid,
    name: String,
}

impl NodeLease {
    /// Takes a lease for a new node.
    ///
    /// # Errors
    /// `Internal` when the database cannot be asked.
    pub async fn begin(pool: &Pool, name: &str, now: DateTime<Utc>) -> Result<Self, Problem> {
        let lease = Self { id: new_id(), name: name.to_owned() };
        store::add_node(pool, lease.id, name, now, now + NODE_LEASE_TTL).await.map_err(Problem::internal)?;
        Ok(lease)
    }

    /// The node's id; goes into every `StatusChange`.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Prolongs the lease by [`NODE_LEASE_TTL`] and tells what was revoked from `since` on; to be called every
    /// [`NODE_LEASE_RENEWAL`](crate::agents::NODE_LEASE_RENEWAL). Both are one statement, because idle agents should cost
    /// next to nothing.
    ///
    /// # Errors
    /// `Internal` when the database cannot be asked.
    pub async fn renew(
        &self,
        pool: &Pool,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<NodeRenewal, Problem> {
        let until = now + NODE_LEASE_TTL;
        let prolonged = store::prolong_node(pool, self.id, until, (since - COMMIT_DELAY, now)).await;
        if let Some(revoked) = prolonged.map_err(Problem::internal)? {
            return Ok(NodeRenewal::Kept { revoked });
        }
        store::add_node(pool, self.id, &self.name, now, until).await.map_err(Problem::internal)?;
        Ok(NodeRenewal::Regained)
    }

    /// Gives the lease up after a clean stop, when the ends of all leases were published. What of them does not arrive
    /// within five seconds ends like the leases of a lost node.
    ///
    /// # Errors
    /// `Internal` when the database cannot be asked.
    pub async fn end(&self, pool: &Pool, now: DateTime<Utc>) -> Result<(), Problem> {
        store::shorten_node(pool, self.id, now + STOP_GRACE).await.map_err(Problem::internal)
    }
}

/// Applies events of the topic `agent.status` in order: leases, agents' status, history. Returns what each change means
/// for a host, last state per host; the caller writes it to the host's projection in the same transaction.
///
/// A newer session wins; the end of a session that is not the current one changes nothing (hosts 4). Agents that are not
/// approved are left alone (hosts 6). When two nodes hold streams of one agent, the node of the older one is told to end it.
///
/// # Errors
/// Whatever the database says.
pub async fn apply_lease_changes(
    tx: &mut Tx<'_>,
    changes: &[LeaseChange],
) -> Result<Vec<HostStatusChange>, sqlx::Error> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: Vec<&str> = changes.iter().map(|change| change.agent_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let outcome = fold(store::lock_states(tx, &ids).await?, changes);
    let gone: Vec<&str> = outcome.without_lease().map(|state| state.agent_id.as_str()).collect();
    if !gone.is_empty() {
        store::delete_leases(tx, &gone).await?;
    }
    let held: Vec<(&LeaseState, Lease)> = outcome.with_lease().collect();
    if !held.is_empty() {
        store::put_leases(tx, &held).await?;
    }
    let statuses: Vec<(&str, AgentStatus)> = outcome.statuses().collect();
    if !statuses.is_empty() {
        store::set_statuses(tx, &statuses).await?;
    }
    if !outcome.lines.is_empty() {
        store::add_lines(tx, &outcome.lines).await?;
    }
    for signal in SupersededSessions::gather(&outcome.superseded) {
        notify(&mut **tx, AGENTS, &signal.to_string()).await?;
    }
    Ok(outcome.hosts())
}

/// One agent while changes are applied to it.
struct Current {
    before: LeaseState,
    after: LeaseState,
    host: Option<HostStatusChange>,
}

/// What changes come down to.
struct Outcome {
    agents: Vec<Current>,
    lines: Vec<StreamLine>,
    /// Node and session of streams that another node's stream took the place of.
    superseded: Vec<(Uuid, Uuid)>,
}

impl Outcome {
    fn changed_leases(&self) -> impl Iterator<Item = &LeaseState> {
        self.agents.iter().filter(|agent| agent.before.lease != agent.after.lease).map(|agent| &agent.after)
    }

    fn without_lease(&self) -> impl Iterator<Item = &LeaseState> {
        self.changed_leases().filter(|state| state.lease.is_none())
    }

    fn with_lease(&self) -> impl Iterator<Item = (&LeaseState, Lease)> {
        self.changed_leases().filter_map(|state| Some((state, state.lease?)))
    }

    fn statuses(&self) -> impl Iterator<Item = (&str, AgentStatus)> {
        self.agents
            .iter()
            .filter(|agent| agent.before.status != agent.after.status)
            .map(|agent| (agent.after.agent_id.as_str(), agent.after.status))
    }

    fn hosts(&self) -> Vec<HostStatusChange> {
        self.agents.iter().filter_map(|agent| agent.host).collect()
    }
}

/// Applies the changes to the states, without a database.
fn fold(states: Vec<LeaseState>, changes: &[LeaseChange]) -> Outcome {
    let mut agents: Vec<Current> =
        states.into_iter().map(|state| Current { before: state.clone(), after: state, host: None }).collect();
    let places: HashMap<String, usize> =
        agents.iter().enumerate().map(|(at, agent)| (agent.before.agent_id.clone(), at)).collect();
    let (mut lines, mut superseded) = (Vec::new(), Vec::new());
    for change in changes {
        if let Some(agent) = places.get(&change.agent_id).and_then(|at| agents.get_mut(*at)) {
            superseded.extend(overtaken(agent.after.lease, change));
            apply(agent, change, &mut lines);
        }
    }
    Outcome { agents, lines, superseded }
}

/// The stream that has to end because `change` announces another one on another node. A node sees to its own streams
/// itself. The announced stream may be the older one: then it is the one to end, and its agent, if it lives, comes back.
fn overtaken(lease: Option<Lease>, change: &LeaseChange) -> Option<(Uuid, Uuid)> {
    let LeaseEvent::Began { .. } = change.event else { return None };
    let lease = lease.filter(|lease| lease.node_id != change.node_id)?;
    let (held, announced) = ((lease.node_id, lease.session_id), (change.node_id, change.session_id));
    Some(if lease.session_id > change.session_id { announced } else { held })
}

fn apply(agent: &mut Current, change: &LeaseChange, lines: &mut Vec<StreamLine>) {
    let session = agent.after.lease.map(|lease| lease.session_id);
    let (status, reason) = match change.event {
        // An older stream than the current one: its beginning was overtaken on the way.
        LeaseEvent::Began { .. } if session.is_some_and(|current| current > change.session_id) => return,
        LeaseEvent::Began { .. } if !agent.after.status.is_approved() => return,
        LeaseEvent::Began { interval_seconds } => {
            agent.after.lease = Some(Lease {
                session_id: change.session_id,
                node_id: change.node_id,
                began_at: change.at,
                interval_seconds: i32::try_from(interval_seconds.clamp(5, 300)).unwrap_or(300),
            });
            (AgentStatus::Active, "connected")
        }
        LeaseEvent::Ended(_) if session != Some(change.session_id) => return,
        LeaseEvent::Ended(end) => {
            agent.after.lease = None;
            (AgentStatus::Offline, end.as_str())
        }
    };
    if !agent.after.status.is_approved() {
        return;
    }
    if agent.after.status != status {
        agent.after.status = status;
        lines.push(StreamLine { agent_id: agent.after.agent_id.clone(), status, reason, at: change.at });
    }
    agent.host = Some(HostStatusChange {
        host_id: agent.after.host_id,
        org_id: agent.after.org_id,
        online: status == AgentStatus::Active,
        at: change.at,
    });
}

/// Ends the leases of nodes that did not renew theirs in time (hosts 2). Any process may call it at any time; one at a
/// time does the work. Returns how many leases ended.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn end_lost_leases(pool: &Pool, now: DateTime<Utc>) -> Result<usize, Problem> {
    let mut ended = 0;
    loop {
        let mut tx = pool.begin().await.map_err(Problem::internal)?;
        if !store::try_lead(&mut tx, SWEEP_LOCK).await.map_err(Problem::internal)? {
            return Ok(ended);
        }
        store::give_up_nodes(&mut tx, now).await.map_err(Problem::internal)?;
        let lost = store::lost_leases(&mut tx, SWEEP_BATCH).await.map_err(Problem::internal)?;
        let count = lost.len();
        let changes: Vec<LeaseChange> = lost
            .into_iter()
            .map(|(agent_id, session_id, node_id)| LeaseChange {
                agent_id,
                session_id,
                node_id,
                event: LeaseEvent::Ended(LeaseEnd::NodeLost),
                at: now,
            })
            .collect();
        let offline = apply_lease_changes(&mut tx, &changes).await.map_err(Problem::internal)?;
        let hosts: Vec<Uuid> = offline.iter().map(|change| change.host_id).collect();
        if !hosts.is_empty() {
            hosts::set_status(&mut tx, &hosts, HostStatus::Offline, now).await?;
        }
        tx.commit().await.map_err(Problem::internal)?;
        ended += count;
        if count > 0 {
            tracing::warn!(leases = count, "leases of lost ingest nodes were ended");
        }
        if offline.is_empty() || i64::try_from(count).map_or(true, |count| count < SWEEP_BATCH) {
            return Ok(ended);
        }
    }
}

#[cfg(test)]
mod tests;
