//! SQL of the account reads.

use ctops_pg::Pool;
use uuid::Uuid;

use super::model::{Organisation, Profile};
use super::parse_roles;

pub(super) async fn user_names(pool: &Pool, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query_as("SELECT id, name FROM users WHERE id = ANY($1)").bind(ids).fetch_all(pool).await
}

pub(super) async fn organisation(pool: &Pool, id: Uuid) -> Result<Option<Organisation>, sqlx::Error> {
    let row: Option<(Uuid, String)> = sqlx::query_as("SELECT id, name FROM organisations WHERE id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await?;
    Ok(row.map(|(id, name)| Organisation { id, name }))
}

pub(super) async fn password_hash(pool: &Pool, user_id: Uuid) -> Result<Option<String>, sqlx::Error> {
    let row: Option<Option<String>> =
        sqlx::query_scalar("SELECT password_hash FROM users WHERE id = $1 AND deleted_at IS NULL")
            .bind(user_id)
            .fetch_optional(pool)
            .await?;
    Ok(row.flatten())
}

type ProfileRow = (Uuid, String, String, bool, Uuid, String, Vec<String>);

pub(super) async fn profile(
    pool: &Pool,
    user_id: Uuid,
    org_id: Uuid,
) -> Result<Option<Profile>, sqlx::Error> {
    let row: Option<ProfileRow> = sqlx::query_as(
        "SELECT u.id, u.name, u.email, u.email_verified_at IS NOT NULL, o.id, o.name, m.roles
         FROM memberships m
         JOIN users u ON u.id = m.user_id
         JOIN organisations o ON o.id = m.org_id
         WHERE m.user_id = $1 AND m.org_id = $2 AND u.deleted_at IS NULL",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(user_id, name, email, email_verified, org_id, org_name, roles)| Profile {
        user_id,
        name,
        email,
        email_verified,
        organisation: Organisation { id: org_id, name: org_name },
        roles: parse_roles(&roles),
    }))
}
