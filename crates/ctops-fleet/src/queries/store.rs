//! Statements on `agent_queries`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, in_scope};
use uuid::Uuid;

/// A query as people see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Query {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) result_json: Option<String>,
    pub(super) error: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) completed_at: Option<DateTime<Utc>>,
}

/// A query to be asked.
pub(super) struct NewQuery<'a> {
    pub(super) id: Uuid,
    pub(super) host_id: Uuid,
    pub(super) kind: &'a str,
    pub(super) requested_by: Uuid,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Answers of a batch, column by column; no query twice.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) ids: Vec<Uuid>,
    pub(super) host_ids: Vec<Uuid>,
    pub(super) statuses: Vec<String>,
    pub(super) result_jsons: Vec<Option<String>>,
    pub(super) errors: Vec<String>,
    pub(super) received_at: Vec<DateTime<Utc>>,
}

/// Adds a query; false when the organisation has no such host.
pub(super) async fn insert(tx: &mut Tx<'_>, grant: &Grant, new: &NewQuery<'_>) -> Result<bool, sqlx::Error> {
    let added = sqlx::query(concat!(
        "INSERT INTO agent_queries (id, org_id, host_id, kind, requested_by, created_at, expires_at)
         SELECT $1, h.org_id, h.id, $4, $5, $6, $7
         FROM hosts h
         WHERE h.id = $3 AND h.org_id = $2 AND h.deleted_at IS NULL AND ",
        in_scope!("h.id", "$8")
    ))
    .bind(new.id)
    .bind(grant.org_id())
    .bind(new.host_id)
    .bind(new.kind)
    .bind(new.requested_by)
    .bind(new.created_at)
    .bind(new.expires_at)
    .bind(grant.scope_ids())
    .execute(&mut **tx)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// A query of a host of the organisation.
pub(super) async fn find(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
    query_id: Uuid,
) -> Result<Option<Query>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT q.id, q.kind, q.status, q.result_json, q.error, q.created_at, q.expires_at, q.completed_at
         FROM agent_queries q
         JOIN hosts h ON h.id = q.host_id AND h.deleted_at IS NULL
         WHERE q.id = $1 AND q.host_id = $2 AND q.org_id = $3 AND ",
        in_scope!("q.host_id", "$4")
    ))
    .bind(query_id)
    .bind(host_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await
}

/// Host, id and kind of what these hosts are asked and have not answered.
pub(super) async fn open(
    pool: &Pool,
    host_ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Uuid, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT host_id, id, kind
         FROM agent_queries
         WHERE host_id = ANY($1) AND status = 'pending' AND expires_at > $2
         ORDER BY id",
    )
    .bind(host_ids)
    .bind(now)
    .fetch_all(pool)
    .await
}

/// Stores answers to open queries of their own hosts that came in time.
pub(super) async fn answer(tx: &mut Tx<'_>, answers: &Answers) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE agent_queries q
         SET status = CASE said.status WHEN 'ok' THEN 'complete' ELSE 'error' END,
             result_json = said.result_json, error = said.error, completed_at = said.received_at
         FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
              AS said (id, host_id, status, result_json, error, received_at)
         WHERE q.id = said.id AND q.host_id = said.host_id AND q.status = 'pending'
           AND q.expires_at > said.received_at",
    )
    .bind(&answers.ids)
    .bind(&answers.host_ids)
    .bind(&answers.statuses)
    .bind(&answers.result_jsons)
    .bind(&answers.errors)
    .bind(&answers.received_at)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Removes queries that expired before `before`.
pub(super) async fn purge(pool: &Pool, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM agent_queries WHERE expires_at < $1").bind(before).execute(pool).await.map(drop)
}
