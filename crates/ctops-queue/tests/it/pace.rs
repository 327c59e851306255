//! Steady batching: records that keep coming are gathered for longer, the first one after a pause is not.
//!
//! The pace of these tests is an hour, so a batch that is gathered for it is closed by its size or not at all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ctops_queue::log::Log;
use ctops_queue::{
    BatchLimits, Delivery, Health, Position, PublishError, Queue, QueueError, Started, Subscription, Topic,
};
use ctops_testkit::wait_until;

use crate::applier::{Applier, Consumer, Then, applied, database, until_applied};
use crate::support::{LIMIT, numbers, open, publish, quick, small};

const TOPIC: Topic = Topic::METRICS_RAW;
const HOUR: Duration = Duration::from_secs(3_600);

/// Passes everything to a log and keeps, for each step of a consumer, how long a batch may stay open and what came.
struct Watched {
    log: Arc<Log>,
    steps: Arc<Mutex<Vec<Step>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    max_wait: Duration,
    came: Came,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Batch,
    Nothing,
    Other,
}

#[async_trait]
impl Queue for Watched {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    fn health(&self) -> Health {
        self.log.health()
    }

    async fn publish(&self, topic: Topic, key: Bytes, payload: Bytes) -> Result<(), PublishError> {
        self.log.publish(topic, key, payload).await
    }

    async fn publish_many(&self, topic: Topic, records: Vec<(Bytes, Bytes)>) -> Result<(), PublishError> {
        self.log.publish_many(topic, records).await
    }

    async fn subscribe(
        &self,
        group: &'static str,
        topic: Topic,
    ) -> Result<Box<dyn Subscription>, QueueError> {
        let inner = self.log.subscribe(group, topic).await?;
        Ok(Box::new(WatchedSubscription { inner, steps: Arc::clone(&self.steps) }))
    }
}

struct WatchedSubscription {
    inner: Box<dyn Subscription>,
    steps: Arc<Mutex<Vec<Step>>>,
}

#[async_trait]
impl Subscription for WatchedSubscription {
    async fn next_batch(&mut self, limits: &BatchLimits) -> Result<Delivery, QueueError> {
        let delivery = self.inner.next_batch(limits).await?;
        let came = match &delivery {
            Delivery::Batch(_) => Came::Batch,
            Delivery::Idle => Came::Nothing,
            Delivery::Assigned(_) | Delivery::Revoked(_) => Came::Other,
        };
        self.steps.lock().unwrap().push(Step { max_wait: limits.max_wait, came });
        Ok(delivery)
    }

    async fn seek(&mut self, partition: u32, position: Option<&Position>) -> Result<Started, QueueError> {
        self.inner.seek(partition, position).await
    }

    async fn committed(&mut self, partition: u32, next_offset: u64) -> Result<(), QueueError> {
        self.inner.committed(partition, next_offset).await
    }

    fn lag(&self, partition: u32, next_offset: u64) -> u64 {
        self.inner.lag(partition, next_offset)
    }
}

#[tokio::test]
async fn records_that_keep_coming_are_committed_together() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = open(small(directory.path(), &[TOPIC])).await;
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&sizes);
    // Nothing counts as a pause, however slow the machine is.
    let limits = BatchLimits { max_records: 200, max_idle: HOUR, ..quick() };
    let applier = Applier::paced(limits, HOUR, move |records| {
        noted.lock().unwrap().push(records.len());
        Then::Commit
    });
    let consumer = Consumer::start(&log, db.pool(), &applier);
    publish(log.as_ref(), TOPIC, "key", "0").await;
    until_applied(db.pool(), 1).await;
    for number in 1..=200 {
        publish(log.as_ref(), TOPIC, "key", number.to_string()).await;
    }
    until_applied(db.pool(), 201).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(201));
    assert_eq!(*sizes.lock().unwrap(), [1, 200], "the first one alone, then as many as a batch holds");
}

#[tokio::test]
async fn first_record_after_a_pause_is_committed_without_waiting_for_more() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = open(small(directory.path(), &[TOPIC])).await;
    let steps = Arc::new(Mutex::new(Vec::new()));
    let queue: Arc<dyn Queue> = Arc::new(Watched { log, steps: Arc::clone(&steps) });
    let applier = Applier::paced(quick(), HOUR, |_| Then::Commit);
    let consumer = Consumer::on(Arc::clone(&queue), db.pool(), &applier);
    for number in 0..3 {
        publish(queue.as_ref(), TOPIC, "key", number.to_string()).await;
        until_applied(db.pool(), number + 1).await;
        // The consumer has noticed that nothing comes any more.
        let last = || steps.lock().unwrap().last().map(|step: &Step| step.came);
        let is_idle = || async { last() == Some(Came::Nothing) };
        wait_until(LIMIT, is_idle).await;
    }
    consumer.stop().await;
    let steps = steps.lock().unwrap();
    for pair in steps.windows(2) {
        let expected = if pair[0].came == Came::Batch { HOUR } else { Duration::ZERO };
        assert_eq!(pair[1].max_wait, expected, "after {:?}", pair[0]);
    }
    let batches = steps.iter().filter(|step| step.came == Came::Batch);
    assert_eq!(batches.map(|step| step.max_wait).collect::<Vec<_>>(), [Duration::ZERO; 3]);
}
