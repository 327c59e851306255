//! What every queue must do, whatever carries its records. Offsets need not be dense, and a topic may have any number of
//! partitions. An implementation provides a [`Fixture`] and calls [`conformance!`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ctops_queue::{
    BatchLimits, Delivery, Health, Origin, Position, PublishError, Queue, QueueError, Record, Topic,
};
use tokio::time::timeout;

use crate::support::{LIMIT, Member, numbers, publish, quick};

const TOPIC: Topic = Topic::METRICS_RAW;

/// A queue of its own for one test, carrying all topics.
pub(crate) trait Fixture: Sized {
    async fn start() -> Self;
    fn queue(&self) -> Arc<dyn Queue>;
    /// Stops the queue and starts it again on what it stored.
    async fn restart(self) -> Self;
}

/// Makes one test of every case below.
macro_rules! conformance {
    ($fixture:ty: $($case:ident)*) => { $(
        #[tokio::test]
        async fn $case() {
            $crate::conformance::$case::<$fixture>().await;
        }
    )* };
    ($fixture:ty) => {
        conformance! { $fixture:
            records_of_a_key_arrive_complete_and_in_order
            records_published_together_arrive_in_order
            every_group_gets_every_record
            topics_do_not_mix
            members_of_a_group_share_the_records
            member_that_leaves_is_replaced_where_it_stopped
            position_is_resumed_exactly
            position_of_another_log_starts_at_the_beginning
            position_beyond_the_end_starts_at_the_beginning
            nothing_is_delivered_before_a_seek
            batch_is_bounded_by_count
            batch_is_bounded_by_bytes
            batch_stays_open_for_its_time
            queue_without_records_reports_idle
            cancelled_wait_loses_nothing
            restart_keeps_records_and_identity
            any_bytes_arrive_unchanged
            record_over_the_limit_is_refused_and_harms_nobody
            lag_counts_what_is_not_handled
            partition_of_somebody_else_cannot_be_moved
        }
    };
}

async fn fill(queue: &dyn Queue, count: usize) {
    for number in 0..count {
        publish(queue, TOPIC, "key", number.to_string()).await;
    }
}

/// Spec: deployment 1
pub(crate) async fn records_of_a_key_arrive_complete_and_in_order<F: Fixture>() {
    let fixture = F::start().await;
    let queue = fixture.queue();
    assert!(queue.partitions(TOPIC) > 0);
    for number in 0..50 {
        for key in ["one", "two", "three"] {
            publish(queue.as_ref(), TOPIC, key, number.to_string()).await;
        }
    }
    let mut member = Member::join(queue.as_ref(), "g", TOPIC).await;
    member.read(150).await;
    for key in ["one", "two", "three"] {
        assert_eq!(member.payloads_of(key), numbers(50));
    }
    assert_eq!((member.step(&quick()).await, queue.health()), (0, Health::Ready));
}

pub(crate) async fn records_published_together_arrive_in_order<F: Fixture>() {
    let fixture = F::start().await;
    let records =
        numbers(5_000).into_iter().map(|number| (Bytes::from("key"), Bytes::from(number))).collect();
    timeout(LIMIT, fixture.queue().publish_many(TOPIC, records)).await.unwrap().unwrap();
    fixture.queue().publish_many(TOPIC, Vec::new()).await.unwrap();
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    member.read(5_000).await;
    assert_eq!(member.payloads(), numbers(5_000));
    let offsets: Vec<u64> = member.records.iter().map(|(_, record)| record.offset).collect();
    assert!(offsets.is_sorted_by(|one, next| one < next), "offsets of a partition grow");
}

/// Spec: deployment 1
pub(crate) async fn every_group_gets_every_record<F: Fixture>() {
    let fixture = F::start().await;
    fill(fixture.queue().as_ref(), 20).await;
    for group in ["metrics", "alerts", "events"] {
        let mut member = Member::join(fixture.queue().as_ref(), group, TOPIC).await;
        member.read(20).await;
        assert_eq!(member.payloads(), numbers(20), "{group}");
    }
}

