//! Decisions about hosts: what people may see, and how records appear, change and disappear.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Page, Problem};
use ctops_pg::notify::{CHANGES, notify};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::json;
use uuid::Uuid;

use super::model::{
    Facets, FleetSummary, HostDetail, HostIdentity, HostQuery, HostRow, HostStatus, NewHost, Sample,
    StatusUpdate, parse_display_name,
};
use super::store::{self, Window};
use super::{HOSTS_READ, HOSTS_WRITE, changes};

/// One page of the list (hosts 11 to 15).
///
/// # Errors
/// `forbidden` without `hosts.read`; `internal` when the database fails.
pub async fn list_hosts(
    pool: &Pool,
    actor: &Actor,
    query: &HostQuery,
    now: DateTime<Utc>,
) -> Result<Page<HostRow>, Problem> {
    let grant = actor.grant(&HOSTS_READ)?;
    let rows = |window| store::page(pool, &grant, &query.filter, query.sort, window, now);
    let total = store::count(pool, &grant, &query.filter, now);
    let (items, total) = if query.page.page == 1 {
        // Where the first page lies does not depend on the total, so both are asked at once.
        let first = Window { from_the_end: false, offset: 0, limit: query.page.limit() };
        tokio::try_join!(rows(first), total).map_err(Problem::internal)?
    } else {
        let total = total.await.map_err(Problem::internal)?;
        let mut items = Vec::new();
        if let Some(window) = window(query.page.offset(), query.page.limit(), total) {
            items = rows(window).await.map_err(Problem::internal)?;
            if window.from_the_end {
                items.reverse();
            }
        }
        (items, total)
    };
    Ok(Page { items, total, request: query.page })
}

/// Where a page lies, seen from the nearer end of the list: what lies between has to be sorted. None beyond the end.
fn window(offset: i64, limit: i64, total: i64) -> Option<Window> {
    let left = total - offset;
    let limit = limit.min(left);
    if left <= 0 {
        None
    } else if offset <= left - limit {
        Some(Window { from_the_end: false, offset, limit })
    } else {
        Some(Window { from_the_end: true, offset: left - limit, limit })
    }
}

/// The figures of the overview (hosts 7, 8).
///
/// # Errors
/// `forbidden` without `hosts.read`; `internal` when the database fails.
pub async fn fleet_summary(pool: &Pool, actor: &Actor, now: DateTime<Utc>) -> Result<FleetSummary, Problem> {
    let grant = actor.grant(&HOSTS_READ)?;
    store::summary(pool, &grant, now).await.map_err(Problem::internal)
}

/// How many hosts the whole installation has in each status; for the operator's command line.
///
/// # Errors
/// `internal` when the database fails.
pub async fn count_by_status(pool: &Pool) -> Result<Vec<(String, i64)>, Problem> {
    store::count_by_status(pool).await.map_err(Problem::internal)
}

/// What the list can be narrowed by (hosts 9, 14).
///
/// # Errors
/// `forbidden` without `hosts.read`; `internal` when the database fails.
pub async fn fleet_facets(pool: &Pool, actor: &Actor) -> Result<Facets, Problem> {
    let grant = actor.grant(&HOSTS_READ)?;
    let groups = store::facet_groups(pool, &grant).await.map_err(Problem::internal)?;
    Ok(Facets::of(&groups))
}

/// One host in full.
///
/// # Errors
/// `forbidden` without `hosts.read`; `not_found`; `internal` when the database fails.
pub async fn find_host(pool: &Pool, actor: &Actor, id: Uuid) -> Result<HostDetail, Problem> {
    let grant = actor.grant(&HOSTS_READ)?;
    store::find(pool, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)
}

