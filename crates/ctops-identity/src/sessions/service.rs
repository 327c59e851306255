//! Starting, listing and ending sessions.

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_base::text::clean;
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::{Actor, AppState, Standing};
use serde_json::json;
use uuid::Uuid;

use super::SESSIONS_OWN;
use super::model::{
    DeclaredPermissions, ListedSession, MAX_USER_AGENT_CHARS, NewSession, SessionRow, StartedSession, end_of,
    idle_since,
};
use super::store;
use crate::access;
use crate::accounts::{self, Profile};

/// Starts a session with a new token and ends the one it replaces.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn start(state: &AppState, new: NewSession) -> Result<StartedSession, Problem> {
    let now = state.clock.now();
    let token = random_token("");
    let user_agent = clean(&new.user_agent, MAX_USER_AGENT_CHARS);
    let row = SessionRow {
        id: new_id(),
        token_hash: sha256(token.as_bytes()),
        user_id: new.user_id,
        org_id: new.org_id,
        method: new.method.as_str(),
        ip: new.ip.to_string(),
        user_agent: &user_agent,
        created_at: now,
        expires_at: end_of(now, state.installation.session_lifetime),
    };
    let event = AuditEvent::by(By::User(new.user_id), Some(new.org_id), "auth.login.succeeded", "session")
        .on(row.id)
        .summary("signed in")
        .change(None, Some(json!({ "method": row.method, "expires_at": row.expires_at })))
        .from_ip(new.ip);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if let Some((before, id)) = new.replaces.as_ref().and_then(|actor| Some((actor, actor.session_id()?))) {
        delete_one(&mut tx, before, id, "replaced by a new sign-in", now).await?;
    }
    store::insert(&mut tx, &row).await.map_err(Problem::internal)?;
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(StartedSession {
        id: row.id,
        user_id: row.user_id,
        org_id: row.org_id,
        token,
        expires_at: row.expires_at,
    })
}

/// Ends one of the actor's own sessions, at sign-out or from the list.
///
/// # Errors
/// `not_found` when it is no session of theirs; `internal` when the database fails.
pub(crate) async fn end(state: &AppState, actor: &Actor, id: Uuid, why: &str) -> Result<(), Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !delete_one(&mut tx, actor, id, why, state.clock.now()).await? {
        return Err(Problem::not_found("session"));
    }
    tx.commit().await.map_err(Problem::internal)
}

/// Deletes a session of the actor, with the audit event; whether there was one.
async fn delete_one(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: Uuid,
    why: &str,
    now: DateTime<Utc>,
) -> Result<bool, Problem> {
    if !store::delete(tx, actor.user_id, id).await.map_err(Problem::internal)? {
        return Ok(false);
    }
    let action = if Some(id) == actor.session_id() { "auth.logout" } else { "auth.session.revoked" };
    let event = AuditEvent::by_actor(actor, action, "session").on(id).summary(why);
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    Ok(true)
}

/// Ends all sessions of the actor but the one they are using.
pub(super) async fn end_others(state: &AppState, actor: &Actor) -> Result<(), Problem> {
    let grant = actor.grant(&SESSIONS_OWN)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let keep = actor.session_id().ok_or_else(Problem::forbidden)?;
    let ended = store::delete_others(&mut tx, &grant, actor.user_id, keep)
        .await
        .map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "auth.session.revoked", "user")
        .on(actor.user_id)
        .summary(format!("ended {ended} other sessions"));
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// The actor's live sessions.
pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<ListedSession>, Problem> {
    let grant = actor.grant(&SESSIONS_OWN)?;
    let now = state.clock.now();
    let since = idle_since(now, state.installation.session_idle);
    store::list(&state.pool, &grant, actor.user_id, now, since).await.map_err(Problem::internal)
}

/// Who somebody is and what they may do.
pub(super) struct Me {
    pub(super) profile: Profile,
    pub(super) standing: Standing,
    pub(super) permissions: Vec<&'static str>,
}

/// The profile and the permissions of the one who asks.
pub(super) async fn me(
    state: &AppState,
    declared: &DeclaredPermissions,
    actor: &Actor,
) -> Result<Me, Problem> {
    let profile = accounts::profile(&state.pool, actor.user_id, actor.org_id).await?;
    let permissions = declared.held_by(&actor.rights);
    Ok(Me { profile, standing: actor.standing, permissions })
}

/// The same for a member whose session has just been started.
pub(super) async fn me_of(
    state: &AppState,
    declared: &DeclaredPermissions,
    user_id: Uuid,
    org_id: Uuid,
) -> Result<Me, Problem> {
    let profile = accounts::profile(&state.pool, user_id, org_id).await?;
    let member = access::of_member(&state.pool, user_id, org_id).await?;
    let member = member.ok_or_else(|| Problem::not_found("user"))?;
    let permissions = declared.held_by(&member.rights);
    Ok(Me { profile, standing: member.standing, permissions })
}
