//! SQL of the recovery slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::Account;

type AccountRow = (Uuid, Uuid, String, String, bool);

fn account((user_id, org_id, email, organisation, has_password): AccountRow) -> Account {
    Account { user_id, org_id, email, organisation, has_password }
}

/// The account with this folded address that some organisation lets in.
pub(super) async fn find_account(pool: &Pool, email: &str) -> Result<Option<Account>, sqlx::Error> {
    let row: Option<AccountRow> = sqlx::query_as(
        "SELECT u.id, o.id, u.email, o.name, u.password_hash IS NOT NULL
         FROM users u
         JOIN memberships m ON m.user_id = u.id AND m.state IN ('active', 'pending')
         JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
         WHERE lower(u.email) = $1 AND u.deleted_at IS NULL AND u.active AND u.kind = 'person'
         ORDER BY m.created_at, o.id
         LIMIT 1",
    )
    .bind(email)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(account))
}

/// The account of somebody signed in, in the organisation they act in, with the hash of their password.
pub(super) async fn find_own(
    pool: &Pool,
    user_id: Uuid,
    org_id: Uuid,
) -> Result<Option<(Account, Option<String>)>, sqlx::Error> {
    let row: Option<(Uuid, Uuid, String, String, Option<String>)> = sqlx::query_as(
        "SELECT u.id, o.id, u.email, o.name, u.password_hash
         FROM users u
         JOIN organisations o ON o.id = $2
         WHERE u.id = $1 AND u.deleted_at IS NULL",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(user, org, email, name, hash)| (account((user, org, email, name, hash.is_some())), hash)))
}

/// Adds a link.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    id: Uuid,
    account: &Account,
    token_hash: &[u8; 32],
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO password_resets (id, user_id, org_id, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(account.user_id)
    .bind(account.org_id)
    .bind(&token_hash[..])
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The account that a usable link is for.
pub(super) async fn find_by_token(
    pool: &Pool,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Account>, sqlx::Error> {
    let row: Option<AccountRow> = sqlx::query_as(
        "SELECT u.id, o.id, u.email, o.name, u.password_hash IS NOT NULL
         FROM password_resets r
         JOIN users u ON u.id = r.user_id AND u.deleted_at IS NULL AND u.active
         JOIN organisations o ON o.id = r.org_id
         WHERE r.token_hash = $1 AND r.used_at IS NULL AND r.expires_at > $2",
    )
    .bind(&token_hash[..])
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(account))
}

/// Uses a link up, and with it every other link of its account; whether it could be used.
pub(super) async fn use_up(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query(
        "UPDATE password_resets SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2",
    )
    .bind(&token_hash[..])
    .bind(now)
    .execute(&mut **tx)
    .await?;
    if used.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM password_resets WHERE user_id = $1 AND token_hash <> $2")
        .bind(user_id)
        .bind(&token_hash[..])
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

/// Sets a password. `verified_at`: the moment from which the address counts as verified, if it was not before.
pub(super) async fn set_password(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    hash: &str,
    verified_at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE users SET password_hash = $2, email_verified_at = COALESCE(email_verified_at, $3) WHERE id = $1",
    )
    .bind(user_id)
    .bind(hash)
    .bind(verified_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
