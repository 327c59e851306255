//! SQL of the users slice: accounts, memberships and their history.

use chrono::{DateTime, Utc};
use ctops_base::text::escape_like;
use ctops_base::{PageRequest, Role};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::membership::{Membership, NewMember, NewPerson};
use super::model::{HistoryRow, MAX_HISTORY, MemberState, RolesFrom, TeamName, UserFilter, UserRow};
use crate::accounts::parse_roles;

fn role_names(roles: impl IntoIterator<Item = Role>) -> Vec<&'static str> {
    roles.into_iter().map(Role::as_str).collect()
}

/// Locks the row of an organisation that is not deleted; rows that refer to it can still be written by others.
pub(super) async fn lock_organisation(tx: &mut Tx<'_>, org_id: Uuid) -> Result<bool, sqlx::Error> {
    let found: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM organisations WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
    )
    .bind(org_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.is_some())
}

/// A membership of a person, locked until the transaction ends.
pub(super) async fn find_membership(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    user_id: Uuid,
) -> Result<Option<Membership>, sqlx::Error> {
    let row: Option<(String, Vec<String>, String)> = sqlx::query_as(
        "SELECT m.state, m.roles, m.roles_from
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.kind = 'person' AND u.deleted_at IS NULL
         WHERE m.org_id = $1 AND m.user_id = $2
         FOR UPDATE OF m",
    )
    .bind(org_id)
    .bind(user_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(state, roles, from)| membership(org_id, user_id, &state, &roles, &from)))
}

/// A state this program does not know (written by a newer one) gives no rights.
fn membership(org_id: Uuid, user_id: Uuid, state: &str, roles: &[String], from: &str) -> Membership {
    Membership {
        org_id,
        user_id,
        state: MemberState::from_name(state).unwrap_or(MemberState::Removed),
        roles: parse_roles(roles),
        roles_from: RolesFrom::from_name(from),
    }
}

/// Members of an organisation, removed ones aside.
pub(super) async fn count_members(tx: &mut Tx<'_>, org_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM memberships WHERE org_id = $1 AND state <> 'removed'")
        .bind(org_id)
        .fetch_one(&mut **tx)
        .await
}

/// Whether somebody but `user_id` is an active super_admin who can sign in.
pub(super) async fn has_other_super_admin(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    user_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM memberships m
             JOIN users u ON u.id = m.user_id AND u.active AND u.deleted_at IS NULL AND u.kind = 'person'
             WHERE m.org_id = $1 AND m.user_id <> $2 AND m.state = 'active' AND 'super_admin' = ANY(m.roles)
         )",
    )
    .bind(org_id)
    .bind(user_id)
    .fetch_one(&mut **tx)
    .await
}

/// Makes an account unless the address is taken.
pub(super) async fn insert_person(
    tx: &mut Tx<'_>,
    person: &NewPerson<'_>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
         VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN $6 END, $6)
         ON CONFLICT (lower(email)) WHERE deleted_at IS NULL DO NOTHING",
    )
    .bind(person.id)
    .bind(person.email)
    .bind(person.name)
    .bind(person.password_hash)
    .bind(person.email_verified)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Makes a membership.
