//! One member of a consumer group.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::membership::{Change, Membership};
use super::options::KafkaOptions;
use super::pending::Pending;
use super::{ANSWER_LIMIT, blocking, failed, identity};
use crate::queue::{
    Batch, BatchLimits, Delivery, Origin, Position, QueueError, Record, Started, Subscription,
};
use crate::topic::Topic;

/// The client library is asked at least this often, whether or not it announced anything.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const SEEK: &str = "find a position on the brokers";

type Member = BaseConsumer<Membership>;

/// A consumer that takes records without ever waiting in the client library; the library's own threads fetch them.
pub(super) struct KafkaSubscription {
    topic: Topic,
    topic_name: String,
    /// Taken by `drop` only.
    member: Option<Arc<Member>>,
    arrived: Arc<Notify>,
    pending: Pending,
    /// The log each partition was last found in, and the first offset wanted from it.
    places: std::collections::HashMap<u32, Position>,
    closed: CancellationToken,
    leaving: TaskTracker,
}

impl KafkaSubscription {
    pub(super) fn join(
        options: &KafkaOptions,
        group: &str,
        topic: Topic,
        closed: CancellationToken,
        leaving: TaskTracker,
    ) -> Result<Self, QueueError> {
        let action = "join a group of consumers";
        let topic_name = options.topic_name(topic);
        let membership = Membership::new(topic_name.clone());
        let mut member = Member::from_config_and_context(&options.consuming(group, topic), membership)
            .map_err(failed(action))?;
        let arrived = Arc::new(Notify::new());
        let notify = Arc::clone(&arrived);
        member.set_nonempty_callback(move || notify.notify_one());
        member.subscribe(&[&topic_name]).map_err(failed(action))?;
        let (member, pending) = (Some(Arc::new(member)), Pending::default());
        let places = std::collections::HashMap::new();
        Ok(Self { topic, topic_name, member, arrived, pending, places, closed, leaving })
    }

    fn member(&self) -> Result<&Arc<Member>, QueueError> {
        self.member.as_ref().ok_or(QueueError::Closed)
    }

