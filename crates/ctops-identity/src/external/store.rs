//! SQL of external identities.

use chrono::{DateTime, Utc};
use ctops_base::Role;
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::{Confirmation, ExternalIdentity, LinkedIdentity, Met};
use crate::accounts::parse_roles;

/// The account linked to the identity.
pub(super) async fn find_linked(
    tx: &mut Tx<'_>,
    identity: &ExternalIdentity<'_>,
) -> Result<Option<Met>, sqlx::Error> {
    let row: Option<(Uuid, bool)> = sqlx::query_as(
        "SELECT u.id, u.active AND u.deleted_at IS NULL AND u.kind = 'person'
         FROM external_identities e
         JOIN users u ON u.id = e.user_id
         WHERE e.provider = $1 AND e.provider_id = $2 AND e.subject = $3",
    )
    .bind(identity.provider.as_str())
    .bind(identity.provider_id)
    .bind(identity.subject)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(user_id, usable)| Met { user_id, usable }))
}

/// The account with this folded address.
pub(super) async fn find_by_address(tx: &mut Tx<'_>, email: &str) -> Result<Option<Met>, sqlx::Error> {
    let row: Option<(Uuid, bool)> = sqlx::query_as(
        "SELECT u.id, u.active AND u.kind = 'person'
         FROM users u
         WHERE lower(u.email) = $1 AND u.deleted_at IS NULL",
    )
    .bind(email)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(user_id, usable)| Met { user_id, usable }))
}

