//! SQL of the passkeys slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use sqlx::types::Json;
use uuid::Uuid;
use webauthn_rs::prelude::Passkey;

use super::model::{ListedPasskey, Purpose, StoredPasskey};

pub(super) async fn list(pool: &Pool, user_id: Uuid) -> Result<Vec<ListedPasskey>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, name, created_at, last_used_at FROM passkeys WHERE user_id = $1 ORDER BY created_at, id",
    )
    .bind(user_id)
    .fetch_all(pool)
    .await
}

type StoredRow = (Uuid, Uuid, Json<Passkey>);

fn stored((id, user_id, Json(passkey)): StoredRow) -> StoredPasskey {
    StoredPasskey { id, user_id, passkey }
}

/// The passkeys of a user with what verifies them.
pub(super) async fn of_user(pool: &Pool, user_id: Uuid) -> Result<Vec<StoredPasskey>, sqlx::Error> {
    let rows: Vec<StoredRow> =
        sqlx::query_as("SELECT id, user_id, credential FROM passkeys WHERE user_id = $1 ORDER BY id")
            .bind(user_id)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(stored).collect())
}

/// The passkey with this credential id, locked so that its counter is compared and moved by one at a time.
pub(super) async fn by_credential(
    tx: &mut Tx<'_>,
    credential_id: &[u8],
) -> Result<Option<StoredPasskey>, sqlx::Error> {
    let row: Option<StoredRow> =
        sqlx::query_as("SELECT id, user_id, credential FROM passkeys WHERE credential_id = $1 FOR UPDATE")
            .bind(credential_id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.map(stored))
}

/// The organisation an active person joined first.
pub(super) async fn home_of(pool: &Pool, user_id: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT m.org_id
         FROM users u
         JOIN memberships m ON m.user_id = u.id AND m.state IN ('active', 'pending')
         JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
         WHERE u.id = $1 AND u.active AND u.deleted_at IS NULL AND u.kind = 'person'
         ORDER BY m.created_at, m.org_id
         LIMIT 1",
    )
    .bind(user_id)
    .fetch_optional(pool)
    .await
}

/// Stores a passkey; whether its credential was new.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    (id, user_id, name): (Uuid, Uuid, &str),
    passkey: &Passkey,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let credential_id: &[u8] = passkey.cred_id().as_ref();
    let done = sqlx::query(
        "INSERT INTO passkeys (id, user_id, credential_id, name, credential, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (credential_id) DO NOTHING",
    )
    .bind(id)
    .bind(user_id)
    .bind(credential_id)
    .bind(name)
    .bind(Json(passkey))
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes a use down, with the counter the device reported.
pub(super) async fn note_use(
    tx: &mut Tx<'_>,
    used: &StoredPasskey,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE passkeys SET credential = $1, last_used_at = $2 WHERE id = $3")
        .bind(Json(&used.passkey))
        .bind(now)
        .bind(used.id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Renames a passkey of the user; whether there was one.
pub(super) async fn rename(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    id: Uuid,
    name: &str,
) -> Result<Option<ListedPasskey>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE passkeys SET name = $1 WHERE id = $2 AND user_id = $3
         RETURNING id, name, created_at, last_used_at",
    )
    .bind(name)
    .bind(id)
    .bind(user_id)
    .fetch_optional(&mut **tx)
    .await
}

/// Deletes a passkey of the user; its name.
pub(super) async fn delete(tx: &mut Tx<'_>, user_id: Uuid, id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("DELETE FROM passkeys WHERE id = $1 AND user_id = $2 RETURNING name")
        .bind(id)
        .bind(user_id)
        .fetch_optional(&mut **tx)
        .await
}

pub(super) async fn delete_all_of(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM passkeys WHERE user_id = $1").bind(user_id).execute(&mut **tx).await?;
    Ok(())
}

/// A challenge on its way into the database.
pub(super) struct CeremonyRow {
    pub(super) token_hash: [u8; 32],
    pub(super) purpose: Purpose,
    pub(super) user_id: Option<Uuid>,
    pub(super) state_sealed: Vec<u8>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Keeps a challenge, and forgets those that are over.
pub(super) async fn put_ceremony(
    pool: &Pool,
    row: &CeremonyRow,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM passkey_ceremonies WHERE expires_at <= $1").bind(now).execute(pool).await?;
    sqlx::query(
        "INSERT INTO passkey_ceremonies (token_hash, purpose, user_id, state_sealed, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&row.token_hash[..])
    .bind(row.purpose.as_str())
    .bind(row.user_id)
    .bind(&row.state_sealed)
    .bind(row.expires_at)
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes a challenge out, so that it is answered once. For another purpose or person there is none.
pub(super) async fn take_ceremony(
    pool: &Pool,
    token_hash: &[u8; 32],
    (purpose, user_id): (Purpose, Option<Uuid>),
    now: DateTime<Utc>,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "DELETE FROM passkey_ceremonies
         WHERE token_hash = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3 AND expires_at > $4
         RETURNING state_sealed",
    )
    .bind(&token_hash[..])
    .bind(purpose.as_str())
    .bind(user_id)
    .bind(now)
    .fetch_optional(pool)
    .await
}