/// Spec: deployment 1
pub(crate) async fn topics_do_not_mix<F: Fixture>() {
    let fixture = F::start().await;
    for topic in Topic::ALL {
        publish(fixture.queue().as_ref(), topic, "key", topic.name()).await;
    }
    for topic in Topic::ALL {
        let mut member = Member::join(fixture.queue().as_ref(), "g", topic).await;
        assert_eq!(member.read_all().await, [topic.name()]);
    }
}

pub(crate) async fn members_of_a_group_share_the_records<F: Fixture>() {
    let fixture = F::start().await;
    let queue = fixture.queue();
    let mut one = Member::join(queue.as_ref(), "g", TOPIC).await;
    let mut other = Member::join(queue.as_ref(), "g", TOPIC).await;
    fill(queue.as_ref(), 30).await;
    let sharing = async {
        while one.records.len() + other.records.len() < 30 {
            one.step(&quick()).await;
            other.step(&quick()).await;
        }
    };
    timeout(LIMIT, sharing).await.unwrap();
    let mut all = [one.payloads(), other.payloads()].concat();
    all.sort_by_key(|number| number.parse::<u32>().unwrap());
    assert_eq!(all, numbers(30), "each record went to exactly one member");
}

pub(crate) async fn member_that_leaves_is_replaced_where_it_stopped<F: Fixture>() {
    let fixture = F::start().await;
    let queue = fixture.queue();
    fill(queue.as_ref(), 10).await;
    let mut one = Member::join(queue.as_ref(), "g", TOPIC).await;
    // The other joins when the first has read: before, brokers may give the partition to either.
    let (partition, record) = one.read(10).await[4].clone();
    let mut other = Member::join(queue.as_ref(), "g", TOPIC).await;
    one.subscription.committed(partition, record.offset + 1).await.unwrap();
    other.from = Some(Position { log_id: log_id(queue.as_ref()).await, next_offset: record.offset + 1 });
    drop(one);
    other.read(5).await;
    assert_eq!(other.payloads(), numbers(10)[5..]);
}

/// The identity of the log, from a batch.
async fn log_id(queue: &dyn Queue) -> Arc<str> {
    let mut subscription = queue.subscribe("identity", TOPIC).await.unwrap();
    let finding = async {
        loop {
            match subscription.next_batch(&quick()).await.unwrap() {
                Delivery::Batch(batch) => return batch.log_id,
                Delivery::Assigned(partitions) => {
                    for partition in partitions {
                        subscription.seek(partition, None).await.unwrap();
                    }
                }
                Delivery::Revoked(_) | Delivery::Idle => {}
            }
        }
    };
    timeout(LIMIT, finding).await.unwrap()
}

/// Joins, takes the assigned partitions to `position` and says how that went for the one with the `count` records.
async fn start_at(queue: &dyn Queue, position: Option<&Position>, count: usize) -> (Origin, Vec<Record>) {
    let mut subscription = queue.subscribe("starter", TOPIC).await.unwrap();
    let mut origins = HashMap::new();
    let limits = BatchLimits { max_records: count, max_wait: LIMIT, ..quick() };
    let reading = async {
        loop {
            match subscription.next_batch(&limits).await.unwrap() {
                Delivery::Batch(batch) => return (origins[&batch.partition], batch.records),
                Delivery::Assigned(partitions) => {
                    for partition in partitions {
                        let started = subscription.seek(partition, position).await.unwrap();
                        origins.insert(partition, started.origin);
                    }
                }
                Delivery::Revoked(_) | Delivery::Idle => {}
            }
        }
    };
    timeout(LIMIT, reading).await.unwrap()
}

pub(crate) async fn position_is_resumed_exactly<F: Fixture>() {
    let fixture = F::start().await;
    let queue = fixture.queue();
    fill(queue.as_ref(), 9).await;
    let (origin, all) = start_at(queue.as_ref(), None, 9).await;
    assert_eq!((origin, all.len()), (Origin::Fresh, 9));
    let position = Position { log_id: log_id(queue.as_ref()).await, next_offset: all[6].offset + 1 };
    let (origin, rest) = start_at(queue.as_ref(), Some(&position), 2).await;
    assert_eq!((origin, rest), (Origin::Resumed, all[7..].to_vec()));
}

