//! Statements on `audit_chain`, `audit_unsealed` and `audit_checkpoints`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_pg::{Pool, Tx};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::checkpoint::{Checkpoint, CheckpointKind};
use crate::event::{COLUMNS, Event, GENESIS, Hash, HashBytes, SealedEvent};

/// The end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Last place, 0 for an empty chain.
    pub(crate) seq: i64,
    /// Its hash.
    pub(crate) hash: Hash,
}

/// One place of a chain, before it is written.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) chain_id: Uuid,
    pub(super) seq: i64,
    pub(super) event_id: Uuid,
    pub(super) event_at: DateTime<Utc>,
    pub(super) prev_hash: Hash,
    pub(super) hash: Hash,
}

/// Whether this transaction is the only one that seals.
pub(super) async fn lock(tx: &mut Tx<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('audit_seal', 0))")
        .fetch_one(&mut **tx)
        .await
}

/// Takes events that wait, in the order of their time.
pub(super) async fn take_unsealed(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Event>, sqlx::Error> {
    sqlx::query_as(AssertSqlSafe(format!(
        "WITH taken AS (
             DELETE FROM audit_unsealed
             WHERE ctid = ANY (ARRAY(SELECT ctid FROM audit_unsealed LIMIT $1))
             RETURNING event_id, event_at
         )
         SELECT {COLUMNS}
         FROM taken AS t
         JOIN audit_events AS e ON e.id = t.event_id AND e.at = t.event_at
         WHERE NOT EXISTS (SELECT 1 FROM audit_chain AS c WHERE c.event_id = t.event_id)
         ORDER BY e.at, e.id"
    )))
    .bind(limit)
    .fetch_all(&mut **tx)
    .await
}

/// The ends of these chains. A chain whose links were all pruned goes on after its last checkpoint.
pub(super) async fn heads(tx: &mut Tx<'_>, chains: &[Uuid]) -> Result<HashMap<Uuid, Head>, sqlx::Error> {
    let rows: Vec<(Uuid, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT w.chain_id, l.seq, l.hash
         FROM UNNEST($1::uuid[]) AS w (chain_id)
         CROSS JOIN LATERAL (
             (SELECT c.seq, c.hash FROM audit_chain AS c WHERE c.chain_id = w.chain_id ORDER BY c.seq DESC LIMIT 1)
             UNION ALL
             (SELECT p.seq, p.hash FROM audit_checkpoints AS p
              WHERE p.chain_id = w.chain_id AND p.kind = 'prune' ORDER BY p.seq DESC LIMIT 1)
             ORDER BY seq DESC
             LIMIT 1
         ) AS l",
    )
    .bind(chains)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|(chain, seq, hash)| {
            let hash = HashBytes::try_from(hash).map_err(|error| sqlx::Error::Decode(error.into()))?.0;
            Ok((chain, Head { seq, hash }))
        })
        .collect()
}

/// The end of one chain.
pub(crate) async fn head(pool: &Pool, chain_id: Uuid) -> Result<Head, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let found = heads(&mut tx, &[chain_id]).await?;
    Ok(found.get(&chain_id).copied().unwrap_or(Head { seq: 0, hash: GENESIS }))
}

/// Writes places.
pub(super) async fn insert_links(tx: &mut Tx<'_>, links: &[Link]) -> Result<(), sqlx::Error> {
    let column = |pick: fn(&Link) -> &Hash| links.iter().map(|l| pick(l).to_vec()).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO audit_chain (chain_id, seq, event_id, event_at, prev_hash, hash)
         SELECT l.chain_id, l.seq, l.event_id, l.event_at, l.prev_hash, l.hash
         FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::bytea[], $6::bytea[])
              AS l (chain_id, seq, event_id, event_at, prev_hash, hash)",
    )
    .bind(links.iter().map(|l| l.chain_id).collect::<Vec<_>>())
    .bind(links.iter().map(|l| l.seq).collect::<Vec<_>>())
    .bind(links.iter().map(|l| l.event_id).collect::<Vec<_>>())
    .bind(links.iter().map(|l| l.event_at).collect::<Vec<_>>())
    .bind(column(|l| &l.prev_hash))
    .bind(column(|l| &l.hash))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Every chain with its end and the place of its last daily checkpoint and that one's time.
