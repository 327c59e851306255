//! The queue on brokers that speak the Kafka API (Redpanda, Apache Kafka): the queue of profiles with several processes
//! (deployment 1).
//!
//! One idempotent producer per process publishes with `acks=all`; a publisher waits until the brokers have the record. A
//! subscription is one member of a consumer group and reads each partition from where the database says.
//!
//! Invariants: an acknowledged record is on all in-sync replicas; records of one key keep their order; nothing is read
//! from a partition before `seek`; an offset that the brokers no longer have is never skipped silently; the offsets that
//! brokers know are for tools that show lag, nothing reads them back.

mod identity;
mod membership;
mod options;
mod pending;
mod publisher;
mod reachability;
mod subscription;
mod topics;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::options::KafkaOptions;

use self::publisher::Publisher;
use self::reachability::Reachability;
use self::subscription::KafkaSubscription;
use crate::queue::{Health, MAX_RECORD_BYTES, PublishError, Queue, QueueError, Subscription};
use crate::topic::Topic;

/// How long the brokers may take to answer a question of ours.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long members may take to leave their groups when the queue is closed.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// A queue on brokers. Dropping it ends the subscriptions; [`KafkaQueue::close`] also waits for what is under way.
pub struct KafkaQueue {
    options: Arc<KafkaOptions>,
    partitions: HashMap<Topic, u32>,
    publisher: Publisher,
    reachability: Arc<Reachability>,
    closed: CancellationToken,
    /// Members that are leaving their group.
    leaving: TaskTracker,
}

impl std::fmt::Debug for KafkaQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaQueue").field("brokers", &self.options.brokers).finish_non_exhaustive()
    }
}

impl KafkaQueue {
    /// Reaches the brokers and makes the topics that are missing.
    ///
    /// # Errors
    /// [`QueueError::Options`] when the brokers cannot be used as asked, or [`QueueError::Storage`] when they do not
    /// answer within 10 s or refuse.
    pub async fn open(options: KafkaOptions) -> Result<Self, QueueError> {
        options.check()?;
        let partitions = topics::ensure(&options).await?;
        let reachability = Arc::new(Reachability::default());
        let closed = CancellationToken::new();
        let publisher = Publisher::new(&options, Arc::clone(&reachability))?;
        tokio::spawn(reachability::watch(Arc::clone(&reachability), publisher.clone(), closed.clone()));
        let options = Arc::new(options);
        Ok(Self { options, partitions, publisher, reachability, closed, leaving: TaskTracker::new() })
    }

    /// Waits for records that are under way, ends all subscriptions and lets them leave their groups.
    pub async fn close(&self) {
        self.closed.cancel();
        self.publisher.close(self.options.delivery_timeout).await;
        self.leaving.close();
        if tokio::time::timeout(LEAVE_LIMIT, self.leaving.wait()).await.is_err() {
            tracing::warn!(
                "Consumers did not leave their groups in time; the brokers will notice by themselves"
            );
        }
    }

    /// What distinguishes this topic on these brokers from any other: see [`Position::log_id`](crate::Position).
    ///
    /// # Errors
    /// [`QueueError::UnknownTopic`], or [`QueueError::Storage`] when the brokers do not answer.
    pub async fn log_id(&self, topic: Topic) -> Result<Arc<str>, QueueError> {
        self.check(topic)?;
        let (publisher, name) = (self.publisher.clone(), self.options.topic_name(topic));
        blocking("ask the brokers for their identity", move || publisher.log_id(&name)).await
    }

    /// Deletes all records of a topic, for example after they were moved to another queue.
    ///
    /// # Errors
    /// [`QueueError::UnknownTopic`], or [`QueueError::Storage`] when the brokers refuse or do not answer.
    pub async fn discard_all(&self, topic: Topic) -> Result<(), QueueError> {
        self.check(topic)?;
        topics::discard(&self.options, topic, self.partitions(topic)).await
    }

    fn check(&self, topic: Topic) -> Result<(), QueueError> {
        if self.partitions.contains_key(&topic) { Ok(()) } else { Err(QueueError::UnknownTopic(topic)) }
    }
}

#[async_trait]
impl Queue for KafkaQueue {
    fn partitions(&self, topic: Topic) -> u32 {
        self.partitions.get(&topic).copied().unwrap_or(0)
    }

    fn health(&self) -> Health {
        let reachable = !self.closed.is_cancelled() && self.reachability.is_reachable();
        if reachable { Health::Ready } else { Health::Unavailable }
    }

    async fn publish(&self, topic: Topic, key: Bytes, payload: Bytes) -> Result<(), PublishError> {
        self.publish_many(topic, vec![(key, payload)]).await
    }

    async fn publish_many(&self, topic: Topic, records: Vec<(Bytes, Bytes)>) -> Result<(), PublishError> {
        if !self.partitions.contains_key(&topic) {
            return Err(PublishError::UnknownTopic(topic));
        }
        for (key, payload) in &records {
            let size = key.len() + payload.len();
            if size > MAX_RECORD_BYTES {
                return Err(PublishError::TooLarge { topic, size, limit: MAX_RECORD_BYTES });
            }
        }
        self.publisher.publish(topic, &self.options.topic_name(topic), records).await
    }

    async fn subscribe(
        &self,
        group: &'static str,
        topic: Topic,
    ) -> Result<Box<dyn Subscription>, QueueError> {
        self.check(topic)?;
        if self.closed.is_cancelled() {
            return Err(QueueError::Closed);
        }
        let (closed, leaving) = (self.closed.clone(), self.leaving.clone());
        Ok(Box::new(KafkaSubscription::join(&self.options, group, topic, closed, leaving)?))
    }
}

impl Drop for KafkaQueue {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// Runs a call of the client library that waits.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    call: impl FnOnce() -> Result<T, QueueError> + Send + 'static,
) -> Result<T, QueueError> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(|error| QueueError::Storage { action, source: Arc::new(error) })?
}

/// Wraps an error of the client library, saying what was tried.
fn failed(action: &'static str) -> impl FnOnce(KafkaError) -> QueueError {
    move |error| QueueError::Storage { action, source: Arc::new(error) }
}
