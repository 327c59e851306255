//! SQL of the sign-in slice.

use ctops_pg::Pool;
use uuid::Uuid;

use super::model::Account;

type AccountRow = (Uuid, Uuid, Option<String>, bool, bool);

/// The account with this folded address, in the organisation it joined first.
pub(super) async fn find_account(pool: &Pool, email: &str) -> Result<Option<Account>, sqlx::Error> {
    let row: Option<AccountRow> = sqlx::query_as(
        "SELECT u.id, m.org_id, u.password_hash, u.email_verified_at IS NOT NULL, u.active
         FROM users u
         JOIN memberships m ON m.user_id = u.id
         WHERE lower(u.email) = $1 AND u.deleted_at IS NULL
         ORDER BY m.created_at, m.org_id
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
