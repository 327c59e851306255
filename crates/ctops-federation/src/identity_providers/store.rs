//! Statements on `identity_providers`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use serde_json::Value;
use uuid::Uuid;

use super::model::{Protocol, Provider};

/// A row as the database holds it.
#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    name: String,
    enabled: bool,
    settings: Value,
    allowed_domains: Vec<String>,
    trust_email: bool,
    role_map: Value,
    default_role: Option<String>,
    secret: Option<Vec<u8>>,
    secret_set_at: Option<DateTime<Utc>>,
    secret_set_by: Option<Uuid>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Provider {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let decode = |error: serde_json::Error| sqlx::Error::Decode(Box::new(error));
        Ok(Self {
            protocol: serde_json::from_value::<Protocol>(row.settings).map_err(decode)?,
            role_map: serde_json::from_value(row.role_map).map_err(decode)?,
            default_role: row.default_role.and_then(|role| role.parse().ok()),
            id: row.id,
            org_id: row.org_id,
            name: row.name,
            enabled: row.enabled,
            allowed_domains: row.allowed_domains,
            trust_email: row.trust_email,
            secret: row.secret,
            secret_set_at: row.secret_set_at,
            secret_set_by: row.secret_set_by,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<Value, sqlx::Error> {
    serde_json::to_value(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// The providers of the organisation, by name.
pub(super) async fn list(pool: &Pool, grant: &Grant) -> Result<Vec<Provider>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, org_id, name, enabled, settings, allowed_domains, trust_email, role_map, default_role, secret,
                secret_set_at, secret_set_by, version, created_at, updated_at
         FROM identity_providers
         WHERE org_id = $1 AND deleted_at IS NULL
         ORDER BY lower(name), id",
    )
    .bind(grant.org_id())
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Provider::try_from).collect()
}

/// One provider of the organisation.
pub(super) async fn find(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Option<Provider>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, org_id, name, enabled, settings, allowed_domains, trust_email, role_map, default_role, secret,
                secret_set_at, secret_set_by, version, created_at, updated_at
         FROM identity_providers
         WHERE id = $1 AND org_id = $2 AND deleted_at IS NULL",
    )
    .bind(id)
    .bind(grant.org_id())
    .fetch_optional(pool)
    .await?;
    row.map(Provider::try_from).transpose()
}

/// One provider, locked.
pub(super) async fn lock(tx: &mut Tx<'_>, grant: &Grant, id: Uuid) -> Result<Option<Provider>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, org_id, name, enabled, settings, allowed_domains, trust_email, role_map, default_role, secret,
                secret_set_at, secret_set_by, version, created_at, updated_at
         FROM identity_providers
         WHERE id = $1 AND org_id = $2 AND deleted_at IS NULL
         FOR UPDATE",
    )
    .bind(id)
    .bind(grant.org_id())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Provider::try_from).transpose()
}

/// An enabled provider of whatever organisation that is not deleted, for somebody who is not signed in yet.
pub(super) async fn find_enabled(pool: &Pool, id: Uuid) -> Result<Option<Provider>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT p.id, p.org_id, p.name, p.enabled, p.settings, p.allowed_domains, p.trust_email, p.role_map,
                p.default_role, p.secret, p.secret_set_at, p.secret_set_by, p.version, p.created_at, p.updated_at
         FROM identity_providers p
         JOIN organisations o ON o.id = p.org_id AND o.deleted_at IS NULL
         WHERE p.id = $1 AND p.enabled AND p.deleted_at IS NULL",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    row.map(Provider::try_from).transpose()
}

/// Enabled SAML providers of every organisation.
pub(super) async fn enabled_saml(pool: &Pool) -> Result<Vec<Provider>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, org_id, name, enabled, settings, allowed_domains, trust_email, role_map, default_role, secret,
                secret_set_at, secret_set_by, version, created_at, updated_at
         FROM identity_providers
         WHERE kind = 'saml' AND enabled AND deleted_at IS NULL
         ORDER BY org_id, id",
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Provider::try_from).collect()
}

/// How many providers the organisation has; waits for others that add one.
pub(super) async fn count(tx: &mut Tx<'_>, grant: &Grant) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT id FROM organisations WHERE id = $1 FOR NO KEY UPDATE")
        .bind(grant.org_id())
        .execute(&mut **tx)
        .await?;
    sqlx::query_scalar("SELECT count(*) FROM identity_providers WHERE org_id = $1 AND deleted_at IS NULL")
        .bind(grant.org_id())
        .fetch_one(&mut **tx)
        .await
}

/// Adds a provider.
pub(super) async fn insert(tx: &mut Tx<'_>, provider: &Provider) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO identity_providers
             (id, org_id, kind, name, enabled, settings, allowed_domains, trust_email, role_map, default_role, secret,
              secret_set_at, secret_set_by, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $14)",
    )
    .bind(provider.id)
    .bind(provider.org_id)
    .bind(provider.protocol.kind().as_str())
    .bind(&provider.name)
    .bind(provider.enabled)
    .bind(json(&provider.protocol)?)
    .bind(&provider.allowed_domains)
    .bind(provider.trust_email)
    .bind(json(&provider.role_map)?)
    .bind(provider.default_role.map(|role| role.as_str()))
    .bind(&provider.secret)
    .bind(provider.secret_set_at)
    .bind(provider.secret_set_by)
    .bind(provider.created_at)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Writes a provider anew.
pub(super) async fn update(
    tx: &mut Tx<'_>,
    provider: &Provider,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE identity_providers
         SET name = $2, enabled = $3, settings = $4, allowed_domains = $5, trust_email = $6, role_map = $7,
             default_role = $8, secret = $9, secret_set_at = $10, secret_set_by = $11, updated_at = $12,
             version = version + 1
         WHERE id = $1",
    )
    .bind(provider.id)
    .bind(&provider.name)
    .bind(provider.enabled)
    .bind(json(&provider.protocol)?)
    .bind(&provider.allowed_domains)
    .bind(provider.trust_email)
    .bind(json(&provider.role_map)?)
    .bind(provider.default_role.map(|role| role.as_str()))
    .bind(&provider.secret)
    .bind(provider.secret_set_at)
    .bind(provider.secret_set_by)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Deletes a provider softly, its secret for good.
pub(super) async fn delete(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE identity_providers SET deleted_at = $2, enabled = false, secret = NULL WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Whether a super_admin of any organisation signs in through the provider.
pub(super) async fn serves_super_admin(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM external_identities e
             JOIN memberships m ON m.user_id = e.user_id
             WHERE e.provider_id = $1 AND 'super_admin' = ANY (m.roles) AND m.state IN ('active', 'deactivated')
         )",
    )
    .bind(id)
    .fetch_one(&mut **tx)
    .await
}

/// The enabled provider of a kind that somebody signs in to the organisation through, the last used one first.
pub(super) async fn of_person(
    pool: &Pool,
    kind: &str,
    org_id: Uuid,
    user_id: Uuid,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT p.id
         FROM external_identities e
         JOIN identity_providers p ON p.id = e.provider_id AND p.enabled AND p.deleted_at IS NULL
         WHERE e.user_id = $1 AND e.provider = $2 AND p.org_id = $3
         ORDER BY e.last_used_at DESC, p.id
         LIMIT 1",
    )
    .bind(user_id)
    .bind(kind)
    .bind(org_id)
    .fetch_optional(pool)
    .await
}
