//! Statements on who is limited to which groups.

use ctops_pg::Tx;
use ctops_slice::{Grant, in_scope};
use uuid::Uuid;

use super::super::model::TeamGroup;

/// Roles of a member of the organisation; none when there is no such member.
pub(in super::super) async fn roles_of_member(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
) -> Result<Option<Vec<String>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT m.roles
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL
         WHERE m.user_id = $1 AND m.org_id = $2 AND m.state <> 'removed'
         FOR UPDATE OF m",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .fetch_optional(&mut **tx)
    .await
}

/// The groups somebody is limited to by themselves, by name.
pub(in super::super) async fn scope_of(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT g.id, g.name
         FROM user_host_scopes us
         JOIN host_groups g ON g.id = us.group_id AND g.org_id = $2 AND g.deleted_at IS NULL
         WHERE us.user_id = $1
         ORDER BY lower(g.name), g.id",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .fetch_all(&mut **tx)
    .await
}

/// Locks live groups of the organisation against deletion; those that are there.
pub(in super::super) async fn hold_groups(
    tx: &mut Tx<'_>,
    grant: &Grant,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM host_groups
         WHERE id = ANY($1) AND org_id = $2 AND deleted_at IS NULL
         ORDER BY id
         FOR SHARE",
    )
    .bind(ids)
    .bind(grant.org_id())
    .fetch_all(&mut **tx)
    .await
}

/// Replaces the groups somebody is limited to in this organisation.
pub(in super::super) async fn set_scope(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
    groups: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM user_host_scopes us
         USING host_groups g
         WHERE g.id = us.group_id AND g.org_id = $2 AND us.user_id = $1",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .execute(&mut **tx)
    .await?;
    sqlx::query("INSERT INTO user_host_scopes (user_id, group_id) SELECT $1, said.id FROM UNNEST($2::uuid[]) AS said (id)")
        .bind(user_id)
        .bind(groups)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// The groups that scoping teams add to what somebody is limited to, by team and name.
pub(in super::super) async fn team_groups_of(
    tx: &mut Tx<'_>,
    grant: &Grant,
    user_id: Uuid,
) -> Result<Vec<TeamGroup>, sqlx::Error> {
    sqlx::query_as(
        "SELECT g.id, g.name, t.id AS team_id, t.name AS team_name
         FROM team_members tm
         JOIN teams t ON t.id = tm.team_id AND t.org_id = $2 AND t.scoping
         JOIN team_host_groups tg ON tg.team_id = t.id
         JOIN host_groups g ON g.id = tg.group_id AND g.deleted_at IS NULL
         WHERE tm.user_id = $1
         ORDER BY lower(t.name), t.id, lower(g.name), g.id",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .fetch_all(&mut **tx)
    .await
}

/// Hosts of the organisation that these groups have together; all when there is no limit.
pub(in super::super) async fn hosts_in_scope(
    tx: &mut Tx<'_>,
    grant: &Grant,
    groups: Option<&[Uuid]>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT count(*) FROM hosts h WHERE h.org_id = $1 AND h.deleted_at IS NULL AND ",
        in_scope!("h.id", "$2")
    ))
    .bind(grant.org_id())
    .bind(groups)
    .fetch_one(&mut **tx)
    .await
}
