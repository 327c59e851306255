//! Making, changing, deleting organisations, and going from one to another.

use std::collections::BTreeSet;

use ctops_base::id::new_id;
use ctops_base::{FieldProblem, Problem, ProblemKind, Role};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::json;
use uuid::Uuid;

use super::model::{
    Logo, MAX_ORGANISATIONS, OrganisationPatch, OwnOrganisation, RESTORABLE, check_slug, slug_from,
};
use super::{ORGANISATION_WRITE, ORGANISATIONS_MANAGE, store};
use crate::accounts::check_name;
use crate::users::membership::{self, MemberState, NewMember, RolesFrom};

/// The actor's organisations, or those they deleted and can still restore.
pub(super) async fn list(
    state: &AppState,
    actor: &Actor,
    deleted: bool,
) -> Result<Vec<OwnOrganisation>, Problem> {
    let deleted_after = deleted.then(|| state.clock.now() - RESTORABLE);
    store::list_own(&state.pool, actor.user_id, deleted_after).await.map_err(Problem::internal)
}

/// One of the actor's organisations.
pub(super) async fn get(state: &AppState, actor: &Actor, org_id: Uuid) -> Result<OwnOrganisation, Problem> {
    let found = store::find_own(&state.pool, actor.user_id, org_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("organisation"))
}

/// The logo of one of the actor's organisations.
pub(super) async fn logo(state: &AppState, actor: &Actor, org_id: Uuid) -> Result<Logo, Problem> {
    let found = store::logo(&state.pool, actor.user_id, org_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("logo"))
}

/// What a new organisation is to be.
pub(super) struct NewOrganisation {
    pub(super) name: String,
    pub(super) slug: Option<String>,
    pub(super) time_zone: Option<String>,
}

