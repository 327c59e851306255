//! Making, finding and revoking keys.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, Role};
use ctops_crypto::secret::{random_token, sha256};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::settings::{self, AuthenticationSettings};
use ctops_slice::{Actor, AppState, Grant, Permission, Rights};
use serde_json::json;
use uuid::Uuid;

use super::model::{CheckedKey, Kind, LiveKey, MAX_OWN, MAX_SERVICE, NOTE_EVERY, NewKey, is_allowed};
use super::store::{self, KeyInsert, KeyRow, ListedKey};
use super::{API_KEYS_OWN, SERVICE_KEYS_MANAGE};
use crate::reauthentication::session_only;
use crate::sessions::DeclaredPermissions;

/// Characters of the secret that lists show.
const HINT_CHARS: usize = 4;

/// The key with this secret, if it may be used now and from `ip`.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn find(
    pool: &Pool,
    secret: &str,
    ip: IpAddr,
    now: DateTime<Utc>,
) -> Result<Option<LiveKey>, Problem> {
    let row = store::find_live(pool, &sha256(secret.as_bytes()), now).await.map_err(Problem::internal)?;
    Ok(row.and_then(|row| usable(row, ip)))
}

/// The same by id, for streams that are open already.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn find_by_id(
    pool: &Pool,
    id: Uuid,
    ip: IpAddr,
    now: DateTime<Utc>,
) -> Result<Option<LiveKey>, Problem> {
    let row = store::find_live_by_id(pool, id, now).await.map_err(Problem::internal)?;
    Ok(row.and_then(|row| usable(row, ip)))
}

fn usable(row: KeyRow, ip: IpAddr) -> Option<LiveKey> {
    if !is_allowed(row.allowed_networks.as_deref(), ip) {
        tracing::info!(key.id = %row.id, client.ip = %ip, "an API key was used from a network that is not its own");
        return None;
    }
    Some(LiveKey {
        id: row.id,
        user_id: row.user_id,
        org_id: row.org_id,
        is_service: row.kind == Kind::Service.as_str(),
        name: row.name,
        scopes: row.scopes.into_iter().collect(),
        host_groups: row.host_groups,
        last_used_at: row.last_used_at,
    })
}

/// Writes the use of a key down, once a minute at most; the first one goes into the audit trail.
///
/// # Errors
/// `internal` when the database fails.
pub(crate) async fn note_use(
    pool: &Pool,
    key: &LiveKey,
    ip: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let since = now - NOTE_EVERY;
    if key.last_used_at.is_some_and(|at| at >= since) {
        return Ok(());
    }
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    let first = store::note_use(&mut tx, key.id, &ip.to_string(), now, since).await;
    if first.map_err(Problem::internal)? {
        let event = AuditEvent::by(
            By::User(key.user_id),
            Some(key.org_id),
            "auth.api_key.used_first_time",
            "api_key",
        )
        .on(key.id)
        .labelled(key.name.as_str())
        .summary("used an API key for the first time")
        .from_ip(ip);
        audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)
}

/// A key that has just been made. The secret goes to who asked and nowhere else, so there is no `Debug`.
pub(super) struct CreatedKey {
    pub(super) key: ListedKey,
    pub(super) secret: String,
}

/// The permission for keys of this kind, and whose keys they are.
fn rule(kind: Kind, actor: &Actor) -> (&'static Permission, Option<Uuid>, i64) {
    match kind {
        Kind::Personal => (&API_KEYS_OWN, Some(actor.user_id), MAX_OWN),
        Kind::Service => (&SERVICE_KEYS_MANAGE, None, MAX_SERVICE),
    }
}

/// The actor's own keys, or the service keys of their organisation; revoked and expired ones too.
pub(super) async fn list(state: &AppState, actor: &Actor, kind: Kind) -> Result<Vec<ListedKey>, Problem> {
    session_only(actor)?;
    let (permission, owner, _) = rule(kind, actor);
    let grant = actor.grant(permission)?;
    store::list(&state.pool, &grant, owner, None).await.map_err(Problem::internal)
}

