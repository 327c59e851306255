//! Statements on `audit_events`, for people.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::text::escape_like;
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};
use uuid::Uuid;

use super::cursor::Cursor;
use super::filter::Filter;
use crate::event::{COLUMNS, Event};

/// Neighbours shown of each sort.
const NEIGHBOURS: i64 = 20;
/// Events of one request are written within this time.
const REQUEST_SPAN: TimeDelta = TimeDelta::minutes(5);
/// Neighbours of a session are looked for within this time.
const SESSION_SPAN: TimeDelta = TimeDelta::hours(24);

/// A transaction whose statements may take 30 s each.
pub(crate) async fn begin(pool: &Pool) -> Result<Tx<'static>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT set_config('statement_timeout', '30s', true)").execute(&mut *tx).await?;
    Ok(tx)
}

/// Adds what a filter demands of events called `e`. Only what was asked for is in the statement, so that the planner
/// sees the plain conditions it has indexes for.
pub(crate) fn push_filter(query: &mut QueryBuilder<Postgres>, org_id: Uuid, filter: &Filter) {
    query.push(" WHERE e.org_id = ").push_bind(org_id);
    query.push(" AND e.at >= ").push_bind(filter.window.from);
    query.push(" AND e.at < ").push_bind(filter.window.to);
    for (column, value) in [
        ("actor_id", &filter.actor_id),
        ("actor_kind", &filter.actor_kind),
        ("target_type", &filter.target_type),
        ("target_id", &filter.target_id),
        ("outcome", &filter.outcome),
        ("ip", &filter.ip),
        ("request_id", &filter.request_id),
    ] {
        if let Some(value) = value {
            query.push(" AND e.").push(column).push(" = ").push_bind(value.clone());
        }
    }
    if let Some(prefix) = &filter.action {
        query.push(" AND e.action LIKE ").push_bind(format!("{}%", escape_like(prefix)));
    }
    if let Some(text) = &filter.text {
        query.push(" AND e.summary ILIKE ").push_bind(format!("%{}%", escape_like(text)));
    }
}

/// The statement of one page of the list, newest first. Public for the test of its plans.
#[doc(hidden)]
pub fn list_statement(
    org_id: Uuid,
    filter: &super::FilterInput,
    now: DateTime<Utc>,
    limit: i64,
) -> Option<QueryBuilder<Postgres>> {
    Some(page_query(org_id, &filter.clone().check(now).ok()?, None, limit))
}

fn page_query(org_id: Uuid, filter: &Filter, after: Option<Cursor>, limit: i64) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM audit_events AS e"));
    push_filter(&mut query, org_id, filter);
    if let Some(after) = after {
        query.push(" AND (e.at, e.id) < (").push_bind(after.at).push(", ").push_bind(after.id).push(")");
    }
    query.push(" ORDER BY e.at DESC, e.id DESC LIMIT ").push_bind(limit);
    query
}

/// One page, newest first.
pub(super) async fn page(
    tx: &mut Tx<'_>,
    grant: &Grant,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Event>, sqlx::Error> {
    page_query(grant.org_id(), filter, after, limit).build_query_as().fetch_all(&mut **tx).await
}

/// One event.
pub(super) async fn find(tx: &mut Tx<'_>, grant: &Grant, id: Uuid) -> Result<Option<Event>, sqlx::Error> {
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM audit_events AS e WHERE e.id = $1 AND e.org_id = $2"
    )))
    .bind(id)
    .bind(grant.org_id())
    .fetch_optional(&mut **tx)
    .await
}

/// An event's place in the chain: number, hash before, hash.
pub(super) async fn place(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
) -> Result<Option<(i64, Vec<u8>, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as("SELECT seq, prev_hash, hash FROM audit_chain WHERE event_id = $1 AND chain_id = $2")
        .bind(id)
        .bind(grant.org_id())
        .fetch_optional(&mut **tx)
        .await
}