/// Gives a host another display name; an empty one takes it away (hosts 33).
///
/// # Errors
/// `forbidden` without `hosts.write`; `not_found`; `validation_failed`; `internal` when the database fails.
pub async fn rename_host(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    display_name: &str,
) -> Result<HostDetail, Problem> {
    let grant = actor.grant(&HOSTS_WRITE)?;
    let name = parse_display_name(display_name)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let names = store::lock_names(&mut tx, &grant, id).await.map_err(Problem::internal)?;
    let (hostname, before) = names.ok_or_else(absent)?;
    if before != name {
        store::rename(&mut tx, id, name, now).await.map_err(Problem::internal)?;
        store::copy_to_vitals(&mut tx, &[id], &[None]).await.map_err(Problem::internal)?;
        let event = AuditEvent::by_actor(actor, "host.updated", "host")
            .on(id)
            .labelled(&hostname)
            .summary(format!("changed the display name of {hostname}"))
            .change(Some(json!({ "display_name": before })), Some(json!({ "display_name": name })));
        audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
        announce(&mut tx, changes::HOSTS, Some(grant.org_id())).await.map_err(Problem::internal)?;
        tx.commit().await.map_err(Problem::internal)?;
    }
    find_host(&state.pool, actor, id).await
}

/// Checks that the actor may follow a host.
///
/// # Errors
/// `forbidden` without `hosts.read`; `not_found`; `internal` when the database fails.
pub(super) async fn check_host(pool: &Pool, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    check_there(pool, &actor.grant(&HOSTS_READ)?, id).await
}

/// Checks that a host is there for whoever has the grant; for slices whose things hang off hosts.
///
/// # Errors
/// `not_found`; `internal` when the database fails.
pub(crate) async fn check_there(pool: &Pool, grant: &Grant, id: Uuid) -> Result<(), Problem> {
    let there = store::exists(pool, grant, id).await.map_err(Problem::internal)?;
    if there { Ok(()) } else { Err(absent()) }
}

/// The raw samples of the last `span`, oldest first.
///
/// # Errors
/// `forbidden` without `hosts.read`; `not_found`; `internal` when the database fails.
pub(super) async fn recent_samples(
    pool: &Pool,
    actor: &Actor,
    id: Uuid,
    span: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Sample>, Problem> {
    check_host(pool, actor, id).await?;
    let grant = actor.grant(&HOSTS_READ)?;
    store::samples(pool, &grant, id, now - span).await.map_err(Problem::internal)
}

/// Adds a host and its empty vitals, and announces it on `ctops_changes` when `tx` commits.
///
/// # Errors
/// `already_exists` when a live host of the organisation has this hostname, whatever its case; `tx` stays usable.
/// `internal` when the database fails.
pub async fn create(tx: &mut Tx<'_>, host: &NewHost, now: DateTime<Utc>) -> Result<(), Problem> {
    if !store::insert_host(tx, host, now).await.map_err(Problem::internal)? {
        return Err(name_taken());
    }
    let version = host.identity.agent_version.as_deref();
    store::insert_vitals(tx, host.id, host.status, version, now).await.map_err(Problem::internal)?;
    announce(tx, changes::HOSTS, Some(host.org_id)).await.map_err(Problem::internal)
}

/// Replaces what a machine says about itself, when an agent adopts a host. Absent values leave the known ones alone;
/// the lists of addresses are always replaced.
///
/// # Errors
/// `not_found` for a deleted or unknown host; `already_exists` when another live host has this hostname, in which
/// case `tx` has failed; `internal` when the database fails.
pub async fn reidentify(
    tx: &mut Tx<'_>,
    id: Uuid,
    identity: &HostIdentity,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let locked = store::lock_hosts(tx, &[id]).await.map_err(Problem::internal)?;
    let Some(&(_, org_id)) = locked.first() else { return Err(absent()) };
    store::replace_identity(tx, id, identity, now).await.map_err(|error| {
        let taken = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
        if taken { name_taken() } else { Problem::internal(error) }
    })?;
    let version = std::slice::from_ref(&identity.agent_version);
    store::copy_to_vitals(tx, &[id], version).await.map_err(Problem::internal)?;
    announce(tx, changes::HOSTS, Some(org_id)).await.map_err(Problem::internal)
}

/// Gives hosts a status and announces it on `ctops_changes` when `tx` commits. Hosts that have it already and deleted
/// ones are left alone; `Online` is refused to hosts whose agent is pending or revoked (hosts 6). Returns how many
/// changed.
///
/// # Errors
/// `internal` when the database fails.
pub async fn set_status(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
    status: HostStatus,
    now: DateTime<Utc>,
) -> Result<u64, Problem> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let updates: Vec<_> = ids.into_iter().map(|host_id| StatusUpdate { host_id, status, at: now }).collect();
    apply_statuses(tx, &updates).await.map_err(Problem::internal)
}

