//! Statements on `organisation_licences`, `activation_tokens`, `licence_clock` and `licence_notices`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

use super::model::StoredLicence;

/// The current licence of an organisation.
pub(super) async fn current(
    executor: impl sqlx::PgExecutor<'_>,
    org_id: Uuid,
) -> Result<Option<StoredLicence>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, org_id, key_sealed, verifier_pem, verifier_fingerprint, seal, jti, tier, features, max_hosts,
                customer_name, customer_email, issued_at, expires_at
         FROM organisation_licences
         WHERE org_id = $1
           AND replaced_at IS NULL",
    )
    .bind(org_id)
    .fetch_optional(executor)
    .await
}

/// Organisations that have a licence.
pub(super) async fn licensed_organisations(pool: &Pool) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT org_id FROM organisation_licences WHERE replaced_at IS NULL ORDER BY org_id")
        .fetch_all(pool)
        .await
}

/// All current licences.
pub(super) async fn all_current(
    executor: impl sqlx::PgExecutor<'_>,
) -> Result<Vec<StoredLicence>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, org_id, key_sealed, verifier_pem, verifier_fingerprint, seal, jti, tier, features, max_hosts,
                customer_name, customer_email, issued_at, expires_at
         FROM organisation_licences
         WHERE replaced_at IS NULL
         ORDER BY org_id",
    )
    .fetch_all(executor)
    .await
}

/// Lets decisions about one organisation's licence and seats wait for each other until the transaction ends.
pub(super) async fn lock_organisation(tx: &mut Tx<'_>, org_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT id FROM organisations WHERE id = $1 FOR NO KEY UPDATE")
        .bind(org_id)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Ends the current licence; its id, when there was one.
pub(super) async fn end_current(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE organisation_licences
         SET replaced_at = $2, replaced_by = $3
         WHERE org_id = $1
           AND replaced_at IS NULL
         RETURNING id",
    )
    .bind(grant.org_id())
    .bind(now)
    .bind(user_id)
    .fetch_optional(&mut **tx)
    .await
}

/// Adds a licence as the current one.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    row: &StoredLicence,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO organisation_licences
             (id, org_id, key_sealed, verifier_pem, verifier_fingerprint, seal, jti, tier, features, max_hosts,
              customer_name, customer_email, issued_at, expires_at, activated_by, activated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(row.id)
    .bind(row.org_id)
    .bind(&row.key_sealed)
    .bind(&row.verifier_pem)
    .bind(&row.verifier_fingerprint)
    .bind(&row.seal)
    .bind(&row.jti)
    .bind(&row.tier)
    .bind(&row.features)
    .bind(row.max_hosts)
    .bind(&row.customer_name)
    .bind(&row.customer_email)
    .bind(row.issued_at)
    .bind(row.expires_at)
    .bind(user_id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// A line of the history.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct HistoryRow {
    pub(super) id: Uuid,
    pub(super) jti: String,
    pub(super) tier: String,
    pub(super) features: Vec<String>,
    pub(super) max_hosts: Option<i64>,
    pub(super) customer_name: String,
    pub(super) issued_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) activated_by: Option<Uuid>,
    pub(super) activated_by_name: Option<String>,
    pub(super) activated_at: DateTime<Utc>,
    pub(super) replaced_at: Option<DateTime<Utc>>,
}

/// The newest licences, at most `limit`.
pub(super) async fn history(pool: &Pool, grant: &Grant, limit: i64) -> Result<Vec<HistoryRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT l.id, l.jti, l.tier, l.features, l.max_hosts, l.customer_name, l.issued_at, l.expires_at, l.activated_by,
                u.name AS activated_by_name, l.activated_at, l.replaced_at
         FROM organisation_licences l
         LEFT JOIN users u ON u.id = l.activated_by
         WHERE l.org_id = $1
         ORDER BY l.activated_at DESC, l.id DESC
         LIMIT $2",
    )
    .bind(grant.org_id())
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Name of an organisation.
pub(super) async fn organisation_name(pool: &Pool, grant: &Grant) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM organisations WHERE id = $1")
        .bind(grant.org_id())
        .fetch_one(pool)
        .await
}

