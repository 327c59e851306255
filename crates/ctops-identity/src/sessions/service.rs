//! Starting, listing and ending sessions.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_base::text::clean;
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::settings::{self, AuthenticationSettings};
use ctops_slice::{Actor, AppState, Grant, Standing};
use serde_json::json;
use uuid::Uuid;

use super::model::{
    DeclaredPermissions, ListedSession, MAX_USER_AGENT_CHARS, NewSession, SessionRow, StartedSession, end_of,
    idle_since,
};
use super::{SESSIONS_MANAGE, SESSIONS_OWN, origins, store};
use crate::accounts::{self, Profile};

/// Starts a session with a new token and ends the one it replaces.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn start(state: &AppState, new: NewSession) -> Result<StartedSession, Problem> {
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let started = start_in(&mut tx, state, new).await?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(started)
}

/// Starts a session inside the transaction that decided so.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn start_in(
    tx: &mut Tx<'_>,
    state: &AppState,
    new: NewSession,
) -> Result<StartedSession, Problem> {
    let now = state.clock.now();
    let token = random_token("");
    let user_agent = clean(&new.user_agent, MAX_USER_AGENT_CHARS);
    let row = SessionRow {
        id: new_id(),
        token_hash: sha256(token.as_bytes()),
        user_id: new.user_id,
        org_id: new.org_id,
        method: new.method.as_str(),
        second_factor: new.second_factor,
        ip: new.ip.to_string(),
        user_agent: &user_agent,
        created_at: now,
        expires_at: end_of(
            now,
            settings_of(&state.pool, new.org_id).await?.session_lifetime(&state.installation),
        ),
    };
    let after = json!({
        "method": row.method, "second_factor": row.second_factor, "expires_at": row.expires_at,
    });
    let event = AuditEvent::by(By::User(new.user_id), Some(new.org_id), "auth.login.succeeded", "session")
        .on(row.id)
        .summary("signed in")
        .change(None, Some(after))
        .from_ip(new.ip);
    if let Some(id) = new.replaces {
        replace(tx, id, now).await?;
    }
    store::insert(tx, &row).await.map_err(Problem::internal)?;
    audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    origins::note(tx, state, &new, now).await?;
    Ok(StartedSession { id: row.id, token, expires_at: row.expires_at })
}

async fn settings_of(pool: &Pool, org_id: Uuid) -> Result<AuthenticationSettings, Problem> {
    settings::read::<AuthenticationSettings>(pool, org_id).await
}

/// Ends the session that a browser gives up by signing in anew, perhaps as somebody else.
async fn replace(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), Problem> {
    let Some((user_id, org_id)) = store::delete_any(tx, id).await.map_err(Problem::internal)? else {
        return Ok(());
    };
    let event = AuditEvent::by(By::User(user_id), Some(org_id), "auth.session.revoked", "session")
        .on(id)
        .summary("replaced by a new sign-in");
    audit::append(tx, &event, now).await.map_err(Problem::internal)
}

/// Ends every session of a user but one, in all organisations: after a new password, a deactivation, lesser rights or
/// the reset of a second factor (auth 14). Each organisation's trail has it.
///
/// # Errors
/// `internal` when the database fails.
pub async fn end_sessions_of(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    except: Option<Uuid>,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let ended = store::delete_all_of(tx, user_id, except).await.map_err(Problem::internal)?;
    let mut by_org: BTreeMap<Uuid, u32> = BTreeMap::new();
    for org_id in ended {
        *by_org.entry(org_id).or_default() += 1;
    }
    for (org_id, count) in by_org {
        let event = AuditEvent::by(By::System, Some(org_id), "auth.session.revoked", "user")
            .on(user_id)
            .summary(format!("ended {count} sessions: {why}"));
        audit::append(tx, &event, now).await.map_err(Problem::internal)?;
    }
    Ok(())
}

/// Writes down that the person behind the session proved who they are just now (auth 17).
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn mark_confirmed(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), Problem> {
    store::confirm(tx, id, now).await.map_err(Problem::internal)
}

/// Writes down that the actor showed a second factor in this session, by enrolling one.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn mark_second_factor(tx: &mut Tx<'_>, actor: &Actor) -> Result<(), Problem> {
    match actor.session_id() {
        Some(id) => store::set_second_factor(tx, id).await.map_err(Problem::internal),
        None => Ok(()),
    }
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
    let ended =
        store::delete_others(&mut tx, &grant, actor.user_id, keep).await.map_err(Problem::internal)?;
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
    let idle = settings_of(&state.pool, actor.org_id).await?.session_idle(&state.installation);
    let since = idle_since(now, idle);
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

/// The same for whom a session has just been started.
pub(super) async fn me_after(
    state: &AppState,
    declared: &DeclaredPermissions,
    started: &StartedSession,
) -> Result<Me, Problem> {
    // Nothing is decided by the address here, and a session this young has no use to be written down.
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let actor = state.authenticator.by_session(&started.token, nowhere).await?;
    me(state, declared, &actor.ok_or_else(Problem::unauthenticated)?).await
}

/// The live sessions of a member, for administrators (auth 14).
pub(super) async fn list_of(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
) -> Result<Vec<ListedSession>, Problem> {
    let grant = actor.grant(&SESSIONS_MANAGE)?;
    must_be_member(state, &grant, user_id).await?;
    let now = state.clock.now();
    let idle = settings_of(&state.pool, actor.org_id).await?.session_idle(&state.installation);
    let since = idle_since(now, idle);
    store::list_in_org(&state.pool, &grant, user_id, now, since).await.map_err(Problem::internal)
}

/// Ends one session of a member, or all of them, in the actor's organisation.
pub(super) async fn end_of_other(
    state: &AppState,
    actor: &Actor,
    user_id: Uuid,
    id: Option<Uuid>,
) -> Result<(), Problem> {
    let grant = actor.grant(&SESSIONS_MANAGE)?;
    must_be_member(state, &grant, user_id).await?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let ended = store::delete_in_org(&mut tx, &grant, user_id, id).await.map_err(Problem::internal)?;
    if id.is_some() && ended == 0 {
        return Err(Problem::not_found("session"));
    }
    let event = AuditEvent::by_actor(actor, "auth.session.revoked", "user")
        .on(user_id)
        .summary(format!("ended {ended} sessions of somebody else"));
    audit::append(&mut tx, &event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

async fn must_be_member(state: &AppState, grant: &Grant, user_id: Uuid) -> Result<(), Problem> {
    let found = store::is_member(&state.pool, grant, user_id).await.map_err(Problem::internal)?;
    if found { Ok(()) } else { Err(Problem::not_found("user")) }
}
