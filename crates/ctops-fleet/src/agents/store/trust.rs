//! Certificate authorities and sealed keys.

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use uuid::Uuid;

/// A stored authority; the key is sealed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::agents) struct StoredAuthority {
    pub(in crate::agents) id: Uuid,
    pub(in crate::agents) purpose: String,
    pub(in crate::agents) cert_pem: String,
    pub(in crate::agents) key_sealed: Vec<u8>,
    pub(in crate::agents) is_active: bool,
}

/// Makes other processes that want to create trust material wait until this transaction ends.
pub(in crate::agents) async fn lock(tx: &mut Tx<'_>, lock: i64) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock).execute(&mut **tx).await.map(drop)
}

/// Authorities that are active or still trusted: the active ones first, then the youngest.
pub(in crate::agents) async fn authorities(
    tx: &mut Tx<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<StoredAuthority>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, purpose, cert_pem, key_sealed, retired_at IS NULL AS is_active
         FROM certificate_authorities
         WHERE retired_at IS NULL
            OR not_after > $1
         ORDER BY is_active DESC, created_at DESC, id",
    )
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}

/// A new authority.
pub(in crate::agents) struct NewAuthority<'a> {
    pub(in crate::agents) id: Uuid,
    pub(in crate::agents) purpose: &'a str,
    pub(in crate::agents) cert_pem: &'a str,
    pub(in crate::agents) key_sealed: &'a [u8],
    pub(in crate::agents) fingerprint: &'a str,
    pub(in crate::agents) not_before: DateTime<Utc>,
    pub(in crate::agents) not_after: DateTime<Utc>,
}

/// Adds an active authority.
pub(in crate::agents) async fn insert_authority(
    tx: &mut Tx<'_>,
    new: &NewAuthority<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO certificate_authorities
             (id, purpose, cert_pem, key_sealed, fingerprint_sha256, not_before, not_after, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.id)
    .bind(new.purpose)
    .bind(new.cert_pem)
    .bind(new.key_sealed)
    .bind(new.fingerprint)
    .bind(new.not_before)
    .bind(new.not_after)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// A sealed secret by name.
pub(in crate::agents) async fn sealed_secret(
    tx: &mut Tx<'_>,
    name: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT sealed FROM sealed_secrets WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut **tx)
        .await
}

/// Adds a sealed secret.
pub(in crate::agents) async fn insert_secret(
    tx: &mut Tx<'_>,
    name: &str,
    sealed: &[u8],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO sealed_secrets (name, sealed, created_at) VALUES ($1, $2, $3)")
        .bind(name)
        .bind(sealed)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}
