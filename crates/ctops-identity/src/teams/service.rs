//! Decisions about teams.

use ctops_base::id::new_id;
use ctops_base::{FieldProblem, Page, PageRequest, Problem, ProblemKind};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, Grant, HostScope};
use serde_json::json;
use uuid::Uuid;

use super::model::{
    Effect, MAX_ADDED, MAX_GROUPS, MAX_TEAMS, Scopes, Team, TeamDetail, TeamPatch, judge_widening, widened,
    widens,
};
use super::{TEAMS_MANAGE, TEAMS_READ, store};
use crate::users::membership;

/// One page of teams.
pub(super) async fn list(
    state: &AppState,
    actor: &Actor,
    search: Option<&str>,
    request: PageRequest,
) -> Result<Page<Team>, Problem> {
    let grant = actor.grant(&TEAMS_READ)?;
    let total = store::count(&state.pool, &grant, search).await.map_err(Problem::internal)?;
    let items = store::page(&state.pool, &grant, search, request).await.map_err(Problem::internal)?;
    Ok(Page { items, total, request })
}

/// One team.
pub(super) async fn get(state: &AppState, actor: &Actor, id: Uuid) -> Result<TeamDetail, Problem> {
    let grant = actor.grant(&TEAMS_READ)?;
    let team = store::find(&state.pool, &grant, id).await.map_err(Problem::internal)?;
    let team = team.ok_or_else(not_found)?;
    let members = store::members(&state.pool, &grant, id).await.map_err(Problem::internal)?;
    let host_groups = store::host_groups(&state.pool, &grant, id).await.map_err(Problem::internal)?;
    Ok(TeamDetail { team, members, host_groups })
}

fn not_found() -> Problem {
    Problem::not_found("team")
}

fn name_taken() -> Problem {
    Problem::new(ProblemKind::Conflict, "already_exists", "another team has this name").with_fields(vec![
        FieldProblem {
            path: "name".to_owned(),
            code: "already_exists",
            message: "is the name of another team".to_owned(),
        },
    ])
}

/// Makes a team without members and host groups.
pub(super) async fn create(state: &AppState, actor: &Actor, patch: TeamPatch) -> Result<Uuid, Problem> {
    let grant = actor.grant(&TEAMS_MANAGE)?;
    let now = state.clock.now();
    let patch = patch.check()?;
    let id = new_id();
    let mut tx = begin(state, &grant).await?;
    let count = store::count_all(&mut tx, &grant).await.map_err(Problem::internal)?;
    if count >= MAX_TEAMS {
        let detail = format!("the organisation has {count} teams, at most {MAX_TEAMS}");
        return Err(Problem::new(ProblemKind::Conflict, "limit_reached", detail));
    }
    let made = store::insert(&mut tx, &grant, id, &patch, actor.user_id, now).await;
    if !made.map_err(Problem::internal)? {
        return Err(name_taken());
    }
    let event = AuditEvent::by_actor(actor, "team.created", "team")
        .on(id)
        .summary("created a team")
        .change(None, Some(json!({ "name": patch.name, "scoping": patch.scoping.unwrap_or(false) })));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(id)
}

/// A transaction in which no other one changes members or teams of the organisation.
async fn begin<'a>(state: &AppState, grant: &Grant) -> Result<Tx<'a>, Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !membership::lock_organisation(&mut tx, grant.org_id()).await? {
        return Err(Problem::not_found("organisation"));
    }
    Ok(tx)
}

/// A change of one team under way: the team is locked and the scopes of everybody concerned are known.
struct Change<'a> {
    tx: Tx<'a>,
    org_id: Uuid,
    concerned: Vec<Uuid>,
    before: Scopes,
}

