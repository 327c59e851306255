//! SQL of the access reads.

use std::sync::Arc;

use ctops_pg::Pool;
use ctops_slice::{HostScope, Rights, Standing};
use uuid::Uuid;

use super::Member;
use crate::accounts::parse_roles;

pub(super) async fn member(pool: &Pool, user_id: Uuid, org_id: Uuid) -> Result<Option<Member>, sqlx::Error> {
    let row: Option<(String, Vec<String>, bool)> = sqlx::query_as(
        "SELECT u.name, m.roles, m.state = 'pending'
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.active AND u.deleted_at IS NULL
         JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
         WHERE m.user_id = $1 AND m.org_id = $2 AND m.state IN ('pending', 'active')",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(name, roles, waits)| {
        let rights = Rights::of(parse_roles(&roles));
        let waits = waits || rights.roles.is_empty();
        let standing = if waits { Standing::Pending } else { Standing::Active };
        Member { name: Arc::from(name), standing, rights, scope: HostScope::All }
    }))
}