/// Links an identity to an account; whether it was free.
pub(super) async fn insert_link(
    tx: &mut Tx<'_>,
    id: Uuid,
    identity: &ExternalIdentity<'_>,
    user_id: Uuid,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO external_identities
             (id, org_id, user_id, provider, provider_id, subject, name, linked_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (provider, provider_id, subject) DO NOTHING",
    )
    .bind(id)
    .bind(identity.org_id)
    .bind(user_id)
    .bind(identity.provider.as_str())
    .bind(identity.provider_id)
    .bind(identity.subject)
    .bind(name)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// As [`insert_link`], from a confirmation.
pub(super) async fn insert_confirmed(
    tx: &mut Tx<'_>,
    id: Uuid,
    confirmation: &Confirmation,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO external_identities
             (id, org_id, user_id, provider, provider_id, subject, name, linked_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (provider, provider_id, subject) DO NOTHING",
    )
    .bind(id)
    .bind(confirmation.org_id)
    .bind(confirmation.user_id)
    .bind(&confirmation.provider)
    .bind(confirmation.provider_id)
    .bind(&confirmation.subject)
    .bind(&confirmation.name)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes down a use.
pub(super) async fn touch(
    tx: &mut Tx<'_>,
    identity: &ExternalIdentity<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE external_identities
         SET last_used_at = $4
         WHERE provider = $1 AND provider_id = $2 AND subject = $3",
    )
    .bind(identity.provider.as_str())
    .bind(identity.provider_id)
    .bind(identity.subject)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Stores a confirmation and drops those that are over.
pub(super) async fn insert_confirmation(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    confirmation: &Confirmation,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM link_confirmations WHERE expires_at < $1")
        .bind(confirmation.created_at)
        .execute(&mut **tx)
        .await?;
    let roles: Vec<&str> = confirmation.roles.iter().map(|role| role.as_str()).collect();
    sqlx::query(
        "INSERT INTO link_confirmations
             (id, token_hash, org_id, user_id, provider, provider_id, subject, name, roles, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(confirmation.id)
    .bind(&token_hash[..])
    .bind(confirmation.org_id)
    .bind(confirmation.user_id)
    .bind(&confirmation.provider)
    .bind(confirmation.provider_id)
    .bind(&confirmation.subject)
    .bind(&confirmation.name)
    .bind(roles)
    .bind(confirmation.created_at)
    .bind(confirmation.expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ConfirmationRow {
    id: Uuid,
    org_id: Uuid,
    user_id: Uuid,
    provider: String,
    provider_id: Uuid,
    subject: String,
    name: String,
    roles: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// The confirmation with this token that still waits for this account, locked until the transaction ends.
pub(super) async fn find_confirmation(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Confirmation>, sqlx::Error> {
    let row: Option<ConfirmationRow> = sqlx::query_as(
        "SELECT c.id, c.org_id, c.user_id, c.provider, c.provider_id, c.subject, c.name, c.roles,
                c.created_at, c.expires_at
         FROM link_confirmations c
         JOIN organisations o ON o.id = c.org_id AND o.deleted_at IS NULL
         WHERE c.token_hash = $1 AND c.user_id = $2 AND c.used_at IS NULL AND c.expires_at > $3
         FOR UPDATE OF c",
    )
    .bind(&token_hash[..])
    .bind(user_id)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Confirmation {
        id: row.id,
        org_id: row.org_id,
        user_id: row.user_id,
        provider: row.provider,
        provider_id: row.provider_id,
        subject: row.subject,
        name: row.name,
        roles: parse_roles(&row.roles).into_iter().filter(|role| *role != Role::SuperAdmin).collect(),
        created_at: row.created_at,
        expires_at: row.expires_at,
    }))
}

/// Marks a confirmation as used.
pub(super) async fn use_confirmation(
    tx: &mut Tx<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE link_confirmations SET used_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The identities of an account, newest first.
pub(super) async fn list(pool: &Pool, user_id: Uuid) -> Result<Vec<LinkedIdentity>, sqlx::Error> {
    type Row = (Uuid, String, Uuid, String, DateTime<Utc>, DateTime<Utc>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, provider, provider_id, name, linked_at, last_used_at
         FROM external_identities
         WHERE user_id = $1
         ORDER BY linked_at DESC, id DESC
         LIMIT 100",
    )
    .bind(user_id)
    .fetch_all(pool)
    .await?;
    let linked = rows.into_iter().map(|(id, provider, provider_id, name, linked_at, last_used_at)| {
        LinkedIdentity { id, provider, provider_id, name, linked_at, last_used_at }
    });
    Ok(linked.collect())
}

/// Kinds and organisations of the providers that know an account and are switched on.
pub(super) async fn enabled_providers_of(
    pool: &Pool,
    user_id: Uuid,
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT DISTINCT e.provider, e.org_id
         FROM external_identities e
         JOIN organisations o ON o.id = e.org_id AND o.deleted_at IS NULL
         LEFT JOIN ldap_configurations c
                ON e.provider = 'ldap' AND c.id = e.provider_id AND c.enabled AND c.deleted_at IS NULL
         LEFT JOIN identity_providers p ON p.kind = e.provider AND p.id = e.provider_id AND p.enabled AND p.deleted_at IS NULL
         WHERE e.user_id = $1 AND (c.id IS NOT NULL OR p.id IS NOT NULL)",
    )
    .bind(user_id)
    .fetch_all(pool)
    .await
}

/// Whether the account can sign in without this identity: by password or by another identity. The account's row is
/// locked until the transaction ends, so that two removals cannot each count on the other.
pub(super) async fn has_other_way(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    identity_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let has_password: bool =
        sqlx::query_scalar("SELECT password_hash IS NOT NULL FROM users WHERE id = $1 FOR UPDATE")
            .bind(user_id)
            .fetch_one(&mut **tx)
            .await?;
    if has_password {
        return Ok(true);
    }
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM external_identities WHERE user_id = $1 AND id <> $2)")
        .bind(user_id)
        .bind(identity_id)
        .fetch_one(&mut **tx)
        .await
}

/// Removes an identity of an account; whether there was one.
pub(super) async fn delete(tx: &mut Tx<'_>, user_id: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM external_identities WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes every identity and confirmation of a provider; how many identities.
pub(super) async fn delete_provider(
    tx: &mut Tx<'_>,
    provider: &str,
    provider_id: Uuid,
) -> Result<u64, sqlx::Error> {
    sqlx::query("DELETE FROM link_confirmations WHERE provider = $1 AND provider_id = $2")
        .bind(provider)
        .bind(provider_id)
        .execute(&mut **tx)
        .await?;
    let done = sqlx::query("DELETE FROM external_identities WHERE provider = $1 AND provider_id = $2")
        .bind(provider)
        .bind(provider_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}
