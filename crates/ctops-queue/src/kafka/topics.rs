//! The topics on the brokers: made when missing, otherwise taken as they are.

use std::collections::HashMap;
use std::sync::Arc;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::{Instant, sleep};

use super::options::{KafkaOptions, largest_message};
use super::{ANSWER_LIMIT, blocking, failed};
use crate::queue::QueueError;
use crate::topic::Topic;

const REACH: &str = "reach the brokers";
const MAKE: &str = "make a topic on the brokers";
/// Most copies of a topic that is made.
const MOST_COPIES: usize = 3;
/// How often the brokers are asked whether a new topic is there.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);

/// The brokers as they answered.
struct Cluster {
    brokers: usize,
    /// Partitions of those topics of ours that have a leader for each.
    topics: HashMap<Topic, u32>,
}

/// Makes topics that are missing; returns how many partitions each has.
pub(super) async fn ensure(options: &KafkaOptions) -> Result<HashMap<Topic, u32>, QueueError> {
    let found = look(options).await?;
    let missing: Vec<Topic> =
        options.topics.iter().copied().filter(|topic| !found.topics.contains_key(topic)).collect();
    if missing.is_empty() {
        return Ok(found.topics);
    }
    make(options, &missing, found.brokers).await?;
    let end = Instant::now() + ANSWER_LIMIT;
    loop {
        let found = look(options).await?;
        if found.topics.len() == options.topics.len() {
            return Ok(found.topics);
        }
        if Instant::now() > end {
            let absent = KafkaError::AdminOp(RDKafkaErrorCode::UnknownTopicOrPartition);
            return Err(failed(MAKE)(absent));
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn look(options: &KafkaOptions) -> Result<Cluster, QueueError> {
    let (config, options) = (options.asking(), options.clone());
    blocking(REACH, move || {
        let client = BaseConsumer::from_config(&config).map_err(failed(REACH))?;
        let metadata = client.fetch_metadata(None, ANSWER_LIMIT).map_err(failed(REACH))?;
        let mut topics = HashMap::new();
        for &topic in &options.topics {
            if let Some(partitions) = partitions(&metadata, &options.topic_name(topic)) {
                topics.insert(topic, partitions);
            }
        }
        Ok(Cluster { brokers: metadata.brokers().len(), topics })
    })
    .await
}

fn partitions(metadata: &Metadata, name: &str) -> Option<u32> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name && topic.error().is_none())?;
    let led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
    (led && !topic.partitions().is_empty()).then(|| topic.partitions().len() as u32)
}

async fn make(options: &KafkaOptions, missing: &[Topic], brokers: usize) -> Result<(), QueueError> {
    let admin: AdminClient<DefaultClientContext> = options.asking().create().map_err(failed(MAKE))?;
    let copies = brokers.clamp(1, MOST_COPIES);
    let names: Vec<String> = missing.iter().map(|topic| options.topic_name(*topic)).collect();
    let retention = options.retention.as_millis().to_string();
    let largest = largest_message();
    let new: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            let copied = TopicReplication::Fixed(copies as i32);
            let topic = NewTopic::new(name, options.partitions.cast_signed(), copied)
                .set("cleanup.policy", "delete")
                .set("retention.ms", &retention)
                .set("retention.bytes", "-1")
                .set("max.message.bytes", &largest);
            // With three copies the loss of a broker neither loses a record nor stops publishers.
            if copies == MOST_COPIES { topic.set("min.insync.replicas", "2") } else { topic }
        })
        .collect();
    let limit = AdminOptions::new().request_timeout(Some(ANSWER_LIMIT));
    for made in admin.create_topics(&new, &limit).await.map_err(failed(MAKE))? {
        match made {
            Ok(name) => tracing::info!(queue.topic = name, copies, "Made a topic on the brokers"),
            // Another process of this installation was faster.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                tracing::error!(queue.topic = name, %code, "A topic cannot be made on the brokers");
                return Err(QueueError::Storage {
                    action: MAKE,
                    source: Arc::new(KafkaError::AdminOp(code)),
                });
            }
        }
    }
    Ok(())
}

/// Deletes every record of a topic up to its present end.
pub(super) async fn discard(options: &KafkaOptions, topic: Topic, partitions: u32) -> Result<(), QueueError> {
    let action = "delete records on the brokers";
    let admin: AdminClient<DefaultClientContext> = options.asking().create().map_err(failed(action))?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        let name = options.topic_name(topic);
        list.add_partition_offset(&name, partition.cast_signed(), Offset::End).map_err(failed(action))?;
    }
    let limit = AdminOptions::new().request_timeout(Some(ANSWER_LIMIT));
    let deleted = admin.delete_records(&list, &limit).await.map_err(failed(action))?;
    for partition in deleted.elements() {
        partition.error().map_err(failed(action))?;
    }
    Ok(())
}
