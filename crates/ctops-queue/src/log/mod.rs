//! The embedded log: durable topics in local files for the profile that runs in one process (deployment 2).
//!
//! A publisher leaves its record in memory and waits. One thread stores everything that arrived in the meantime with one
//! write and one sync per touched segment, then wakes the publishers. Readers follow the durable end. Room in memory and
//! on disk is bounded: a publisher that finds no room waits, nothing acknowledged is dropped.
//!
//! Invariants: an acknowledged record is on disk; readers see durable records only; a commit group begins after the one
//! before it is durable; nothing unreadable is skipped; a directory has one user.

mod cursor;
mod directory;
mod disk;
mod frame;
mod inbox;
mod options;
mod reader;
mod recovery;
mod segment;
mod subscription;
#[cfg(test)]
mod tests;
mod topic_log;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use ctops_base::clock::Clock;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

pub use self::options::LogOptions;

use self::directory::Directory;
use self::disk::{Disk, LocalDisk};
use self::frame::MAX_RECORD_BYTES;
use self::inbox::{Entry, Inbox, Records};
use self::segment::HEADER_BYTES;
use self::subscription::LogSubscription;
use self::topic_log::TopicLog;
use self::writer::{Lane, Writer};
use crate::queue::{Health, PublishError, Queue, QueueError, Subscription};
use crate::topic::Topic;

/// Most records of one [`Queue::publish_many`] call that are stored together.
const MAX_PIECE_RECORDS: usize = 1_000;
/// Most bytes of one [`Queue::publish_many`] call that are stored together, unless a single record is larger.
const MAX_PIECE_BYTES: usize = 1024 * 1024;

/// An open embedded log. Dropping or closing it stores what was published, then frees the directory.
pub struct Log {
    topics: HashMap<Topic, usize>,
    logs: Vec<Arc<TopicLog>>,
    inbox: Arc<Inbox>,
    log_id: Arc<str>,
    closed: CancellationToken,
    subscriptions: AtomicU64,
    options: LogOptions,
    /// Both are given up together by `stop`: the directory must stay locked while the writer lives.
    running: Mutex<Option<(JoinHandle<()>, Directory)>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("log_id", &self.log_id).finish_non_exhaustive()
    }
}

impl Log {
    /// Opens the log in `options.directory`, creating it if there is none, and repairs what a crash left.
    ///
    /// # Errors
    /// [`QueueError::Locked`] when another process has it open, [`QueueError::Corrupt`] when durable records are
    /// damaged, [`QueueError::Options`] or [`QueueError::Directory`] when it cannot be used as asked, or a failure of
    /// the storage.
    pub async fn open(options: LogOptions, clock: Clock) -> Result<Self, QueueError> {
        let open = move || Self::open_on(Arc::new(LocalDisk), options, clock);
        tokio::task::spawn_blocking(open)
            .await
            .map_err(|error| QueueError::Storage { action: "open the queue", source: Arc::new(error) })?
    }

    fn open_on(disk: Arc<dyn Disk>, options: LogOptions, clock: Clock) -> Result<Self, QueueError> {
        options.check()?;
        let directory = directory::open(&options.directory)?;
        let log_id = directory.log_id;
        let mut logs = Vec::with_capacity(options.topics.len());
        let mut lanes = Vec::with_capacity(options.topics.len());
        for &topic in &options.topics {
            let path = options.directory.join(topic.name());
            let found = recovery::recover(disk.as_ref(), &path, topic, log_id, options.segment_bytes)?;
            let log =
                TopicLog::new(topic, path, options.max_pending_bytes, found.segments, found.next_offset);
            let log = Arc::new(log);
            for (_, group) in options.groups.iter().filter(|(of, _)| *of == topic) {
                log.register(group);
            }
            lanes.push(Lane::new(Arc::clone(&log), found.tail, found.next_offset));
            logs.push(log);
        }
        let inbox = Arc::new(Inbox::new(logs.len()));
        let closed = CancellationToken::new();
        let guard = CloseGuard { inbox: Arc::clone(&inbox), logs: logs.clone(), closed: closed.clone() };
        let writer = Writer {
            inbox: Arc::clone(&inbox),
            disk,
            clock,
            log_id,
            segment_bytes: options.segment_bytes,
            max_bytes: options.max_bytes,
            lanes,
        };
        let thread = std::thread::Builder::new().name("queue-writer".into()).spawn(move || {
            let _guard = guard;
            writer.run();
        });
        let thread = thread.map_err(QueueError::storage("start the queue writer"))?;
        Ok(Self {
            topics: options.topics.iter().enumerate().map(|(index, topic)| (*topic, index)).collect(),
            logs,
            inbox,
            log_id: log_id.to_string().into(),
            closed,
            subscriptions: AtomicU64::new(0),
            options,
            running: Mutex::new(Some((thread, directory))),
        })
    }

