//! Records that a consumer group put aside: seen, asked to be replayed, discarded.
//!
//! A letter belongs to the group that could not apply it; the other groups of its topic have applied the record. A replay
//! therefore hands it to that group's handler again, in the transaction that marks it, so it is applied once. A letter
//! whose key is a host belongs to that host's organisation.

mod replay;

use chrono::{DateTime, Utc};
use ctops_base::{Page, PageRequest};
use ctops_pg::{Pool, Tx};
use sqlx::{FromRow, Row};
use uuid::Uuid;

pub use self::replay::{Replays, replay_requested};

/// A record that was put aside, without its payload.
#[derive(Clone, Debug, FromRow)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// The consumer group that could not apply it.
    #[sqlx(rename = "group_name")]
    pub group: String,
    /// Where it came from.
    pub topic: String,
    /// Which part of the topic.
    pub partition: i32,
    /// Identity of the log that gave the offset.
    pub log_id: String,
    /// Place in the partition.
    pub offset: i64,
    /// What the record is about.
    pub key: Vec<u8>,
    /// Size of the payload, bytes.
    pub payload_bytes: i32,
    /// What was wrong with it the last time.
    pub reason: String,
    /// How often it was refused.
    pub refusals: i32,
    /// When it was put aside.
    pub parked_at: DateTime<Utc>,
    /// When somebody asked for it to be applied again.
    pub replay_requested_at: Option<DateTime<Utc>>,
    /// When it was applied after all.
    pub replayed_at: Option<DateTime<Utc>>,
}

/// How far a letter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterStatus {
    /// Nobody has decided yet, or a replay was refused again.
    Waiting,
    /// A replay was asked for and comes within seconds.
    Requested,
    /// It was applied.
    Replayed,
}

impl LetterStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Requested, Self::Replayed];

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Requested => "requested",
            Self::Replayed => "replayed",
        }
    }
}

impl DeadLetter {
    /// How far it is.
    pub fn status(&self) -> LetterStatus {
        match (self.replayed_at, self.replay_requested_at) {
            (Some(_), _) => LetterStatus::Replayed,
            (None, Some(_)) => LetterStatus::Requested,
            (None, None) => LetterStatus::Waiting,
        }
    }
}

/// Whose letters are meant.
#[derive(Clone, Copy, Debug)]
pub enum LettersOf {
    /// Those of an organisation's hosts, and those that belong to no host.
    Organisation(Uuid),
    /// All: for the operator of the installation.
    Everybody,
}

impl LettersOf {
    fn org_id(self) -> Option<Uuid> {
        match self {
            Self::Organisation(id) => Some(id),
            Self::Everybody => None,
        }
    }
}

/// A page of letters, newest first.
///
/// # Errors
/// Whatever the database says.
pub async fn list(
    pool: &Pool,
    whose: LettersOf,
    status: Option<LetterStatus>,
    page: PageRequest,
) -> Result<Page<DeadLetter>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, group_name, topic, partition, log_id, \"offset\", key, octet_length(payload) AS payload_bytes,
                reason, refusals, parked_at, replay_requested_at, replayed_at, count(*) OVER () AS total
           FROM dead_letters
          WHERE ($1::uuid IS NULL OR NOT EXISTS (
                    SELECT 1 FROM hosts
                     WHERE hosts.org_id <> $1
                       AND hosts.id = CASE WHEN octet_length(key) = 16 THEN encode(key, 'hex')::uuid END))
            AND ($2::text IS NULL OR $2 = CASE WHEN replayed_at IS NOT NULL THEN 'replayed'
                                               WHEN replay_requested_at IS NOT NULL THEN 'requested'
                                               ELSE 'waiting' END)
          ORDER BY id DESC
          LIMIT $3 OFFSET $4",
    )
    .bind(whose.org_id())
    .bind(status.map(LetterStatus::as_str))
    .bind(page.limit())
    .bind(page.offset())
    .fetch_all(pool)
    .await?;
    let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
    let items = rows.iter().map(DeadLetter::from_row).collect::<Result<_, _>>()?;
    Ok(Page { items, total, request: page })
}

/// One letter and at most `payload_bytes` of its payload.
///
/// # Errors
/// Whatever the database says.
pub async fn get(
    pool: &Pool,
    whose: LettersOf,
    id: i64,
    payload_bytes: i32,
) -> Result<Option<(DeadLetter, Vec<u8>)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT id, group_name, topic, partition, log_id, \"offset\", key, octet_length(payload) AS payload_bytes,
                reason, refusals, parked_at, replay_requested_at, replayed_at, substring(payload FOR $3) AS beginning
           FROM dead_letters
          WHERE id = $1
            AND ($2::uuid IS NULL OR NOT EXISTS (
                    SELECT 1 FROM hosts
                     WHERE hosts.org_id <> $2
                       AND hosts.id = CASE WHEN octet_length(key) = 16 THEN encode(key, 'hex')::uuid END))",
    )
    .bind(id)
    .bind(whose.org_id())
    .bind(payload_bytes)
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok((DeadLetter::from_row(&row)?, row.try_get("beginning")?))).transpose()
}

/// Asks for a letter to be applied again. `false` when it is not waiting (any more). The caller has found out whose it is.
///
/// # Errors
/// Whatever the database says.
pub async fn request_replay(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE dead_letters
            SET replay_requested_at = $2
          WHERE id = $1 AND replay_requested_at IS NULL AND replayed_at IS NULL",
    )
    .bind(id)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets a letter. `false` when there is none. The caller has found out whose it is.
///
/// # Errors
/// Whatever the database says.
pub async fn discard(tx: &mut Tx<'_>, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM dead_letters WHERE id = $1").bind(id).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets letters that were replayed before a time; returns how many.
///
/// # Errors
/// Whatever the database says.
pub async fn forget_replayed(pool: &Pool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM dead_letters WHERE replayed_at < $1").bind(before).execute(pool).await?;
    Ok(done.rows_affected())
}

/// Letters that nobody has decided about, by group and topic.
///
/// # Errors
/// Whatever the database says.
pub async fn count_waiting(pool: &Pool) -> Result<Vec<(String, String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT group_name, topic, count(*)
           FROM dead_letters
          WHERE replayed_at IS NULL
          GROUP BY group_name, topic
          ORDER BY group_name, topic",
    )
    .fetch_all(pool)
    .await
}
