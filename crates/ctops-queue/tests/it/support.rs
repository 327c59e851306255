//! Reading a queue to a known point.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ctops_base::clock::Clock;
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{BatchLimits, Delivery, Position, Queue, Record, Subscription, Topic};
use tokio::time::timeout;

/// How long anything may take before a test gives up.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Small batches without waiting.
pub(crate) fn quick() -> BatchLimits {
    BatchLimits {
        max_records: 100,
        max_wait: Duration::ZERO,
        max_idle: Duration::from_millis(50),
        ..BatchLimits::default()
    }
}

/// A log whose segments hold 64 KiB.
pub(crate) fn small(directory: &Path, topics: &[Topic]) -> LogOptions {
    LogOptions {
        segment_bytes: 64 * 1024,
        max_bytes: 1024 * 1024 * 1024,
        topics: topics.to_vec(),
        ..LogOptions::new(directory)
    }
}

pub(crate) async fn open(options: LogOptions) -> Arc<Log> {
    Arc::new(Log::open(options, Clock::system()).await.unwrap())
}

pub(crate) async fn publish(queue: &dyn Queue, topic: Topic, key: &str, payload: impl Into<String>) {
    let (key, payload) = (Bytes::from(key.to_owned()), Bytes::from(payload.into()));
    timeout(LIMIT, queue.publish(topic, key, payload)).await.unwrap().unwrap();
}

/// A member of a group that keeps what it gets. New partitions are read from where `from` says.
pub(crate) struct Member {
    pub(crate) subscription: Box<dyn Subscription>,
    pub(crate) from: Option<Position>,
    pub(crate) partitions: Vec<u32>,
    /// The first offset of each partition that has not come yet.
    next: BTreeMap<u32, u64>,
    pub(crate) records: Vec<(u32, Record)>,
}

impl Member {
    pub(crate) async fn join(queue: &dyn Queue, group: &'static str, topic: Topic) -> Self {
        let subscription = queue.subscribe(group, topic).await.unwrap();
        Self { subscription, from: None, partitions: Vec::new(), next: BTreeMap::new(), records: Vec::new() }
    }

    /// One step; the number of records it brought.
    pub(crate) async fn step(&mut self, limits: &BatchLimits) -> usize {
        match timeout(LIMIT, self.subscription.next_batch(limits)).await.unwrap().unwrap() {
            Delivery::Assigned(partitions) => {
                for partition in partitions {
                    let started = self.subscription.seek(partition, self.from.as_ref()).await.unwrap();
                    self.next.insert(partition, started.position.next_offset);
                    self.partitions.push(partition);
                }
                0
            }
            Delivery::Revoked(partitions) => {
                self.partitions.retain(|partition| !partitions.contains(partition));
                self.next.retain(|partition, _| !partitions.contains(partition));
                0
            }
            Delivery::Batch(batch) => {
                let count = batch.records.len();
                assert!(count > 0, "a batch is never empty");
                self.next.insert(batch.partition, batch.records[count - 1].offset + 1);
                self.records.extend(batch.records.into_iter().map(|record| (batch.partition, record)));
                count
            }
            Delivery::Idle => 0,
        }
    }

    /// Reads until there are this many records in all.
    pub(crate) async fn read(&mut self, count: usize) -> &[(u32, Record)] {
        let reading = async {
            while self.records.len() < count {
                self.step(&quick()).await;
            }
        };
        timeout(LIMIT, reading).await.unwrap();
        &self.records
    }

    /// Reads until the queue has nothing more to give.
    pub(crate) async fn read_all(&mut self) -> Vec<String> {
        let reading =
            async { while self.step(&quick()).await > 0 || self.partitions.is_empty() || self.lag() > 0 {} };
        timeout(LIMIT, reading).await.unwrap();
        self.payloads()
    }

    /// Records of its partitions that have not come yet.
    pub(crate) fn lag(&self) -> u64 {
        self.next.iter().map(|(partition, next)| self.subscription.lag(*partition, *next)).sum()
    }

    pub(crate) fn payloads(&self) -> Vec<String> {
        self.records.iter().map(|(_, record)| text(&record.payload)).collect()
    }

    /// Payloads of one key in the order they came.
    pub(crate) fn payloads_of(&self, key: &str) -> Vec<String> {
        let of_key = self.records.iter().filter(|(_, record)| record.key == key.as_bytes());
        of_key.map(|(_, record)| text(&record.payload)).collect()
    }
}

pub(crate) fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `0..count` as text.
pub(crate) fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}
