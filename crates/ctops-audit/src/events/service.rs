//! Reading.

use chrono::TimeDelta;
use ctops_base::Problem;
use ctops_slice::{Actor, AppState};
use uuid::Uuid;

use super::cursor::Cursor;
use super::filter::FilterInput;
use super::store;
use crate::AUDIT_READ;
use crate::event::Event;
use crate::timeout::query_failed;

/// Own sign-ins are shown this far back.
const SIGN_IN_DAYS: i64 = 90;
/// So many of them at most.
const SIGN_INS: i64 = 100;

/// One page of the list.
#[derive(Debug)]
pub(super) struct EventPage {
    pub(super) events: Vec<Event>,
    pub(super) next_cursor: Option<String>,
}

/// One event and what surrounds it.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) event: Event,
    /// Number, hash before and hash; none while it waits to be sealed.
    pub(super) place: Option<(i64, Vec<u8>, Vec<u8>)>,
    pub(super) target_exists: Option<bool>,
    pub(super) same_request: Vec<Event>,
    pub(super) same_session: Vec<Event>,
}

pub(super) async fn list(
    state: &AppState,
    actor: &Actor,
    filter: FilterInput,
    cursor: Option<&str>,
    limit: u32,
) -> Result<EventPage, Problem> {
    let grant = actor.grant(&AUDIT_READ)?;
    let filter = filter.check(state.clock.now())?;
    let after = cursor.map(Cursor::read).transpose()?;
    let mut tx = store::begin(&state.pool).await.map_err(query_failed)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut events =
        store::page(&mut tx, &grant, &filter, after, i64::from(limit) + 1).await.map_err(query_failed)?;
    let more = events.len() > wanted;
    events.truncate(wanted);
    let next_cursor = events.last().filter(|_| more).map(|last| Cursor { at: last.at, id: last.id }.write());
    Ok(EventPage { events, next_cursor })
}

pub(super) async fn find(state: &AppState, actor: &Actor, id: Uuid) -> Result<Detail, Problem> {
    let grant = actor.grant(&AUDIT_READ)?;
    let mut tx = store::begin(&state.pool).await.map_err(query_failed)?;
    let event = store::find(&mut tx, &grant, id).await.map_err(query_failed)?;
    let event = event.ok_or_else(|| Problem::not_found("event"))?;
    Ok(Detail {
        place: store::place(&mut tx, &grant, id).await.map_err(query_failed)?,
        target_exists: store::target_exists(&mut tx, &grant, &event).await.map_err(query_failed)?,
        same_request: store::of_request(&mut tx, &grant, &event).await.map_err(query_failed)?,
        same_session: store::of_session(&mut tx, &grant, &event).await.map_err(query_failed)?,
        event,
    })
}

/// Refuses those who may not see the list; the names of actions are no secret beyond that.
pub(super) fn may_read(actor: &Actor) -> Result<(), Problem> {
    actor.grant(&AUDIT_READ).map(drop)
}

/// The actor's own sign-ins; open to everybody in every tier.
pub(super) async fn own_sign_ins(state: &AppState, actor: &Actor) -> Result<Vec<Event>, Problem> {
    let since = state.clock.now() - TimeDelta::days(SIGN_IN_DAYS);
    store::sign_ins(&state.pool, actor.org_id, actor.user_id, since, SIGN_INS)
        .await
        .map_err(Problem::internal)
}
