//! Rejection and revocation: for good, at once, with every certificate (agents-enrolment 16).

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_pg::Tx;
use ctops_slice::Actor;
use ctops_slice::audit::{self, AuditEvent};
use serde_json::json;
use uuid::Uuid;

use super::absent;
use crate::agents::AGENTS_APPROVE;
use crate::agents::model::{AgentDeps, AgentSignal, AgentStatus};
use crate::agents::store::{HistoryLine, add_history, announce, decisions, leases, registration, signal};
use crate::hosts::{self, HostStatus};

/// Rejects a pending agent. Its host, which nobody approved, disappears.
///
/// # Errors
/// `forbidden` without `agents.approve`; `not_found`; `wrong_state` unless it is pending; `internal`.
pub async fn reject_agent(deps: &AgentDeps, actor: &Actor, agent_id: &str) -> Result<(), Problem> {
    end(deps, actor, agent_id, "rejected").await
}

/// Revokes an agent. Its stream is closed, and its host stays as offline; a host that nobody approved disappears.
///
/// # Errors
/// `forbidden` without `agents.approve`; `not_found`; `wrong_state` when it is revoked already; `internal`.
pub async fn revoke_agent(deps: &AgentDeps, actor: &Actor, agent_id: &str) -> Result<(), Problem> {
    end(deps, actor, agent_id, "revoked").await
}

/// Revokes every certificate of the agents of these hosts, and of those that wait to take one over, and ends their
/// streams when `tx` commits. The records go with the hosts.
///
/// # Errors
/// `internal` when the database fails.
pub async fn end_for_deletion(tx: &mut Tx<'_>, hosts: &[Uuid], now: DateTime<Utc>) -> Result<(), Problem> {
    let ids = decisions::lock_agents_of_hosts(tx, hosts).await.map_err(Problem::internal)?;
    decisions::revoke_for_deletion(tx, &ids, now).await.map_err(Problem::internal)
}

/// Revokes the agent of a host that is being deleted, in the name of whoever deletes it; its stream ends when `tx` commits.
/// Comes before everything else that `tx` locks.
///
/// # Errors
/// `internal` when the database fails.
pub async fn revoke_for_host(
    tx: &mut Tx<'_>,
    host_id: Uuid,
    by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let agent = decisions::lock_agent_of_host(tx, host_id).await.map_err(Problem::internal)?;
    let Some((agent_id, org_id)) = agent else { return Ok(()) };
    shut_out(tx, &agent_id, by, "host_deleted", now).await.map_err(Problem::internal)?;
    announce(tx, org_id).await.map_err(Problem::internal)
}

/// Makes an agent revoked for good, with its certificates and leases, and ends its stream when `tx` commits.
async fn shut_out(
    tx: &mut Tx<'_>,
    agent_id: &str,
    by: Option<Uuid>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    decisions::revoke(tx, agent_id).await?;
    decisions::revoke_certificates(tx, agent_id, reason, now).await?;
    leases::delete_leases(tx, &[agent_id]).await?;
    add_history(tx, &HistoryLine { agent_id, status: "revoked", actor_id: by, reason }, now).await?;
    signal(tx, &AgentSignal::Revoked(agent_id.to_owned())).await
}

async fn end(deps: &AgentDeps, actor: &Actor, agent_id: &str, how: &'static str) -> Result<(), Problem> {
    let grant = actor.grant(&AGENTS_APPROVE)?;
    let now = deps.clock.now();
    let head = decisions::find_for_decision(&deps.pool, &grant, agent_id).await.map_err(Problem::internal)?;
    let head = head.ok_or_else(absent)?;
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let locked = registration::lock_agents(&mut tx, &[&head.id]).await.map_err(Problem::internal)?.pop();
    let agent = locked.ok_or_else(absent)?;
    let (action, may_end) = match how {
        "rejected" => ("agent.rejected", agent.status == AgentStatus::Pending),
        _ => ("agent.revoked", agent.status != AgentStatus::Revoked),
    };
    if !may_end {
        let status = agent.status.as_str();
        return Err(Problem::wrong_state(format!("an agent that is {status} cannot be {how}")));
    }
    shut_out(&mut tx, &agent.id, Some(actor.user_id), how, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, action, "agent")
        .on(&agent.id)
        .summary(format!("{how} the agent on {}", agent.facts.hostname))
        .change(Some(json!({"status": agent.status.as_str()})), Some(json!({"status": "revoked"})));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    if let Some(host_id) = agent.host_id {
        if agent.status == AgentStatus::Pending {
            hosts::soft_delete(&mut tx, host_id, None, now).await?;
        } else {
            hosts::set_status(&mut tx, &[host_id], HostStatus::Offline, now).await?;
        }
    }
    announce(&mut tx, agent.org_id).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    tracing::info!(agent.id = agent.id, "agent was {how}");
    Ok(())
}
