//! Moves what is not applied yet from one queue into another, while no server runs.
//!
//! For each topic: the end of the target is written down first, then every record that the consumers of the topic have not
//! applied is published, the counts are compared, and one transaction moves the consumers' offsets to the place that was
//! written down. A run that was cut off is repeated: records of a key keep their order, so what the target already holds
//! of a key is the beginning of what is to be moved of it, and is left out.

mod reader;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use ctops_base::clock::Clock;
use ctops_pg::Pool;

use self::reader::Reader;
use crate::offsets::{self, Place};
use crate::queue::{Health, Position, PublishError, Queue, QueueError};
use crate::topic::Topic;

/// The group that reads and writes down where the target began.
const GROUP: &str = "migrate-profile";
/// Most records published together.
const PIECE: usize = 1_000;
/// How long a full target may keep the records of a piece waiting. Nobody consumes from it, so it stays full.
const FULL_LIMIT: Duration = Duration::from_secs(2);

/// What was moved of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// The topic.
    pub topic: Topic,
    /// Records that its consumers had not applied.
    pub pending: u64,
    /// Of these, records that an earlier run had moved.
    pub found: u64,
    /// Of these, records moved by this run.
    pub published: u64,
    /// Whether the consumers had been moved by an earlier run, so that nothing was left to do.
    pub was_done: bool,
}

