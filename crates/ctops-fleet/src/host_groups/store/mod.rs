//! Statements on `host_groups`, `host_group_members` and `user_host_scopes`.

mod scopes;

use chrono::{DateTime, Utc};
use ctops_base::text::escape_like;
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, in_scope};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

pub(super) use scopes::{hold_groups, hosts_in_scope, roles_of_member, scope_of, set_scope, team_groups_of};

use super::model::{Group, GroupQuery, Reference, Text};

/// A group, deleted or not, with the members that the parameter `$2` lets through.
const GROUP: &str = concat!(
    "SELECT g.id, g.name, g.description, g.kind, c.members, c.online, c.offline, g.created_at, g.updated_at,
            g.deleted_at
     FROM host_groups AS g
     CROSS JOIN LATERAL (
         SELECT count(*) AS members,
                count(*) FILTER (WHERE v.status = 'online') AS online,
                count(*) FILTER (WHERE v.status = 'offline') AS offline
         FROM host_group_members AS m
         JOIN host_vitals AS v ON v.host_id = m.host_id
         WHERE m.group_id = g.id AND ",
    in_scope!("v.host_id", "$2"),
    ") AS c
     WHERE g.org_id = $1 AND ($2::uuid[] IS NULL OR g.id = ANY($2))"
);

/// Completes [`GROUP`] for groups that are there.
const LIVE: &str = " AND g.deleted_at IS NULL";

fn push_filter(sql: &mut QueryBuilder<Postgres>, query: &GroupQuery) {
    match query.deleted_after {
        None => sql.push(LIVE),
        Some(after) => sql.push(" AND g.deleted_at > ").push_bind(after),
    };
    if let Some(search) = &query.search {
        sql.push(" AND lower(g.name) LIKE lower(").push_bind(format!("%{}%", escape_like(search))).push(")");
    }
    if let Some(kind) = &query.kind {
        sql.push(" AND g.kind = ").push_bind(kind.clone());
    }
}

/// Groups on all pages together.
pub(super) async fn count(pool: &Pool, grant: &Grant, query: &GroupQuery) -> Result<i64, sqlx::Error> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM host_groups AS g WHERE g.org_id = ");
    sql.push_bind(grant.org_id());
    if let Some(sets) = grant.scope_ids() {
        sql.push(" AND g.id = ANY(").push_bind(sets.to_vec()).push(")");
    }
    push_filter(&mut sql, query);
    sql.build_query_scalar().fetch_one(pool).await
}

/// One page, by name.
pub(super) async fn page(pool: &Pool, grant: &Grant, query: &GroupQuery) -> Result<Vec<Group>, sqlx::Error> {
    let mut sql = QueryBuilder::with_arguments(GROUP, arguments(grant)?);
    push_filter(&mut sql, query);
    let way = if query.descending { "DESC" } else { "ASC" };
    sql.push(format_args!(" ORDER BY lower(g.name) {way}, g.id {way} LIMIT ")).push_bind(query.page.limit());
    sql.push(" OFFSET ").push_bind(query.page.offset());
    sql.build_query_as().fetch_all(pool).await
}

fn arguments(grant: &Grant) -> Result<sqlx::postgres::PgArguments, sqlx::Error> {
    use sqlx::Arguments;
    let mut arguments = sqlx::postgres::PgArguments::default();
    arguments.add(grant.org_id()).map_err(sqlx::Error::Encode)?;
    arguments.add(grant.scope_ids().map(<[Uuid]>::to_vec)).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

/// One live group.
pub(super) async fn find(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Option<Group>, sqlx::Error> {
    let mut sql = QueryBuilder::with_arguments(GROUP, arguments(grant)?);
    sql.push(LIVE).push(" AND g.id = ").push_bind(id);
    sql.build_query_as().fetch_optional(pool).await
}

/// Live groups that a host in scope is in, by name.
pub(super) async fn of_host(pool: &Pool, grant: &Grant, host_id: Uuid) -> Result<Vec<Group>, sqlx::Error> {
    let mut sql = QueryBuilder::with_arguments(GROUP, arguments(grant)?);
    sql.push(LIVE);
    sql.push(" AND EXISTS (SELECT 1 FROM host_group_members AS o WHERE o.group_id = g.id AND o.host_id = ");
    sql.push_bind(host_id).push(") ORDER BY lower(g.name), g.id");
    sql.build_query_as().fetch_all(pool).await
}

/// Locks a group of the organisation, also a deleted one: its text and when it was deleted.
pub(super) async fn lock(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<(Text, Option<DateTime<Utc>>)>, sqlx::Error> {
    let row: Option<(String, String, Option<DateTime<Utc>>)> = sqlx::query_as(
        "SELECT name, description, deleted_at FROM host_groups WHERE id = $1 AND org_id = $2 FOR UPDATE",
    )
    .bind(id)
    .bind(grant.org_id())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(name, description, deleted_at)| (Text { name, description }, deleted_at)))
}

/// Live groups of the organisation, counted while nobody else adds one.
pub(super) async fn count_for_insert(tx: &mut Tx<'_>, grant: &Grant) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT id FROM organisations WHERE id = $1 FOR UPDATE")
        .bind(grant.org_id())
        .execute(&mut **tx)
        .await?;
    sqlx::query_scalar("SELECT count(*) FROM host_groups WHERE org_id = $1 AND deleted_at IS NULL")
        .bind(grant.org_id())
        .fetch_one(&mut **tx)
        .await
}

/// Adds an empty group; false when a live one has the name.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    (id, by): (Uuid, Uuid),
    text: &Text,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO host_groups (id, org_id, name, description, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)
         ON CONFLICT (org_id, lower(name)) WHERE deleted_at IS NULL DO NOTHING",
    )
    .bind(id)
    .bind(grant.org_id())
    .bind(&text.name)
    .bind(&text.description)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether another live group has the name.
