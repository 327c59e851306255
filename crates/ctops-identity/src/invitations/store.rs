//! SQL of the invitations slice.

use chrono::{DateTime, Utc};
use ctops_base::{PageRequest, Role};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

use super::model::{Invitation, KnownAccount, NewInvitation};
use crate::accounts::parse_roles;

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    email: String,
    roles: Vec<String>,
    team_ids: Vec<Uuid>,
    host_group_ids: Vec<Uuid>,
    inviter_id: Option<Uuid>,
    inviter_name: Option<String>,
    created_at: DateTime<Utc>,
    sent_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    accepted_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
}

impl From<Row> for Invitation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            org_id: row.org_id,
            email: row.email,
            roles: parse_roles(&row.roles),
            team_ids: row.team_ids,
            host_group_ids: row.host_group_ids,
            invited_by: row.inviter_id.zip(row.inviter_name),
            created_at: row.created_at,
            sent_at: row.sent_at,
            expires_at: row.expires_at,
            accepted_at: row.accepted_at,
            cancelled_at: row.cancelled_at,
        }
    }
}

fn role_names(roles: impl IntoIterator<Item = Role>) -> Vec<&'static str> {
    roles.into_iter().map(Role::as_str).collect()
}

/// One page of invitations that were neither accepted nor cancelled, newest first.
pub(super) async fn page(
    pool: &Pool,
    grant: &Grant,
    request: PageRequest,
) -> Result<Vec<Invitation>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT i.id, i.org_id, i.email, i.roles, i.team_ids, i.host_group_ids, u.id AS inviter_id,
                u.name AS inviter_name, i.created_at, i.sent_at, i.expires_at, i.accepted_at, i.cancelled_at
         FROM invitations i
         LEFT JOIN users u ON u.id = i.invited_by
         WHERE i.org_id = $1 AND i.accepted_at IS NULL AND i.cancelled_at IS NULL
         ORDER BY i.created_at DESC, i.id DESC
         LIMIT $2 OFFSET $3",
    )
    .bind(grant.org_id())
    .bind(request.limit())
    .bind(request.offset())
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Invitation::from).collect())
}

/// Invitations that [`page`] has on all its pages together.
pub(super) async fn count(pool: &Pool, grant: &Grant) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM invitations WHERE org_id = $1 AND accepted_at IS NULL AND cancelled_at IS NULL",
    )
    .bind(grant.org_id())
    .fetch_one(pool)
    .await
}

/// One invitation of the organisation, locked until the transaction ends.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<Invitation>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT i.id, i.org_id, i.email, i.roles, i.team_ids, i.host_group_ids, u.id AS inviter_id,
                u.name AS inviter_name, i.created_at, i.sent_at, i.expires_at, i.accepted_at, i.cancelled_at
         FROM invitations i
         LEFT JOIN users u ON u.id = i.invited_by
         WHERE i.org_id = $1 AND i.id = $2
         FOR UPDATE OF i",
    )
    .bind(grant.org_id())
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Invitation::from))
}

/// The invitation with this token, in whatever state, unless its organisation is deleted.
pub(super) async fn find_by_token(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
) -> Result<Option<Invitation>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT i.id, i.org_id, i.email, i.roles, i.team_ids, i.host_group_ids, u.id AS inviter_id,
                u.name AS inviter_name, i.created_at, i.sent_at, i.expires_at, i.accepted_at, i.cancelled_at
         FROM invitations i
         JOIN organisations o ON o.id = i.org_id AND o.deleted_at IS NULL
         LEFT JOIN users u ON u.id = i.invited_by
         WHERE i.token_hash = $1
         FOR UPDATE OF i",
    )
    .bind(&token_hash[..])
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Invitation::from))
}

/// The account with a folded address.
pub(super) async fn find_account(tx: &mut Tx<'_>, email: &str) -> Result<Option<KnownAccount>, sqlx::Error> {
    let row: Option<(Uuid, bool, bool)> = sqlx::query_as(
        "SELECT u.id, u.active AND u.kind = 'person',
                EXISTS (SELECT FROM memberships m
                        JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
                        WHERE m.user_id = u.id AND m.state IN ('pending', 'active'))
         FROM users u
         WHERE lower(u.email) = $1 AND u.deleted_at IS NULL",
    )
    .bind(email)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(user_id, usable, can_sign_in)| KnownAccount { user_id, usable, can_sign_in }))
}

