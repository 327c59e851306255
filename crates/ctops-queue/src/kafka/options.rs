//! Which brokers are used, and how.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::queue::{MAX_RECORD_BYTES, QueueError};
use crate::topic::Topic;

/// Most memory one topic may use for records that are under way.
const MAX_PENDING_BYTES: usize = 1024 * 1024 * 1024;
/// What a record may take more than its key and payload on the way to the brokers (batch and record headers).
const ENVELOPE_BYTES: usize = 64 * 1024;

/// Settings of a [`super::KafkaQueue`].
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// `host:port` of at least one broker, separated by commas.
    pub brokers: String,
    /// Put before the name of every topic and group, for brokers that serve several installations.
    pub prefix: String,
    /// What the queue carries. Topics that the brokers lack are made.
    pub topics: Vec<Topic>,
    /// Partitions of a topic that is made; existing topics keep theirs. More consumers than partitions are of no use.
    pub partitions: u32,
    /// How long the brokers keep records of a topic that is made. Consumers that stand still for longer lose records.
    pub retention: Duration,
    /// Most bytes of each topic that may be under way to the brokers; publishers wait for room.
    pub max_pending_bytes: usize,
    /// Most records of each topic that may be under way to the brokers.
    pub max_pending_records: usize,
    /// A record that the brokers have not acknowledged after this time is reported as not stored.
    pub delivery_timeout: Duration,
    /// A consumer that is silent for this long loses its partitions.
    pub session_timeout: Duration,
    /// How often consumers tell the brokers that they live; also how fast they learn of changes in their group.
    pub heartbeat: Duration,
}

impl KafkaOptions {
    /// All topics, 12 partitions, 7 days, and the limits of the embedded log.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            prefix: String::new(),
            topics: Topic::ALL.to_vec(),
            partitions: 12,
            retention: Duration::from_secs(7 * 24 * 3600),
            max_pending_bytes: 32 * 1024 * 1024,
            max_pending_records: 100_000,
            delivery_timeout: Duration::from_secs(30),
            session_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(3),
        }
    }

    pub(super) fn check(&self) -> Result<(), QueueError> {
        let refuse = |text: &str| Err(QueueError::Options(text.to_owned()));
        if self.brokers.split(',').any(|broker| broker.trim().is_empty()) {
            return refuse("brokers are host:port, separated by commas");
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if self.prefix.len() > 100 || !self.prefix.bytes().all(named) {
            return refuse(
                "the prefix of topics has at most 100 letters, digits, dots, dashes and underscores",
            );
        }
        if !(1..=1_000).contains(&self.partitions) {
            return refuse("a topic has 1 to 1000 partitions");
        }
        if !(1..=MAX_PENDING_BYTES).contains(&self.max_pending_bytes) || self.max_pending_records == 0 {
            return refuse("records under way may take 1 byte to 1 GiB");
        }
        if self.heartbeat >= self.session_timeout {
            return refuse("the heartbeat must be shorter than the session");
        }
        Ok(())
    }

    pub(super) fn topic_name(&self, topic: Topic) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// A group of its own for each topic, so that a change among the consumers of one does not disturb the others.
    pub(super) fn group_name(&self, group: &str, topic: Topic) -> String {
        format!("{}{group}-{topic}", self.prefix)
    }

    /// Room a record takes of its topic's budget: one number bounds both bytes and count.
    pub(super) fn room_for(&self, bytes: usize) -> u32 {
        let least = (self.max_pending_bytes / self.max_pending_records).max(1);
        // A record larger than the room still gets through, alone.
        bytes.max(least).min(self.max_pending_bytes) as u32
    }

    /// What every client needs.
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "ct-ops")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            .set("topic.metadata.refresh.interval.ms", "60000")
            .set("message.max.bytes", largest_message())
            .set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    /// A client that only asks questions.
    pub(super) fn asking(&self) -> ClientConfig {
        self.client()
    }

    pub(super) fn publishing(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("delivery.timeout.ms", millis(self.delivery_timeout))
            .set("linger.ms", "5")
            .set("batch.size", "1048576")
            // Empty keys must keep their order like any other, which rules the default out.
            .set("partitioner", "murmur2")
            // Only our own budget makes publishers wait.
            .set("queue.buffering.max.messages", "0");
        config
    }

    pub(super) fn consuming(&self, group: &str, topic: Topic) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", self.group_name(group, topic))
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(self.session_timeout))
            .set("heartbeat.interval.ms", millis(self.heartbeat))
            .set("max.poll.interval.ms", "600000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "100")
            .set("fetch.message.max.bytes", "1048576")
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", "16384")
            .set("statistics.interval.ms", "5000");
        config
    }
}

/// Largest message the brokers must accept, bytes as text.
pub(super) fn largest_message() -> String {
    (MAX_RECORD_BYTES + ENVELOPE_BYTES).to_string()
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn options_that_cannot_work_are_refused() {
        let good = KafkaOptions::new("one:9092,two:9092");
        good.check().unwrap();
        let bad = [
            KafkaOptions::new(""),
            KafkaOptions::new("one:9092,,two:9092"),
            KafkaOptions { prefix: "a b".into(), ..good.clone() },
            KafkaOptions { prefix: "x".repeat(101), ..good.clone() },
            KafkaOptions { partitions: 0, ..good.clone() },
            KafkaOptions { max_pending_bytes: 0, ..good.clone() },
            KafkaOptions { max_pending_records: 0, ..good.clone() },
            KafkaOptions { heartbeat: good.session_timeout, ..good },
        ];
        for options in bad {
            assert!(matches!(options.check(), Err(QueueError::Options(_))), "{options:?}");
        }
    }

    #[test]
    fn names_carry_the_prefix_and_each_topic_has_its_own_group() {
        let options = KafkaOptions { prefix: "lab.".into(), ..KafkaOptions::new("b") };
        assert_eq!(options.topic_name(Topic::METRICS_RAW), "lab.metrics.raw");
        assert_eq!(options.group_name("events", Topic::AGENT_STATUS), "lab.events-agent.status");
    }

    #[test]
    fn room_is_bounded_by_bytes_and_by_count() {
        let options =
            KafkaOptions { max_pending_bytes: 1000, max_pending_records: 10, ..KafkaOptions::new("b") };
        assert_eq!((options.room_for(20), options.room_for(600), options.room_for(5_000)), (100, 600, 1_000));
    }
}
