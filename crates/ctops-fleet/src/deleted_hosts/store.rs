//! Statements on hosts that are deleted.

use chrono::{DateTime, Utc};
use ctops_base::text::escape_like;
use ctops_pg::Pool;
use ctops_slice::{Grant, in_scope};
use uuid::Uuid;

use super::model::{DeletedHost, DeletedQuery};

/// How many deleted hosts the grant has.
pub(super) async fn count(pool: &Pool, grant: &Grant, query: &DeletedQuery) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT count(*)
         FROM hosts AS h
         WHERE h.org_id = $1
           AND h.deleted_at IS NOT NULL
           AND ($3::text IS NULL OR lower(h.hostname) LIKE lower($3) OR lower(h.display_name) LIKE lower($3))
           AND ",
        in_scope!("h.id", "$2")
    ))
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .bind(pattern(query))
    .fetch_one(pool)
    .await
}

/// One page of them, the last deleted first.
pub(super) async fn page(
    pool: &Pool,
    grant: &Grant,
    query: &DeletedQuery,
) -> Result<Vec<DeletedHost>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT h.id, h.hostname, h.display_name, h.os, h.arch, h.created_at, h.deleted_at,
                u.id AS deleted_by_id, u.name AS deleted_by_name
         FROM hosts AS h
         LEFT JOIN users AS u ON u.id = h.deleted_by
         WHERE h.org_id = $1
           AND h.deleted_at IS NOT NULL
           AND ($3::text IS NULL OR lower(h.hostname) LIKE lower($3) OR lower(h.display_name) LIKE lower($3))
           AND ",
        in_scope!("h.id", "$2"),
        " ORDER BY h.deleted_at DESC, h.id DESC
         LIMIT $4 OFFSET $5"
    ))
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .bind(pattern(query))
    .bind(query.page.limit())
    .bind(query.page.offset())
    .fetch_all(pool)
    .await
}

fn pattern(query: &DeletedQuery) -> Option<String> {
    query.search.as_ref().map(|text| format!("%{}%", escape_like(text)))
}

/// Name of a host in the grant, and whether it is deleted.
pub(super) async fn find(
    pool: &Pool,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<(String, bool)>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT h.hostname, h.deleted_at IS NOT NULL
         FROM hosts AS h
         WHERE h.id = $1 AND h.org_id = $2 AND ",
        in_scope!("h.id", "$3")
    ))
    .bind(id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await
}

/// Organisations with hosts deleted before a moment.
pub(super) async fn organisations_with(pool: &Pool, before: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT org_id FROM hosts WHERE deleted_at < $1 ORDER BY org_id")
        .bind(before)
        .fetch_all(pool)
        .await
}

/// Hosts of an organisation deleted before a moment, at most `limit`.
pub(super) async fn deleted_before(
    pool: &Pool,
    org_id: Uuid,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM hosts WHERE org_id = $1 AND deleted_at < $2 ORDER BY deleted_at, id LIMIT $3",
    )
    .bind(org_id)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await
}
