//! SQL of the registration slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use serde_json::Value;
use uuid::Uuid;

use super::model::{OpenOrganisation, Waiting};

/// Organisations that take registrations, oldest first. A list of domains that cannot be read allows nobody.
pub(super) async fn open_organisations(pool: &Pool) -> Result<Vec<OpenOrganisation>, sqlx::Error> {
    let rows: Vec<(Uuid, String, Option<Value>)> = sqlx::query_as(
        "SELECT o.id, o.name, s.document -> 'allowed_domains'
         FROM organisations o
         JOIN settings s ON s.org_id = o.id AND s.page = 'authentication'
         WHERE o.deleted_at IS NULL
           AND s.document ->> 'registration_mode' = 'approval'
           AND COALESCE(s.document ->> 'sso_only', 'false') <> 'true'
         ORDER BY o.created_at, o.id
         LIMIT 200",
    )
    .fetch_all(pool)
    .await?;
    let read = |(id, name, domains): (Uuid, String, Option<Value>)| {
        let allowed_domains = match domains {
            None | Some(Value::Null) => Vec::new(),
            Some(list) => serde_json::from_value(list).ok()?,
        };
        Some(OpenOrganisation { id, name, allowed_domains })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Whether an account has this folded address.
pub(super) async fn is_taken(tx: &mut Tx<'_>, email: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM users WHERE lower(email) = $1 AND deleted_at IS NULL)")
        .bind(email)
        .fetch_one(&mut **tx)
        .await
}

/// Keeps a registration, and forgets those that are over.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    waiting: &Waiting,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM registrations WHERE expires_at <= $1").bind(now).execute(&mut **tx).await?;
    sqlx::query(
        "INSERT INTO registrations (id, org_id, email, name, password_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(waiting.id)
    .bind(waiting.org_id)
    .bind(&waiting.email)
    .bind(&waiting.name)
    .bind(&waiting.password_hash)
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

type WaitingRow = (Uuid, Uuid, String, String, String, String, bool);

fn waiting((id, org_id, organisation, email, name, password_hash, address_taken): WaitingRow) -> Waiting {
    Waiting { id, org_id, organisation, email, name, password_hash, address_taken }
}

/// The newest registration with this folded address.
pub(super) async fn newest(
    pool: &Pool,
    email: &str,
    now: DateTime<Utc>,
) -> Result<Option<Waiting>, sqlx::Error> {
    let row: Option<WaitingRow> = sqlx::query_as(
        "SELECT r.id, r.org_id, o.name, r.email, r.name, r.password_hash,
                EXISTS (SELECT FROM users u WHERE lower(u.email) = r.email AND u.deleted_at IS NULL)
         FROM registrations r
         JOIN organisations o ON o.id = r.org_id AND o.deleted_at IS NULL
         WHERE r.email = $1 AND r.expires_at > $2
         ORDER BY r.created_at DESC, r.id DESC
         LIMIT 1",
    )
    .bind(email)
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(waiting))
}

/// One registration, locked until the transaction ends.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Waiting>, sqlx::Error> {
    let row: Option<WaitingRow> = sqlx::query_as(
        "SELECT r.id, r.org_id, o.name, r.email, r.name, r.password_hash,
                EXISTS (SELECT FROM users u WHERE lower(u.email) = r.email AND u.deleted_at IS NULL)
         FROM registrations r
         JOIN organisations o ON o.id = r.org_id AND o.deleted_at IS NULL
         WHERE r.id = $1 AND r.expires_at > $2
         FOR UPDATE OF r",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(waiting))
}

/// Forgets everybody who waits for an address, and their links with them.
pub(super) async fn delete_for(tx: &mut Tx<'_>, email: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM registrations WHERE email = $1").bind(email).execute(&mut **tx).await?;
    Ok(())
}