pub(crate) async fn position_of_another_log_starts_at_the_beginning<F: Fixture>() {
    let fixture = F::start().await;
    fill(fixture.queue().as_ref(), 3).await;
    let foreign = Position { log_id: "some other log".into(), next_offset: 2 };
    let (origin, records) = start_at(fixture.queue().as_ref(), Some(&foreign), 3).await;
    assert_eq!((origin, records.len()), (Origin::OtherLog, 3));
}

pub(crate) async fn position_beyond_the_end_starts_at_the_beginning<F: Fixture>() {
    let fixture = F::start().await;
    let queue = fixture.queue();
    fill(queue.as_ref(), 3).await;
    let beyond = Position { log_id: log_id(queue.as_ref()).await, next_offset: 1_000 };
    let (origin, records) = start_at(queue.as_ref(), Some(&beyond), 3).await;
    assert_eq!((origin, records.len()), (Origin::BeyondEnd, 3));
}

pub(crate) async fn nothing_is_delivered_before_a_seek<F: Fixture>() {
    let fixture = F::start().await;
    fill(fixture.queue().as_ref(), 1).await;
    let mut subscription = fixture.queue().subscribe("g", TOPIC).await.unwrap();
    let mut assigned = Vec::new();
    while assigned.is_empty() {
        if let Delivery::Assigned(partitions) = subscription.next_batch(&quick()).await.unwrap() {
            assigned = partitions;
        }
    }
    assert!(matches!(subscription.next_batch(&quick()).await.unwrap(), Delivery::Idle));
}

pub(crate) async fn batch_is_bounded_by_count<F: Fixture>() {
    let fixture = F::start().await;
    fill(fixture.queue().as_ref(), 25).await;
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    let limits = BatchLimits { max_records: 10, ..quick() };
    while member.records.len() < 25 {
        assert!(member.step(&limits).await <= 10);
    }
    assert_eq!(member.payloads(), numbers(25));
}

pub(crate) async fn batch_is_bounded_by_bytes<F: Fixture>() {
    let fixture = F::start().await;
    for _ in 0..10 {
        publish(fixture.queue().as_ref(), TOPIC, "", "x".repeat(1000)).await;
    }
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    let limits = BatchLimits { max_bytes: 2500, ..quick() };
    while member.records.len() < 10 {
        assert!(member.step(&limits).await <= 3, "the third record reaches the limit");
    }
    let tiny = BatchLimits { max_bytes: 1, ..quick() };
    publish(fixture.queue().as_ref(), TOPIC, "", "larger than the limit").await;
    while member.records.len() < 11 {
        member.step(&tiny).await;
    }
}

pub(crate) async fn batch_stays_open_for_its_time<F: Fixture>() {
    let fixture = F::start().await;
    let queue = fixture.queue();
    let mut member = Member::join(queue.as_ref(), "g", TOPIC).await;
    while member.partitions.is_empty() {
        member.step(&quick()).await;
    }
    let patient = BatchLimits { max_records: 2, max_wait: LIMIT * 2, max_idle: LIMIT, ..quick() };
    let (count, ()) = tokio::join!(member.step(&patient), fill(queue.as_ref(), 2));
    assert_eq!(count, 2, "the batch was open for the second record, and closed by it");
}

pub(crate) async fn queue_without_records_reports_idle<F: Fixture>() {
    let fixture = F::start().await;
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    assert_eq!(member.read_all().await, [] as [&str; 0]);
    let delivery = timeout(LIMIT, member.subscription.next_batch(&quick())).await.unwrap();
    assert!(matches!(delivery, Ok(Delivery::Idle)));
}