pub(super) async fn is_taken(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    name: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM host_groups
                        WHERE org_id = $1 AND id <> $2 AND lower(name) = lower($3) AND deleted_at IS NULL)",
    )
    .bind(grant.org_id())
    .bind(id)
    .bind(name)
    .fetch_one(&mut **tx)
    .await
}

/// Writes name, description and whether it is deleted.
pub(super) async fn update(
    tx: &mut Tx<'_>,
    id: Uuid,
    text: &Text,
    deleted_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE host_groups SET name = $2, description = $3, deleted_at = $4, updated_at = $5 WHERE id = $1",
    )
    .bind(id)
    .bind(&text.name)
    .bind(&text.description)
    .bind(deleted_at)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// What refers to a group. Blocking are people and scoping teams that are limited to nothing else, and custom roles.
pub(super) async fn references<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    grant: &Grant,
    id: Uuid,
) -> Result<Vec<Reference>, sqlx::Error> {
    sqlx::query_as(
        "WITH limited AS (
             SELECT us.user_id, us.group_id
             FROM user_host_scopes us
             JOIN host_groups g ON g.id = us.group_id AND g.org_id = $2 AND g.deleted_at IS NULL
             UNION
             SELECT tm.user_id, tg.group_id
             FROM teams t
             JOIN team_members tm ON tm.team_id = t.id
             JOIN team_host_groups tg ON tg.team_id = t.id
             JOIN host_groups g ON g.id = tg.group_id AND g.deleted_at IS NULL
             WHERE t.org_id = $2 AND t.scoping
         )
         SELECT 'user' AS kind, u.id, u.name,
                NOT EXISTS (SELECT 1 FROM limited o WHERE o.user_id = l.user_id AND o.group_id <> $1) AS blocks
         FROM limited l
         JOIN users u ON u.id = l.user_id
         WHERE l.group_id = $1
         UNION ALL
         SELECT 'team', t.id, t.name,
                t.scoping AND NOT EXISTS (SELECT 1 FROM team_host_groups o
                                          JOIN host_groups g ON g.id = o.group_id AND g.deleted_at IS NULL
                                          WHERE o.team_id = t.id AND o.group_id <> $1)
         FROM team_host_groups tg
         JOIN teams t ON t.id = tg.team_id AND t.org_id = $2
         WHERE tg.group_id = $1
         UNION ALL
         SELECT DISTINCT 'role', r.id, r.name, true
         FROM custom_role_terms ct
         JOIN custom_roles r ON r.id = ct.role_id AND r.org_id = $2
         WHERE $1 = ANY(ct.group_ids)
         ORDER BY 1, 3, 2",
    )
    .bind(id)
    .bind(grant.org_id())
    .fetch_all(executor)
    .await
}

/// Takes a group out of all scopes and teams.
pub(super) async fn remove_references(tx: &mut Tx<'_>, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM user_host_scopes WHERE group_id = $1").bind(id).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM team_host_groups WHERE group_id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Those of these hosts that are not there for the grant.
pub(super) async fn unknown_hosts(
    tx: &mut Tx<'_>,
    grant: &Grant,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT said.id FROM UNNEST($1::uuid[]) AS said (id)
         WHERE NOT EXISTS (SELECT 1 FROM hosts h
                           WHERE h.id = said.id AND h.org_id = $2 AND h.deleted_at IS NULL AND ",
        in_scope!("h.id", "$3"),
        ") ORDER BY said.id"
    ))
    .bind(ids)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_all(&mut **tx)
    .await
}

/// Adds members; how many were none before.
pub(super) async fn add(
    tx: &mut Tx<'_>,
    group_id: Uuid,
    hosts: &[Uuid],
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO host_group_members (group_id, host_id, added_by, added_at)
         SELECT $1, said.id, $3, $4 FROM UNNEST($2::uuid[]) AS said (id)
         ON CONFLICT (group_id, host_id) DO NOTHING",
    )
    .bind(group_id)
    .bind(hosts)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Removes members; how many there were.
pub(super) async fn remove(tx: &mut Tx<'_>, group_id: Uuid, hosts: &[Uuid]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM host_group_members WHERE group_id = $1 AND host_id = ANY($2)")
        .bind(group_id)
        .bind(hosts)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}

/// Members of a group, and the most groups that one of these hosts is in.
pub(super) async fn sizes(
    tx: &mut Tx<'_>,
    group_id: Uuid,
    hosts: &[Uuid],
) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM host_group_members WHERE group_id = $1),
                COALESCE((SELECT max(c.groups)
                          FROM (SELECT count(*) AS groups
                                FROM host_group_members m
                                JOIN host_groups g ON g.id = m.group_id AND g.deleted_at IS NULL
                                WHERE m.host_id = ANY($2)
                                GROUP BY m.host_id) AS c), 0)",
    )
    .bind(group_id)
    .bind(hosts)
    .fetch_one(&mut **tx)
    .await
}
