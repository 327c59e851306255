//! What the slice decides: registration, approval, certificates, leases, and reading for people and ingest.

pub(super) mod admission;
pub(super) mod approval;
pub(super) mod certificates;
pub(super) mod ending;
pub(super) mod leases;
pub(super) mod registration;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Page, PageRequest, Problem};
use ctops_pg::{Pool, Tx};
use ctops_slice::Actor;

use super::AGENTS_READ;
use super::model::{AgentRecord, AgentStatus, HistoryEntry, RevokedSerial, StreamIdentity};
use super::store::{decisions, reading, set_versions};

/// Transactions may commit this much later than the time they write.
const COMMIT_DELAY: TimeDelta = TimeDelta::seconds(60);

/// One page of agents, newest first.
///
/// # Errors
/// `forbidden` without `agents.read`; `internal`.
pub async fn list_agents(
    pool: &Pool,
    actor: &Actor,
    status: Option<AgentStatus>,
    request: PageRequest,
) -> Result<Page<AgentRecord>, Problem> {
    let grant = actor.grant(&AGENTS_READ)?;
    let total = reading::count(pool, &grant, status).await.map_err(Problem::internal)?;
    let items = reading::page(pool, &grant, status, request).await.map_err(Problem::internal)?;
    Ok(Page { items, total, request })
}

/// One agent.
///
/// # Errors
/// `forbidden` without `agents.read`; `not_found`; `internal`.
pub async fn find_agent(pool: &Pool, actor: &Actor, agent_id: &str) -> Result<AgentRecord, Problem> {
    let grant = actor.grant(&AGENTS_READ)?;
    reading::find(pool, &grant, agent_id).await.map_err(Problem::internal)?.ok_or_else(absent)
}

/// The status history of an agent, newest first, from after `before` on; at most `limit` entries.
///
/// # Errors
/// `forbidden` without `agents.read`; `not_found`; `internal`.
pub(super) async fn agent_history(
    pool: &Pool,
    actor: &Actor,
    agent_id: &str,
    before: Option<(DateTime<Utc>, i64)>,
    limit: i64,
) -> Result<Vec<HistoryEntry>, Problem> {
    let grant = actor.grant(&AGENTS_READ)?;
    reading::find(pool, &grant, agent_id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    reading::history(pool, &grant, agent_id, before, limit).await.map_err(Problem::internal)
}

/// What ingest needs to know about an agent at the start of its stream; none when there is no such agent.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn stream_identity(pool: &Pool, agent_id: &str) -> Result<Option<StreamIdentity>, Problem> {
    reading::stream_identity(pool, agent_id).await.map_err(Problem::internal)
}

/// Certificates revoked since `since` (all when none) whose life is not over. A minute of overlap is included, because
/// transactions commit later than the time they write: callers put the result into a set.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn revoked_serials(
    pool: &Pool,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<RevokedSerial>, Problem> {
    let since = since.map(|since| since - COMMIT_DELAY);
    decisions::revoked_serials(pool, since, now).await.map_err(Problem::internal)
}

/// Notes the versions that agents reported; both lists are as long as each other, and no agent is in them twice.
///
/// # Errors
/// Whatever the database says.
pub async fn record_versions(
    tx: &mut Tx<'_>,
    agent_ids: &[String],
    versions: &[String],
) -> Result<(), sqlx::Error> {
    set_versions(tx, agent_ids, versions).await
}

fn absent() -> Problem {
    Problem::not_found("agent")
}
