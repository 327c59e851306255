//! SQL of the teams slice.

use chrono::{DateTime, Utc};
use ctops_base::PageRequest;
use ctops_base::text::escape_like;
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, HostScope};
use uuid::Uuid;

use super::model::{Named, Scopes, Team, TeamMember, TeamPatch};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    description: String,
    scoping: bool,
    lead_id: Option<Uuid>,
    lead_name: Option<String>,
    members: i64,
    host_groups: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Team {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            scoping: row.scoping,
            lead: row.lead_id.zip(row.lead_name).map(|(id, name)| Named { id, name }),
            members: row.members,
            host_groups: row.host_groups,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// One page of teams, by name.
pub(super) async fn page(
    pool: &Pool,
    grant: &Grant,
    search: Option<&str>,
    request: PageRequest,
) -> Result<Vec<Team>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT t.id, t.name, t.description, t.scoping, l.id AS lead_id, l.name AS lead_name,
                (SELECT count(*) FROM team_members tm
                 JOIN memberships m ON m.user_id = tm.user_id AND m.org_id = t.org_id AND m.state <> 'removed'
                 WHERE tm.team_id = t.id) AS members,
                (SELECT count(*) FROM team_host_groups tg
                 JOIN host_groups g ON g.id = tg.group_id AND g.deleted_at IS NULL
                 WHERE tg.team_id = t.id) AS host_groups,
                t.created_at, t.updated_at
         FROM teams t
         LEFT JOIN users l ON l.id = t.lead_id
         WHERE t.org_id = $1 AND ($2::text IS NULL OR lower(t.name) LIKE $2 ESCAPE '\\')
         ORDER BY lower(t.name), t.id
         LIMIT $3 OFFSET $4",
    )
    .bind(grant.org_id())
    .bind(search.map(pattern))
    .bind(request.limit())
    .bind(request.offset())
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Team::from).collect())
}

fn pattern(search: &str) -> String {
    format!("%{}%", escape_like(&search.to_lowercase()))
}

/// Teams that [`page`] has on all its pages together.
pub(super) async fn count(pool: &Pool, grant: &Grant, search: Option<&str>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM teams t
         WHERE t.org_id = $1 AND ($2::text IS NULL OR lower(t.name) LIKE $2 ESCAPE '\\')",
    )
    .bind(grant.org_id())
    .bind(search.map(pattern))
    .fetch_one(pool)
    .await
}

/// One team.
pub(super) async fn find(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Option<Team>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT t.id, t.name, t.description, t.scoping, l.id AS lead_id, l.name AS lead_name,
                (SELECT count(*) FROM team_members tm
                 JOIN memberships m ON m.user_id = tm.user_id AND m.org_id = t.org_id AND m.state <> 'removed'
                 WHERE tm.team_id = t.id) AS members,
                (SELECT count(*) FROM team_host_groups tg
                 JOIN host_groups g ON g.id = tg.group_id AND g.deleted_at IS NULL
                 WHERE tg.team_id = t.id) AS host_groups,
                t.created_at, t.updated_at
         FROM teams t
         LEFT JOIN users l ON l.id = t.lead_id
         WHERE t.org_id = $1 AND t.id = $2",
    )
    .bind(grant.org_id())
    .bind(id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(Team::from))
}

/// Members of a team that were not removed from the organisation, by name.
pub(super) async fn members(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Vec<TeamMember>, sqlx::Error> {
    let rows: Vec<(Uuid, String, String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT u.id, u.name, m.state, tm.added_at
         FROM team_members tm
         JOIN teams t ON t.id = tm.team_id
         JOIN users u ON u.id = tm.user_id
         JOIN memberships m ON m.user_id = tm.user_id AND m.org_id = t.org_id AND m.state <> 'removed'
         WHERE t.org_id = $1 AND t.id = $2
         ORDER BY lower(u.name), u.id",
    )
    .bind(grant.org_id())
    .bind(id)
    .fetch_all(pool)
    .await?;
    let member = |(id, name, state, added_at)| TeamMember { id, name, state, added_at };
    Ok(rows.into_iter().map(member).collect())
}

/// Host groups of a team that are not deleted, by name.
pub(super) async fn host_groups(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Vec<Named>, sqlx::Error> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT g.id, g.name
         FROM team_host_groups tg
         JOIN teams t ON t.id = tg.team_id
         JOIN host_groups g ON g.id = tg.group_id AND g.deleted_at IS NULL
         WHERE t.org_id = $1 AND t.id = $2
         ORDER BY lower(g.name), g.id",
    )
    .bind(grant.org_id())
    .bind(id)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(id, name)| Named { id, name }).collect())
}

