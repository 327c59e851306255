//! SQL of the API keys slice.

use chrono::{DateTime, Utc};
use ctops_base::Role;
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

use super::model::{CheckedKey, Kind, MAX_LISTED};

/// A key as the database has it, with what decides whether it may be used.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct KeyRow {
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) host_groups: Option<Vec<Uuid>>,
    pub(super) allowed_networks: Option<Vec<String>>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
}

/// The key with this secret, if it is neither revoked nor expired.
pub(super) async fn find_live(
    pool: &Pool,
    secret_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<KeyRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, user_id, org_id, kind, name, scopes, host_groups, allowed_networks, last_used_at
         FROM api_keys
         WHERE secret_hash = $1 AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(&secret_hash[..])
    .bind(now)
    .fetch_optional(pool)
    .await
}

/// The same by id, for streams that are open already.
pub(super) async fn find_live_by_id(
    pool: &Pool,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<KeyRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, user_id, org_id, kind, name, scopes, host_groups, allowed_networks, last_used_at
         FROM api_keys
         WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(pool)
    .await
}

/// Writes down a use, unless one at or after `unless_since` is on record; whether this was the first ever.
pub(super) async fn note_use(
    tx: &mut Tx<'_>,
    id: Uuid,
    ip: &str,
    now: DateTime<Utc>,
    unless_since: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let first: Option<bool> = sqlx::query_scalar(
        "WITH before AS (SELECT last_used_at IS NULL AS first FROM api_keys WHERE id = $1 FOR UPDATE)
         UPDATE api_keys SET last_used_at = $2, last_used_ip = $3
         FROM before
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $4)
         RETURNING before.first",
    )
    .bind(id)
    .bind(now)
    .bind(ip)
    .bind(unless_since)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(first.unwrap_or(false))
}

/// A key as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct ListedKey {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) hint: String,
    pub(super) scopes: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) host_groups: Option<Vec<Uuid>>,
    pub(super) allowed_networks: Option<Vec<String>>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) created_by: Option<String>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
    pub(super) last_used_ip: Option<String>,
    pub(super) revoked_at: Option<DateTime<Utc>>,
}

/// Keys of the organisation: a person's own, or all service keys; the newest first.
pub(super) async fn list(
    pool: &Pool,
    grant: &Grant,
    owner: Option<Uuid>,
    id: Option<Uuid>,
) -> Result<Vec<ListedKey>, sqlx::Error> {
    sqlx::query_as(
        "SELECT k.id, k.name, k.hint, k.scopes, m.roles, k.host_groups, k.allowed_networks, k.created_at,
                c.name AS created_by, k.expires_at, k.last_used_at, k.last_used_ip, k.revoked_at
         FROM api_keys k
         JOIN memberships m ON m.user_id = k.user_id AND m.org_id = k.org_id
         LEFT JOIN users c ON c.id = k.created_by
         WHERE k.org_id = $1
           AND CASE WHEN $2::uuid IS NULL THEN k.kind = 'service' ELSE k.kind = 'personal' AND k.user_id = $2 END
           AND ($3::uuid IS NULL OR k.id = $3)
         ORDER BY k.created_at DESC, k.id DESC
         LIMIT $4",
    )
    .bind(grant.org_id())
    .bind(owner)
    .bind(id)
    .bind(MAX_LISTED)
    .fetch_all(pool)
    .await
}

/// Waits for others who make keys in this organisation and counts the live ones: a person's own or all service keys.
pub(super) async fn count_live_locked(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    owner: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT id FROM organisations WHERE id = $1 FOR UPDATE")
        .bind(org_id)
        .execute(&mut **tx)
        .await?;
    sqlx::query_scalar(
        "SELECT count(*)
         FROM api_keys
         WHERE org_id = $1 AND revoked_at IS NULL AND expires_at > $3
           AND CASE WHEN $2::uuid IS NULL THEN kind = 'service' ELSE kind = 'personal' AND user_id = $2 END",
    )
    .bind(org_id)
    .bind(owner)
    .bind(now)
    .fetch_one(&mut **tx)
    .await
}

/// Those of these host groups that are not there for who makes the key. The others stay until the transaction ends.
pub(super) async fn unknown_groups(
    tx: &mut Tx<'_>,
    grant: &Grant,
    groups: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    let there: Vec<Uuid> = sqlx::query_scalar(
        "SELECT g.id FROM host_groups g
         WHERE g.id = ANY($1) AND g.org_id = $2 AND g.deleted_at IS NULL AND ($3::uuid[] IS NULL OR g.id = ANY($3))
         FOR SHARE",
    )
    .bind(groups)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_all(&mut **tx)
    .await?;
    Ok(groups.iter().copied().filter(|group| !there.contains(group)).collect())
}

/// A key on its way into the database.
pub(super) struct KeyInsert<'a> {
    pub(super) id: Uuid,
    pub(super) kind: Kind,
    /// Whom it speaks for.
    pub(super) user_id: Uuid,
    pub(super) created_by: Uuid,
    pub(super) secret_hash: [u8; 32],
    pub(super) hint: &'a str,
    pub(super) key: &'a CheckedKey,
}

pub(super) async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    new: &KeyInsert<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO api_keys
             (id, org_id, user_id, kind, name, secret_hash, hint, scopes, host_groups, allowed_networks, created_by,
              created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(new.id)
    .bind(grant.org_id())
    .bind(new.user_id)
    .bind(new.kind.as_str())
    .bind(&new.key.name)
    .bind(&new.secret_hash[..])
    .bind(new.hint)
    .bind(&new.key.scopes)
    .bind(&new.key.host_groups)
    .bind(&new.key.allowed_networks)
    .bind(new.created_by)
    .bind(now)
    .bind(new.key.expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes the account a service key speaks for. Its address can receive nothing (RFC 2606 section 2).
pub(super) async fn insert_service(
    tx: &mut Tx<'_>,
    grant: &Grant,
    (id, name, role): (Uuid, &str, Role),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO users (id, email, name, kind, created_at) VALUES ($1, $2, $3, 'service', $4)")
        .bind(id)
        .bind(format!("{}@service.invalid", id.simple()))
        .bind(name)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    sqlx::query("INSERT INTO memberships (org_id, user_id, roles, created_at) VALUES ($1, $2, $3, $4)")
        .bind(grant.org_id())
        .bind(id)
        .bind(vec![role.as_str()])
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Revokes a key; its name, or none when there is no such live key.
pub(super) async fn revoke(
    tx: &mut Tx<'_>,
    grant: &Grant,
    (id, owner, by): (Uuid, Option<Uuid>, Uuid),
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE api_keys SET revoked_at = $1, revoked_by = $2
         WHERE id = $3 AND org_id = $4 AND revoked_at IS NULL
           AND CASE WHEN $5::uuid IS NULL THEN kind = 'service' ELSE kind = 'personal' AND user_id = $5 END
         RETURNING name",
    )
    .bind(now)
    .bind(by)
    .bind(id)
    .bind(grant.org_id())
    .bind(owner)
    .fetch_optional(&mut **tx)
    .await
}
