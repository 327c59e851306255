//! Asking and reading.

use chrono::TimeDelta;
use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_slice::{Actor, AppState, announce_work};
use uuid::Uuid;

use super::store::{NewQuery, Query};
use super::{HOSTS_QUERY, store};

/// What can be asked (wire contract 6.3).
const KINDS: [&str; 2] = ["list_ports", "list_services"];
/// How long an answer is waited for (hosts 27).
const LIFE: TimeDelta = TimeDelta::seconds(120);

/// Asks a host.
pub(super) async fn create(
    state: &AppState,
    actor: &Actor,
    host_id: Uuid,
    kind: &str,
) -> Result<Query, Problem> {
    let grant = actor.grant(&HOSTS_QUERY)?;
    if !KINDS.contains(&kind) {
        return Err(Problem::invalid_field("kind", "invalid", "must be list_ports or list_services"));
    }
    let now = state.clock.now();
    let new = NewQuery {
        id: new_id(),
        host_id,
        kind,
        requested_by: actor.user_id,
        created_at: now,
        expires_at: now + LIFE,
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !store::insert(&mut tx, &grant, &new).await.map_err(Problem::internal)? {
        return Err(Problem::not_found("host"));
    }
    announce_work(&mut tx, &[host_id]).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    find(state, actor, host_id, new.id).await
}

/// A query as it stands now. One that nobody answered in time has failed.
pub(super) async fn find(
    state: &AppState,
    actor: &Actor,
    host_id: Uuid,
    query_id: Uuid,
) -> Result<Query, Problem> {
    let grant = actor.grant(&HOSTS_QUERY)?;
    let found = store::find(&state.pool, &grant, host_id, query_id).await.map_err(Problem::internal)?;
    let mut query = found.ok_or_else(|| Problem::not_found("query"))?;
    if query.status == "pending" && query.expires_at <= state.clock.now() {
        "error".clone_into(&mut query.status);
        query.error = format!("the host did not answer within {} s", LIFE.num_seconds());
    }
    Ok(query)
}
