//! SQL of the sign-in slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::SignInMethod;
use uuid::Uuid;

use super::model::{Account, PendingRow};

type AccountRow = (Uuid, Uuid, Option<String>, bool, bool);

/// The account with this folded address, in the organisation it joined first of those that let it in. An account that
/// none lets in is deactivated.
pub(super) async fn find_account(pool: &Pool, email: &str) -> Result<Option<Account>, sqlx::Error> {
    let row: Option<AccountRow> = sqlx::query_as(
        "SELECT u.id, m.org_id, u.password_hash, u.email_verified_at IS NOT NULL,
                u.active AND m.state IN ('active', 'pending') AND o.deleted_at IS NULL AS lets_in
         FROM users u
         JOIN memberships m ON m.user_id = u.id
         JOIN organisations o ON o.id = m.org_id
         WHERE lower(u.email) = $1 AND u.deleted_at IS NULL AND u.kind = 'person'
         ORDER BY lets_in DESC, m.created_at, m.org_id
         LIMIT 1",
    )
    .bind(email)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(user_id, org_id, password_hash, email_verified, active)| Account {
        user_id,
        org_id,
        password_hash,
        email_verified,
        active,
    }))
}

/// Keeps a sign-in that waits for its second factor, and forgets those that are over.
pub(super) async fn insert_pending(
    tx: &mut Tx<'_>,
    row: &PendingRow,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM pending_sign_ins WHERE expires_at <= $1").bind(now).execute(&mut **tx).await?;
    sqlx::query(
        "INSERT INTO pending_sign_ins
             (id, token_hash, user_id, org_id, method, replaces, failures, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.id)
    .bind(&token_hash[..])
    .bind(row.user_id)
    .bind(row.org_id)
    .bind(row.method.as_str())
    .bind(row.replaces)
    .bind(row.failures)
    .bind(now)
    .bind(row.expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

type PendingTuple = (Uuid, Uuid, Uuid, String, Option<Uuid>, i32, DateTime<Utc>);

/// A method this program does not know (written by a newer one) gives no sign-in.
fn pending(
    (id, user_id, org_id, method, replaces, failures, expires_at): PendingTuple,
) -> Option<PendingRow> {
    let method = SignInMethod::parse(&method)?;
    Some(PendingRow { id, user_id, org_id, method, replaces, failures, expires_at })
}

/// The waiting sign-in with this token, if its person may still sign in.
pub(super) async fn find_pending(
    pool: &Pool,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<PendingRow>, sqlx::Error> {
    let row: Option<PendingTuple> = sqlx::query_as(
        "SELECT p.id, p.user_id, p.org_id, p.method, p.replaces, p.failures, p.expires_at
         FROM pending_sign_ins p
         JOIN users u ON u.id = p.user_id AND u.active AND u.deleted_at IS NULL
         JOIN memberships m ON m.user_id = p.user_id AND m.org_id = p.org_id AND m.state IN ('active', 'pending')
         WHERE p.token_hash = $1 AND p.expires_at > $2",
    )
    .bind(&token_hash[..])
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(pending))
}

/// The same, locked against other answers.
pub(super) async fn pending_for_update(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<PendingRow>, sqlx::Error> {
    let row: Option<PendingTuple> = sqlx::query_as(
        "SELECT p.id, p.user_id, p.org_id, p.method, p.replaces, p.failures, p.expires_at
         FROM pending_sign_ins p
         JOIN users u ON u.id = p.user_id AND u.active AND u.deleted_at IS NULL
         JOIN memberships m ON m.user_id = p.user_id AND m.org_id = p.org_id AND m.state IN ('active', 'pending')
         WHERE p.token_hash = $1 AND p.expires_at > $2
         FOR UPDATE OF p",
    )
    .bind(&token_hash[..])
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.and_then(pending))
}

pub(super) async fn count_failure(tx: &mut Tx<'_>, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE pending_sign_ins SET failures = failures + 1 WHERE id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn delete_pending(tx: &mut Tx<'_>, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM pending_sign_ins WHERE id = $1").bind(id).execute(&mut **tx).await?;
    Ok(())
}

/// Kinds of the identity providers that are switched on in an organisation.
pub(super) async fn enabled_provider_kinds(pool: &Pool, org_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT kind FROM identity_providers WHERE org_id = $1 AND enabled AND deleted_at IS NULL",
    )
    .bind(org_id)
    .fetch_all(pool)
    .await
}

/// The active super_admin with a password and a verified address who joined first.
pub(super) async fn emergency_account(pool: &Pool, org_id: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT m.user_id
         FROM memberships m
         JOIN users u ON u.id = m.user_id
         WHERE m.org_id = $1 AND m.state = 'active' AND 'super_admin' = ANY (m.roles)
           AND u.active AND u.deleted_at IS NULL AND u.password_hash IS NOT NULL AND u.email_verified_at IS NOT NULL
         ORDER BY m.created_at, m.user_id
         LIMIT 1",
    )
    .bind(org_id)
    .fetch_optional(pool)
    .await
}
