//! Decisions about groups, their members and who is limited to them.

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Page, Problem, ProblemKind, Role};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{
    Group, GroupQuery, MAX_GROUPS, MAX_GROUPS_OF_HOST, MAX_MEMBERS, RESTORABLE, Reference, ScopeOf, Text,
};
use super::{HOST_GROUPS_READ, HOST_GROUPS_WRITE, HOST_SCOPES_MANAGE, store};

/// One page of groups, by name.
pub(super) async fn list(pool: &Pool, actor: &Actor, query: &GroupQuery) -> Result<Page<Group>, Problem> {
    let grant = actor.grant(&HOST_GROUPS_READ)?;
    let (total, items) =
        tokio::try_join!(store::count(pool, &grant, query), store::page(pool, &grant, query))
            .map_err(Problem::internal)?;
    Ok(Page { items, total, request: query.page })
}

/// One group.
pub(super) async fn find(pool: &Pool, actor: &Actor, id: Uuid) -> Result<Group, Problem> {
    let grant = actor.grant(&HOST_GROUPS_READ)?;
    store::find(pool, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)
}

/// Groups of a host.
pub(super) async fn of_host(pool: &Pool, actor: &Actor, host_id: Uuid) -> Result<Vec<Group>, Problem> {
    let grant = actor.grant(&HOST_GROUPS_READ)?;
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    if !store::unknown_hosts(&mut tx, &grant, &[host_id]).await.map_err(Problem::internal)?.is_empty() {
        return Err(Problem::not_found("host"));
    }
    drop(tx);
    store::of_host(pool, &grant, host_id).await.map_err(Problem::internal)
}

/// What refers to a group.
pub(super) async fn references(pool: &Pool, actor: &Actor, id: Uuid) -> Result<Vec<Reference>, Problem> {
    find(pool, actor, id).await?;
    let grant = actor.grant(&HOST_GROUPS_READ)?;
    if !grant.scope().is_all() {
        // Who else is limited to a group is nothing for those who are limited themselves.
        return Ok(Vec::new());
    }
    store::references(pool, &grant, id).await.map_err(Problem::internal)
}

/// The grant of somebody who may change groups: nobody who is limited to some of them.
fn may_write(actor: &Actor) -> Result<Grant, Problem> {
    let grant = actor.grant(&HOST_GROUPS_WRITE)?;
    if grant.scope().is_all() {
        return Ok(grant);
    }
    let detail = "people limited to some hosts do not change groups";
    Err(Problem::new(ProblemKind::Forbidden, "out_of_scope", detail))
}

