//! SQL of the verification slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::{Account, AddressOf, Candidate, OpenedLink};

/// Adds a link, and forgets those that are over.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    link: &OpenedLink,
    token_hash: &[u8; 32],
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM address_links WHERE expires_at <= $1").bind(now).execute(&mut **tx).await?;
    let (user_id, registration_id) = match link.of {
        AddressOf::Account(id) => (Some(id), None),
        AddressOf::Registration(id) => (None, Some(id)),
    };
    sqlx::query(
        "INSERT INTO address_links (id, org_id, user_id, registration_id, email, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(link.id)
    .bind(link.org_id)
    .bind(user_id)
    .bind(registration_id)
    .bind(&link.email)
    .bind(&token_hash[..])
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The usable link with this token.
pub(super) async fn find(
    pool: &Pool,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<OpenedLink>, sqlx::Error> {
    type Row = (Uuid, Uuid, Option<Uuid>, Option<Uuid>, String);
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, org_id, user_id, registration_id, email
         FROM address_links
         WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2",
    )
    .bind(&token_hash[..])
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(|(id, org_id, user_id, registration_id, email)| {
        let of = match (user_id, registration_id) {
            (Some(id), _) => AddressOf::Account(id),
            (None, Some(id)) => AddressOf::Registration(id),
            (None, None) => return None,
        };
        Some(OpenedLink { id, org_id, of, email })
    }))
}

/// Uses a link up; whether it could still be used.
pub(super) async fn use_up(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let used = sqlx::query("UPDATE address_links SET used_at = $2 WHERE id = $1 AND used_at IS NULL")
        .bind(id)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(used.rows_affected() > 0)
}

/// Forgets the links of an account that were not opened.
pub(super) async fn delete_unused(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM address_links WHERE user_id = $1 AND used_at IS NULL")
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The address that an account is about to get.
pub(super) async fn pending_change(
    pool: &Pool,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT l.email
         FROM address_links l
         JOIN users u ON u.id = l.user_id
         WHERE l.user_id = $1 AND l.used_at IS NULL AND l.expires_at > $2 AND l.email <> lower(u.email)
         ORDER BY l.created_at DESC, l.id DESC
         LIMIT 1",
    )
    .bind(user_id)
    .bind(now)
    .fetch_optional(pool)
    .await
}

/// An account that may be used, locked until the transaction ends.
pub(super) async fn account(tx: &mut Tx<'_>, user_id: Uuid) -> Result<Option<Account>, sqlx::Error> {
    let row: Option<(String, bool, bool)> = sqlx::query_as(
        "SELECT email, email_verified_at IS NOT NULL, password_hash IS NOT NULL
         FROM users
         WHERE id = $1 AND active AND deleted_at IS NULL AND kind = 'person'
         FOR UPDATE",
    )
    .bind(user_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(email, verified, has_password)| Account { email, verified, has_password }))
}

/// Whether another account has this folded address.
pub(super) async fn is_taken(tx: &mut Tx<'_>, email: &str, user_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM users WHERE lower(email) = $1 AND deleted_at IS NULL AND id <> $2)",
    )
    .bind(email)
    .bind(user_id)
    .fetch_one(&mut **tx)
    .await
}

/// Gives an account a verified address.
pub(super) async fn set_address(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    email: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE users
         SET email = $2,
             email_verified_at = CASE WHEN email = $2 THEN COALESCE(email_verified_at, $3) ELSE $3 END
         WHERE id = $1",
    )
    .bind(user_id)
    .bind(email)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets links to choose a new password: they lie in the mailbox that was given up.
pub(super) async fn forget_resets(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM password_resets WHERE user_id = $1 AND used_at IS NULL")
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The account with this folded address that still has to prove it and signs in with a password.
pub(super) async fn find_unverified(pool: &Pool, email: &str) -> Result<Option<Candidate>, sqlx::Error> {
    let row: Option<(Uuid, Uuid, String, String)> = sqlx::query_as(
        "SELECT u.id, o.id, o.name, u.password_hash
         FROM users u
         JOIN memberships m ON m.user_id = u.id AND m.state IN ('active', 'pending')
         JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
         WHERE lower(u.email) = $1 AND u.email_verified_at IS NULL AND u.password_hash IS NOT NULL
           AND u.deleted_at IS NULL AND u.active AND u.kind = 'person'
         ORDER BY m.created_at, o.id
         LIMIT 1",
    )
    .bind(email)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(user_id, org_id, organisation, password_hash)| Candidate {
        of: AddressOf::Account(user_id),
        org_id,
        organisation,
        password_hash,
    }))
}