/// Other events of the same request.
pub(super) async fn of_request(
    tx: &mut Tx<'_>,
    grant: &Grant,
    event: &Event,
) -> Result<Vec<Event>, sqlx::Error> {
    let Some(request_id) = &event.request_id else { return Ok(Vec::new()) };
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS}
         FROM audit_events AS e
         WHERE e.request_id = $1 AND e.at >= $2 AND e.at <= $3 AND e.org_id = $4 AND e.id <> $5
         ORDER BY e.at, e.id
         LIMIT $6"
    )))
    .bind(request_id)
    .bind(event.at - REQUEST_SPAN)
    .bind(event.at + REQUEST_SPAN)
    .bind(grant.org_id())
    .bind(event.id)
    .bind(NEIGHBOURS)
    .fetch_all(&mut **tx)
    .await
}

/// Events of the same session around an event, oldest first, without those of the same request.
pub(super) async fn of_session(
    tx: &mut Tx<'_>,
    grant: &Grant,
    event: &Event,
) -> Result<Vec<Event>, sqlx::Error> {
    let (Some(session), Some(actor)) = (&event.session_hash, &event.actor_id) else {
        return Ok(Vec::new());
    };
    let half = |comparison: &str, order: &str| {
        format!(
            "(SELECT {COLUMNS}
              FROM audit_events AS e
              WHERE e.org_id = $1 AND e.actor_id = $2 AND e.session_hash = $3 AND e.at >= $4 AND e.at <= $5
                AND e.id <> $6 AND e.request_id IS DISTINCT FROM $7 AND (e.at, e.id) {comparison} ($8, $6)
              ORDER BY e.at {order}, e.id {order}
              LIMIT $9)"
        )
    };
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM ({} UNION ALL {}) AS e ORDER BY e.at, e.id",
        half("<", "DESC"),
        half(">", "ASC")
    )))
    .bind(grant.org_id())
    .bind(actor)
    .bind(session)
    .bind(event.at - SESSION_SPAN)
    .bind(event.at + SESSION_SPAN)
    .bind(event.id)
    .bind(&event.request_id)
    .bind(event.at)
    .bind(NEIGHBOURS / 2)
    .fetch_all(&mut **tx)
    .await
}

/// Whether a target is still there; none for kinds that nobody can be led to.
pub(super) async fn target_exists(
    tx: &mut Tx<'_>,
    grant: &Grant,
    event: &Event,
) -> Result<Option<bool>, sqlx::Error> {
    let Some(id) = &event.target_id else { return Ok(None) };
    let statement = match event.target_type.as_str() {
        "host" => {
            "SELECT EXISTS (SELECT 1 FROM hosts WHERE org_id = $1 AND id::text = $2 AND deleted_at IS NULL)"
        }
        "agent" => "SELECT EXISTS (SELECT 1 FROM agents WHERE org_id = $1 AND id = $2)",
        "user" => "SELECT EXISTS (SELECT 1 FROM memberships WHERE org_id = $1 AND user_id::text = $2)",
        _ => return Ok(None),
    };
    sqlx::query_scalar(statement).bind(grant.org_id()).bind(id).fetch_one(&mut **tx).await.map(Some)
}

/// Sign-ins of one person, newest first, refused ones included.
pub(super) async fn sign_ins(
    pool: &Pool,
    org_id: Uuid,
    user_id: Uuid,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Event>, sqlx::Error> {
    // Two halves, because a refused attempt is by somebody unknown: it only aims at the account.
    let half = |condition: &str| {
        format!(
            "(SELECT {COLUMNS}
              FROM audit_events AS e
              WHERE e.org_id = $1 AND {condition} AND e.at >= $3 AND e.action LIKE 'auth.%'
                AND (e.action LIKE 'auth.login.%' OR e.action = 'auth.logout')
              ORDER BY e.at DESC, e.id DESC
              LIMIT $4)"
        )
    };
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM ({} UNION {}) AS e ORDER BY e.at DESC, e.id DESC LIMIT $4",
        half("e.actor_id = $2"),
        half("e.target_type = 'user' AND e.target_id = $2")
    )))
    .bind(org_id)
    .bind(user_id.to_string())
    .bind(since)
    .bind(limit)
    .fetch_all(pool)
    .await
}
