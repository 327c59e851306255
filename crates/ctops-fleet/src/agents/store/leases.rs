//! Leases of agents and nodes. Every function works on a whole batch with one statement.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::registration::parse_status;
use crate::agents::model::AgentStatus;

/// What a lease change is decided on.
#[derive(Clone, Debug)]
pub(in crate::agents) struct LeaseState {
    pub(in crate::agents) agent_id: String,
    pub(in crate::agents) org_id: Uuid,
    pub(in crate::agents) host_id: Uuid,
    pub(in crate::agents) status: AgentStatus,
    pub(in crate::agents) lease: Option<Lease>,
}

/// Who holds an agent's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agents) struct Lease {
    pub(in crate::agents) session_id: Uuid,
    pub(in crate::agents) node_id: Uuid,
    pub(in crate::agents) began_at: DateTime<Utc>,
    pub(in crate::agents) interval_seconds: i32,
}

#[derive(sqlx::FromRow)]
struct StateRow {
    agent_id: String,
    org_id: Uuid,
    host_id: Uuid,
    status: String,
    session_id: Option<Uuid>,
    node_id: Option<Uuid>,
    began_at: Option<DateTime<Utc>>,
    interval_seconds: Option<i32>,
}

/// Locks the agents that have a host, in the order of their ids, and reads their leases. Two statements: one that waits
/// for a lock reads what is joined to the locked row as it was before the wait (PostgreSQL, "Read Committed"), and would
/// end a lease that was replaced meanwhile.
pub(in crate::agents) async fn lock_states(
    tx: &mut Tx<'_>,
    agent_ids: &[&str],
) -> Result<Vec<LeaseState>, sqlx::Error> {
    sqlx::query(
        "SELECT a.id
         FROM agents a
         WHERE a.id = ANY($1)
           AND a.host_id IS NOT NULL
           AND a.deleted_at IS NULL
         ORDER BY a.id
         FOR UPDATE OF a",
    )
    .bind(agent_ids)
    .execute(&mut **tx)
    .await?;
    let rows: Vec<StateRow> = sqlx::query_as(
        "SELECT a.id AS agent_id, a.org_id, a.host_id, a.status, l.session_id, l.node_id, l.began_at, l.interval_seconds
         FROM agents a
         LEFT JOIN agent_leases l ON l.agent_id = a.id
         WHERE a.id = ANY($1)
           AND a.host_id IS NOT NULL
           AND a.deleted_at IS NULL
         ORDER BY a.id",
    )
    .bind(agent_ids)
    .fetch_all(&mut **tx)
    .await?;
    let state = |row: StateRow| {
        let lease = row.session_id.zip(row.node_id).zip(row.began_at.zip(row.interval_seconds));
        Ok(LeaseState {
            status: parse_status(&row.status)?,
            agent_id: row.agent_id,
            org_id: row.org_id,
            host_id: row.host_id,
            lease: lease.map(|((session_id, node_id), (began_at, interval_seconds))| Lease {
                session_id,
                node_id,
                began_at,
                interval_seconds,
            }),
        })
    };
    rows.into_iter().map(state).collect()
}

