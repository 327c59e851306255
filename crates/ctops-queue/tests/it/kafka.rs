//! The queue on brokers passes what every queue must pass, and tells brokers and topics apart.

use std::sync::Arc;

use bytes::Bytes;
use ctops_queue::kafka::{KafkaOptions, KafkaQueue};
use ctops_queue::{Health, PublishError, Queue, QueueError, Topic};

use crate::brokers::Brokers;
use crate::conformance::Fixture;
use crate::support::{Member, publish, quick};

const TOPIC: Topic = Topic::METRICS_RAW;

struct OnBrokers<const PARTITIONS: u32> {
    brokers: Brokers,
    queue: Arc<KafkaQueue>,
}

impl<const PARTITIONS: u32> Fixture for OnBrokers<PARTITIONS> {
    async fn start() -> Self {
        let brokers = Brokers::any(PARTITIONS);
        let queue = brokers.queue().await;
        Self { brokers, queue }
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    async fn restart(self) -> Self {
        self.queue.close().await;
        let queue = self.brokers.queue().await;
        Self { brokers: self.brokers, queue }
    }
}

mod one_partition {
    conformance!(super::OnBrokers<1>);
    exactly_once!(super::OnBrokers<1>);
}

mod three_partitions {
    conformance!(super::OnBrokers<3>);
}

/// Spec: deployment 1
#[tokio::test]
async fn keys_are_spread_over_partitions_and_each_stays_in_one() {
    let brokers = Brokers::any(4);
    let queue = brokers.queue().await;
    assert_eq!(queue.partitions(TOPIC), 4);
    for round in 0..3 {
        for host in 0..40 {
            publish(queue.as_ref(), TOPIC, &format!("host {host}"), round.to_string()).await;
        }
    }
    let mut member = Member::join(queue.as_ref(), "g", TOPIC).await;
    member.read(120).await;
    let mut used = std::collections::BTreeMap::new();
    for (partition, record) in &member.records {
        let before = used.insert(record.key.clone(), *partition);
        assert!(before.is_none_or(|before| before == *partition), "a key moved to another partition");
    }
    let partitions: std::collections::BTreeSet<u32> = used.values().copied().collect();
    assert!(partitions.len() > 1, "all keys are in one partition");
    assert_eq!(member.payloads_of("host 7"), ["0", "1", "2"]);
}

#[tokio::test]
async fn replaced_brokers_and_other_topics_have_another_identity() {
    let (one, other) = (Brokers::inside(1, 1), Brokers::inside(1, 1));
    let (one, other) = (one.queue().await, other.queue().await);
    let first = one.log_id(TOPIC).await.unwrap();
    assert_eq!(one.log_id(TOPIC).await.unwrap(), first);
    assert_ne!(other.log_id(TOPIC).await.unwrap(), first);
    assert_ne!(one.log_id(Topic::AGENT_STATUS).await.unwrap(), first);
    assert!(first.contains('/'), "{first} has the cluster's id and the topic's");
}

#[tokio::test]
async fn topic_that_is_not_carried_is_refused() {
    let brokers = Brokers::any(1);
    let queue = KafkaQueue::open(KafkaOptions { topics: vec![TOPIC], ..brokers.options() }).await.unwrap();
    assert_eq!(queue.partitions(Topic::EVENTS_RAW), 0);
    let refusal = queue.publish(Topic::EVENTS_RAW, Bytes::new(), Bytes::new()).await;
    assert!(matches!(refusal, Err(PublishError::UnknownTopic(_))));
    assert!(matches!(queue.subscribe("g", Topic::EVENTS_RAW).await, Err(QueueError::UnknownTopic(_))));
    assert!(matches!(queue.log_id(Topic::EVENTS_RAW).await, Err(QueueError::UnknownTopic(_))));
}

#[tokio::test]
async fn closed_queue_refuses_and_ends_its_subscriptions() {
    let brokers = Brokers::any(1);
    let queue = brokers.queue().await;
    let mut subscription = queue.subscribe("g", TOPIC).await.unwrap();
    queue.close().await;
    assert!(matches!(subscription.next_batch(&quick()).await, Err(QueueError::Closed)));
    assert!(matches!(queue.publish(TOPIC, Bytes::new(), Bytes::new()).await, Err(PublishError::Closed)));
    assert!(matches!(queue.subscribe("g", TOPIC).await, Err(QueueError::Closed)));
    assert_eq!(queue.health(), Health::Unavailable);
}

#[tokio::test]
async fn brokers_that_do_not_answer_are_named_as_the_cause() {
    let options = KafkaOptions { partitions: 1, ..KafkaOptions::new("127.0.0.1:1") };
    let refusal = KafkaQueue::open(options).await.unwrap_err();
    assert_eq!(refusal.to_string(), "could not reach the brokers");
}
