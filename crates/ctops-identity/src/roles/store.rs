//! Statements on `custom_roles`, `custom_role_terms` and `role_assignments`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, HostScope};
use sqlx::types::Json;
use uuid::Uuid;

use super::model::{Assignment, CustomRole, Draft, Subject, Term};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    description: String,
    base: Option<String>,
    permissions: Vec<String>,
    selector: Json<Vec<Term>>,
    version: i32,
    assignments: i64,
    updated_at: DateTime<Utc>,
}

impl From<Row> for CustomRole {
    fn from(row: Row) -> Self {
        let Row { id, name, description, base, permissions, selector, version, assignments, updated_at } =
            row;
        let base = base.and_then(|base| base.parse().ok());
        let draft = Draft { name, description, base, permissions, selector: selector.0 };
        Self { id, draft, version, assignments, updated_at }
    }
}

/// Roles of the organisation by name; only the one with the id when there is one.
pub(super) async fn list<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    grant: &Grant,
    id: Option<Uuid>,
) -> Result<Vec<CustomRole>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT r.id, r.name, r.description, r.base, r.permissions, r.version, r.updated_at,
                (SELECT count(*) FROM role_assignments a WHERE a.role_id = r.id) AS assignments,
                COALESCE((SELECT jsonb_agg(jsonb_build_object('host_groups', t.group_ids, 'negated', t.negated)
                                           ORDER BY t.position)
                          FROM custom_role_terms t
                          WHERE t.role_id = r.id), '[]') AS selector
         FROM custom_roles r
         WHERE r.org_id = $1 AND ($2::uuid IS NULL OR r.id = $2)
         ORDER BY lower(r.name), r.id",
    )
    .bind(grant.org_id())
    .bind(id)
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(CustomRole::from).collect())
}

/// Holds the organisation, so that its roles change one after another, and counts them.
pub(super) async fn lock_roles(tx: &mut Tx<'_>, grant: &Grant) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT id FROM organisations WHERE id = $1 FOR UPDATE")
        .bind(grant.org_id())
        .execute(&mut **tx)
        .await?;
    sqlx::query_scalar("SELECT count(*) FROM custom_roles WHERE org_id = $1")
        .bind(grant.org_id())
        .fetch_one(&mut **tx)
        .await
}

/// Live host groups of the organisation among these, held against deletion.
pub(super) async fn hold_groups(
    tx: &mut Tx<'_>,
    grant: &Grant,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM host_groups WHERE id = ANY($1) AND org_id = $2 AND deleted_at IS NULL ORDER BY id FOR SHARE",
    )
    .bind(ids)
    .bind(grant.org_id())
    .fetch_all(&mut **tx)
    .await
}

/// Whether another role has the name.
pub(super) async fn is_taken(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    name: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM custom_roles WHERE org_id = $1 AND id <> $2 AND lower(name) = lower($3))",
    )
    .bind(grant.org_id())
    .bind(id)
    .bind(name)
    .fetch_one(&mut **tx)
    .await
}

/// Writes a role, new or changed, with its selector.
pub(super) async fn save(
    tx: &mut Tx<'_>,
    grant: &Grant,
    (id, by): (Uuid, Uuid),
    draft: &Draft,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO custom_roles (id, org_id, name, description, base, permissions, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (id) DO UPDATE
         SET name = EXCLUDED.name, description = EXCLUDED.description, base = EXCLUDED.base,
             permissions = EXCLUDED.permissions, version = custom_roles.version + 1, updated_at = EXCLUDED.updated_at",
    )
    .bind(id)
    .bind(grant.org_id())
    .bind(&draft.name)
    .bind(&draft.description)
    .bind(draft.base.map(|base| base.as_str()))
    .bind(&draft.permissions)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM custom_role_terms WHERE role_id = $1").bind(id).execute(&mut **tx).await?;
    sqlx::query(
        "INSERT INTO custom_role_terms (role_id, position, kind, group_ids, negated)
         SELECT $1, (t.number - 1)::smallint, 'host_groups',
                ARRAY(SELECT jsonb_array_elements_text(t.term -> 'host_groups')::uuid), (t.term ->> 'negated')::boolean
         FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS t (term, number)",
    )
    .bind(id)
    .bind(Json(&draft.selector))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Deletes a role nobody holds.
pub(super) async fn delete(tx: &mut Tx<'_>, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM custom_roles WHERE id = $1").bind(id).execute(&mut **tx).await.map(drop)
}

/// Live hosts of the organisation that a selector selects.
pub(super) async fn count_selected(
    pool: &Pool,
    grant: &Grant,
    selector: &[Term],
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*)
         FROM hosts h
         WHERE h.org_id = $1 AND h.deleted_at IS NULL
           AND NOT EXISTS (
               SELECT 1
               FROM jsonb_array_elements($2::jsonb) AS t (term)
               WHERE (t.term ->> 'negated')::boolean = EXISTS (
                   SELECT 1
                   FROM host_group_members m
                   JOIN host_groups g ON g.id = m.group_id AND g.deleted_at IS NULL
                   WHERE m.host_id = h.id AND t.term -> 'host_groups' ? m.group_id::text))",
    )
    .bind(grant.org_id())
    .bind(Json(selector))
    .fetch_one(pool)
    .await
}