/// Address of an account and whether it is verified.
pub(super) async fn address_of(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(String, bool), sqlx::Error> {
    sqlx::query_as("SELECT email, email_verified_at IS NOT NULL FROM users WHERE id = $1")
        .bind(user_id)
        .fetch_one(&mut **tx)
        .await
}

/// Cancels what is left of an earlier invitation of the address: there is one live invitation per address.
pub(super) async fn cancel_earlier(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    email: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE invitations
         SET cancelled_at = $3
         WHERE org_id = $1 AND lower(email) = $2 AND accepted_at IS NULL AND cancelled_at IS NULL",
    )
    .bind(org_id)
    .bind(email)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether a live invitation of the address exists.
pub(super) async fn has_live(
    tx: &mut Tx<'_>,
    grant: &Grant,
    email: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM invitations
                        WHERE org_id = $1 AND lower(email) = $2 AND accepted_at IS NULL AND cancelled_at IS NULL
                          AND expires_at > $3)",
    )
    .bind(grant.org_id())
    .bind(email)
    .bind(now)
    .fetch_one(&mut **tx)
    .await
}

/// Adds an invitation.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    new: &NewInvitation,
    token_hash: &[u8; 32],
    by: Uuid,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO invitations
             (id, org_id, email, roles, team_ids, host_group_ids, token_hash, invited_by, created_at, sent_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
    )
    .bind(id)
    .bind(grant.org_id())
    .bind(new.email.as_str())
    .bind(role_names(new.roles.iter().copied()))
    .bind(&new.team_ids)
    .bind(&new.host_group_ids)
    .bind(&token_hash[..])
    .bind(by)
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives an invitation a new token, which lives anew; whoever sends it vouches for it.
pub(super) async fn renew(
    tx: &mut Tx<'_>,
    id: Uuid,
    token_hash: &[u8; 32],
    by: Uuid,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE invitations SET token_hash = $2, invited_by = $3, sent_at = $4, expires_at = $5 WHERE id = $1",
    )
    .bind(id)
    .bind(&token_hash[..])
    .bind(by)
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Marks an invitation as cancelled.
pub(super) async fn cancel(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE invitations SET cancelled_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Marks an invitation as accepted.
pub(super) async fn accept(
    tx: &mut Tx<'_>,
    id: Uuid,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE invitations SET accepted_at = $2, accepted_by = $3 WHERE id = $1")
        .bind(id)
        .bind(now)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Roles that the author of an invitation holds now; none when they are no active member any more.
pub(super) async fn author_roles(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    user_id: Uuid,
) -> Result<Vec<String>, sqlx::Error> {
    let roles: Option<Vec<String>> = sqlx::query_scalar(
        "SELECT m.roles FROM memberships m
         JOIN users u ON u.id = m.user_id AND u.active AND u.deleted_at IS NULL
         WHERE m.org_id = $1 AND m.user_id = $2 AND m.state = 'active'",
    )
    .bind(org_id)
    .bind(user_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(roles.unwrap_or_default())
}

/// Gives somebody those of the host groups that still exist as access scope.
pub(super) async fn add_scopes(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    user_id: Uuid,
    group_ids: &[Uuid],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO user_host_scopes (user_id, group_id)
         SELECT $2, g.id FROM host_groups g
         WHERE g.org_id = $1 AND g.id = ANY($3) AND g.deleted_at IS NULL
         ON CONFLICT (user_id, group_id) DO NOTHING",
    )
    .bind(org_id)
    .bind(user_id)
    .bind(group_ids)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Organisations that are not deleted.
pub(super) async fn count_organisations(tx: &mut Tx<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM organisations WHERE deleted_at IS NULL")
        .fetch_one(&mut **tx)
        .await
}