/// Writes statuses, one per host, and announces them. Returns how many changed.
pub(super) async fn apply_statuses(tx: &mut Tx<'_>, updates: &[StatusUpdate]) -> Result<u64, sqlx::Error> {
    let ids: Vec<Uuid> = updates.iter().map(|update| update.host_id).collect();
    store::lock_hosts(tx, &ids).await?;
    let orgs = store::change_status(tx, updates).await?;
    if !orgs.is_empty() {
        announce(tx, changes::STATUS, changes::only(orgs.iter().copied())).await?;
    }
    Ok(orgs.len() as u64)
}

/// Takes a host out of every list and count at once, keeping its record, and announces it. Returns whether it was
/// there.
///
/// # Errors
/// `internal` when the database fails.
pub async fn soft_delete(
    tx: &mut Tx<'_>,
    id: Uuid,
    by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<bool, Problem> {
    let Some(org_id) = store::remove_vitals(tx, id).await.map_err(Problem::internal)? else {
        return Ok(false);
    };
    store::mark_deleted(tx, id, by, now).await.map_err(Problem::internal)?;
    announce(tx, changes::HOSTS, Some(org_id)).await.map_err(Problem::internal)?;
    Ok(true)
}

/// A host found by its name.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NamedHost {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub hostname: String,
}

/// Hosts of all organisations, deleted ones too, whose names begin with `prefix`: at most `limit` in the order of
/// their ids, after the id `after`.
///
/// # Errors
/// `internal` when the database fails.
pub async fn named(pool: &Pool, prefix: &str, after: Uuid, limit: i64) -> Result<Vec<NamedHost>, Problem> {
    store::named(pool, prefix, after, limit).await.map_err(Problem::internal)
}

/// Deletes hosts for good with everything that hangs on them. Agents must have been locked before. Returns how many were
/// deleted in each organisation.
///
/// # Errors
/// `internal` when the database fails.
pub async fn purge(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<(Uuid, u64)>, Problem> {
    store::lock_hosts(tx, ids).await.map_err(Problem::internal)?;
    let mut orgs: BTreeMap<Uuid, u64> = BTreeMap::new();
    for org_id in store::purge(tx, ids).await.map_err(Problem::internal)? {
        *orgs.entry(org_id).or_default() += 1;
    }
    if !orgs.is_empty() {
        announce(tx, changes::HOSTS, changes::only(orgs.keys().copied())).await.map_err(Problem::internal)?;
    }
    Ok(orgs.into_iter().collect())
}

/// Tells all nodes, when `tx` commits, what browsers show differently now.
pub(super) async fn announce(
    tx: &mut Tx<'_>,
    kinds: changes::Kinds,
    org: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    notify(&mut **tx, CHANGES, &changes::payload(kinds, org)).await
}

fn absent() -> Problem {
    Problem::not_found("host")
}

fn name_taken() -> Problem {
    Problem::new(
        ctops_base::ProblemKind::Conflict,
        "already_exists",
        "a host of the organisation has this host name already",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: hosts 12, 18
    #[test]
    fn window_in_the_later_half_is_counted_from_the_end() {
        let ahead = |offset, limit| Some(Window { from_the_end: false, offset, limit });
        let behind = |offset, limit| Some(Window { from_the_end: true, offset, limit });
        assert_eq!(window(0, 50, 120), ahead(0, 50));
        assert_eq!(window(50, 50, 120), behind(20, 50));
        assert_eq!(window(100, 50, 120), behind(0, 20), "the last page is short");
        assert_eq!(window(150, 50, 120), None, "beyond the end");
        assert_eq!(window(0, 50, 0), None);
        assert_eq!(window(0, 50, 7), ahead(0, 7));
        assert_eq!(window(i64::from(u32::MAX) * 200, 200, 120), None);
    }
}