pub(super) async fn insert_membership(
    tx: &mut Tx<'_>,
    member: &NewMember,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO memberships (org_id, user_id, roles, state, roles_from, invited_by, created_at, state_changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(member.org_id)
    .bind(member.user_id)
    .bind(role_names(member.roles.iter().copied()))
    .bind(member.state.as_str())
    .bind(member.roles_from.as_str())
    .bind(member.invited_by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes roles and state.
pub(super) async fn update_membership(
    tx: &mut Tx<'_>,
    after: &Membership,
    state_changed: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE memberships
         SET roles = $3, state = $4, roles_from = $5,
             state_changed_at = CASE WHEN $6 THEN $7 ELSE state_changed_at END
         WHERE org_id = $1 AND user_id = $2",
    )
    .bind(after.org_id)
    .bind(after.user_id)
    .bind(role_names(after.roles.iter().copied()))
    .bind(after.state.as_str())
    .bind(after.roles_from.as_str())
    .bind(state_changed)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends a member's sessions in one organisation; how many.
pub(super) async fn end_sessions(tx: &mut Tx<'_>, user_id: Uuid, org_id: Uuid) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND org_id = $2")
        .bind(user_id)
        .bind(org_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}

/// One line of history to be written.
pub(super) struct HistoryEntry<'a> {
    pub(super) id: Uuid,
    pub(super) actor_id: Option<Uuid>,
    pub(super) change: &'a str,
    pub(super) before: Value,
    pub(super) after: Value,
    pub(super) reason: &'a str,
}

/// Writes down what happened to a member.
pub(super) async fn insert_history(
    tx: &mut Tx<'_>,
    member: &Membership,
    entry: &HistoryEntry<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO membership_changes (id, org_id, user_id, actor_id, change, before, after, reason, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(entry.id)
    .bind(member.org_id)
    .bind(member.user_id)
    .bind(entry.actor_id)
    .bind(entry.change)
    .bind(&entry.before)
    .bind(&entry.after)
    .bind(entry.reason)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    email: String,
    email_verified: bool,
    has_password: bool,
    state: String,
    roles: Vec<String>,
    roles_from: String,
    joined_at: DateTime<Utc>,
    last_seen_at: Option<DateTime<Utc>>,
    inviter_id: Option<Uuid>,
    inviter_name: Option<String>,
    teams: Json<Vec<TeamName>>,
}

impl Row {
    fn into_user(self, org_id: Uuid) -> UserRow {
        UserRow {
            membership: membership(org_id, self.id, &self.state, &self.roles, &self.roles_from),
            id: self.id,
            name: self.name,
            email: self.email,
            email_verified: self.email_verified,
            joined_at: self.joined_at,
            last_seen_at: self.last_seen_at,
            has_password: self.has_password,
            invited_by: self.inviter_id.zip(self.inviter_name),
            teams: self.teams.0,
        }
    }
}

fn pattern(filter: &UserFilter) -> Option<String> {
    filter.search.as_deref().map(|text| format!("%{}%", escape_like(&text.to_lowercase())))
}

/// One page of people, by name.
pub(super) async fn page(
    pool: &Pool,
    grant: &Grant,
    filter: &UserFilter,
    request: PageRequest,
) -> Result<Vec<UserRow>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT u.id, u.name, u.email, u.email_verified_at IS NOT NULL AS email_verified,
                u.password_hash IS NOT NULL AS has_password, m.state, m.roles, m.roles_from,
                m.created_at AS joined_at,
                (SELECT max(s.last_used_at) FROM sessions s WHERE s.user_id = u.id AND s.org_id = m.org_id)
                    AS last_seen_at,
                i.id AS inviter_id, i.name AS inviter_name,
                (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) ORDER BY lower(t.name)), '[]')
                 FROM team_members tm
                 JOIN teams t ON t.id = tm.team_id AND t.org_id = m.org_id
                 WHERE tm.user_id = u.id) AS teams
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.kind = 'person' AND u.deleted_at IS NULL
         LEFT JOIN users i ON i.id = m.invited_by
         WHERE m.org_id = $1
           AND CASE WHEN $2::text IS NULL THEN m.state <> 'removed' ELSE m.state = $2 END
           AND ($3::text IS NULL OR $3 = ANY(m.roles))
           AND ($4::text IS NULL OR lower(u.name) LIKE $4 ESCAPE '\\' OR lower(u.email) LIKE $4 ESCAPE '\\')
         ORDER BY lower(u.name), u.id
         LIMIT $5 OFFSET $6",
    )
    .bind(grant.org_id())
    .bind(filter.state.map(MemberState::as_str))
    .bind(filter.role.map(Role::as_str))
    .bind(pattern(filter))
    .bind(request.limit())
    .bind(request.offset())
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| row.into_user(grant.org_id())).collect())
}