/// Locks a team until the transaction ends; whether there is one.
pub(super) async fn lock(tx: &mut Tx<'_>, grant: &Grant, id: Uuid) -> Result<bool, sqlx::Error> {
    let found: Option<Uuid> =
        sqlx::query_scalar("SELECT id FROM teams WHERE org_id = $1 AND id = $2 FOR NO KEY UPDATE")
            .bind(grant.org_id())
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(found.is_some())
}

/// Number of teams, inside a transaction.
pub(super) async fn count_all(tx: &mut Tx<'_>, grant: &Grant) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM teams WHERE org_id = $1")
        .bind(grant.org_id())
        .fetch_one(&mut **tx)
        .await
}

/// Makes a team unless the name is taken; whether it did.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    patch: &TeamPatch,
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO teams (id, org_id, name, description, scoping, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (org_id, lower(name)) DO NOTHING",
    )
    .bind(id)
    .bind(grant.org_id())
    .bind(patch.name.as_deref().unwrap_or_default())
    .bind(patch.description.as_deref().unwrap_or_default())
    .bind(patch.scoping.unwrap_or(false))
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether another team has the name.
pub(super) async fn name_is_taken(
    tx: &mut Tx<'_>,
    grant: &Grant,
    name: &str,
    except: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM teams WHERE org_id = $1 AND lower(name) = lower($2) AND id <> $3)",
    )
    .bind(grant.org_id())
    .bind(name)
    .bind(except)
    .fetch_one(&mut **tx)
    .await
}

/// Writes what the patch names.
pub(super) async fn update(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    patch: &TeamPatch,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE teams
         SET name = COALESCE($3, name), description = COALESCE($4, description),
             scoping = COALESCE($5, scoping), lead_id = CASE WHEN $6 THEN $7 ELSE lead_id END,
             updated_at = $8
         WHERE org_id = $1 AND id = $2",
    )
    .bind(grant.org_id())
    .bind(id)
    .bind(&patch.name)
    .bind(&patch.description)
    .bind(patch.scoping)
    .bind(patch.lead_id.is_some())
    .bind(patch.lead_id.flatten())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes a team.
pub(super) async fn delete(tx: &mut Tx<'_>, grant: &Grant, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM teams WHERE org_id = $1 AND id = $2")
        .bind(grant.org_id())
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Which of these people are members of the organisation, removed ones aside.
pub(super) async fn known_people(
    tx: &mut Tx<'_>,
    grant: &Grant,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT m.user_id FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.kind = 'person' AND u.deleted_at IS NULL
         WHERE m.org_id = $1 AND m.user_id = ANY($2) AND m.state <> 'removed'",
    )
    .bind(grant.org_id())
    .bind(ids)
    .fetch_all(&mut **tx)
    .await
}

/// Which of these host groups the organisation has.
pub(super) async fn known_groups(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM host_groups WHERE org_id = $1 AND id = ANY($2) AND deleted_at IS NULL")
        .bind(org_id)
        .bind(ids)
        .fetch_all(&mut **tx)
        .await
}

/// Which of these teams the organisation has.
pub(super) async fn known_teams(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM teams WHERE org_id = $1 AND id = ANY($2)")
        .bind(org_id)
        .bind(ids)
        .fetch_all(&mut **tx)
        .await
}

/// Ids of a team's members.
pub(super) async fn member_ids(tx: &mut Tx<'_>, id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT user_id FROM team_members WHERE team_id = $1")
        .bind(id)
        .fetch_all(&mut **tx)
        .await
}

