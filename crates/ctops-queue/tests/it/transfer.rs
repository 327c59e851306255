//! Records move from one queue into another: all of them, once, also when the move is cut off.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ctops_base::clock::Clock;
use ctops_pg::Pool;
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{
    Health, PublishError, Queue, QueueError, Subscription, Topic, TransferError, Transferred, transfer,
};
use ctops_testkit::TestDb;
use tempfile::TempDir;

use crate::applier::{Applier, Consumer, Then, applied, database, until_applied};
use crate::brokers::Brokers;
use crate::support::{open, small};

const TOPIC: Topic = Topic::METRICS_RAW;
const CONSUMERS: [(Topic, &str); 2] = [(TOPIC, "metrics"), (Topic::AGENT_STATUS, "events")];

async fn publish(queue: &dyn Queue, numbers: std::ops::Range<usize>) {
    let record =
        |number: usize| (Bytes::from(format!("host {}", number % 7)), Bytes::from(number.to_string()));
    queue.publish_many(TOPIC, numbers.map(record).collect()).await.unwrap();
}

/// Applies what the queue has until there are `count` rows.
async fn apply(queue: Arc<dyn Queue>, pool: &Pool, count: usize) {
    let consumer = Consumer::on(queue, pool, &Applier::new(|_| Then::Commit));
    until_applied(pool, count).await;
    consumer.stop().await;
}

async fn move_all(pool: &Pool, from: &dyn Queue, to: &dyn Queue) -> Result<Vec<Transferred>, TransferError> {
    transfer(pool, &Clock::system(), from, to, &CONSUMERS).await
}

fn moved(found: u64, published: u64) -> Vec<Transferred> {
    let of = |topic, found, published| {
        let pending = found + published;
        Transferred { topic, pending, found, published, was_done: false }
    };
    vec![of(Topic::AGENT_STATUS, 0, 0), of(TOPIC, found, published)]
}

/// Everything once, and the numbers of each key in their order.
async fn check(pool: &Pool, count: usize) {
    let mut by_key: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for number in applied(pool).await {
        let number: usize = number.parse().unwrap();
        by_key.entry(number % 7).or_default().push(number);
    }
    for (key, numbers) in &by_key {
        assert!(numbers.is_sorted_by(|one, next| one < next), "host {key}: {numbers:?}");
    }
    assert_eq!(by_key.values().map(Vec::len).sum::<usize>(), count);
}

struct Installation {
    db: TestDb,
    log: Arc<Log>,
    brokers: Brokers,
    directory: TempDir,
}

impl Installation {
    /// An embedded log of 100 records of which 60 are applied, and fresh brokers.
    async fn new() -> Self {
        let (db, directory) = (database().await, tempfile::tempdir().unwrap());
        let log = open(small(directory.path(), &[TOPIC, Topic::AGENT_STATUS])).await;
        publish(log.as_ref(), 0..60).await;
        apply(Arc::clone(&log) as Arc<dyn Queue>, db.pool(), 60).await;
        publish(log.as_ref(), 60..100).await;
        Self { db, log, brokers: Brokers::any(3), directory }
    }
}

/// Spec: deployment 3
#[tokio::test]
async fn records_move_to_brokers_and_back_and_each_is_applied_once() {
    let Installation { db, log, brokers, directory } = Installation::new().await;
    let (pool, queue) = (db.pool(), brokers.queue().await);
    assert_eq!(move_all(pool, log.as_ref(), queue.as_ref()).await.unwrap(), moved(0, 40));
    let again = move_all(pool, log.as_ref(), queue.as_ref()).await.unwrap();
    assert!(again.iter().all(|topic| topic.was_done), "{again:?}");
    publish(queue.as_ref(), 100..130).await;
    apply(Arc::clone(&queue) as Arc<dyn Queue>, pool, 130).await;
    check(pool, 130).await;

    // Back into a new log, as after a trial.
    publish(queue.as_ref(), 130..150).await;
    log.close().await;
    drop(directory);
    let directory = tempfile::tempdir().unwrap();
    let log = open(small(directory.path(), &[TOPIC, Topic::AGENT_STATUS])).await;
    assert_eq!(move_all(pool, queue.as_ref(), log.as_ref()).await.unwrap(), moved(0, 20));
    publish(log.as_ref(), 150..160).await;
    apply(log, pool, 160).await;
    check(pool, 160).await;
}