/// Makes an empty group.
pub(super) async fn create(state: &AppState, actor: &Actor, text: &Text) -> Result<Group, Problem> {
    let grant = may_write(actor)?;
    let (id, now) = (new_id(), state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    check_room(&mut tx, &grant).await?;
    if !store::insert(&mut tx, &grant, (id, actor.user_id), text, now).await.map_err(Problem::internal)? {
        return Err(name_taken());
    }
    let event = event(actor, "host_group.created", id, text).change(None, Some(described(text)));
    commit(tx, &event, now).await?;
    find(&state.pool, actor, id).await
}

async fn check_room(tx: &mut Tx<'_>, grant: &Grant) -> Result<(), Problem> {
    if store::count_for_insert(tx, grant).await.map_err(Problem::internal)? < MAX_GROUPS {
        return Ok(());
    }
    Err(Problem::conflict(format!("the organisation has {MAX_GROUPS} groups already")))
}

/// Renames or describes a group; what is none stays.
pub(super) async fn change(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    (name, description): (Option<String>, Option<String>),
) -> Result<Group, Problem> {
    let grant = may_write(actor)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = lock_live(&mut tx, &grant, id).await?;
    let wanted = |text: &Option<String>, before: &str| text.clone().unwrap_or_else(|| before.to_owned());
    let text = Text::check(&wanted(&name, &before.name), &wanted(&description, &before.description))?;
    if store::is_taken(&mut tx, &grant, id, &text.name).await.map_err(Problem::internal)? {
        return Err(name_taken());
    }
    store::update(&mut tx, id, &text, None, now).await.map_err(Problem::internal)?;
    let event = event(actor, "host_group.changed", id, &text)
        .change(Some(described(&before)), Some(described(&text)));
    commit(tx, &event, now).await?;
    find(&state.pool, actor, id).await
}

/// Deletes a group softly and takes it out of all scopes (host-groups 9).
pub(super) async fn delete(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let grant = may_write(actor)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let text = lock_live(&mut tx, &grant, id).await?;
    let references = store::references(&mut *tx, &grant, id).await.map_err(Problem::internal)?;
    let blocking = references.iter().filter(|reference| reference.blocks).count();
    if blocking > 0 {
        let detail =
            format!("{blocking} people, teams or roles are limited by this group; change them first");
        return Err(Problem::conflict(detail));
    }
    store::remove_references(&mut tx, id).await.map_err(Problem::internal)?;
    store::update(&mut tx, id, &text, Some(now), now).await.map_err(Problem::internal)?;
    let event = event(actor, "host_group.deleted", id, &text).change(Some(described(&text)), None);
    commit(tx, &event, now).await
}

/// Restores a deleted group with its members (host-groups 10).
pub(super) async fn restore(state: &AppState, actor: &Actor, id: Uuid) -> Result<Group, Problem> {
    let grant = may_write(actor)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    check_room(&mut tx, &grant).await?;
    let (text, deleted_at) =
        store::lock(&mut tx, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    match deleted_at {
        None => return Err(Problem::wrong_state("the group is not deleted")),
        Some(at) if at + RESTORABLE < now => return Err(absent()),
        Some(_) => {}
    }
    if store::is_taken(&mut tx, &grant, id, &text.name).await.map_err(Problem::internal)? {
        return Err(name_taken());
    }
    store::update(&mut tx, id, &text, None, now).await.map_err(Problem::internal)?;
    let event = event(actor, "host_group.restored", id, &text).change(None, Some(described(&text)));
    commit(tx, &event, now).await?;
    find(&state.pool, actor, id).await
}

/// Adds members: how many are new, how many were members before (host-groups 4).
pub(super) async fn add(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    hosts: &[Uuid],
) -> Result<(u64, u64), Problem> {
    let grant = may_write(actor)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let text = lock_live(&mut tx, &grant, id).await?;
    check_hosts(&mut tx, &grant, hosts).await?;
    let added = store::add(&mut tx, id, hosts, actor.user_id, now).await.map_err(Problem::internal)?;
    let (members, groups) = store::sizes(&mut tx, id, hosts).await.map_err(Problem::internal)?;
    if members > MAX_MEMBERS {
        return Err(Problem::conflict(format!("a group has at most {MAX_MEMBERS} members")));
    }
    if groups > MAX_GROUPS_OF_HOST {
        return Err(Problem::conflict(format!("a host is in at most {MAX_GROUPS_OF_HOST} groups")));
    }
    let event = event(actor, "host_group.members_added", id, &text)
        .change(None, Some(json!({ "host_ids": hosts, "added": added })));
    commit(tx, &event, now).await?;
    Ok((added, count(hosts) - added))
}

/// Removes members: how many were members, how many were not.
pub(super) async fn remove(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    hosts: &[Uuid],
) -> Result<(u64, u64), Problem> {
    let grant = may_write(actor)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let text = lock_live(&mut tx, &grant, id).await?;
    check_hosts(&mut tx, &grant, hosts).await?;
    let removed = store::remove(&mut tx, id, hosts).await.map_err(Problem::internal)?;
    let event = event(actor, "host_group.members_removed", id, &text)
        .change(Some(json!({ "host_ids": hosts, "removed": removed })), None);
    commit(tx, &event, now).await?;
    Ok((removed, count(hosts) - removed))
}

fn count(hosts: &[Uuid]) -> u64 {
    u64::try_from(hosts.len()).unwrap_or(u64::MAX)
}

async fn check_hosts(tx: &mut Tx<'_>, grant: &Grant, hosts: &[Uuid]) -> Result<(), Problem> {
    let unknown = store::unknown_hosts(tx, grant, hosts).await.map_err(Problem::internal)?;
    if unknown.is_empty() { Ok(()) } else { Err(unknown_ids("host_ids", "host", &unknown)) }
}

fn unknown_ids(path: &str, what: &str, unknown: &[Uuid]) -> Problem {
    let ids: Vec<String> = unknown.iter().map(Uuid::to_string).collect();
    Problem::invalid_field(path, "unknown", format!("no such {what}: {}", ids.join(", ")))
}

/// What somebody is limited to, by themselves and through teams.
pub(super) async fn scope(pool: &Pool, actor: &Actor, user_id: Uuid) -> Result<ScopeOf, Problem> {
    let grant = actor.grant(&HOST_SCOPES_MANAGE)?;
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    let roles = roles(&mut tx, &grant, user_id).await?;
    whole_scope(&mut tx, &grant, user_id, &roles).await.map_err(Problem::internal)
}

async fn whole_scope(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
    roles: &[Role],
) -> Result<ScopeOf, sqlx::Error> {
    let own = store::scope_of(tx, grant, user_id).await?;
    let by_teams = store::team_groups_of(tx, grant, user_id).await?;
    let groups: Vec<Uuid> =
        own.iter().map(|(id, _)| *id).chain(by_teams.iter().map(|group| group.id)).collect();
    let sees_all = groups.is_empty() || is_administrator(roles);
    let hosts = store::hosts_in_scope(tx, grant, (!sees_all).then_some(&groups[..])).await?;
    Ok(ScopeOf { own, by_teams, sees_all, hosts })
}

fn is_administrator(roles: &[Role]) -> bool {
    roles.iter().any(|role| matches!(role, Role::OrgAdmin | Role::SuperAdmin))
}

async fn roles(tx: &mut Tx<'_>, grant: &Grant, user_id: Uuid) -> Result<Vec<Role>, Problem> {
    let names = store::roles_of_member(tx, grant, user_id).await.map_err(Problem::internal)?;
    let names = names.ok_or_else(|| Problem::not_found("user"))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Limits somebody to groups; none at all means the whole organisation (host-groups 15).
pub(super) async fn set_scope(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
    groups: &[Uuid],
) -> Result<ScopeOf, Problem> {
    let grant = actor.grant(&HOST_SCOPES_MANAGE)?;
    if !grant.scope().is_all() || user_id == actor.user_id {
        let detail = "nobody changes their own limits, or those of others while limited";
        return Err(Problem::new(ProblemKind::Conflict, "cannot_change_self", detail));
    }
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let roles = roles(&mut tx, &grant, user_id).await?;
    if !groups.is_empty() && is_administrator(&roles) {
        let message = "administrators always see the whole organisation";
        return Err(Problem::invalid_field("group_ids", "role_not_scopable", message));
    }
    let there = store::hold_groups(&mut tx, &grant, groups).await.map_err(Problem::internal)?;
    let unknown: Vec<Uuid> = groups.iter().copied().filter(|id| !there.contains(id)).collect();
    if !unknown.is_empty() {
        return Err(unknown_ids("group_ids", "host group", &unknown));
    }
    let names =
        |groups: &[(Uuid, String)]| json!({ "group_ids": groups.iter().map(|g| g.0).collect::<Vec<_>>() });
    let before = store::scope_of(&mut tx, &grant, user_id).await.map_err(Problem::internal)?;
    store::set_scope(&mut tx, &grant, user_id, groups).await.map_err(Problem::internal)?;
    let after = whole_scope(&mut tx, &grant, user_id, &roles).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "user.scope_changed", "user")
        .on(user_id)
        .summary("changed the host groups a member is limited to")
        .change(Some(names(&before)), Some(names(&after.own)));
    commit(tx, &event, now).await?;
    Ok(after)
}

async fn lock_live(tx: &mut Tx<'_>, grant: &Grant, id: Uuid) -> Result<Text, Problem> {
    match store::lock(tx, grant, id).await.map_err(Problem::internal)? {
        Some((text, None)) => Ok(text),
        _ => Err(absent()),
    }
}

fn event(actor: &Actor, action: &'static str, id: Uuid, text: &Text) -> AuditEvent {
    AuditEvent::by_actor(actor, action, "host_group").on(id).summary(format!("host group {}", text.name))
}

fn described(text: &Text) -> Value {
    json!({ "name": text.name, "description": text.description })
}

async fn commit(mut tx: Tx<'_>, event: &AuditEvent, now: DateTime<Utc>) -> Result<(), Problem> {
    audit::append(&mut tx, event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

fn name_taken() -> Problem {
    Problem::new(ProblemKind::Conflict, "already_exists", "another group has this name")
}

fn absent() -> Problem {
    Problem::not_found("host group")
}
