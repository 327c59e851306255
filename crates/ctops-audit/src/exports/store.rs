//! Statements on `audit_exports`, and the events of an export.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use serde_json::Value;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::format::Format;
use super::model::{Export, Signed};
use crate::event::{COLUMNS, Hash, SealedEvent};
use crate::events::{Filter, store::push_filter};

/// How an export's events are joined to their places.
const SEALED: &str = " FROM audit_events AS e JOIN audit_chain AS c ON c.event_id = e.id";

/// How many sealed events a filter finds, at most `most`.
pub(super) async fn count(
    tx: &mut Tx<'_>,
    grant: &Grant,
    filter: &Filter,
    last_seq: i64,
    most: i64,
) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new(format!("SELECT count(*) FROM (SELECT 1{SEALED}"));
    push_filter(&mut query, grant.org_id(), filter);
    query.push(" AND c.seq <= ").push_bind(last_seq);
    query.push(" LIMIT ").push_bind(most).push(") AS found");
    query.build_query_scalar().fetch_one(&mut **tx).await
}

/// The hash of the first or last event of an export.
pub(super) async fn end_hash(
    tx: &mut Tx<'_>,
    grant: &Grant,
    filter: &Filter,
    last_seq: i64,
    newest: bool,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let mut query = QueryBuilder::new(format!("SELECT c.hash{SEALED}"));
    push_filter(&mut query, grant.org_id(), filter);
    query.push(" AND c.seq <= ").push_bind(last_seq);
    query.push(if newest {
        " ORDER BY e.at DESC, e.id DESC LIMIT 1"
    } else {
        " ORDER BY e.at, e.id LIMIT 1"
    });
    query.build_query_scalar().fetch_optional(&mut **tx).await
}

/// The next events of an export, oldest first.
pub(super) async fn chunk(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    filter: &Filter,
    last_seq: i64,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<SealedEvent>, sqlx::Error> {
    let mut query = QueryBuilder::new(format!("SELECT c.seq, c.prev_hash, c.hash, {COLUMNS}{SEALED}"));
    push_filter(&mut query, org_id, filter);
    query.push(" AND c.seq <= ").push_bind(last_seq);
    if let Some((at, id)) = after {
        query.push(" AND (e.at, e.id) > (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    query.push(" ORDER BY e.at, e.id LIMIT ").push_bind(limit);
    query.build_query_as().fetch_all(&mut **tx).await
}

/// Keeps an export.
pub(super) async fn insert(tx: &mut Tx<'_>, grant: &Grant, export: &Export) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit_exports (id, org_id, format, filter, last_seq, events, first_hash, last_hash,
                                    exporter_id, exporter, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(export.id)
    .bind(grant.org_id())
    .bind(export.format.as_str())
    .bind(&export.filter)
    .bind(export.last_seq)
    .bind(export.events)
    .bind(export.first_hash.map(|hash| hash.to_vec()))
    .bind(export.last_hash.map(|hash| hash.to_vec()))
    .bind(export.exporter_id)
    .bind(&export.exporter)
    .bind(export.created_at)
    .execute(&mut **tx)
    .await
    .map(drop)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    format: String,
    filter: Value,
    last_seq: i64,
    events: i64,
    first_hash: Option<Vec<u8>>,
    last_hash: Option<Vec<u8>>,
    exporter_id: Uuid,
    exporter: String,
    created_at: DateTime<Utc>,
    sha256: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    public_key: Option<Vec<u8>>,
}

fn hash_of(bytes: Option<Vec<u8>>) -> Option<Hash> {
    bytes.and_then(|bytes| bytes.try_into().ok())
}

/// One export.
pub(super) async fn find(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Option<Export>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, format, filter, last_seq, events, first_hash, last_hash, exporter_id, exporter, created_at,
                sha256, signature, public_key
         FROM audit_exports
         WHERE id = $1 AND org_id = $2",
    )
    .bind(id)
    .bind(grant.org_id())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Export {
        id: row.id,
        format: Format::parse(&row.format).unwrap_or(Format::JsonLines),
        filter: row.filter,
        last_seq: row.last_seq,
        events: row.events,
        first_hash: hash_of(row.first_hash),
        last_hash: hash_of(row.last_hash),
        exporter_id: row.exporter_id,
        exporter: row.exporter,
        created_at: row.created_at,
        signed: hash_of(row.sha256)
            .zip(row.signature)
            .zip(row.public_key)
            .map(|((sha256, signature), public_key)| Signed { sha256, signature, public_key }),
    }))
}

/// Keeps the signature of the whole file; the first one stays.
pub(super) async fn sign(
    pool: &Pool,
    id: Uuid,
    signed: &Signed,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE audit_exports
         SET sha256 = $2, signature = $3, public_key = $4, finished_at = $5
         WHERE id = $1 AND sha256 IS NULL",
    )
    .bind(id)
    .bind(&signed.sha256[..])
    .bind(&signed.signature)
    .bind(&signed.public_key)
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}