/// Passes records on until it breaks, in the middle of a call.
struct Breaking {
    queue: Arc<dyn Queue>,
    takes: usize,
}

#[async_trait::async_trait]
impl Queue for Breaking {
    fn partitions(&self, topic: Topic) -> u32 {
        self.queue.partitions(topic)
    }

    fn health(&self) -> Health {
        self.queue.health()
    }

    async fn publish(&self, topic: Topic, key: Bytes, payload: Bytes) -> Result<(), PublishError> {
        self.queue.publish(topic, key, payload).await
    }

    async fn publish_many(&self, topic: Topic, mut records: Vec<(Bytes, Bytes)>) -> Result<(), PublishError> {
        records.truncate(self.takes);
        self.queue.publish_many(topic, records).await?;
        Err(PublishError::Closed)
    }

    async fn subscribe(
        &self,
        group: &'static str,
        topic: Topic,
    ) -> Result<Box<dyn Subscription>, QueueError> {
        self.queue.subscribe(group, topic).await
    }
}

/// Spec: deployment 3
#[tokio::test]
async fn move_that_is_cut_off_is_continued_without_doubling_a_record() {
    let Installation { db, log, brokers, directory: _directory } = Installation::new().await;
    let (pool, queue) = (db.pool(), brokers.queue().await);
    for takes in [5, 11] {
        let breaking = Breaking { queue: Arc::clone(&queue) as Arc<dyn Queue>, takes };
        let broken = move_all(pool, log.as_ref(), &breaking).await;
        assert!(matches!(broken, Err(TransferError::Publish(PublishError::Closed))), "{broken:?}");
    }
    let result = move_all(pool, log.as_ref(), queue.as_ref()).await.unwrap();
    assert_eq!(result.last(), moved(16, 24).last());
    apply(queue, pool, 100).await;
    check(pool, 100).await;
}

#[tokio::test]
async fn target_that_holds_older_records_is_read_from_where_it_ended() {
    let Installation { db, log, brokers, directory: _directory } = Installation::new().await;
    let (pool, queue) = (db.pool(), brokers.queue().await);
    publish(queue.as_ref(), 0..33).await;
    assert_eq!(move_all(pool, log.as_ref(), queue.as_ref()).await.unwrap(), moved(0, 40));
    apply(queue, pool, 100).await;
    check(pool, 100).await;
}

#[tokio::test]
async fn groups_that_are_not_equally_far_are_refused() {
    let Installation { db, log, brokers, directory: _directory } = Installation::new().await;
    let queue = brokers.queue().await;
    let consumers = [(TOPIC, "metrics"), (TOPIC, "alerts")];
    let refusal = transfer(db.pool(), &Clock::system(), log.as_ref(), queue.as_ref(), &consumers).await;
    let refusal = refusal.unwrap_err();
    assert!(matches!(refusal, TransferError::Uneven { ahead: "metrics", behind: "alerts", .. }), "{refusal}");
}

#[tokio::test]
async fn log_without_room_is_reported_instead_of_waited_for() {
    let db = database().await;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = open(small(one.path(), &[TOPIC])).await;
    let records = (0..200).map(|_| (Bytes::new(), Bytes::from(vec![b'x'; 1_000]))).collect();
    from.publish_many(TOPIC, records).await.unwrap();
    let options =
        LogOptions { segment_bytes: 8 * 1024, max_bytes: 3 * 8 * 1024, ..small(other.path(), &[TOPIC]) };
    let to = open(options).await;
    let refusal =
        transfer(db.pool(), &Clock::system(), from.as_ref(), to.as_ref(), &[(TOPIC, "metrics")]).await;
    assert!(matches!(refusal, Err(TransferError::Full(TOPIC))), "{refusal:?}");
}
