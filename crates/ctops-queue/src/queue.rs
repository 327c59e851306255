//! The contract between those who publish or consume and whatever carries the records.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::topic::Topic;

/// The error behind a [`PublishError`] or [`QueueError`], shared by all who were hit by it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Largest record a queue takes, bytes of key and payload: twice the largest heartbeat an agent may send.
pub(crate) const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

/// One record as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in its partition; grows, but need not be dense.
    pub offset: u64,
    /// What the record is about. Records of one key keep their order.
    pub key: Bytes,
    /// The message itself.
    pub payload: Bytes,
    /// When the queue took it, milliseconds since the Unix epoch.
    pub appended_at_ms: i64,
}

/// Consecutive records of one partition.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where the records are from.
    pub topic: Topic,
    /// Which part of the topic.
    pub partition: u32,
    /// Identity of the log that gave the offsets.
    pub log_id: Arc<str>,
    /// At least one record, in offset order.
    pub records: Vec<Record>,
}

/// A place in one particular log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Identity of the log that gave the offset; a replaced log has another one.
    pub log_id: Arc<str>,
    /// The first offset not handled yet.
    pub next_offset: u64,
}

/// Where reading of a partition really began after [`Subscription::seek`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The place of the first record that will be delivered.
    pub position: Position,
    /// How the place came about.
    pub origin: Origin,
}

/// How the first position of a consumer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// There was no position: the log's beginning.
    Fresh,
    /// Exactly the position asked for.
    Resumed,
    /// The position belongs to another log, so the queue was replaced: the log's beginning.
    OtherLog,
    /// The log ends before the position, so the queue was put back to an older state: the log's beginning.
    BeyondEnd,
    /// Records between the position and the log's beginning are gone, so the database is older than the queue.
    Expired {
        /// How many offsets are missing.
        missing: u64,
    },
}

impl Origin {
    /// Where to begin in a log of this identity that holds the offsets from `begin` up to `end`.
    pub(crate) fn of(position: Option<&Position>, log_id: &str, begin: u64, end: u64) -> (u64, Self) {
        match position {
            None => (begin, Self::Fresh),
            Some(position) if *position.log_id != *log_id => (begin, Self::OtherLog),
            Some(position) if position.next_offset > end => (begin, Self::BeyondEnd),
            Some(position) if position.next_offset < begin => {
                (begin, Self::Expired { missing: begin - position.next_offset })
            }
            Some(position) => (position.next_offset, Self::Resumed),
        }
    }
}

/// What [`Subscription::next_batch`] came back with.
#[derive(Debug)]
pub enum Delivery {
    /// Records to handle.
    Batch(Batch),
    /// These partitions belong to this subscription from now on. Nothing is delivered from them before `seek`.
    Assigned(Vec<u32>),
    /// These partitions now belong to somebody else: forget what is known about them.
    Revoked(Vec<u32>),
    /// Nothing arrived for [`BatchLimits::max_idle`].
    Idle,
}

/// How large a batch may become and how long it may take to gather.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Most records in a batch.
    pub max_records: usize,
    /// A batch is closed by the record that reaches this many bytes of keys and payloads.
    pub max_bytes: usize,
    /// How long a batch stays open after its first record was there.
    pub max_wait: Duration,
    /// How long to wait for a first record before reporting [`Delivery::Idle`].
    pub max_idle: Duration,
}

impl Default for BatchLimits {
    /// 5,000 records, 8 MiB or 200 ms: large enough that the cost of a transaction disappears, and small enough for
    /// memory and for a user who watches.
    fn default() -> Self {
        Self {
            max_records: 5_000,
            max_bytes: 8 * 1024 * 1024,
            max_wait: Duration::from_millis(200),
            max_idle: Duration::from_secs(1),
        }
    }
}

/// Whether the queue takes records right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Publishing works.
    Ready,
    /// The size cap is reached for a topic: publishers wait until consumers free space.
    Full,
    /// The last attempt to store something failed: publishers get errors.
    Unavailable,
}