pub(super) async fn daily_state(
    pool: &Pool,
) -> Result<Vec<(Uuid, Option<i64>, Option<DateTime<Utc>>)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT k.chain_id, p.seq, p.at
         FROM (SELECT id AS chain_id FROM organisations UNION SELECT $1) AS k
         LEFT JOIN LATERAL (
             SELECT seq, at FROM audit_checkpoints AS c
             WHERE c.chain_id = k.chain_id AND c.kind = 'daily'
             ORDER BY seq DESC
             LIMIT 1
         ) AS p ON true",
    )
    .bind(super::INSTALLATION_CHAIN)
    .fetch_all(pool)
    .await
}

/// All chains that have links.
///
/// # Errors
/// Those of the database.
pub async fn chains(pool: &Pool) -> Result<Vec<Uuid>, sqlx::Error> {
    // A loose index scan: one step per chain, however many links there are.
    sqlx::query_scalar(
        "WITH RECURSIVE k AS (
             (SELECT chain_id FROM audit_chain ORDER BY chain_id LIMIT 1)
             UNION ALL
             SELECT (SELECT c.chain_id FROM audit_chain AS c WHERE c.chain_id > k.chain_id ORDER BY c.chain_id LIMIT 1)
             FROM k
             WHERE k.chain_id IS NOT NULL
         )
         SELECT chain_id FROM k WHERE chain_id IS NOT NULL",
    )
    .fetch_all(pool)
    .await
}

/// Keeps a checkpoint.
pub(crate) async fn record_checkpoint(tx: &mut Tx<'_>, checkpoint: &Checkpoint) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit_checkpoints (id, chain_id, kind, seq, hash, events, at, public_key, signature)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new_id())
    .bind(checkpoint.chain_id)
    .bind(checkpoint.kind.as_str())
    .bind(checkpoint.seq)
    .bind(&checkpoint.hash[..])
    .bind(checkpoint.events)
    .bind(checkpoint.at)
    .bind(&checkpoint.public_key[..])
    .bind(&checkpoint.signature[..])
    .execute(&mut **tx)
    .await
    .map(drop)
}

#[derive(sqlx::FromRow)]
struct CheckpointRow {
    kind: String,
    seq: i64,
    hash: Vec<u8>,
    events: i64,
    at: DateTime<Utc>,
    public_key: Vec<u8>,
    signature: Vec<u8>,
}

/// The checkpoints of a chain between two places, and the last one whatever its place.
pub(super) async fn checkpoints(
    pool: &Pool,
    chain_id: Uuid,
    from_seq: i64,
    to_seq: i64,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    let rows: Vec<CheckpointRow> = sqlx::query_as(
        "SELECT kind, seq, hash, events, at, public_key, signature
         FROM audit_checkpoints
         WHERE chain_id = $1
           AND (seq BETWEEN $2 AND $3
                OR seq = (SELECT max(seq) FROM audit_checkpoints WHERE chain_id = $1))
         ORDER BY seq, at",
    )
    .bind(chain_id)
    .bind(from_seq)
    .bind(to_seq)
    .fetch_all(pool)
    .await?;
    let short = |_| sqlx::Error::Decode("a stored checkpoint has a wrong length".into());
    rows.into_iter()
        .map(|row| {
            let kind = if row.kind == "prune" { CheckpointKind::Prune } else { CheckpointKind::Daily };
            Ok(Checkpoint {
                chain_id,
                kind,
                seq: row.seq,
                hash: row.hash.try_into().map_err(short)?,
                events: row.events,
                at: row.at,
                public_key: row.public_key.try_into().map_err(short)?,
                signature: row.signature.try_into().map_err(short)?,
            })
        })
        .collect()
}