/// Makes an organisation with the actor as its super_admin.
pub(super) async fn create(state: &AppState, actor: &Actor, new: NewOrganisation) -> Result<Uuid, Problem> {
    actor.grant(&ORGANISATIONS_MANAGE)?;
    let now = state.clock.now();
    let name = check_name("name", &new.name).map_err(one)?;
    let id = new_id();
    let slug = match &new.slug {
        Some(slug) => check_slug(slug).map_err(one)?,
        None => slug_from(&name).unwrap_or_else(|| format!("org-{}", id.simple())),
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_all(&mut tx).await.map_err(Problem::internal)?;
    let count = store::count(&mut tx).await.map_err(Problem::internal)?;
    if count >= MAX_ORGANISATIONS {
        let detail = format!("there are {count} organisations, at most {MAX_ORGANISATIONS}");
        return Err(Problem::new(ProblemKind::Conflict, "limit_reached", detail));
    }
    let slug = free_slug(&mut tx, slug, new.slug.is_some(), id).await?;
    let time_zone = new.time_zone.unwrap_or_else(|| "UTC".to_owned());
    check_time_zone(&mut tx, &time_zone).await?;
    store::insert(&mut tx, id, &name, &slug, &time_zone, now).await.map_err(Problem::internal)?;
    let member = NewMember {
        org_id: id,
        user_id: actor.user_id,
        state: MemberState::Active,
        roles: BTreeSet::from([Role::SuperAdmin]),
        roles_from: RolesFrom::People,
        invited_by: None,
    };
    membership::insert(&mut tx, &member, now).await?;
    let mut event = AuditEvent::by_actor(actor, "organisation.created", "organisation")
        .on(id)
        .summary("created an organisation")
        .change(None, Some(json!({ "name": name, "slug": slug, "time_zone": time_zone })));
    event.org_id = Some(id);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(id)
}

fn one(problem: FieldProblem) -> Problem {
    Problem::invalid(vec![problem])
}

/// The address name itself, or with an ending when it was made up and is taken.
async fn free_slug(tx: &mut Tx<'_>, slug: String, chosen: bool, id: Uuid) -> Result<String, Problem> {
    if !store::slug_is_taken(tx, &slug, None).await.map_err(Problem::internal)? {
        return Ok(slug);
    }
    if chosen {
        return Err(slug_taken());
    }
    let ending = id.simple().to_string();
    Ok(format!("{slug}-{}", &ending[ending.len() - 7..]))
}

fn slug_taken() -> Problem {
    let field = FieldProblem {
        path: "slug".to_owned(),
        code: "already_exists",
        message: "is taken by another organisation".to_owned(),
    };
    Problem::new(ProblemKind::Conflict, "already_exists", "the address name is taken")
        .with_fields(vec![field])
}

async fn check_time_zone(tx: &mut Tx<'_>, name: &str) -> Result<(), Problem> {
    let known = name.len() <= 64
        && !name.contains('\0')
        && store::is_time_zone(tx, name).await.map_err(Problem::internal)?;
    if known {
        return Ok(());
    }
    Err(Problem::invalid_field("time_zone", "invalid", "is no time zone of the IANA database"))
}

/// Refuses ids of organisations the session does not act in.
fn same_organisation(actor: &Actor, org_id: Uuid) -> Result<(), Problem> {
    if actor.org_id == org_id { Ok(()) } else { Err(Problem::not_found("organisation")) }
}

/// Changes the organisation the actor acts in.
pub(super) async fn update(
    state: &AppState,
    actor: &Actor,
    org_id: Uuid,
    patch: OrganisationPatch,
) -> Result<(), Problem> {
    let grant = actor.grant(&ORGANISATION_WRITE)?;
    same_organisation(actor, org_id)?;
    let before = get(state, actor, org_id).await?;
    let mut patch = patch;
    patch.name = patch.name.map(|name| check_name("name", &name)).transpose().map_err(one)?;
    patch.slug = patch.slug.map(|slug| check_slug(&slug)).transpose().map_err(one)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_all(&mut tx).await.map_err(Problem::internal)?;
    if let Some(slug) = &patch.slug
        && store::slug_is_taken(&mut tx, slug, Some(org_id)).await.map_err(Problem::internal)?
    {
        return Err(slug_taken());
    }
    if let Some(time_zone) = &patch.time_zone {
        check_time_zone(&mut tx, time_zone).await?;
    }
    store::update(&mut tx, &grant, &patch).await.map_err(Problem::internal)?;
    let after = json!({
        "name": patch.name.as_ref().unwrap_or(&before.name),
        "slug": patch.slug.as_ref().unwrap_or(&before.slug),
        "time_zone": patch.time_zone.as_ref().unwrap_or(&before.time_zone),
        "has_logo": patch.logo.as_ref().map_or(before.has_logo, Option::is_some),
    });
    let before = json!({
        "name": before.name, "slug": before.slug, "time_zone": before.time_zone, "has_logo": before.has_logo,
    });
    let event = AuditEvent::by_actor(actor, "organisation.updated", "organisation")
        .on(org_id)
        .summary("changed the organisation")
        .change(Some(before), Some(after));
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Deletes the organisation the actor acts in, softly.
///
/// # Errors
/// `validation_failed` when the typed name differs; `wrong_state` while hosts are approved; `last_organisation`.
pub(super) async fn delete(
    state: &AppState,
    actor: &Actor,
    org_id: Uuid,
    typed_name: &str,
) -> Result<(), Problem> {
    let grant = actor.grant(&ORGANISATIONS_MANAGE)?;
    same_organisation(actor, org_id)?;
    let now = state.clock.now();
    let organisation = get(state, actor, org_id).await?;
    if typed_name != organisation.name {
        let message = "is not the name of the organisation";
        return Err(Problem::invalid_field("name", "mismatch", message));
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_all(&mut tx).await.map_err(Problem::internal)?;
    if !membership::lock_organisation(&mut tx, org_id).await? {
        return Err(Problem::not_found("organisation"));
    }
    if store::count(&mut tx).await.map_err(Problem::internal)? <= 1 {
        let detail = "the installation needs at least one organisation";
        return Err(Problem::new(ProblemKind::Conflict, "last_organisation", detail));
    }
    if store::has_approved_hosts(&mut tx, &grant).await.map_err(Problem::internal)? {
        return Err(Problem::wrong_state("the organisation has approved hosts; remove or revoke them first"));
    }
    store::delete(&mut tx, &grant, actor.user_id, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "organisation.deleted", "organisation")
        .on(org_id)
        .summary("deleted the organisation; it can be restored for 30 days");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Restores an organisation of which the actor is super_admin.
pub(super) async fn restore(state: &AppState, actor: &Actor, org_id: Uuid) -> Result<(), Problem> {
    actor.grant(&ORGANISATIONS_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_all(&mut tx).await.map_err(Problem::internal)?;
    let restored = store::restore(&mut tx, actor.user_id, org_id, now - RESTORABLE).await;
    if !restored.map_err(Problem::internal)? {
        return Err(Problem::not_found("organisation"));
    }
    let mut event = AuditEvent::by_actor(actor, "organisation.restored", "organisation")
        .on(org_id)
        .summary("restored a deleted organisation");
    event.org_id = Some(org_id);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Lets the actor's session act in another of their organisations.
///
/// # Errors
/// `not_found` for organisations they do not belong to; `forbidden` for API keys, which belong to one.
pub(super) async fn switch(state: &AppState, actor: &Actor, org_id: Uuid) -> Result<(), Problem> {
    let session_id = actor.session_id().ok_or_else(Problem::forbidden)?;
    get(state, actor, org_id).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let moved = store::move_session(&mut tx, session_id, actor.user_id, org_id).await;
    if !moved.map_err(Problem::internal)? {
        return Err(Problem::unauthenticated());
    }
    let mut event = AuditEvent::by_actor(actor, "auth.session.switched", "session")
        .on(session_id)
        .summary("went to another organisation")
        .change(Some(json!({ "org_id": actor.org_id })), Some(json!({ "org_id": org_id })));
    event.org_id = Some(org_id);
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}
