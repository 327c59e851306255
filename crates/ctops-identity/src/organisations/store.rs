//! SQL of the organisations slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

use super::model::{Logo, OrganisationPatch, OwnOrganisation, media_type_of};
use crate::accounts::parse_roles;

/// Key of the advisory lock under which organisations come and go: "orgs" in ASCII.
const ORGANISATIONS_LOCK: i64 = 0x6f72_6773;

/// Waits until no other transaction makes or deletes an organisation, so that they can be counted.
pub(super) async fn lock_all(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(ORGANISATIONS_LOCK).execute(&mut **tx).await?;
    Ok(())
}

/// Organisations that are not deleted.
pub(super) async fn count(tx: &mut Tx<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM organisations WHERE deleted_at IS NULL")
        .fetch_one(&mut **tx)
        .await
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    slug: String,
    time_zone: String,
    has_logo: bool,
    created_at: DateTime<Utc>,
    deleted_at: Option<DateTime<Utc>>,
    roles: Vec<String>,
    pending: bool,
}

impl From<Row> for OwnOrganisation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            slug: row.slug,
            time_zone: row.time_zone,
            has_logo: row.has_logo,
            created_at: row.created_at,
            deleted_at: row.deleted_at,
            roles: parse_roles(&row.roles),
            pending: row.pending,
        }
    }
}

/// Organisations that a person belongs to, by name. Deleted ones are those deleted after `deleted_after` of which the
/// person is super_admin.
pub(super) async fn list_own(
    pool: &Pool,
    user_id: Uuid,
    deleted_after: Option<DateTime<Utc>>,
) -> Result<Vec<OwnOrganisation>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.name, o.slug, o.time_zone, o.logo IS NOT NULL AS has_logo, o.created_at, o.deleted_at,
                m.roles, m.state = 'pending' AS pending
         FROM memberships m
         JOIN organisations o ON o.id = m.org_id
         WHERE m.user_id = $1
           AND m.state IN ('pending', 'active')
           AND CASE WHEN $2::timestamptz IS NULL THEN o.deleted_at IS NULL
                    ELSE o.deleted_at > $2 AND m.state = 'active' AND 'super_admin' = ANY(m.roles) END
         ORDER BY lower(o.name), o.id",
    )
    .bind(user_id)
    .bind(deleted_after)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(OwnOrganisation::from).collect())
}

/// One organisation a person belongs to.
pub(super) async fn find_own(
    pool: &Pool,
    user_id: Uuid,
    org_id: Uuid,
) -> Result<Option<OwnOrganisation>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT o.id, o.name, o.slug, o.time_zone, o.logo IS NOT NULL AS has_logo, o.created_at, o.deleted_at,
                m.roles, m.state = 'pending' AS pending
         FROM memberships m
         JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
         WHERE m.user_id = $1 AND m.org_id = $2 AND m.state IN ('pending', 'active')",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(OwnOrganisation::from))
}

/// The logo of an organisation a person belongs to.
pub(super) async fn logo(pool: &Pool, user_id: Uuid, org_id: Uuid) -> Result<Option<Logo>, sqlx::Error> {
    let bytes: Option<Option<Vec<u8>>> = sqlx::query_scalar(
        "SELECT o.logo
         FROM memberships m
         JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
         WHERE m.user_id = $1 AND m.org_id = $2 AND m.state IN ('pending', 'active')",
    )
    .bind(user_id)
    .bind(org_id)
    .fetch_optional(pool)
    .await?;
    Ok(bytes.flatten().and_then(|bytes| Some(Logo { media_type: media_type_of(&bytes)?, bytes })))
}

/// Whether the database knows a time zone by this name (IANA).
pub(super) async fn is_time_zone(tx: &mut Tx<'_>, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1)")
        .bind(name)
        .fetch_one(&mut **tx)
        .await
}

/// Whether another organisation, also a deleted one, has the address name.
pub(super) async fn slug_is_taken(
    tx: &mut Tx<'_>,
    slug: &str,
    except: Option<Uuid>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM organisations WHERE slug = $1 AND ($2::uuid IS NULL OR id <> $2))",
    )
    .bind(slug)
    .bind(except)
    .fetch_one(&mut **tx)
    .await
}

/// Makes an organisation.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    id: Uuid,
    name: &str,
    slug: &str,
    time_zone: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO organisations (id, name, slug, time_zone, created_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(name)
    .bind(slug)
    .bind(time_zone)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes what the patch names.
pub(super) async fn update(
    tx: &mut Tx<'_>,
    grant: &Grant,
    patch: &OrganisationPatch,
) -> Result<(), sqlx::Error> {
    let logo = patch.logo.as_ref().and_then(Option::as_ref);
    sqlx::query(
        "UPDATE organisations
         SET name = COALESCE($2, name), slug = COALESCE($3, slug), time_zone = COALESCE($4, time_zone),
             logo = CASE WHEN $5 THEN $6 ELSE logo END,
             logo_type = CASE WHEN $5 THEN $7 ELSE logo_type END
         WHERE id = $1",
    )
    .bind(grant.org_id())
    .bind(&patch.name)
    .bind(&patch.slug)
    .bind(&patch.time_zone)
    .bind(patch.logo.is_some())
    .bind(logo.map(|logo| &logo.bytes))
    .bind(logo.map(|logo| logo.media_type))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether a machine is let in: deleting the organisation would leave it without owner.
pub(super) async fn has_approved_hosts(tx: &mut Tx<'_>, grant: &Grant) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM agents WHERE org_id = $1 AND status IN ('active', 'offline'))",
    )
    .bind(grant.org_id())
    .fetch_one(&mut **tx)
    .await
}

/// Deletes softly, and ends every session that acts in it.
pub(super) async fn delete(
    tx: &mut Tx<'_>,
    grant: &Grant,
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE organisations SET deleted_at = $2, deleted_by = $3 WHERE id = $1")
        .bind(grant.org_id())
        .bind(now)
        .bind(by)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM sessions WHERE org_id = $1").bind(grant.org_id()).execute(&mut **tx).await?;
    Ok(())
}

/// Restores an organisation deleted after `deleted_after` of which the person is an active super_admin; whether it did.
pub(super) async fn restore(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    org_id: Uuid,
    deleted_after: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE organisations o
         SET deleted_at = NULL, deleted_by = NULL
         FROM memberships m
         WHERE o.id = $1 AND o.deleted_at > $3 AND m.org_id = o.id AND m.user_id = $2
           AND m.state = 'active' AND 'super_admin' = ANY(m.roles)",
    )
    .bind(org_id)
    .bind(user_id)
    .bind(deleted_after)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Lets a session act in another organisation.
pub(super) async fn move_session(
    tx: &mut Tx<'_>,
    session_id: Uuid,
    user_id: Uuid,
    org_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE sessions SET org_id = $3 WHERE id = $1 AND user_id = $2")
        .bind(session_id)
        .bind(user_id)
        .bind(org_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() > 0)
}
