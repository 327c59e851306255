//! SQL of the access reads.

use std::sync::Arc;

use ctops_pg::Pool;
use ctops_slice::{HostScope, Rights, Standing};
use uuid::Uuid;

use super::Member;
use crate::accounts::parse_roles;

pub(super) async fn member(pool: &Pool, user_id: Uuid, org_id: Uuid) -> Result<Option<Member>, sqlx::Error> {
    let row: Option<(String, Vec<String>)> = sqlx::query_as(
        "SELECT u.name, m.roles
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.active AND u.deleted_at IS NULL
         WHERE m.user_id = $1 AND m.org_id = $2",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(name, roles)| {
        let rights = Rights::of(parse_roles(&roles));
        let standing = if rights.roles.is_empty() { Standing::Pending } else { Standing::Active };
        Member { name: Arc::from(name), standing, rights, scope: HostScope::All }
    }))
}
