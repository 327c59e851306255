//! Decisions about custom roles.

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind, Role};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Grant, HostScope, Standing};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Assignment, CustomRole, Draft, MAX_ROLES, Subject, Term};
use super::{RBAC_MANAGE, store};
use crate::access;
use crate::sessions::DeclaredPermissions;

/// Why somebody holds a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// `built_in` or `custom`.
    pub(super) kind: &'static str,
    pub(super) role: String,
    pub(super) whole_organisation: bool,
    /// Whether it reaches the host asked about; always when none was.
    pub(super) reaches: bool,
    /// Host groups the host is in that make it so.
    pub(super) matching_groups: Vec<String>,
}

/// All roles by name.
pub(super) async fn list(pool: &Pool, actor: &Actor) -> Result<Vec<CustomRole>, Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    store::list(pool, &grant, None).await.map_err(Problem::internal)
}

/// One role.
pub(super) async fn find(pool: &Pool, actor: &Actor, id: Uuid) -> Result<CustomRole, Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    one(pool, &grant, id).await
}

async fn one<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    grant: &Grant,
    id: Uuid,
) -> Result<CustomRole, Problem> {
    let found = store::list(executor, grant, Some(id)).await.map_err(Problem::internal)?;
    found.into_iter().next().ok_or_else(absent)
}

/// Makes a role, or changes the one with the id when the caller saw its present version.
pub(super) async fn save(
    state: &AppState,
    actor: &Actor,
    declared: &DeclaredPermissions,
    existing: Option<(Uuid, Option<i32>)>,
    draft: Draft,
) -> Result<CustomRole, Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    let draft = draft.check(declared, actor)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let count = store::lock_roles(&mut tx, &grant).await.map_err(Problem::internal)?;
    let before = match existing {
        None if count >= MAX_ROLES => {
            return Err(Problem::conflict(format!("the organisation has {MAX_ROLES} custom roles already")));
        }
        None => None,
        Some((id, version)) => {
            let before = one(&mut *tx, &grant, id).await?;
            if version.is_some_and(|version| version != before.version) {
                let detail = "somebody else changed the role in the meantime";
                return Err(Problem::new(ProblemKind::Stale, "version_conflict", detail));
            }
            Some(before)
        }
    };
    let id = existing.map_or_else(new_id, |(id, _)| id);
    if store::is_taken(&mut tx, &grant, id, &draft.name).await.map_err(Problem::internal)? {
        return Err(Problem::new(ProblemKind::Conflict, "already_exists", "another role has this name"));
    }
    let groups = draft.groups();
    let there = store::hold_groups(&mut tx, &grant, &groups).await.map_err(Problem::internal)?;
    if there.len() != groups.len() {
        return Err(Problem::invalid_field("selector", "unknown", "names host groups that do not exist"));
    }
    store::save(&mut tx, &grant, (id, actor.user_id), &draft, now).await.map_err(Problem::internal)?;
    let action = if before.is_some() { "role.changed" } else { "role.created" };
    let event = AuditEvent::by_actor(actor, action, "role")
        .on(id)
        .summary(format!("custom role {}", draft.name))
        .change(before.map(|before| described(&before.draft)), Some(described(&draft)));
    commit(tx, &event, now).await?;
    find(&state.pool, actor, id).await
}

/// Deletes a role that nobody holds (users-teams-rbac 21).
pub(super) async fn delete(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_roles(&mut tx, &grant).await.map_err(Problem::internal)?;
    let role = one(&mut *tx, &grant, id).await?;
    if role.assignments > 0 {
        let detail = format!("the role is given to {} people or teams; take it away first", role.assignments);
        return Err(Problem::conflict(detail));
    }
    store::delete(&mut tx, id).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "role.deleted", "role")
        .on(id)
        .summary(format!("custom role {}", role.draft.name))
        .change(Some(described(&role.draft)), None);
    commit(tx, &event, now).await
}

/// How many hosts a selector selects, without saving anything.
pub(super) async fn preview(pool: &Pool, actor: &Actor, selector: &[Term]) -> Result<i64, Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    store::count_selected(pool, &grant, selector).await.map_err(Problem::internal)
}

/// Who holds which role; only the one when there is one.
pub(super) async fn assignments(
    pool: &Pool,
    actor: &Actor,
    role_id: Option<Uuid>,
) -> Result<Vec<Assignment>, Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    store::assignments(pool, &grant, role_id).await.map_err(Problem::internal)
}