/// Adds people; how many were not in the team before.
pub(super) async fn add_members(
    tx: &mut Tx<'_>,
    id: Uuid,
    user_ids: &[Uuid],
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO team_members (team_id, user_id, added_by, added_at)
         SELECT $1, added.id, $3, $4 FROM UNNEST($2::uuid[]) AS added (id)
         ON CONFLICT (team_id, user_id) DO NOTHING",
    )
    .bind(id)
    .bind(user_ids)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Puts one person into several teams.
pub(super) async fn add_to_teams(
    tx: &mut Tx<'_>,
    team_ids: &[Uuid],
    user_id: Uuid,
    by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO team_members (team_id, user_id, added_by, added_at)
         SELECT joined.id, $2, $3, $4 FROM UNNEST($1::uuid[]) AS joined (id)
         ON CONFLICT (team_id, user_id) DO NOTHING",
    )
    .bind(team_ids)
    .bind(user_id)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes a person out, and the lead away when it was theirs; whether they were in the team.
pub(super) async fn remove_member(tx: &mut Tx<'_>, id: Uuid, user_id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM team_members WHERE team_id = $1 AND user_id = $2")
        .bind(id)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE teams SET lead_id = NULL WHERE id = $1 AND lead_id = $2")
        .bind(id)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives a team exactly these host groups.
pub(super) async fn set_host_groups(
    tx: &mut Tx<'_>,
    id: Uuid,
    group_ids: &[Uuid],
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM team_host_groups WHERE team_id = $1 AND NOT group_id = ANY($2)")
        .bind(id)
        .bind(group_ids)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "INSERT INTO team_host_groups (team_id, group_id, added_by, added_at)
         SELECT $1, owned.id, $3, $4 FROM UNNEST($2::uuid[]) AS owned (id)
         ON CONFLICT (team_id, group_id) DO NOTHING",
    )
    .bind(id)
    .bind(group_ids)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The scopes of those of these people who can be scoped: their own groups and those of their scoping teams
/// (users-teams-rbac 12, 16).
pub(super) async fn scopes(tx: &mut Tx<'_>, org_id: Uuid, user_ids: &[Uuid]) -> Result<Scopes, sqlx::Error> {
    let rows: Vec<(Uuid, Vec<Uuid>)> = sqlx::query_as(
        "SELECT m.user_id,
                ARRAY(SELECT us.group_id
                      FROM user_host_scopes us
                      JOIN host_groups g ON g.id = us.group_id AND g.org_id = m.org_id AND g.deleted_at IS NULL
                      WHERE us.user_id = m.user_id
                      UNION
                      SELECT tg.group_id
                      FROM team_members tm
                      JOIN teams t ON t.id = tm.team_id AND t.org_id = m.org_id AND t.scoping
                      JOIN team_host_groups tg ON tg.team_id = t.id
                      JOIN host_groups g ON g.id = tg.group_id AND g.deleted_at IS NULL
                      WHERE tm.user_id = m.user_id)
         FROM memberships m
         WHERE m.org_id = $1 AND m.user_id = ANY($2) AND NOT m.roles && ARRAY['org_admin', 'super_admin']",
    )
    .bind(org_id)
    .bind(user_ids)
    .fetch_all(&mut **tx)
    .await?;
    let scope = |sets: Vec<Uuid>| if sets.is_empty() { HostScope::All } else { HostScope::limited(sets) };
    Ok(rows.into_iter().map(|(user_id, sets)| (user_id, scope(sets))).collect())
}

/// Hosts seen with `after` and not with `before`, and the other way round.
pub(super) async fn difference(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    before: &HostScope,
    after: &HostScope,
) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE seen_after AND NOT seen_before),
                count(*) FILTER (WHERE seen_before AND NOT seen_after)
         FROM (SELECT $2::uuid[] IS NULL OR EXISTS (SELECT FROM scope_hosts s
                                                    WHERE s.host_id = h.id AND s.scope_id = ANY($2)) AS seen_before,
                      $3::uuid[] IS NULL OR EXISTS (SELECT FROM scope_hosts s
                                                    WHERE s.host_id = h.id AND s.scope_id = ANY($3)) AS seen_after
               FROM hosts h
               WHERE h.org_id = $1 AND h.deleted_at IS NULL) AS seen",
    )
    .bind(org_id)
    .bind(before.ids())
    .bind(after.ids())
    .fetch_one(&mut **tx)
    .await
}