    /// Random identity, made when the directory was first used. A replaced directory has another one.
    pub fn log_id(&self) -> &Arc<str> {
        &self.log_id
    }

    /// Stores what was published, ends all subscriptions and frees the directory. Publishers that wait for space get
    /// [`PublishError::Closed`].
    pub async fn close(self: Arc<Self>) {
        // A join error would mean that stopping panicked; there is nothing left to stop then.
        let _ = tokio::task::spawn_blocking(move || self.stop()).await;
    }

    fn stop(&self) {
        self.inbox.close();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((thread, directory)) = running {
            if thread.join().is_err() {
                tracing::error!("The queue writer panicked");
            }
            drop(directory);
        }
    }

    /// Waits for room in memory, leaves the records for the writer and waits until they are durable.
    async fn store(&self, lane: usize, records: Records) -> Result<(), PublishError> {
        let budget = Arc::clone(&self.logs[lane].budget);
        let room = self.options.room_for(records.as_slice().len(), records.frame_bytes());
        let room = budget.acquire_many_owned(room).await.map_err(|_| PublishError::Closed)?;
        let (done, stored) = oneshot::channel();
        self.inbox.push(lane, Entry { records, done, _room: room });
        stored.await.unwrap_or(Err(PublishError::Closed))
    }

    fn lane(&self, topic: Topic) -> Result<usize, PublishError> {
        self.topics.get(&topic).copied().ok_or(PublishError::UnknownTopic(topic))
    }

    fn check_size(&self, topic: Topic, key: &Bytes, payload: &Bytes) -> Result<(), PublishError> {
        let limit = MAX_RECORD_BYTES.min(self.options.largest_in_segment());
        let size = key.len() + payload.len();
        if size > limit { Err(PublishError::TooLarge { topic, size, limit }) } else { Ok(()) }
    }
}

#[async_trait]
impl Queue for Log {
    fn partitions(&self, topic: Topic) -> u32 {
        u32::from(self.topics.contains_key(&topic))
    }

    fn health(&self) -> Health {
        if self.closed.is_cancelled() {
            return Health::Unavailable;
        }
        let states: Vec<Health> = self.logs.iter().map(|log| log.health()).collect();
        let worst = [Health::Unavailable, Health::Full].into_iter().find(|health| states.contains(health));
        worst.unwrap_or(Health::Ready)
    }

    async fn publish(&self, topic: Topic, key: Bytes, payload: Bytes) -> Result<(), PublishError> {
        let lane = self.lane(topic)?;
        self.check_size(topic, &key, &payload)?;
        self.store(lane, Records::One([(key, payload)])).await
    }

    async fn publish_many(&self, topic: Topic, records: Vec<(Bytes, Bytes)>) -> Result<(), PublishError> {
        let lane = self.lane(topic)?;
        for (key, payload) in &records {
            self.check_size(topic, key, payload)?;
        }
        let most_bytes = MAX_PIECE_BYTES.min((self.options.segment_bytes - HEADER_BYTES) as usize);
        let mut piece = Vec::new();
        let mut bytes = 0;
        for (key, payload) in records {
            let size = frame::OVERHEAD_BYTES + key.len() + payload.len();
            if !piece.is_empty() && (bytes + size > most_bytes || piece.len() == MAX_PIECE_RECORDS) {
                self.store(lane, Records::Many(std::mem::take(&mut piece))).await?;
                bytes = 0;
            }
            bytes += size;
            piece.push((key, payload));
        }
        if piece.is_empty() { Ok(()) } else { self.store(lane, Records::Many(piece)).await }
    }

    async fn subscribe(
        &self,
        group: &'static str,
        topic: Topic,
    ) -> Result<Box<dyn Subscription>, QueueError> {
        let lane = self.topics.get(&topic).ok_or(QueueError::UnknownTopic(topic))?;
        if self.closed.is_cancelled() {
            return Err(QueueError::Closed);
        }
        let log = Arc::clone(&self.logs[*lane]);
        log.register(group);
        let id = self.subscriptions.fetch_add(1, Ordering::Relaxed);
        let (log_id, inbox) = (Arc::clone(&self.log_id), Arc::clone(&self.inbox));
        Ok(Box::new(LogSubscription::new(id, group, log, log_id, inbox, self.closed.clone())))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends all waiting when the writer thread ends, whatever the reason, so that nobody waits for it in vain.
struct CloseGuard {
    inbox: Arc<Inbox>,
    logs: Vec<Arc<TopicLog>>,
    closed: CancellationToken,
}

impl Drop for CloseGuard {
    fn drop(&mut self) {
        self.inbox.close();
        self.inbox.clear();
        self.logs.iter().map(|log| log.budget.as_ref()).for_each(Semaphore::close);
        self.closed.cancel();
    }
}