/// Gives a role to a member or a team.
pub(super) async fn assign(
    state: &AppState,
    actor: &Actor,
    role_id: Uuid,
    subject: Subject,
) -> Result<Assignment, Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    let (id, now) = (new_id(), state.clock.now());
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_roles(&mut tx, &grant).await.map_err(Problem::internal)?;
    let role = one(&mut *tx, &grant, role_id).await?;
    if !store::has_subject(&mut tx, &grant, subject).await.map_err(Problem::internal)? {
        return Err(Problem::not_found(match subject {
            Subject::User(_) => "user",
            Subject::Team(_) => "team",
        }));
    }
    check_not_self(&mut tx, actor, subject).await?;
    role.draft.check(&DeclaredPermissions::in_force(), actor)?;
    let new = (id, role_id, actor.user_id);
    if !store::assign(&mut tx, &grant, new, subject, now).await.map_err(Problem::internal)? {
        return Err(Problem::new(
            ProblemKind::Conflict,
            "already_exists",
            "the role is given to them already",
        ));
    }
    let event = AuditEvent::by_actor(actor, "role_assignment.created", "role_assignment")
        .on(id)
        .summary("gave a custom role")
        .change(None, Some(held(role_id, subject)));
    commit(tx, &event, now).await?;
    let all = store::assignments(&state.pool, &grant, Some(role_id)).await.map_err(Problem::internal)?;
    all.into_iter().find(|assignment| assignment.id == id).ok_or_else(absent)
}

/// Takes a role away.
pub(super) async fn unassign(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let ended = store::unassign(&mut tx, &grant, id).await.map_err(Problem::internal)?;
    let (role_id, user_id, team_id) = ended.ok_or_else(|| Problem::not_found("assignment"))?;
    let subject = user_id.map(Subject::User).or(team_id.map(Subject::Team)).ok_or_else(absent)?;
    check_not_self(&mut tx, actor, subject).await?;
    let event = AuditEvent::by_actor(actor, "role_assignment.deleted", "role_assignment")
        .on(id)
        .summary("took a custom role away")
        .change(Some(held(role_id, subject)), None);
    commit(tx, &event, now).await
}

/// Nobody changes what they may do themselves, alone or through a team.
async fn check_not_self(tx: &mut Tx<'_>, actor: &Actor, subject: Subject) -> Result<(), Problem> {
    let is_self = match subject {
        Subject::User(id) => id == actor.user_id,
        Subject::Team(id) => store::is_in_team(tx, id, actor.user_id).await.map_err(Problem::internal)?,
    };
    if is_self {
        let detail = "somebody else has to change what you may do";
        return Err(Problem::new(ProblemKind::Conflict, "cannot_change_self", detail));
    }
    Ok(())
}

/// Why a member may or may not do something, on a host or at all (users-teams-rbac 19).
pub(super) async fn explain(
    pool: &Pool,
    actor: &Actor,
    declared: &DeclaredPermissions,
    (user_id, permission, host_id): (Uuid, &str, Option<Uuid>),
) -> Result<(bool, Vec<Reason>), Problem> {
    let grant = actor.grant(&RBAC_MANAGE)?;
    let unknown = || Problem::invalid_field("permission", "unknown", "there is no such permission");
    let permission = declared.find(permission).ok_or_else(unknown)?;
    let member = access::of_member(pool, user_id, grant.org_id()).await?;
    let member = member.ok_or_else(|| Problem::not_found("user"))?;
    let names: Vec<(Uuid, String)> = store::list(pool, &grant, None)
        .await
        .map_err(Problem::internal)?
        .into_iter()
        .map(|role| (role.id, role.draft.name))
        .collect();
    let built_in = Role::ALL.iter().filter(|role| member.rights.roles.contains(role));
    let built_in = built_in.filter(|role| permission.roles.contains(role));
    let mut sources: Vec<(&'static str, String, HostScope)> =
        built_in.map(|role| ("built_in", role.as_str().to_owned(), member.scope.clone())).collect();
    for custom in member.rights.custom.iter().filter(|role| role.permissions.contains(permission.name)) {
        let name = names.iter().find(|(id, _)| *id == custom.role_id).map(|(_, name)| name.clone());
        sources.push(("custom", name.unwrap_or_default(), custom.scope.clone()));
    }
    let mut reasons = Vec::with_capacity(sources.len());
    for (kind, role, scope) in sources {
        let (mut reaches, mut matching_groups) = (true, Vec::new());
        if let Some(host_id) = host_id {
            let found = store::reaches(pool, &grant, host_id, &scope).await.map_err(Problem::internal)?;
            reaches = found.ok_or_else(|| Problem::not_found("host"))?;
            let sets = scope.ids().unwrap_or_default();
            matching_groups = store::matching_groups(pool, host_id, sets).await.map_err(Problem::internal)?;
        }
        reasons.push(Reason { kind, role, whole_organisation: scope.is_all(), reaches, matching_groups });
    }
    let allowed = member.standing == Standing::Active && reasons.iter().any(|reason| reason.reaches);
    Ok((allowed, reasons))
}

fn described(draft: &Draft) -> Value {
    json!({
        "name": draft.name, "description": draft.description, "base": draft.base.map(Role::as_str),
        "permissions": draft.permissions, "selector": draft.selector,
    })
}

fn held(role_id: Uuid, subject: Subject) -> Value {
    match subject {
        Subject::User(id) => json!({ "role_id": role_id, "user_id": id }),
        Subject::Team(id) => json!({ "role_id": role_id, "team_id": id }),
    }
}

async fn commit(mut tx: Tx<'_>, event: &AuditEvent, now: DateTime<Utc>) -> Result<(), Problem> {
    audit::append(&mut tx, event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

fn absent() -> Problem {
    Problem::not_found("role")
}