    async fn gather(&mut self, limits: &BatchLimits) -> Result<Delivery, QueueError> {
        let idle_at = Instant::now() + limits.max_idle;
        loop {
            self.take_in(limits)?;
            if let Some(change) = self.member()?.context().next_change() {
                return Ok(self.follow(change));
            }
            let now = Instant::now();
            if let Some((partition, records)) = self.pending.take(limits, now)
                && let Some(place) = self.places.get(&partition)
            {
                let log_id = Arc::clone(&place.log_id);
                return Ok(Delivery::Batch(Batch { topic: self.topic, partition, log_id, records }));
            }
            let closes_at = self.pending.closes_at(limits);
            if closes_at.is_none() && now >= idle_at {
                return Ok(Delivery::Idle);
            }
            let until = closes_at.unwrap_or(idle_at).min(now + LOOK_AGAIN);
            tokio::select! {
                () = self.arrived.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Takes what the library has, as far as there is room.
    fn take_in(&mut self, limits: &BatchLimits) -> Result<(), QueueError> {
        let member = Arc::clone(self.member()?);
        let membership = member.context();
        while !self.pending.is_full(limits) {
            let events = membership.events();
            match member.poll(Duration::ZERO) {
                Some(Ok(message)) => self.keep(membership, &message),
                Some(Err(error)) => judge(membership, error)?,
                // An event that is no record may stand before records.
                None if membership.events() != events => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn keep(&mut self, membership: &Membership, message: &BorrowedMessage<'_>) {
        let (Ok(partition), Ok(offset)) =
            (u32::try_from(message.partition()), u64::try_from(message.offset()))
        else {
            return;
        };
        let Some(place) = self.places.get_mut(&partition).filter(|place| offset >= place.next_offset) else {
            return;
        };
        place.next_offset = offset + 1;
        membership.saw_end(partition, offset + 1);
        let record = Record {
            offset,
            key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
            payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
            appended_at_ms: message.timestamp().to_millis().unwrap_or(0),
        };
        self.pending.push(partition, record, Instant::now());
    }

    fn follow(&mut self, change: Change) -> Delivery {
        let partitions = match &change {
            Change::Assigned(partitions) | Change::Revoked(partitions) => partitions,
        };
        for partition in partitions {
            self.pending.forget(*partition);
            self.places.remove(partition);
        }
        match change {
            Change::Assigned(partitions) => Delivery::Assigned(partitions),
            Change::Revoked(partitions) => Delivery::Revoked(partitions),
        }
    }

    fn check(&self, partition: u32) -> Result<&Arc<Member>, QueueError> {
        let member = self.member()?;
        if member.context().owns(partition) {
            return Ok(member);
        }
        Err(QueueError::NotAssigned { topic: self.topic, partition })
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn next_batch(&mut self, limits: &BatchLimits) -> Result<Delivery, QueueError> {
        let closed = self.closed.clone();
        tokio::select! {
            biased;
            () = closed.cancelled() => Err(QueueError::Closed),
            delivery = self.gather(limits) => delivery,
        }
    }

    async fn seek(&mut self, partition: u32, position: Option<&Position>) -> Result<Started, QueueError> {
        let member = Arc::clone(self.check(partition)?);
        self.pending.forget(partition);
        self.places.remove(&partition);
        let (name, position) = (self.topic_name.clone(), position.cloned());
        let started = blocking(SEEK, move || start(&member, &name, partition, position.as_ref())).await?;
        self.places.insert(partition, started.position.clone());
        Ok(started)
    }

    async fn committed(&mut self, partition: u32, next_offset: u64) -> Result<(), QueueError> {
        let member = self.check(partition)?;
        let list = at(&self.topic_name, partition, next_offset).map_err(failed("note an offset"))?;
        member.commit(&list, CommitMode::Async).map_err(failed("note an offset"))
    }

    fn lag(&self, partition: u32, next_offset: u64) -> u64 {
        let end = self.member.as_ref().map_or(0, |member| member.context().end(partition));
        end.saturating_sub(next_offset)
    }
}

impl Drop for KafkaSubscription {
    fn drop(&mut self) {
        let member = self.member.take();
        let token = self.leaving.token();
        // Leaving a group waits for the library's threads.
        std::thread::spawn(move || {
            drop(member);
            drop(token);
        });
    }
}

/// Finds out where to begin and begins there. Waits for the brokers.
fn start(
    member: &Arc<Member>,
    name: &str,
    partition: u32,
    position: Option<&Position>,
) -> Result<Started, QueueError> {
    let log_id = identity::log_id(member.client(), name)?;
    let (begin, end) =
        member.fetch_watermarks(name, partition.cast_signed(), ANSWER_LIMIT).map_err(failed(SEEK))?;
    let (begin, end) = (begin.max(0).cast_unsigned(), end.max(0).cast_unsigned());
    let (next_offset, origin) = Origin::of(position, &log_id, begin, end);
    let membership = member.context();
    membership.set_end(partition, end);
    let list = at(name, partition, next_offset).map_err(failed(SEEK))?;
    if membership.activate(partition) {
        member.incremental_unassign(&membership.list([partition])).map_err(failed(SEEK))?;
    }
    if let Err(error) = member.incremental_assign(&list) {
        membership.deactivate(partition);
        return Err(failed(SEEK)(error));
    }
    Ok(Started { position: Position { log_id, next_offset }, origin })
}

fn at(name: &str, partition: u32, offset: u64) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(name, partition.cast_signed(), Offset::Offset(offset.cast_signed()))?;
    Ok(list)
}

/// Most errors pass by themselves and are only logged: the library tries again for as long as it lives.
fn judge(membership: &Membership, error: KafkaError) -> Result<(), QueueError> {
    match error {
        KafkaError::MessageConsumptionFatal(_) => Err(failed("read from the brokers")(error)),
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
        ) => {
            membership.ask_for_positions();
            Ok(())
        }
        error => {
            tracing::warn!(%error, "Reading from the brokers is disturbed");
            Ok(())
        }
    }
}