/// Who holds which role.
pub(super) async fn assignments(
    pool: &Pool,
    grant: &Grant,
    role_id: Option<Uuid>,
) -> Result<Vec<Assignment>, sqlx::Error> {
    sqlx::query_as(
        "SELECT a.id, a.role_id, r.name AS role_name, a.user_id, a.team_id, COALESCE(u.name, t.name) AS subject_name,
                a.assigned_at
         FROM role_assignments a
         JOIN custom_roles r ON r.id = a.role_id
         LEFT JOIN users u ON u.id = a.user_id
         LEFT JOIN teams t ON t.id = a.team_id
         WHERE a.org_id = $1 AND ($2::uuid IS NULL OR a.role_id = $2)
         ORDER BY lower(r.name), 6, a.id
         LIMIT 5000",
    )
    .bind(grant.org_id())
    .bind(role_id)
    .fetch_all(pool)
    .await
}

/// Whether the organisation has this member or team.
pub(super) async fn has_subject(
    tx: &mut Tx<'_>,
    grant: &Grant,
    subject: Subject,
) -> Result<bool, sqlx::Error> {
    let (statement, id) = match subject {
        Subject::User(id) => (
            "SELECT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL
                            WHERE m.user_id = $1 AND m.org_id = $2 AND m.state = 'active')",
            id,
        ),
        Subject::Team(id) => ("SELECT EXISTS (SELECT 1 FROM teams WHERE id = $1 AND org_id = $2)", id),
    };
    sqlx::query_scalar(statement).bind(id).bind(grant.org_id()).fetch_one(&mut **tx).await
}

/// Whether somebody is in a team.
pub(super) async fn is_in_team(tx: &mut Tx<'_>, team_id: Uuid, user_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM team_members WHERE team_id = $1 AND user_id = $2)")
        .bind(team_id)
        .bind(user_id)
        .fetch_one(&mut **tx)
        .await
}

/// Gives a role; false when the subject holds it already.
pub(super) async fn assign(
    tx: &mut Tx<'_>,
    grant: &Grant,
    (id, role_id, by): (Uuid, Uuid, Uuid),
    subject: Subject,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let (user_id, team_id) = match subject {
        Subject::User(id) => (Some(id), None),
        Subject::Team(id) => (None, Some(id)),
    };
    let done = sqlx::query(
        "INSERT INTO role_assignments (id, org_id, role_id, user_id, team_id, assigned_by, assigned_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(grant.org_id())
    .bind(role_id)
    .bind(user_id)
    .bind(team_id)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a role away; which role from whom.
pub(super) async fn unassign(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<(Uuid, Option<Uuid>, Option<Uuid>)>, sqlx::Error> {
    sqlx::query_as(
        "DELETE FROM role_assignments WHERE id = $1 AND org_id = $2 RETURNING role_id, user_id, team_id",
    )
    .bind(id)
    .bind(grant.org_id())
    .fetch_optional(&mut **tx)
    .await
}

/// Whether a live host is there, and whether a scope reaches it.
pub(super) async fn reaches(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
    scope: &HostScope,
) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT ",
        ctops_slice::in_scope!("h.id", "$3"),
        " FROM hosts h WHERE h.id = $1 AND h.org_id = $2 AND h.deleted_at IS NULL"
    ))
    .bind(host_id)
    .bind(grant.org_id())
    .bind(scope.ids())
    .fetch_optional(pool)
    .await
}

/// Names of the sets among these that a host is in, host groups by name.
pub(super) async fn matching_groups(
    pool: &Pool,
    host_id: Uuid,
    sets: &[Uuid],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT g.name
         FROM scope_hosts s
         JOIN host_groups g ON g.id = s.scope_id
         WHERE s.host_id = $1 AND s.scope_id = ANY($2)
         ORDER BY lower(g.name)",
    )
    .bind(host_id)
    .bind(sets)
    .fetch_all(pool)
    .await
}
