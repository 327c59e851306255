//! SQL of the access reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use ctops_base::Role;
use ctops_pg::Pool;
use ctops_slice::{CustomRights, HostScope, Rights, Standing};
use sqlx::types::Json;
use uuid::Uuid;

use super::Member;
use crate::accounts::parse_roles;
use crate::external::is_placeholder_address;

#[derive(sqlx::FromRow)]
struct MemberRow {
    name: String,
    roles: Vec<String>,
    email: String,
    waits: bool,
    groups: Vec<Uuid>,
    custom: Json<Vec<CustomRole>>,
}

/// A custom role somebody holds, by themselves or through a team.
#[derive(serde::Deserialize)]
struct CustomRole {
    role_id: Uuid,
    permissions: BTreeSet<String>,
    /// Whether it has a selector.
    is_limited: bool,
}

impl From<CustomRole> for CustomRights {
    fn from(role: CustomRole) -> Self {
        let CustomRole { role_id, permissions, is_limited } = role;
        let scope = if is_limited { HostScope::limited([role_id]) } else { HostScope::All };
        Self { role_id, permissions, scope }
    }
}

/// Groups are taken as they stand, also when they have just been deleted: whoever is limited to nothing else then sees
/// nothing until somebody decides.
pub(super) async fn member(pool: &Pool, user_id: Uuid, org_id: Uuid) -> Result<Option<Member>, sqlx::Error> {
    let row: Option<MemberRow> = sqlx::query_as(
        "SELECT u.name, u.email, m.roles, m.state = 'pending' AS waits,
                ARRAY(SELECT us.group_id
                      FROM user_host_scopes us
                      JOIN host_groups g ON g.id = us.group_id AND g.org_id = m.org_id
                      WHERE us.user_id = m.user_id
                      UNION
                      SELECT tg.group_id
                      FROM team_members tm
                      JOIN teams t ON t.id = tm.team_id AND t.org_id = m.org_id AND t.scoping
                      JOIN team_host_groups tg ON tg.team_id = t.id
                      WHERE tm.user_id = m.user_id) AS groups,
                COALESCE((SELECT jsonb_agg(jsonb_build_object(
                                     'role_id', r.id, 'permissions', r.permissions,
                                     'is_limited', EXISTS (SELECT 1 FROM custom_role_terms ct WHERE ct.role_id = r.id))
                                 ORDER BY r.id)
                          FROM custom_roles r
                          WHERE r.org_id = m.org_id
                            AND r.id IN (SELECT ra.role_id
                                         FROM role_assignments ra
                                         WHERE ra.user_id = m.user_id
                                         UNION ALL
                                         SELECT ra.role_id
                                         FROM team_members tm
                                         JOIN role_assignments ra ON ra.team_id = tm.team_id
                                         WHERE tm.user_id = m.user_id)), '[]') AS custom
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.active AND u.deleted_at IS NULL
         JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
         WHERE m.user_id = $1 AND m.org_id = $2 AND m.state IN ('pending', 'active')",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        let roles = parse_roles(&row.roles);
        let is_administrator = roles.contains(&Role::OrgAdmin) || roles.contains(&Role::SuperAdmin);
        let scope = if is_administrator || row.groups.is_empty() {
            HostScope::All
        } else {
            HostScope::limited(row.groups)
        };
        let custom: Vec<CustomRights> = row.custom.0.into_iter().map(CustomRights::from).collect();
        let waits = row.waits || (roles.is_empty() && custom.is_empty());
        let standing = if is_placeholder_address(&row.email) {
            Standing::MustGiveAddress
        } else if waits {
            Standing::Pending
        } else {
            Standing::Active
        };
        let rights = Rights { roles, custom: custom.into(), limit: None };
        Member { name: Arc::from(row.name), standing, rights, scope }
    }))
}