/// Notes that a token was made.
pub(super) async fn insert_token(
    tx: &mut Tx<'_>,
    grant: &Grant,
    nonce: &str,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO activation_tokens (nonce, org_id, created_by, created_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(nonce)
    .bind(grant.org_id())
    .bind(user_id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Hosts that take a seat: there, with an agent that was approved and not revoked since.
pub(super) async fn used_seats(
    executor: impl sqlx::PgExecutor<'_>,
    org_id: Uuid,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT COUNT(*)
         FROM hosts h
         JOIN agents a ON a.host_id = h.id
         WHERE h.org_id = $1
           AND h.deleted_at IS NULL
           AND a.deleted_at IS NULL
           AND a.status IN ('active', 'offline')",
    )
    .bind(org_id)
    .fetch_one(executor)
    .await
}

/// The latest moment ever seen.
pub(super) async fn high_water(
    executor: impl sqlx::PgExecutor<'_>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar("SELECT high_water FROM licence_clock").fetch_optional(executor).await
}

/// Notes a moment; it only ever rises.
pub(super) async fn raise_high_water(pool: &Pool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO licence_clock (high_water) VALUES ($1)
         ON CONFLICT (singleton) DO UPDATE SET high_water = GREATEST(licence_clock.high_water, EXCLUDED.high_water)",
    )
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}

/// Notes that people were told; false when they had been.
pub(super) async fn insert_notice(
    tx: &mut Tx<'_>,
    licence_id: Uuid,
    kind: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO licence_notices (licence_id, kind, at) VALUES ($1, $2, $3)
         ON CONFLICT (licence_id, kind) DO NOTHING",
    )
    .bind(licence_id)
    .bind(kind)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Addresses of the administrators of an organisation.
pub(super) async fn administrators(tx: &mut Tx<'_>, org_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT u.email
         FROM memberships m
         JOIN users u ON u.id = m.user_id
         WHERE m.org_id = $1
           AND m.state = 'active'
           AND m.roles && ARRAY['org_admin', 'super_admin']::text[]
           AND u.active
           AND u.kind = 'person'
           AND u.deleted_at IS NULL
         ORDER BY u.email",
    )
    .bind(org_id)
    .fetch_all(&mut **tx)
    .await
}

/// The stored list of revoked keys.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub(super) struct BundleRow {
    pub(super) raw_jwt: Option<String>,
    pub(super) issued_at: Option<DateTime<Utc>>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) fetched_at: Option<DateTime<Utc>>,
    pub(super) attempted_at: Option<DateTime<Utc>>,
    pub(super) last_error: Option<String>,
}

/// The list, when one was ever asked for.
pub(super) async fn bundle(executor: impl sqlx::PgExecutor<'_>) -> Result<Option<BundleRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT raw_jwt, issued_at, expires_at, fetched_at, attempted_at, last_error FROM licence_revocation_bundle",
    )
    .fetch_optional(executor)
    .await
}

/// Keeps a list in place of an older one.
pub(super) async fn keep_bundle(
    tx: &mut Tx<'_>,
    raw_jwt: &str,
    (issued_at, expires_at): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO licence_revocation_bundle (raw_jwt, issued_at, expires_at, fetched_at, attempted_at)
         VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (singleton) DO UPDATE
         SET raw_jwt = EXCLUDED.raw_jwt, issued_at = EXCLUDED.issued_at, expires_at = EXCLUDED.expires_at,
             fetched_at = EXCLUDED.fetched_at, attempted_at = EXCLUDED.attempted_at, last_error = NULL
         WHERE licence_revocation_bundle.issued_at IS NULL OR licence_revocation_bundle.issued_at <= EXCLUDED.issued_at",
    )
    .bind(raw_jwt)
    .bind(issued_at)
    .bind(expires_at)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Notes a failure; the last good list stays.
pub(super) async fn note_failure(pool: &Pool, error: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO licence_revocation_bundle (attempted_at, last_error) VALUES ($1, $2)
         ON CONFLICT (singleton) DO UPDATE SET attempted_at = EXCLUDED.attempted_at, last_error = EXCLUDED.last_error",
    )
    .bind(now)
    .bind(error)
    .execute(pool)
    .await
    .map(drop)
}