/// Makes a key. `role` is that of the service account behind a service key.
pub(super) async fn create(
    state: &AppState,
    declared: &DeclaredPermissions,
    actor: &Actor,
    new: NewKey,
    role: Option<Role>,
) -> Result<CreatedKey, Problem> {
    session_only(actor)?;
    let now = state.clock.now();
    let kind = if role.is_some() { Kind::Service } else { Kind::Personal };
    let (permission, owner, most) = rule(kind, actor);
    let grant = actor.grant(permission)?;
    let settings = settings::read::<AuthenticationSettings>(&state.pool, actor.org_id).await?;
    let service = role.map(|role| Rights::of([role].into()));
    let holders: Vec<&Rights> = std::iter::once(&actor.rights).chain(&service).collect();
    let key = new.check(declared, &holders, settings.api_keys_max_days, now)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let live =
        store::count_live_locked(&mut tx, actor.org_id, owner, now).await.map_err(Problem::internal)?;
    if live >= most {
        return Err(Problem::wrong_state(format!(
            "there are {live} keys already, at most {most} are allowed"
        )));
    }
    check_groups(&mut tx, &grant, key.host_groups.as_deref().unwrap_or_default()).await?;
    let (id, secret) = put(&mut tx, &grant, actor, &key, role, now).await?;
    let after = json!({
        "name": key.name, "kind": kind.as_str(), "scopes": key.scopes, "host_groups": key.host_groups,
        "allowed_networks": key.allowed_networks, "expires_at": key.expires_at,
    });
    let event = AuditEvent::by_actor(actor, "auth.api_key.created", "api_key")
        .on(id)
        .labelled(key.name.as_str())
        .summary(format!("made a {} API key", kind.as_str()))
        .change(None, Some(after));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    let mut made = store::list(&state.pool, &grant, owner, Some(id)).await.map_err(Problem::internal)?;
    let key = made.pop().ok_or_else(|| Problem::not_found("API key"))?;
    Ok(CreatedKey { key, secret })
}

/// Refuses host groups that whoever makes the key cannot see (auth 20).
async fn check_groups(tx: &mut Tx<'_>, grant: &Grant, groups: &[Uuid]) -> Result<(), Problem> {
    let unknown = store::unknown_groups(tx, grant, groups).await.map_err(Problem::internal)?;
    if unknown.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = unknown.iter().map(Uuid::to_string).collect();
    Err(Problem::invalid_field("host_groups", "unknown", format!("no such host group: {}", ids.join(", "))))
}

async fn put(
    tx: &mut Tx<'_>,
    grant: &Grant,
    actor: &Actor,
    key: &CheckedKey,
    role: Option<Role>,
    now: DateTime<Utc>,
) -> Result<(Uuid, String), Problem> {
    let kind = if role.is_some() { Kind::Service } else { Kind::Personal };
    let user_id = match role {
        None => actor.user_id,
        Some(role) => {
            let id = new_id();
            let account = (id, key.name.as_str(), role);
            store::insert_service(tx, grant, account, now).await.map_err(Problem::internal)?;
            id
        }
    };
    let secret = random_token(kind.prefix());
    let insert = KeyInsert {
        id: new_id(),
        kind,
        user_id,
        created_by: actor.user_id,
        secret_hash: sha256(secret.as_bytes()),
        hint: &secret[secret.len() - HINT_CHARS..],
        key,
    };
    store::insert(tx, grant, &insert, now).await.map_err(Problem::internal)?;
    Ok((insert.id, secret))
}

/// Revokes a key for good.
pub(super) async fn revoke(state: &AppState, actor: &Actor, kind: Kind, id: Uuid) -> Result<(), Problem> {
    session_only(actor)?;
    let now = state.clock.now();
    let (permission, owner, _) = rule(kind, actor);
    let grant = actor.grant(permission)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let revoked = store::revoke(&mut tx, &grant, (id, owner, actor.user_id), now).await;
    let name = revoked.map_err(Problem::internal)?.ok_or_else(|| Problem::not_found("API key"))?;
    let event = AuditEvent::by_actor(actor, "auth.api_key.revoked", "api_key")
        .on(id)
        .labelled(name)
        .summary("revoked an API key");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}
