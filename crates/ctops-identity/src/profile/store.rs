//! SQL of the profile slice.

use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::OwnProfile;

/// The account.
pub(super) async fn find(pool: &Pool, user_id: Uuid) -> Result<Option<OwnProfile>, sqlx::Error> {
    let row: Option<(String, String, bool, bool)> = sqlx::query_as(
        "SELECT name, email, email_verified_at IS NOT NULL, password_hash IS NOT NULL
         FROM users
         WHERE id = $1 AND deleted_at IS NULL AND kind = 'person'",
    )
    .bind(user_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(name, email, email_verified, has_password)| OwnProfile {
        name,
        email,
        email_verified,
        has_password,
    }))
}

/// Gives the account a name; the one before.
pub(super) async fn rename(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    name: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE users u SET name = $2
         FROM (SELECT id, name FROM users WHERE id = $1 AND deleted_at IS NULL FOR UPDATE) AS before
         WHERE u.id = before.id
         RETURNING before.name",
    )
    .bind(user_id)
    .bind(name)
    .fetch_optional(&mut **tx)
    .await
}