impl<'a> Change<'a> {
    /// Begins a change that concerns the members of the team and `others`.
    async fn begin(
        state: &AppState,
        grant: &Grant,
        id: Uuid,
        others: &[Uuid],
    ) -> Result<Change<'a>, Problem> {
        let mut tx = begin(state, grant).await?;
        if !store::lock(&mut tx, grant, id).await.map_err(Problem::internal)? {
            return Err(not_found());
        }
        let mut concerned = store::member_ids(&mut tx, id).await.map_err(Problem::internal)?;
        concerned.extend_from_slice(others);
        let org_id = grant.org_id();
        let before = store::scopes(&mut tx, org_id, &concerned).await.map_err(Problem::internal)?;
        Ok(Self { tx, org_id, concerned, before })
    }

    /// Refuses what widens somebody without a word, then audits and commits.
    async fn finish(
        mut self,
        state: &AppState,
        actor: &Actor,
        event: AuditEvent,
        confirmed: bool,
    ) -> Result<(), Problem> {
        let after =
            store::scopes(&mut self.tx, self.org_id, &self.concerned).await.map_err(Problem::internal)?;
        judge_widening(actor.user_id, &widened(&self.before, &after), confirmed)?;
        audit::append(&mut self.tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
        self.tx.commit().await.map_err(Problem::internal)
    }
}

/// Changes name, description, scoping or lead.
pub(super) async fn update(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    patch: TeamPatch,
    confirmed: bool,
) -> Result<(), Problem> {
    let grant = actor.grant(&TEAMS_MANAGE)?;
    let patch = patch.check()?;
    let before = get(state, actor, id).await?.team;
    let mut change = Change::begin(state, &grant, id, &[]).await?;
    if let Some(name) = &patch.name
        && store::name_is_taken(&mut change.tx, &grant, name, id).await.map_err(Problem::internal)?
    {
        return Err(name_taken());
    }
    if let Some(Some(lead)) = patch.lead_id
        && !change.concerned.contains(&lead)
    {
        return Err(Problem::invalid_field("lead_id", "invalid", "is not in the team"));
    }
    store::update(&mut change.tx, &grant, id, &patch, state.clock.now()).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "team.updated", "team").on(id).summary("changed a team").change(
        Some(json!({ "name": before.name, "scoping": before.scoping, "lead_id": before.lead.map(|lead| lead.id) })),
        Some(json!({ "name": patch.name, "scoping": patch.scoping, "lead_id": patch.lead_id })),
    );
    change.finish(state, actor, event, confirmed).await
}

/// Deletes a team.
pub(super) async fn delete(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    confirmed: bool,
) -> Result<(), Problem> {
    let grant = actor.grant(&TEAMS_MANAGE)?;
    let before = get(state, actor, id).await?.team;
    let mut change = Change::begin(state, &grant, id, &[]).await?;
    store::delete(&mut change.tx, &grant, id).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "team.deleted", "team")
        .on(id)
        .summary("deleted a team")
        .change(Some(json!({ "name": before.name, "scoping": before.scoping })), None);
    change.finish(state, actor, event, confirmed).await
}

/// Puts people into a team.
pub(super) async fn add_members(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    user_ids: &[Uuid],
    confirmed: bool,
) -> Result<(), Problem> {
    let grant = actor.grant(&TEAMS_MANAGE)?;
    if user_ids.is_empty() || user_ids.len() > MAX_ADDED {
        let message = format!("names {} people, needs 1 to {MAX_ADDED}", user_ids.len());
        return Err(Problem::invalid_field("user_ids", "invalid", message));
    }
    let now = state.clock.now();
    let mut change = Change::begin(state, &grant, id, user_ids).await?;
    let known = store::known_people(&mut change.tx, &grant, user_ids).await.map_err(Problem::internal)?;
    refuse_unknown("user_ids", user_ids, &known)?;
    let added = store::add_members(&mut change.tx, id, user_ids, actor.user_id, now).await;
    let added = added.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "team.members_added", "team")
        .on(id)
        .summary(format!("put {added} people into a team"))
        .change(None, Some(json!({ "user_ids": user_ids })));
    change.finish(state, actor, event, confirmed).await
}

/// Takes a person out of a team.
pub(super) async fn remove_member(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    user_id: Uuid,
    confirmed: bool,
) -> Result<(), Problem> {
    let grant = actor.grant(&TEAMS_MANAGE)?;
    let mut change = Change::begin(state, &grant, id, &[]).await?;
    if !store::remove_member(&mut change.tx, id, user_id).await.map_err(Problem::internal)? {
        return Err(Problem::not_found("member"));
    }
    let event = AuditEvent::by_actor(actor, "team.member_removed", "team")
        .on(id)
        .summary("took somebody out of a team")
        .change(Some(json!({ "user_id": user_id })), None);
    change.finish(state, actor, event, confirmed).await
}

