//! What the client library tells a consumer about its group.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};

/// Partitions that came or went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Assigned(Vec<u32>),
    Revoked(Vec<u32>),
}

/// The partitions of one member. The group hands them over; reading begins partition by partition, at `seek`.
pub(super) struct Membership {
    topic: String,
    state: Mutex<State>,
    /// Counts what was taken from the library's queue without being a record.
    events: AtomicU64,
}

#[derive(Default)]
struct State {
    owned: BTreeSet<u32>,
    /// Those of `owned` that are read from.
    active: BTreeSet<u32>,
    changes: VecDeque<Change>,
    ends: HashMap<u32, u64>,
}

impl Membership {
    pub(super) fn new(topic: String) -> Self {
        Self { topic, state: Mutex::default(), events: AtomicU64::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn owns(&self, partition: u32) -> bool {
        self.state().owned.contains(&partition)
    }

    pub(super) fn next_change(&self) -> Option<Change> {
        self.state().changes.pop_front()
    }

    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }

    /// Marks a partition as read from; says whether it was before.
    pub(super) fn activate(&self, partition: u32) -> bool {
        !self.state().active.insert(partition)
    }

    pub(super) fn deactivate(&self, partition: u32) {
        self.state().active.remove(&partition);
    }

    /// Asks for the position of everything that is read from, because the brokers no longer have one of them.
    pub(super) fn ask_for_positions(&self) {
        let mut state = self.state();
        let active: Vec<u32> = state.active.iter().copied().collect();
        if !active.is_empty() {
            state.changes.push_back(Change::Assigned(active));
        }
    }

    pub(super) fn end(&self, partition: u32) -> u64 {
        self.state().ends.get(&partition).copied().unwrap_or(0)
    }

    /// The end of a partition was seen to be at least here.
    pub(super) fn saw_end(&self, partition: u32, end: u64) {
        let mut state = self.state();
        let known = state.ends.entry(partition).or_default();
        *known = end.max(*known);
    }

    /// The end of a partition is here, even if it was believed to be further on.
    pub(super) fn set_end(&self, partition: u32, end: u64) {
        self.state().ends.insert(partition, end);
    }

    /// A list for the client library.
    pub(super) fn list(&self, partitions: impl IntoIterator<Item = u32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition.cast_signed());
        }
        list
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: Vec<u32>) -> KafkaResult<()> {
        {
            let mut state = self.state();
            state.owned.extend(&partitions);
            if !partitions.is_empty() {
                state.changes.push_back(Change::Assigned(partitions));
            }
        }
        // Accepts the assignment without reading from any of it yet.
        consumer.incremental_assign(&self.list([]))
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: Vec<u32>) -> KafkaResult<()> {
        let stopped: Vec<u32> = {
            let mut state = self.state();
            let stopped = partitions.iter().copied().filter(|p| state.active.remove(p)).collect();
            state.owned.retain(|partition| !partitions.contains(partition));
            if !partitions.is_empty() {
                state.changes.push_back(Change::Revoked(partitions));
            }
            stopped
        };
        consumer.incremental_unassign(&self.list(stopped))
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else {
            return;
        };
        for partition in topic.partitions.values() {
            // Negative: the internal partition, or not known yet.
            if let (Ok(number), Ok(end)) =
                (u32::try_from(partition.partition), u64::try_from(partition.hi_offset))
            {
                self.saw_end(number, end);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "The brokers reported an error to a consumer");
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        self.events.fetch_add(1, Ordering::AcqRel);
        let of_topic = list.elements_for_topic(&self.topic);
        let partitions =
            of_topic.iter().filter_map(|element| u32::try_from(element.partition()).ok()).collect();
        let done = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, partitions),
            _ => self.revoked(consumer, partitions),
        };
        if let Err(error) = done {
            tracing::error!(%error, queue.topic = self.topic, "A change of the consumer group could not be followed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.events.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = result {
            tracing::debug!(%error, queue.topic = self.topic, "The brokers did not take note of an offset");
        }
    }
}

/// A log line of the client library.
pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => tracing::warn!(facility, "{message}"),
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => tracing::info!(facility, "{message}"),
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::debug!(facility, "{message}"),
    }
}
