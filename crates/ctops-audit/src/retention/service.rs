//! Reading and changing.

use ctops_base::Problem;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::json;

use super::model::{DEFAULT_DAYS, Hold, Wanted};
use super::store;
use crate::chain::{head, signing_key};
use crate::{AUDIT_MANAGE, AUDIT_READ};

/// What is in force.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) retention_days: i32,
    pub(super) hold: Option<Hold>,
    pub(super) events_sealed: i64,
    pub(super) public_key: [u8; 32],
}

pub(super) async fn find(state: &AppState, actor: &Actor) -> Result<InForce, Problem> {
    let grant = actor.grant(&AUDIT_READ)?;
    let chosen = store::retention(&state.pool, grant.org_id()).await.map_err(Problem::internal)?;
    Ok(InForce {
        retention_days: chosen.unwrap_or(DEFAULT_DAYS),
        hold: store::hold(&state.pool, grant.org_id()).await.map_err(Problem::internal)?,
        events_sealed: head(&state.pool, grant.org_id()).await.map_err(Problem::internal)?.seq,
        public_key: signing_key(&state.seal).public_key(),
    })
}

/// Replaces both settings; each change is an event of its own.
pub(super) async fn replace(state: &AppState, actor: &Actor, wanted: Wanted) -> Result<InForce, Problem> {
    let grant = actor.grant(&AUDIT_MANAGE)?;
    let (wanted, now) = (wanted.check()?, state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let days = store::retention_for_update(&mut tx, &grant).await.map_err(Problem::internal)?;
    let mut events = Vec::new();
    let event = |action| AuditEvent::by_actor(actor, action, "audit_log");
    if days != wanted.retention_days {
        store::save_retention(&mut tx, &grant, wanted.retention_days, now)
            .await
            .map_err(Problem::internal)?;
        let (before, after) =
            (json!({"retention_days": days}), json!({"retention_days": wanted.retention_days}));
        events.push(
            event("retention.changed")
                .summary("changed how long audit events are kept")
                .change(Some(before), Some(after)),
        );
    }
    let hold = store::hold(&mut *tx, grant.org_id()).await.map_err(Problem::internal)?;
    if hold.as_ref().map(|hold| &hold.reason) != wanted.hold.as_ref() {
        if let Some(hold) = hold {
            store::lift_hold(&mut tx, &grant, hold.id, now).await.map_err(Problem::internal)?;
            let before = json!({"reason": hold.reason, "set_at": hold.set_at});
            let lifted = event("audit.hold_lifted").on(hold.id).summary("lifted the legal hold");
            events.push(lifted.change(Some(before), None));
        }
        if let Some(reason) = &wanted.hold {
            let id = store::set_hold(&mut tx, &grant, actor, reason, now).await.map_err(Problem::internal)?;
            let set = event("audit.hold_set").on(id).summary("put the audit log on legal hold");
            events.push(set.change(None, Some(json!({ "reason": reason }))));
        }
    }
    for event in &events {
        audit::append(&mut tx, event, now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    find(state, actor).await
}