/// First and last place of events in a range of time; none when there are none.
pub(super) async fn bounds(
    pool: &Pool,
    chain_id: Uuid,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let found: (Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT min(seq), max(seq) FROM audit_chain WHERE chain_id = $1 AND event_at >= $2 AND event_at < $3",
    )
    .bind(chain_id)
    .bind(from)
    .bind(to)
    .fetch_one(pool)
    .await?;
    Ok(found.0.zip(found.1))
}

/// First place that is left of a chain.
pub(super) async fn first_seq(pool: &Pool, chain_id: Uuid) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT min(seq) FROM audit_chain WHERE chain_id = $1")
        .bind(chain_id)
        .fetch_one(pool)
        .await
}

/// A place of a chain with its event, which may be missing.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) seq: i64,
    pub(super) event_id: Uuid,
    pub(super) event_at: DateTime<Utc>,
    pub(super) prev_hash: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) event: Option<Event>,
}

#[derive(sqlx::FromRow)]
struct PlaceRow {
    seq: i64,
    event_id: Uuid,
    event_at: DateTime<Utc>,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
}

/// Places of a chain after one of them, in order.
pub(super) async fn places(
    pool: &Pool,
    chain_id: Uuid,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<Place>, sqlx::Error> {
    let rows: Vec<PlaceRow> = sqlx::query_as(
        "SELECT seq, event_id, event_at, prev_hash, hash
         FROM audit_chain
         WHERE chain_id = $1 AND seq > $2 AND seq <= $3
         ORDER BY seq
         LIMIT $4",
    )
    .bind(chain_id)
    .bind(after)
    .bind(up_to)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let events: Vec<Event> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS}
         FROM UNNEST($1::uuid[], $2::timestamptz[]) AS w (id, at)
         JOIN audit_events AS e ON e.id = w.id AND e.at = w.at"
    )))
    .bind(rows.iter().map(|row| row.event_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.event_at).collect::<Vec<_>>())
    .fetch_all(pool)
    .await?;
    let mut events: HashMap<Uuid, Event> = events.into_iter().map(|event| (event.id, event)).collect();
    Ok(rows
        .into_iter()
        .map(|row| Place {
            seq: row.seq,
            event_id: row.event_id,
            event_at: row.event_at,
            prev_hash: row.prev_hash,
            hash: row.hash,
            event: events.remove(&row.event_id),
        })
        .collect())
}

/// Sealed events of a chain after a place, in order.
pub(crate) async fn links_between(
    pool: &Pool,
    chain_id: Uuid,
    after: i64,
    limit: i64,
) -> Result<Vec<SealedEvent>, sqlx::Error> {
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT c.seq, c.prev_hash, c.hash, {COLUMNS}
         FROM audit_chain AS c
         JOIN audit_events AS e ON e.id = c.event_id AND e.at = c.event_at
         WHERE c.chain_id = $1 AND c.seq > $2
         ORDER BY c.seq
         LIMIT $3"
    )))
    .bind(chain_id)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Events of a range that have no place, older than `before`.
pub(super) async fn unsealed(
    pool: &Pool,
    chain_id: Uuid,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let org_id = (chain_id != super::INSTALLATION_CHAIN).then_some(chain_id);
    sqlx::query_scalar(
        "SELECT count(*)
         FROM audit_events AS e
         WHERE e.org_id IS NOT DISTINCT FROM $1 AND e.at >= $2 AND e.at < $3
           AND NOT EXISTS (SELECT 1 FROM audit_chain AS c WHERE c.event_id = e.id)",
    )
    .bind(org_id)
    .bind(from)
    .bind(to)
    .fetch_one(pool)
    .await
}