/// Gives a team exactly these host groups.
pub(super) async fn set_host_groups(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    group_ids: &[Uuid],
    confirmed: bool,
) -> Result<(), Problem> {
    let grant = actor.grant(&TEAMS_MANAGE)?;
    if group_ids.len() > MAX_GROUPS {
        let message = format!("names {} groups, at most {MAX_GROUPS}", group_ids.len());
        return Err(Problem::invalid_field("group_ids", "too_many", message));
    }
    let mut change = Change::begin(state, &grant, id, &[]).await?;
    let known =
        store::known_groups(&mut change.tx, grant.org_id(), group_ids).await.map_err(Problem::internal)?;
    refuse_unknown("group_ids", group_ids, &known)?;
    let set = store::set_host_groups(&mut change.tx, id, group_ids, actor.user_id, state.clock.now()).await;
    set.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "team.host_groups_changed", "team")
        .on(id)
        .summary(format!("gave a team {} host groups", group_ids.len()))
        .change(None, Some(json!({ "group_ids": group_ids })));
    change.finish(state, actor, event, confirmed).await
}

fn refuse_unknown(path: &str, asked: &[Uuid], known: &[Uuid]) -> Result<(), Problem> {
    let unknown: Vec<String> = asked.iter().filter(|id| !known.contains(id)).map(Uuid::to_string).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid_field(path, "unknown", format!("knows nothing of {}", unknown.join(", "))))
}

/// What joining or leaving a team would do to what one person sees. Nothing is changed.
pub(super) async fn preview(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    user_id: Uuid,
    joins: bool,
) -> Result<Effect, Problem> {
    let grant = actor.grant(&TEAMS_MANAGE)?;
    let now = state.clock.now();
    let mut change = Change::begin(state, &grant, id, &[user_id]).await?;
    let known = store::known_people(&mut change.tx, &grant, &[user_id]).await.map_err(Problem::internal)?;
    refuse_unknown("user_id", &[user_id], &known)?;
    if joins {
        let added = store::add_members(&mut change.tx, id, &[user_id], actor.user_id, now).await;
        added.map_err(Problem::internal)?;
    } else {
        store::remove_member(&mut change.tx, id, user_id).await.map_err(Problem::internal)?;
    }
    let mut tx = change.tx;
    let after = store::scopes(&mut tx, grant.org_id(), &[user_id]).await.map_err(Problem::internal)?;
    let (Some(before), Some(after)) = (change.before.get(&user_id), after.get(&user_id)) else {
        return Ok(unscoped());
    };
    let difference = store::difference(&mut tx, grant.org_id(), before, after).await;
    let (gained, lost) = difference.map_err(Problem::internal)?;
    tx.rollback().await.map_err(Problem::internal)?;
    Ok(Effect {
        scoped: true,
        sees_all_before: before.is_all(),
        sees_all_after: after.is_all(),
        gained,
        lost,
        widens: widens(before, after),
    })
}

fn unscoped() -> Effect {
    let all = HostScope::All.is_all();
    Effect { scoped: false, sees_all_before: all, sees_all_after: all, gained: 0, lost: 0, widens: false }
}

/// Refuses teams and host groups of an invitation that the organisation does not have.
///
/// # Errors
/// `unknown` on `team_ids` or `host_group_ids`.
pub(crate) async fn check_ids(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    team_ids: &[Uuid],
    host_group_ids: &[Uuid],
) -> Result<(), Problem> {
    if team_ids.len() > MAX_GROUPS || host_group_ids.len() > MAX_GROUPS {
        let message = format!("at most {MAX_GROUPS} can be named");
        return Err(Problem::invalid_field("team_ids", "too_many", message));
    }
    let known = store::known_teams(tx, org_id, team_ids).await.map_err(Problem::internal)?;
    refuse_unknown("team_ids", team_ids, &known)?;
    let known = store::known_groups(tx, org_id, host_group_ids).await.map_err(Problem::internal)?;
    refuse_unknown("host_group_ids", host_group_ids, &known)
}

/// Puts somebody who accepted an invitation into those of its teams that still exist.
pub(crate) async fn join_invited(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    user_id: Uuid,
    team_ids: &[Uuid],
    by: Option<Uuid>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), Problem> {
    let known = store::known_teams(tx, org_id, team_ids).await.map_err(Problem::internal)?;
    store::add_to_teams(tx, &known, user_id, by, now).await.map_err(Problem::internal)
}
