//! SQL of the slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use serde::Serialize;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::model::{Configuration, Sealed, TestResult};

/// Columns of [`Row`], of the table under the name `c`.
const COLUMNS: &str = "c.id, c.org_id, c.name, c.enabled, c.login_allowed, c.settings, c.sealed_bind_dn, \
                       c.sealed_bind_password, c.sealed_ca_pem, c.version, c.last_test_at, c.last_test_result, \
                       c.created_at, c.updated_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    name: String,
    enabled: bool,
    login_allowed: bool,
    settings: Value,
    sealed_bind_dn: Option<Vec<u8>>,
    sealed_bind_password: Option<Vec<u8>>,
    sealed_ca_pem: Option<Vec<u8>>,
    version: i32,
    last_test_at: Option<DateTime<Utc>>,
    last_test_result: Option<Value>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Configuration {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let settings =
            serde_json::from_value(row.settings).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        // The form of results may change between releases; an old one is only history.
        let last_test_result = row.last_test_result.and_then(|value| serde_json::from_value(value).ok());
        Ok(Self {
            id: row.id,
            org_id: row.org_id,
            name: row.name,
            enabled: row.enabled,
            login_allowed: row.login_allowed,
            settings,
            sealed: Sealed {
                bind_dn: row.sealed_bind_dn,
                bind_password: row.sealed_bind_password,
                ca_pem: row.sealed_ca_pem,
            },
            version: row.version,
            last_test_at: row.last_test_at,
            last_test_result,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn json<T: Serialize>(value: &T) -> Result<Value, sqlx::Error> {
    serde_json::to_value(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// The directories of the organisation, by name.
pub(super) async fn list(pool: &Pool, grant: &Grant) -> Result<Vec<Configuration>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM ldap_configurations c
         WHERE c.org_id = $1 AND c.deleted_at IS NULL
         ORDER BY lower(c.name), c.id"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql)).bind(grant.org_id()).fetch_all(pool).await?;
    rows.into_iter().map(Configuration::try_from).collect()
}

/// One directory of the organisation.
pub(super) async fn find(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Option<Configuration>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM ldap_configurations c WHERE c.id = $1 AND c.org_id = $2 AND c.deleted_at IS NULL"
    );
    let row: Option<Row> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(id).bind(grant.org_id()).fetch_optional(pool).await?;
    row.map(Configuration::try_from).transpose()
}

/// One directory of the organisation, locked.
pub(super) async fn lock(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<Configuration>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM ldap_configurations c
         WHERE c.id = $1 AND c.org_id = $2 AND c.deleted_at IS NULL FOR UPDATE"
    );
    let row: Option<Row> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(id).bind(grant.org_id()).fetch_optional(&mut **tx).await?;
    row.map(Configuration::try_from).transpose()
}

/// An enabled directory that people may sign in with, of any organisation that is not deleted.
pub(super) async fn find_for_sign_in(pool: &Pool, id: Uuid) -> Result<Option<Configuration>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM ldap_configurations c
         JOIN organisations o ON o.id = c.org_id AND o.deleted_at IS NULL
         WHERE c.id = $1 AND c.enabled AND c.login_allowed AND c.deleted_at IS NULL"
    );
    let row: Option<Row> = sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(pool).await?;
    row.map(Configuration::try_from).transpose()
}

/// How many directories the organisation has; waits for others that add one.
pub(super) async fn count(tx: &mut Tx<'_>, grant: &Grant) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT id FROM organisations WHERE id = $1 FOR NO KEY UPDATE")
        .bind(grant.org_id())
        .execute(&mut **tx)
        .await?;
    sqlx::query_scalar("SELECT count(*) FROM ldap_configurations WHERE org_id = $1 AND deleted_at IS NULL")
        .bind(grant.org_id())
        .fetch_one(&mut **tx)
        .await
}

/// Adds a directory; false when the name is taken.
pub(super) async fn insert(tx: &mut Tx<'_>, new: &Configuration) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO ldap_configurations
             (id, org_id, name, enabled, login_allowed, settings, sealed_bind_dn, sealed_bind_password, sealed_ca_pem,
              version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)
         ON CONFLICT (org_id, lower(name)) WHERE deleted_at IS NULL DO NOTHING",
    )
    .bind(new.id)
    .bind(new.org_id)
    .bind(&new.name)
    .bind(new.enabled)
    .bind(new.login_allowed)
    .bind(json(&new.settings)?)
    .bind(&new.sealed.bind_dn)
    .bind(&new.sealed.bind_password)
    .bind(&new.sealed.ca_pem)
    .bind(new.created_at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes a directory anew; false when the name is taken by another one.
pub(super) async fn update(
    tx: &mut Tx<'_>,
    after: &Configuration,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE ldap_configurations c
         SET name = $2, enabled = $3, login_allowed = $4, settings = $5, sealed_bind_dn = $6,
             sealed_bind_password = $7, sealed_ca_pem = $8, version = c.version + 1, updated_at = $9
         WHERE c.id = $1 AND NOT EXISTS (
             SELECT FROM ldap_configurations other
             WHERE other.org_id = c.org_id AND lower(other.name) = lower($2) AND other.id <> c.id
               AND other.deleted_at IS NULL
         )",
    )
    .bind(after.id)
    .bind(&after.name)
    .bind(after.enabled)
    .bind(after.login_allowed)
    .bind(json(&after.settings)?)
    .bind(&after.sealed.bind_dn)
    .bind(&after.sealed.bind_password)
    .bind(&after.sealed.ca_pem)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down what a test found.
pub(super) async fn put_test(
    tx: &mut Tx<'_>,
    id: Uuid,
    result: &TestResult,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE ldap_configurations SET last_test_at = $2, last_test_result = $3 WHERE id = $1")
        .bind(id)
        .bind(now)
        .bind(json(result)?)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Deletes a directory softly, its secrets for good.
pub(super) async fn delete(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE ldap_configurations
         SET deleted_at = $2, enabled = false, login_allowed = false, sealed_bind_dn = NULL,
             sealed_bind_password = NULL, sealed_ca_pem = NULL
         WHERE id = $1",
    )
    .bind(id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// How many accounts are linked with a directory.
pub(super) async fn linked_users(pool: &Pool, id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM external_identities WHERE provider = 'ldap' AND provider_id = $1",
    )
    .bind(id)
    .fetch_one(pool)
    .await
}

/// Whether a super_admin of any organisation signs in through the directory.
pub(super) async fn serves_super_admin(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM external_identities e
             JOIN memberships m ON m.user_id = e.user_id
             WHERE e.provider = 'ldap' AND e.provider_id = $1 AND 'super_admin' = ANY (m.roles)
               AND m.state IN ('active', 'deactivated')
         )",
    )
    .bind(id)
    .fetch_one(&mut **tx)
    .await
}

/// The name a linked person is known by in a directory.
pub(super) async fn subject_of(
    pool: &Pool,
    user_id: Uuid,
    org_id: Uuid,
) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT e.provider_id, e.subject FROM external_identities e
         JOIN ldap_configurations c ON c.id = e.provider_id AND c.enabled AND c.login_allowed AND c.deleted_at IS NULL
         WHERE e.provider = 'ldap' AND e.user_id = $1 AND e.org_id = $2
         ORDER BY e.last_used_at DESC",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_all(pool)
    .await
}