pub(crate) async fn cancelled_wait_loses_nothing<F: Fixture>() {
    let fixture = F::start().await;
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    while member.partitions.is_empty() {
        member.step(&quick()).await;
    }
    fill(fixture.queue().as_ref(), 40).await;
    let few = BatchLimits { max_records: 3, ..quick() };
    for micros in 0..60 {
        let wait = Duration::from_micros(micros * 10);
        if let Ok(delivery) = timeout(wait, member.subscription.next_batch(&few)).await
            && let Delivery::Batch(batch) = delivery.unwrap()
        {
            member.records.extend(batch.records.into_iter().map(|record| (batch.partition, record)));
        }
    }
    member.read(40).await;
    assert_eq!(member.payloads(), numbers(40));
}

/// Spec: deployment 2
pub(crate) async fn restart_keeps_records_and_identity<F: Fixture>() {
    let fixture = F::start().await;
    fill(fixture.queue().as_ref(), 12).await;
    let identity = log_id(fixture.queue().as_ref()).await;
    let (_, before) = start_at(fixture.queue().as_ref(), None, 12).await;
    let fixture = fixture.restart().await;
    assert_eq!(log_id(fixture.queue().as_ref()).await, identity);
    let (_, after) = start_at(fixture.queue().as_ref(), None, 12).await;
    assert_eq!(after, before);
    publish(fixture.queue().as_ref(), TOPIC, "key", "12").await;
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    assert_eq!(member.read_all().await, numbers(13));
}

pub(crate) async fn any_bytes_arrive_unchanged<F: Fixture>() {
    let fixture = F::start().await;
    let all: Bytes = (0..=255).collect();
    let pairs = [
        (Bytes::new(), Bytes::new()),
        (all.clone(), Bytes::new()),
        (Bytes::new(), all.clone()),
        (all.clone(), all),
    ];
    for (key, payload) in pairs.clone() {
        fixture.queue().publish(TOPIC, key, payload).await.unwrap();
    }
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    let read = member.read(4).await.iter().map(|(_, record)| (record.key.clone(), record.payload.clone()));
    let mut read: Vec<_> = read.collect();
    let mut sent = pairs.to_vec();
    read.sort();
    sent.sort();
    assert_eq!(read, sent);
}

pub(crate) async fn record_over_the_limit_is_refused_and_harms_nobody<F: Fixture>() {
    let fixture = F::start().await;
    let queue = fixture.queue();
    let huge = Bytes::from(vec![7; 64 * 1024 * 1024]);
    let refusal = queue.publish(TOPIC, Bytes::new(), huge.clone()).await.unwrap_err();
    assert!(matches!(refusal, PublishError::TooLarge { size: 67_108_864, .. }), "{refusal}");
    let mixed = vec![(Bytes::new(), Bytes::from("small")), (Bytes::new(), huge)];
    assert!(matches!(queue.publish_many(TOPIC, mixed).await, Err(PublishError::TooLarge { .. })));
    publish(queue.as_ref(), TOPIC, "key", "0").await;
    let mut member = Member::join(queue.as_ref(), "g", TOPIC).await;
    assert_eq!(member.read_all().await, ["0"]);
}

pub(crate) async fn lag_counts_what_is_not_handled<F: Fixture>() {
    let fixture = F::start().await;
    fill(fixture.queue().as_ref(), 10).await;
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    let (partition, record) = member.read(10).await[3].clone();
    assert_eq!(member.subscription.lag(partition, record.offset + 1), 6);
    let last = member.records[9].1.offset;
    assert_eq!(member.subscription.lag(partition, last + 1), 0);
}

pub(crate) async fn partition_of_somebody_else_cannot_be_moved<F: Fixture>() {
    let fixture = F::start().await;
    let mut member = Member::join(fixture.queue().as_ref(), "g", TOPIC).await;
    let foreign = u32::MAX;
    let moved = member.subscription.seek(foreign, None).await;
    assert!(
        matches!(moved, Err(QueueError::NotAssigned { partition: foreign_one, .. }) if foreign_one == foreign)
    );
    let committed = member.subscription.committed(foreign, 1).await;
    assert!(matches!(committed, Err(QueueError::NotAssigned { .. })));
}