/// Writes the leases of agents, in place of those they had.
pub(in crate::agents) async fn put_leases(
    tx: &mut Tx<'_>,
    leases: &[(&LeaseState, Lease)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO agent_leases (agent_id, host_id, session_id, node_id, began_at, interval_seconds)
         SELECT agent_id, host_id, session_id, node_id, began_at, interval_seconds
         FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::integer[])
              AS new (agent_id, host_id, session_id, node_id, began_at, interval_seconds)
         ON CONFLICT (agent_id) DO UPDATE
         SET session_id = EXCLUDED.session_id,
             node_id = EXCLUDED.node_id,
             began_at = EXCLUDED.began_at,
             interval_seconds = EXCLUDED.interval_seconds",
    )
    .bind(leases.iter().map(|(state, _)| state.agent_id.as_str()).collect::<Vec<_>>())
    .bind(leases.iter().map(|(state, _)| state.host_id).collect::<Vec<_>>())
    .bind(leases.iter().map(|(_, lease)| lease.session_id).collect::<Vec<_>>())
    .bind(leases.iter().map(|(_, lease)| lease.node_id).collect::<Vec<_>>())
    .bind(leases.iter().map(|(_, lease)| lease.began_at).collect::<Vec<_>>())
    .bind(leases.iter().map(|(_, lease)| lease.interval_seconds).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Removes the leases of agents.
pub(in crate::agents) async fn delete_leases(tx: &mut Tx<'_>, agent_ids: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM agent_leases WHERE agent_id = ANY($1)")
        .bind(agent_ids)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Sets the status of agents. Revoked ones stay revoked and pending ones pending, whatever a stream says (hosts 6).
pub(in crate::agents) async fn set_statuses(
    tx: &mut Tx<'_>,
    statuses: &[(&str, AgentStatus)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agents a
         SET status = new.status
         FROM unnest($1::text[], $2::text[]) AS new (agent_id, status)
         WHERE a.id = new.agent_id
           AND a.status IN ('active', 'offline')",
    )
    .bind(statuses.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(statuses.iter().map(|(_, status)| status.as_str()).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// A line of the history that a stream caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agents) struct StreamLine {
    pub(in crate::agents) agent_id: String,
    pub(in crate::agents) status: AgentStatus,
    pub(in crate::agents) reason: &'static str,
    pub(in crate::agents) at: DateTime<Utc>,
}

/// Appends lines to the status history, in their order.
pub(in crate::agents) async fn add_lines(tx: &mut Tx<'_>, lines: &[StreamLine]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO agent_status_history (agent_id, status, reason, at)
         SELECT agent_id, status, reason, at
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
              WITH ORDINALITY AS new (agent_id, status, reason, at, n)
         ORDER BY n",
    )
    .bind(lines.iter().map(|line| line.agent_id.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.status.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.reason).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.at).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Adds a node with its lease.
pub(in crate::agents) async fn add_node(
    pool: &Pool,
    id: Uuid,
    name: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO ingest_nodes (id, name, started_at, lease_until) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(name)
        .bind(now)
        .bind(until)
        .execute(pool)
        .await
        .map(drop)
}

/// Prolongs a node's lease. Returns the serials revoked from `since` on that are not over yet; nothing when the node was
/// given up as lost.
pub(in crate::agents) async fn prolong_node(
    pool: &Pool,
    id: Uuid,
    until: DateTime<Utc>,
    (since, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<Vec<String>>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE ingest_nodes
         SET lease_until = $2
         WHERE id = $1
         RETURNING ARRAY(
             SELECT serial
             FROM revoked_certificates
             WHERE revoked_at >= $3
               AND (not_after IS NULL OR not_after > $4))",
    )
    .bind(id)
    .bind(until)
    .bind(since)
    .bind(now)
    .fetch_optional(pool)
    .await
}

/// Lets a node's lease run out at `until`, if that is sooner than it would.
pub(in crate::agents) async fn shorten_node(
    pool: &Pool,
    id: Uuid,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE ingest_nodes SET lease_until = $2 WHERE id = $1 AND lease_until > $2")
        .bind(id)
        .bind(until)
        .execute(pool)
        .await
        .map(drop)
}

/// Whether this transaction is the only one that looks for lost leases.
pub(in crate::agents) async fn try_lead(tx: &mut Tx<'_>, lock: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(lock).fetch_one(&mut **tx).await
}

/// Gives up nodes whose lease ran out. The row is what a node renews, so a late renewal finds out (hosts 2).
pub(in crate::agents) async fn give_up_nodes(
    tx: &mut Tx<'_>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM ingest_nodes WHERE lease_until < $1").bind(now).execute(&mut **tx).await?;
    Ok(done.rows_affected())
}

/// Leases that no living node holds: agent, session, node.
pub(in crate::agents) async fn lost_leases(
    tx: &mut Tx<'_>,
    limit: i64,
) -> Result<Vec<(String, Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT l.agent_id, l.session_id, l.node_id
         FROM agent_leases l
         LEFT JOIN ingest_nodes n ON n.id = l.node_id
         WHERE n.id IS NULL
         ORDER BY l.agent_id
         LIMIT $1",
    )
    .bind(limit)
    .fetch_all(&mut **tx)
    .await
}
