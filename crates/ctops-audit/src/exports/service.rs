//! Asking for exports and finding them again.

use std::time::Duration;

use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::throttle::{Rate, hit};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::json;
use uuid::Uuid;

use super::format::Format;
use super::model::Export;
use super::store;
use crate::AUDIT_EXPORT;
use crate::chain::head;
use crate::events::FilterInput;
use crate::events::store::begin;
use crate::timeout::query_failed;

/// Events in one export at most (audit-log 14).
const MAX_EVENTS: i64 = 1_000_000;
/// Exports of one person (audit-log, Limits).
const EXPORTS: Rate = Rate { scope: "audit_export", limit: 3, window: Duration::from_secs(10) };

/// Fixes what is in an export. The request is audited in the same transaction.
pub(super) async fn create(
    state: &AppState,
    actor: &Actor,
    format: Format,
    mut input: FilterInput,
) -> Result<Export, Problem> {
    let grant = actor.grant(&AUDIT_EXPORT)?;
    let now = state.clock.now();
    let filter = input.clone().check(now)?;
    hit(&state.pool, &EXPORTS, &actor.user_id.to_string(), now).await?;
    (input.from, input.to) = (Some(filter.window.from), Some(filter.window.to));
    let last_seq = head(&state.pool, grant.org_id()).await.map_err(Problem::internal)?.seq;
    let mut tx = begin(&state.pool).await.map_err(query_failed)?;
    let events =
        store::count(&mut tx, &grant, &filter, last_seq, MAX_EVENTS + 1).await.map_err(query_failed)?;
    if events > MAX_EVENTS {
        let detail = format!("more than {MAX_EVENTS} events match; narrow the time range or the filters");
        return Err(Problem::new(ProblemKind::TooLarge, "result_too_large", detail));
    }
    let first = store::end_hash(&mut tx, &grant, &filter, last_seq, false).await.map_err(query_failed)?;
    let last = store::end_hash(&mut tx, &grant, &filter, last_seq, true).await.map_err(query_failed)?;
    let export = Export {
        id: new_id(),
        format,
        filter: json!(input),
        last_seq,
        events,
        first_hash: first.and_then(|hash| hash.try_into().ok()),
        last_hash: last.and_then(|hash| hash.try_into().ok()),
        exporter_id: actor.user_id,
        exporter: actor.name.to_string(),
        created_at: now,
        signed: None,
    };
    store::insert(&mut tx, &grant, &export).await.map_err(query_failed)?;
    let event = AuditEvent::by_actor(actor, "audit.exported", "audit_export")
        .on(export.id)
        .summary(format!("exported {events} audit events as {}", format.as_str()))
        .change(None, Some(json!({"format": format.as_str(), "filter": export.filter, "events": events})));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(export)
}

/// One export of the organisation. Only who asked for it may fetch it: its name is in the file.
pub(super) async fn find(state: &AppState, actor: &Actor, id: Uuid) -> Result<(Grant, Export), Problem> {
    let grant = actor.grant(&AUDIT_EXPORT)?;
    let export = store::find(&state.pool, &grant, id).await.map_err(Problem::internal)?;
    let export = export.filter(|export| export.exporter_id == actor.user_id);
    Ok((grant, export.ok_or_else(|| Problem::not_found("export"))?))
}
