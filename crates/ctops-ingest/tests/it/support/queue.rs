//! The real embedded log behind a door that a test can close.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ctops_base::Clock;
use ctops_proto::queue::status_change::Kind;
use ctops_proto::queue::{AgentEvent, Report, StatusChange};
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{
    BatchLimits, Delivery, Health, PublishError, Queue, QueueError, Record, Subscription, Topic,
};
use prost::Message;
use tokio::sync::watch;

use super::SOON;

const SEGMENT_BYTES: u64 = 1024 * 1024;

/// Passes everything on to the log. While the door is closed, records wait in front of it.
pub(crate) struct GatedQueue {
    log: Arc<Log>,
    open: watch::Sender<bool>,
    waiting: AtomicUsize,
    broken: AtomicBool,
}

impl GatedQueue {
    pub(crate) async fn open(directory: &Path, clock: &Clock) -> Self {
        let mut options = LogOptions::new(directory);
        (options.segment_bytes, options.max_bytes) = (SEGMENT_BYTES, 64 * SEGMENT_BYTES);
        let log = Arc::new(Log::open(options, clock.clone()).await.unwrap());
        Self {
            log,
            open: watch::Sender::new(true),
            waiting: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    pub(crate) fn close_door(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open_door(&self) {
        self.open.send_replace(true);
    }

    /// Records that wait in front of the door.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// From now on (or no longer) records are refused, as by a full disk.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// All records of a topic, once there are at least `least`.
    async fn records(&self, topic: Topic, least: usize) -> Vec<Record> {
        let mut subscription = self.log.subscribe("test", topic).await.unwrap();
        let limits = BatchLimits {
            max_wait: Duration::from_millis(1),
            max_idle: Duration::from_millis(20),
            ..BatchLimits::default()
        };
        let mut records = Vec::new();
        let gather = async {
            loop {
                match subscription.next_batch(&limits).await.unwrap() {
                    Delivery::Assigned(partitions) => {
                        for partition in partitions {
                            subscription.seek(partition, None).await.unwrap();
                        }
                    }
                    Delivery::Batch(batch) => records.extend(batch.records),
                    Delivery::Idle if records.len() >= least => return,
                    Delivery::Idle | Delivery::Revoked(_) => {}
                }
            }
        };
        let in_time = tokio::time::timeout(SOON, gather).await.is_ok();
        assert!(in_time, "{topic} has {} records, expected {least}", records.len());
        records
    }

    /// Reports on the queue, at least so many.
    pub(crate) async fn reports(&self, least: usize) -> Vec<Report> {
        let records = self.records(Topic::METRICS_RAW, least).await;
        records.iter().map(|record| Report::decode(&record.payload[..]).unwrap()).collect()
    }

    /// Leases that began or ended, at least so many.
    pub(crate) async fn leases(&self, least: usize) -> Vec<StatusChange> {
        let records = self.records(Topic::AGENT_STATUS, least).await;
        records.iter().map(|record| StatusChange::decode(&record.payload[..]).unwrap()).collect()
    }

    /// What agents delivered, at least so many records.
    pub(crate) async fn events(&self, least: usize) -> Vec<AgentEvent> {
        let records = self.records(Topic::EVENTS_RAW, least).await;
        records.iter().map(|record| AgentEvent::decode(&record.payload[..]).unwrap()).collect()
    }

    /// The leases as short text: `began` or the reason of the end.
    pub(crate) async fn lease_story(&self, least: usize) -> Vec<String> {
        let tell = |change: &StatusChange| match change.kind() {
            Kind::LeaseBegan => "began".to_owned(),
            _ => change.reason.clone(),
        };
        self.leases(least).await.iter().map(tell).collect()
    }

    async fn pass(&self, topic: Topic) -> Result<(), PublishError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(PublishError::Unavailable {
                topic,
                source: Arc::new(std::io::Error::other("no space left")),
            });
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut door = self.open.subscribe();
        drop(door.wait_for(|open| *open).await.unwrap());
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

#[async_trait]
impl Queue for GatedQueue {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    fn health(&self) -> Health {
        self.log.health()
    }

    async fn publish(&self, topic: Topic, key: Bytes, payload: Bytes) -> Result<(), PublishError> {
        self.pass(topic).await?;
        self.log.publish(topic, key, payload).await
    }

    async fn publish_many(&self, topic: Topic, records: Vec<(Bytes, Bytes)>) -> Result<(), PublishError> {
        self.pass(topic).await?;
        self.log.publish_many(topic, records).await
    }

    async fn subscribe(
        &self,
        group: &'static str,
        topic: Topic,
    ) -> Result<Box<dyn Subscription>, QueueError> {
        self.log.subscribe(group, topic).await
    }
}