/// People that [`page`] has on all its pages together.
pub(super) async fn count(pool: &Pool, grant: &Grant, filter: &UserFilter) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*)
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.kind = 'person' AND u.deleted_at IS NULL
         WHERE m.org_id = $1
           AND CASE WHEN $2::text IS NULL THEN m.state <> 'removed' ELSE m.state = $2 END
           AND ($3::text IS NULL OR $3 = ANY(m.roles))
           AND ($4::text IS NULL OR lower(u.name) LIKE $4 ESCAPE '\\' OR lower(u.email) LIKE $4 ESCAPE '\\')",
    )
    .bind(grant.org_id())
    .bind(filter.state.map(MemberState::as_str))
    .bind(filter.role.map(Role::as_str))
    .bind(pattern(filter))
    .fetch_one(pool)
    .await
}

/// One person, removed ones too.
pub(super) async fn find(pool: &Pool, grant: &Grant, user_id: Uuid) -> Result<Option<UserRow>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT u.id, u.name, u.email, u.email_verified_at IS NOT NULL AS email_verified,
                u.password_hash IS NOT NULL AS has_password, m.state, m.roles, m.roles_from,
                m.created_at AS joined_at,
                (SELECT max(s.last_used_at) FROM sessions s WHERE s.user_id = u.id AND s.org_id = m.org_id)
                    AS last_seen_at,
                i.id AS inviter_id, i.name AS inviter_name,
                (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) ORDER BY lower(t.name)), '[]')
                 FROM team_members tm
                 JOIN teams t ON t.id = tm.team_id AND t.org_id = m.org_id
                 WHERE tm.user_id = u.id) AS teams
         FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.kind = 'person' AND u.deleted_at IS NULL
         LEFT JOIN users i ON i.id = m.invited_by
         WHERE m.org_id = $1 AND m.user_id = $2",
    )
    .bind(grant.org_id())
    .bind(user_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| row.into_user(grant.org_id())))
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    id: Uuid,
    change: String,
    actor_id: Option<Uuid>,
    actor_name: Option<String>,
    before: Value,
    after: Value,
    reason: String,
    at: DateTime<Utc>,
}

/// What happened to a person, newest first.
pub(super) async fn history(
    pool: &Pool,
    grant: &Grant,
    user_id: Uuid,
) -> Result<Vec<HistoryRow>, sqlx::Error> {
    let rows: Vec<ChangeRow> = sqlx::query_as(
        "SELECT c.id, c.change, a.id AS actor_id, a.name AS actor_name, c.before, c.after, c.reason, c.at
         FROM membership_changes c
         LEFT JOIN users a ON a.id = c.actor_id
         WHERE c.org_id = $1 AND c.user_id = $2
         ORDER BY c.at DESC, c.id DESC
         LIMIT $3",
    )
    .bind(grant.org_id())
    .bind(user_id)
    .bind(MAX_HISTORY)
    .fetch_all(pool)
    .await?;
    let to_row = |row: ChangeRow| HistoryRow {
        id: row.id,
        change: row.change,
        actor: row.actor_id.zip(row.actor_name),
        before: row.before,
        after: row.after,
        reason: row.reason,
        at: row.at,
    };
    Ok(rows.into_iter().map(to_row).collect())
}

/// An account by folded address, for the operator's commands.
pub(super) async fn find_account(tx: &mut Tx<'_>, email: &str) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM users WHERE lower(email) = $1 AND deleted_at IS NULL AND kind = 'person' FOR UPDATE",
    )
    .bind(email)
    .fetch_optional(&mut **tx)
    .await
}

/// Lets an account sign in again, with its address counted as verified.
pub(super) async fn revive_account(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE users
         SET active = true, email_verified_at = COALESCE(email_verified_at, $2)
         WHERE id = $1",
    )
    .bind(user_id)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The organisation with this slug, or without one the oldest; deleted ones aside.
pub(super) async fn find_organisation(
    tx: &mut Tx<'_>,
    slug: Option<&str>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM organisations
         WHERE deleted_at IS NULL AND ($1::text IS NULL OR slug = $1)
         ORDER BY created_at, id
         LIMIT 1",
    )
    .bind(slug)
    .fetch_optional(&mut **tx)
    .await
}