/// Why records could not be moved. Nothing is lost: the old queue still has everything, and the run can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The groups of a topic have applied different records; only together can they continue elsewhere.
    #[error(
        "{behind} of {topic} is behind {ahead}; let the server run until both are up to date, then try again"
    )]
    Uneven {
        /// The topic.
        topic: Topic,
        /// A group that has applied more.
        ahead: &'static str,
        /// A group that has applied less.
        behind: &'static str,
    },
    /// The numbers of records do not match; the consumers were left where they are.
    #[error(
        "{topic} has {moved} records in the new queue where {pending} are expected; does a server still run?"
    )]
    Count {
        /// The topic.
        topic: Topic,
        /// Records to be moved.
        pending: u64,
        /// Records found in the target.
        moved: u64,
    },
    /// The target takes no more records.
    #[error("the new queue has no room for the records of {0}; raise CT_OPS_QUEUE_MAX_SIZE and try again")]
    Full(Topic),
    /// A queue failed.
    #[error("a queue failed")]
    Queue(#[from] QueueError),
    /// The target did not take records.
    #[error("the new queue does not take records")]
    Publish(#[from] PublishError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Moves every topic of `consumers`, which are pairs of topic and group. No server may use either queue meanwhile.
///
/// # Errors
/// See [`TransferError`]; topics before the one that failed are moved.
pub async fn transfer(
    pool: &Pool,
    clock: &Clock,
    from: &dyn Queue,
    to: &dyn Queue,
    consumers: &[(Topic, &'static str)],
) -> Result<Vec<Transferred>, TransferError> {
    let mut groups: BTreeMap<Topic, Vec<&'static str>> = BTreeMap::new();
    for (topic, group) in consumers {
        groups.entry(*topic).or_default().push(group);
    }
    let mut moved = Vec::new();
    for (topic, groups) in groups {
        // Boxed: the future holds two readers and a transaction.
        moved.push(Box::pin(move_topic(pool, clock, from, to, topic, &groups)).await?);
    }
    Ok(moved)
}

async fn move_topic(
    pool: &Pool,
    clock: &Clock,
    from: &dyn Queue,
    to: &dyn Queue,
    topic: Topic,
    groups: &[&'static str],
) -> Result<Transferred, TransferError> {
    let mut target = Reader::join(to, topic, GROUP).await?;
    if is_done(pool, topic, groups, &target).await? {
        return Ok(Transferred { topic, pending: 0, found: 0, published: 0, was_done: true });
    }
    let baseline = note_baseline(pool, clock.now(), topic, &target).await?;
    let mut found: HashMap<Bytes, u64> = HashMap::new();
    target.start(&baseline).await?;
    target.read(|record| *found.entry(record.key).or_default() += 1).await?;
    let already = found.values().sum();

    let mut source = Reader::join(from, topic, GROUP).await?;
    let starts = starts(pool, topic, groups, &mut source).await?;
    source.start(&starts).await?;
    let pending = source.pending();
    let mut published = 0;
    while source.pending() > 0 {
        let mut piece = Vec::new();
        for record in source.some(PIECE).await? {
            match found.get_mut(&record.key).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => piece.push((record.key, record.payload)),
            }
        }
        published += piece.len() as u64;
        publish(to, topic, piece).await?;
    }
    target.refresh().await?;
    target.start(&baseline).await?;
    let mut moved = 0;
    target.read(|_| moved += 1).await?;
    if moved != pending {
        return Err(TransferError::Count { topic, pending, moved });
    }
    switch(pool, clock.now(), topic, groups, &baseline).await?;
    Ok(Transferred { topic, pending, found: already, published, was_done: false })
}

/// Whether all groups continue in the target already.
async fn is_done(
    pool: &Pool,
    topic: Topic,
    groups: &[&'static str],
    target: &Reader,
) -> Result<bool, sqlx::Error> {
    for group in groups {
        for (partition, end) in target.ends() {
            let stored = offsets::load(pool, Place { group, topic, partition }).await?;
            if stored.is_none_or(|stored| stored.log_id != end.log_id) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Where the target ended before anything was moved: as an earlier run wrote down, else as it is now.
async fn note_baseline(
    pool: &Pool,
    now: DateTime<Utc>,
    topic: Topic,
    target: &Reader,
) -> Result<BTreeMap<u32, Position>, sqlx::Error> {
    let ends = target.ends();
    let mut noted = BTreeMap::new();
    for (partition, end) in &ends {
        let stored = offsets::load(pool, Place { group: GROUP, topic, partition: *partition }).await?;
        if let Some(stored) = stored.filter(|stored| stored.log_id == end.log_id) {
            noted.insert(*partition, stored);
        }
    }
    if noted.len() == ends.len() {
        return Ok(noted);
    }
    let mut tx = pool.begin().await?;
    offsets::replace(&mut tx, &[GROUP], topic, &ends, now).await?;
    tx.commit().await?;
    Ok(ends)
}

/// Where each partition of the source is to be read from: where its groups are.
async fn starts(
    pool: &Pool,
    topic: Topic,
    groups: &[&'static str],
    source: &mut Reader,
) -> Result<BTreeMap<u32, Position>, TransferError> {
    let mut starts = BTreeMap::new();
    for partition in source.partitions() {
        let mut first: Option<(&'static str, Position)> = None;
        for &group in groups {
            let stored = offsets::load(pool, Place { group, topic, partition }).await?;
            let start = source.place_of(partition, stored.as_ref()).await?;
            match &first {
                None => first = Some((group, start)),
                Some((_, known)) if *known == start => {}
                Some((other, known)) => {
                    let other_is_ahead = known.next_offset > start.next_offset;
                    let (ahead, behind) = if other_is_ahead { (*other, group) } else { (group, *other) };
                    return Err(TransferError::Uneven { topic, ahead, behind });
                }
            }
        }
        if let Some((_, start)) = first {
            starts.insert(partition, start);
        }
    }
    Ok(starts)
}

async fn publish(to: &dyn Queue, topic: Topic, piece: Vec<(Bytes, Bytes)>) -> Result<(), TransferError> {
    if piece.is_empty() {
        return Ok(());
    }
    let publishing = to.publish_many(topic, piece);
    tokio::pin!(publishing);
    loop {
        match tokio::time::timeout(FULL_LIMIT, &mut publishing).await {
            Ok(outcome) => return Ok(outcome?),
            Err(_) if to.health() == Health::Full => return Err(TransferError::Full(topic)),
            Err(_) => {}
        }
    }
}

/// From here on the groups continue in the target.
async fn switch(
    pool: &Pool,
    now: DateTime<Utc>,
    topic: Topic,
    groups: &[&'static str],
    baseline: &BTreeMap<u32, Position>,
) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    offsets::replace(&mut tx, groups, topic, baseline, now).await?;
    offsets::replace(&mut tx, &[GROUP], topic, &BTreeMap::new(), now).await?;
    tx.commit().await
}
