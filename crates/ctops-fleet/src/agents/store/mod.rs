//! Statements of the agents slice.
//!
//! Rows are locked in the order: identities (advisory), agents by id, then whatever the hosts slice locks, then the token.

pub(super) mod decisions;
pub(super) mod leases;
pub(super) mod reading;
pub(super) mod registration;
pub(super) mod trust;

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use ctops_pg::notify::{AGENTS, CHANGES, notify};
use uuid::Uuid;

use super::model::AgentSignal;

/// A line of the status history.
#[derive(Clone, Debug)]
pub(super) struct HistoryLine<'a> {
    pub(super) agent_id: &'a str,
    pub(super) status: &'a str,
    pub(super) actor_id: Option<Uuid>,
    pub(super) reason: &'a str,
}

/// Appends a line to the status history.
pub(super) async fn add_history(
    tx: &mut Tx<'_>,
    line: &HistoryLine<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO agent_status_history (agent_id, status, actor_id, reason, at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(line.agent_id)
    .bind(line.status)
    .bind(line.actor_id)
    .bind(line.reason)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Tells the nodes that hold the agent's stream or call, when the transaction commits.
pub(super) async fn signal(tx: &mut Tx<'_>, signal: &AgentSignal) -> Result<(), sqlx::Error> {
    notify(&mut **tx, AGENTS, &signal.to_string()).await
}

/// Tells live views of the organisation that agents changed, when the transaction commits.
pub(super) async fn announce(tx: &mut Tx<'_>, org_id: Uuid) -> Result<(), sqlx::Error> {
    notify(&mut **tx, CHANGES, &format!("agents:{org_id}")).await
}

/// Notes the versions of agents, one statement for all.
pub(super) async fn set_versions(
    tx: &mut Tx<'_>,
    agent_ids: &[String],
    versions: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH reported AS (
             SELECT agent_id, version FROM unnest($1::text[], $2::text[]) AS r (agent_id, version)
         ), locked AS (
             SELECT a.id, r.version
             FROM agents a
             JOIN reported r ON r.agent_id = a.id
             WHERE a.version IS DISTINCT FROM r.version
             ORDER BY a.id
             FOR UPDATE OF a
         )
         UPDATE agents a
         SET version = l.version
         FROM locked l
         WHERE a.id = l.id",
    )
    .bind(agent_ids)
    .bind(versions)
    .execute(&mut **tx)
    .await
    .map(drop)
}
