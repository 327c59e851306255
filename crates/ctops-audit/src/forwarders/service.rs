//! Making, changing, testing, deleting. Every change is audited (audit-log 16).

use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};
use uuid::Uuid;

use super::deliver::{DeliveryError, deliver};
use super::model::{Forwarder, MAX_FORWARDERS, Wanted};
use super::store;
use crate::AUDIT_MANAGE;
use crate::chain::{head, links_between};
use crate::event::SealedEvent;

fn describe(forwarder: &Forwarder) -> Value {
    json!({
        "name": forwarder.name,
        "kind": forwarder.kind.as_str(),
        "endpoint": forwarder.endpoint,
        "enabled": forwarder.enabled,
    })
}

fn event(actor: &Actor, action: &'static str, forwarder: &Forwarder) -> AuditEvent {
    AuditEvent::by_actor(actor, action, "audit_forwarder").on(forwarder.id).labelled(&forwarder.name)
}

/// All forwarders with how many events each is behind.
pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<(Forwarder, i64)>, Problem> {
    let grant = actor.grant(&AUDIT_MANAGE)?;
    let end = head(&state.pool, grant.org_id()).await.map_err(Problem::internal)?.seq;
    let forwarders = store::list(&state.pool, &grant).await.map_err(Problem::internal)?;
    Ok(forwarders
        .into_iter()
        .map(|forwarder| (behind(end, &forwarder), forwarder))
        .map(|(n, f)| (f, n))
        .collect())
}

fn behind(end: i64, forwarder: &Forwarder) -> i64 {
    (end - forwarder.cursor_seq).max(0)
}

/// Makes a forwarder. It begins with the next event.
pub(super) async fn create(state: &AppState, actor: &Actor, wanted: Wanted) -> Result<Forwarder, Problem> {
    let grant = actor.grant(&AUDIT_MANAGE)?;
    let (wanted, now, id) = (wanted.check(false)?, state.clock.now(), new_id());
    let forwarder = Forwarder {
        id,
        org_id: grant.org_id(),
        secret: sealed(state, id, wanted.secret.as_deref()),
        name: wanted.name,
        kind: wanted.kind,
        endpoint: wanted.endpoint,
        enabled: wanted.enabled,
        cursor_seq: head(&state.pool, grant.org_id()).await.map_err(Problem::internal)?.seq,
        failures: 0,
        last_error: None,
        last_sent_at: None,
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let made = store::insert(&mut tx, &grant, &forwarder, MAX_FORWARDERS, now).await;
    if !made.map_err(Problem::internal)? {
        return Err(Problem::conflict(format!("an organisation has at most {MAX_FORWARDERS} forwarders")));
    }
    let event = event(actor, "audit.forwarder_created", &forwarder)
        .summary(format!("set up forwarding of the audit log to {}", forwarder.name))
        .change(None, Some(describe(&forwarder)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(forwarder)
}

fn sealed(state: &AppState, id: Uuid, secret: Option<&str>) -> Option<Vec<u8>> {
    secret.map(|secret| state.seal.seal(&Forwarder::secret_name(id), secret.as_bytes()))
}

/// Changes a forwarder; its cursor stays.
pub(super) async fn update(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    wanted: Wanted,
) -> Result<Forwarder, Problem> {
    let grant = actor.grant(&AUDIT_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = store::find_for_update(&mut tx, &grant, id).await.map_err(Problem::internal)?;
    let before = before.ok_or_else(|| Problem::not_found("forwarder"))?;
    let wanted = wanted.check(before.secret.is_some())?;
    let secret_changed = wanted.secret.is_some();
    let after = Forwarder {
        secret: sealed(state, id, wanted.secret.as_deref()).or_else(|| before.secret.clone()),
        name: wanted.name,
        kind: wanted.kind,
        endpoint: wanted.endpoint,
        enabled: wanted.enabled,
        failures: 0,
        last_error: None,
        ..before.clone()
    };
    store::update(&mut tx, &grant, &after, now).await.map_err(Problem::internal)?;
    let mut described = describe(&after);
    described["secret_status"] = json!(if secret_changed { "replaced" } else { "kept" });
    let event = event(actor, "audit.forwarder_changed", &after)
        .summary(format!("changed forwarding of the audit log to {}", after.name))
        .change(Some(describe(&before)), Some(described));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(after)
}

/// Deletes a forwarder.
pub(super) async fn delete(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let grant = actor.grant(&AUDIT_MANAGE)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = store::find_for_update(&mut tx, &grant, id).await.map_err(Problem::internal)?;
    let before = before.ok_or_else(|| Problem::not_found("forwarder"))?;
    store::delete(&mut tx, &grant, id).await.map_err(Problem::internal)?;
    let event = event(actor, "audit.forwarder_deleted", &before)
        .summary(format!("ended forwarding of the audit log to {}", before.name))
        .change(Some(describe(&before)), None);
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Sends the newest sealed event once more, marked by nothing: receivers tell it by its id. Returns what went wrong.
pub(super) async fn test(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
) -> Result<Option<DeliveryError>, Problem> {
    let grant = actor.grant(&AUDIT_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let forwarder = store::find_for_update(&mut tx, &grant, id).await.map_err(Problem::internal)?;
    // The row is not kept locked while the other side is talked to.
    tx.rollback().await.map_err(Problem::internal)?;
    let forwarder = forwarder.ok_or_else(|| Problem::not_found("forwarder"))?;
    let events = newest(state, grant.org_id()).await.map_err(Problem::internal)?;
    let outcome = deliver(&state.egress, &state.seal, &forwarder, &events, now).await;
    let error = outcome.err();
    let mut event = event(actor, "audit.forwarder_tested", &forwarder)
        .summary(format!("tested forwarding of the audit log to {}", forwarder.name));
    if error.is_some() {
        event = event.failed("not_delivered");
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(error)
}

async fn newest(state: &AppState, org_id: Uuid) -> Result<Vec<SealedEvent>, sqlx::Error> {
    let end = head(&state.pool, org_id).await?.seq;
    links_between(&state.pool, org_id, (end - 1).max(0), 1).await
}
