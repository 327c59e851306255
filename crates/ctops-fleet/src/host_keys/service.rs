//! Reading and accepting.

use std::collections::BTreeSet;

use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::json;
use uuid::Uuid;

use super::model::{HostKeys, fingerprints};
use super::{HOST_KEYS_TRUST, store};
use crate::hosts::HOSTS_READ;

/// The keys of a host; none when it never reported any.
pub(super) async fn find(pool: &Pool, actor: &Actor, host_id: Uuid) -> Result<Option<HostKeys>, Problem> {
    let grant = actor.grant(&HOSTS_READ)?;
    let found = store::find(pool, &grant, host_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("host"))
}

/// Trusts the waiting keys, if they are those that the caller has seen.
pub(super) async fn accept(
    state: &AppState,
    actor: &Actor,
    host_id: Uuid,
    seen: &[String],
) -> Result<(), Problem> {
    let grant = actor.grant(&HOST_KEYS_TRUST)?;
    let known = store::find(&state.pool, &grant, host_id).await.map_err(Problem::internal)?;
    known.ok_or_else(|| Problem::not_found("host"))?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let keys = store::lock(&mut tx, &[host_id]).await.map_err(Problem::internal)?.pop();
    let Some((mut keys, pending)) = keys.and_then(|mut keys| keys.pending.take().map(|new| (keys, new)))
    else {
        return Err(Problem::wrong_state("no changed keys wait for this host"));
    };
    if fingerprints(&pending) != seen.iter().map(String::as_str).collect::<BTreeSet<_>>() {
        return Err(Problem::conflict("the host reports other keys by now"));
    }
    let event = AuditEvent::by_actor(actor, "ssh_host_key.trusted", "host")
        .on(host_id)
        .summary("accepted changed SSH host keys")
        .change(Some(json!(keys.trusted.0)), Some(json!(pending.0)));
    (keys.trusted, keys.trusted_at, keys.pending_since) = (pending, now, None);
    store::write(&mut tx, &[keys]).await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}