/// Why a record was not accepted. The record may be published again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PublishError {
    /// Never acceptable.
    #[error("record for {topic} has {size} bytes, at most {limit}")]
    TooLarge {
        /// Where it was meant to go.
        topic: Topic,
        /// Bytes of key and payload.
        size: usize,
        /// The limit that was hit.
        limit: usize,
    },
    /// This queue does not carry the topic.
    #[error("topic {0} is not carried by this queue")]
    UnknownTopic(Topic),
    /// The storage or the broker refused. Nothing was acknowledged; whether it was stored is not known.
    #[error("the queue cannot store records of {topic}")]
    Unavailable {
        /// Where it was meant to go.
        topic: Topic,
        /// What the storage said.
        #[source]
        source: Cause,
    },
    /// The queue is being shut down.
    #[error("the queue is closed")]
    Closed,
}

/// Why the queue could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Another process has the queue directory open.
    #[error("the queue directory is in use by another process ({holder})")]
    Locked {
        /// What the holder wrote about itself.
        holder: String,
    },
    /// Stored records are damaged where they must not be. Nothing is skipped.
    #[error("topic {topic} is damaged at offset {offset} (segment {segment}, byte {byte}): {detail}")]
    Corrupt {
        /// The topic.
        topic: Topic,
        /// First offset that cannot be read.
        offset: u64,
        /// Base offset of the segment, which is its file name.
        segment: u64,
        /// Place in the segment file.
        byte: u64,
        /// What is wrong.
        detail: String,
    },
    /// The directory is not one of ours, or is incomplete.
    #[error("the queue directory cannot be used: {0}")]
    Directory(String),
    /// The options contradict each other.
    #[error("queue options: {0}")]
    Options(String),
    /// This queue does not carry the topic.
    #[error("topic {0} is not carried by this queue")]
    UnknownTopic(Topic),
    /// The partition is not assigned to this subscription.
    #[error("partition {partition} of {topic} is not assigned here")]
    NotAssigned {
        /// The topic.
        topic: Topic,
        /// The partition asked for.
        partition: u32,
    },
    /// The storage or the broker failed.
    #[error("could not {action}")]
    Storage {
        /// What was tried.
        action: &'static str,
        /// What the storage said.
        #[source]
        source: Cause,
    },
    /// The queue is being shut down.
    #[error("the queue is closed")]
    Closed,
}

impl QueueError {
    /// Wraps an error of the storage, saying what was tried.
    pub(crate) fn storage(action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Storage { action, source: Arc::new(error) }
    }
}

/// Carries records from publishers to groups of consumers.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Into how many parts the topic is cut; 0 when the topic is not carried.
    fn partitions(&self, topic: Topic) -> u32;

    /// Whether records are accepted right now.
    fn health(&self) -> Health;

    /// Stores one record. Resolves when the record is durable; waits while the queue is full.
    ///
    /// # Errors
    /// See [`PublishError`]. A dropped future leaves open whether the record was stored.
    async fn publish(&self, topic: Topic, key: Bytes, payload: Bytes) -> Result<(), PublishError>;

    /// Stores records in the given order. Resolves when all are durable.
    ///
    /// # Errors
    /// As for [`Queue::publish`]; a part of the records, from the first on, may have been stored.
    async fn publish_many(&self, topic: Topic, records: Vec<(Bytes, Bytes)>) -> Result<(), PublishError>;

    /// Joins a group. Each record goes to one subscription of every group.
    ///
    /// # Errors
    /// [`QueueError::UnknownTopic`], [`QueueError::Closed`] or a failure of the storage.
    async fn subscribe(&self, group: &'static str, topic: Topic)
    -> Result<Box<dyn Subscription>, QueueError>;
}

/// One consumer of a group. Dropping it leaves the group.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next thing to do. Safe to cancel: a batch that was not returned is delivered again.
    ///
    /// # Errors
    /// [`QueueError::Corrupt`] stays until somebody repairs the queue; the others may pass.
    async fn next_batch(&mut self, limits: &BatchLimits) -> Result<Delivery, QueueError>;

    /// Says where to read an assigned partition from; `None` means from the log's beginning.
    ///
    /// # Errors
    /// [`QueueError::NotAssigned`] when the partition was never assigned or has been revoked.
    async fn seek(&mut self, partition: u32, position: Option<&Position>) -> Result<Started, QueueError>;

    /// Tells the queue that everything before `next_offset` is safely in the database, so that it may be dropped.
    ///
    /// # Errors
    /// [`QueueError::NotAssigned`] when the partition was never assigned or has been revoked.
    async fn committed(&mut self, partition: u32, next_offset: u64) -> Result<(), QueueError>;

    /// How many records were last known to lie at or after `next_offset`.
    fn lag(&self, partition: u32, next_offset: u64) -> u64;
}
