//! Scripted faults of brokers: what was acknowledged is there, once; what was not is reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ctops_queue::kafka::{KafkaOptions, KafkaQueue};
use ctops_queue::{Health, PublishError, Queue, Topic};
use ctops_testkit::wait_until;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::applier::{Applier, Consumer, Then, applied, database, dead_letters, until_applied};
use crate::brokers::Brokers;
use crate::support::{LIMIT, Member, numbers, publish};

const TOPIC: Topic = Topic::METRICS_RAW;

use RDKafkaRespErr::{
    RD_KAFKA_RESP_ERR__TRANSPORT as DISCONNECTED, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as TOO_FEW_COPIES,
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as NOT_LEADER,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as TIMED_OUT,
};

/// Publishes numbered records, all at once, with keys of ten hosts.
fn flood(queue: &Arc<KafkaQueue>, numbers: std::ops::Range<usize>) -> JoinSet<Result<(), PublishError>> {
    let mut publishing = JoinSet::new();
    for number in numbers {
        let queue = Arc::clone(queue);
        let (key, payload) = (format!("host {}", number % 10), number.to_string());
        publishing.spawn(async move { queue.publish(TOPIC, key.into(), payload.into()).await });
    }
    publishing
}

async fn all_stored(mut publishing: JoinSet<Result<(), PublishError>>) {
    let waiting = async {
        while let Some(published) = publishing.join_next().await {
            published.unwrap().unwrap();
        }
    };
    timeout(LIMIT, waiting).await.unwrap();
}

/// Exactly the numbers up to `count`, each once.
async fn holds(queue: &KafkaQueue, count: usize) {
    let mut member = Member::join(queue, "reader", TOPIC).await;
    let mut found: Vec<usize> =
        member.read_all().await.iter().map(|number| number.parse().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..count).collect::<Vec<_>>());
}

/// Publishes while every produce request meets the next of these errors.
async fn survives(errors: &[RDKafkaRespErr]) {
    let brokers = Brokers::inside(3, 3);
    let queue = brokers.queue().await;
    publish(queue.as_ref(), TOPIC, "host 0", "0").await;
    brokers.script().request_errors(RDKafkaApiKey::Produce, errors);
    all_stored(flood(&queue, 1..200)).await;
    holds(&queue, 200).await;
    assert_eq!(queue.health(), Health::Ready);
}

/// Spec: deployment 4
#[tokio::test]
async fn broker_that_is_not_the_leader_any_more_loses_and_doubles_nothing() {
    survives(&[NOT_LEADER; 5]).await;
}

#[tokio::test]
async fn brokers_with_too_few_copies_are_waited_for() {
    survives(&[TOO_FEW_COPIES; 5]).await;
}

/// The brokers inside refuse such requests before they store anything.
#[tokio::test]
async fn requests_that_time_out_or_break_off_are_repeated_and_double_nothing() {
    survives(&[TIMED_OUT, DISCONNECTED, TIMED_OUT, DISCONNECTED, DISCONNECTED]).await;
}

/// Spec: deployment 4
#[tokio::test]
async fn leader_that_moves_while_publishing_loses_and_doubles_nothing() {
    let brokers = Brokers::inside(3, 3);
    let queue = brokers.queue().await;
    let publishing = flood(&queue, 0..500);
    for leader in [1, 2, 3, 1] {
        for partition in 0..3 {
            brokers.script().partition_leader(TOPIC.name(), partition, Some(leader)).unwrap();
        }
        publish(queue.as_ref(), Topic::EVENTS_RAW, "key", "passes time").await;
    }
    all_stored(publishing).await;
    holds(&queue, 500).await;
}

/// Spec: deployment 4
#[tokio::test]
async fn brokers_that_are_down_for_a_while_lose_and_double_nothing() {
    let brokers = Brokers::inside(3, 3);
    let queue = brokers.queue().await;
    publish(queue.as_ref(), TOPIC, "host 0", "0").await;
    brokers.script().broker_down(-1).unwrap();
    let publishing = flood(&queue, 1..100);
    wait_until(LIMIT, || async { queue.health() == Health::Unavailable }).await;
    brokers.script().broker_up(-1).unwrap();
    all_stored(publishing).await;
    holds(&queue, 100).await;
    wait_until(LIMIT, || async { queue.health() == Health::Ready }).await;
}

#[tokio::test]
async fn brokers_that_stay_away_are_reported_and_found_again_without_traffic() {
    let brokers = Brokers::inside(1, 1);
    let delivery_timeout = Duration::from_millis(1_500);
    let queue = KafkaQueue::open(KafkaOptions { delivery_timeout, ..brokers.options() }).await.unwrap();
    brokers.script().broker_down(-1).unwrap();
    let refusal = timeout(LIMIT, queue.publish(TOPIC, Bytes::new(), "0".into())).await.unwrap();
    assert!(matches!(refusal, Err(PublishError::Unavailable { .. })), "{refusal:?}");
    assert_eq!(queue.health(), Health::Unavailable);
    brokers.script().broker_up(-1).unwrap();
    wait_until(LIMIT, || async { queue.health() == Health::Ready }).await;
    publish(&queue, TOPIC, "key", "1").await;
}

/// Spec: deployment 2
#[tokio::test]
async fn slow_brokers_make_publishers_wait_and_nothing_is_lost() {
    let brokers = Brokers::inside(1, 1);
    let options = KafkaOptions { max_pending_records: 10, ..brokers.options() };
    let queue = Arc::new(KafkaQueue::open(options).await.unwrap());
    brokers.script().broker_round_trip_time(-1, Duration::from_millis(100)).unwrap();
    all_stored(flood(&queue, 0..60)).await;
    brokers.script().broker_round_trip_time(-1, Duration::ZERO).unwrap();
    holds(&queue, 60).await;
}

/// A publisher that gives up before there was room for its record leaves nothing behind.
#[tokio::test]
async fn records_under_way_are_bounded() {
    let brokers = Brokers::inside(1, 1);
    let options = KafkaOptions { max_pending_records: 10, ..brokers.options() };
    let queue = Arc::new(KafkaQueue::open(options).await.unwrap());
    publish(queue.as_ref(), TOPIC, "host 0", "before").await;
    brokers.script().broker_down(-1).unwrap();
    let began = Arc::new(AtomicUsize::new(0));
    let mut publishing = JoinSet::new();
    for number in 0..60 {
        let (queue, began) = (Arc::clone(&queue), Arc::clone(&began));
        publishing.spawn(async move {
            began.fetch_add(1, Ordering::SeqCst);
            queue.publish(TOPIC, "host 0".into(), number.to_string().into()).await
        });
    }
    // On the test's one thread, a publisher that has begun has its room or waits for it.
    wait_until(LIMIT, || async { began.load(Ordering::SeqCst) == 60 }).await;
    publishing.shutdown().await;
    brokers.script().broker_up(-1).unwrap();
    // Those that had room are stored although nobody waits for them; an end mark is the last record of all.
    publish(queue.as_ref(), TOPIC, "host 0", "end").await;
    let mut member = Member::join(queue.as_ref(), "reader", TOPIC).await;
    assert_eq!(member.read_all().await.len(), 1 + 10 + 1);
}

/// Consumers read while brokers go away, change leaders and refuse to answer.
///
/// Brokers recognise the repeated batch of an idempotent producer by its producer id and sequence (KIP-98). Those inside
/// look at both only when the producer is transactional, so a batch whose answer was lost lies twice in their topics.
/// What is applied is therefore compared with what they stored.
///
/// Spec: deployment 4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_at_random_under_load_lose_nothing_and_apply_each_stored_record_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (db, brokers) = (database().await, Brokers::inside(3, 3));
    let queue = brokers.queue().await;
    let consumer = Consumer::start(&queue, db.pool(), &Applier::new(|_| Then::Commit));
    let mut published = 0;
    for _ in 0..6 {
        let publishing = flood(&queue, published..published + 200);
        published += 200;
        fault(&brokers, &mut random);
        // One moment of a fault: until something else got through, or a second.
        let _ = timeout(Duration::from_secs(1), publish(queue.as_ref(), Topic::EVENTS_RAW, "k", "p")).await;
        brokers.script().broker_up(-1).unwrap();
        brokers.script().broker_round_trip_time(-1, Duration::ZERO).unwrap();
        all_stored(publishing).await;
    }
    let in_order = |mut found: Vec<String>| {
        found.sort_by_key(|number| number.parse::<usize>().unwrap());
        found
    };
    let mut reader = Member::join(queue.as_ref(), "reader", TOPIC).await;
    let stored = in_order(reader.read_all().await);
    until_applied(db.pool(), stored.len()).await;
    consumer.stop().await;
    let found = in_order(applied(db.pool()).await);
    assert!(found == stored, "seed {seed}: {} of {} stored records applied", found.len(), stored.len());
    // Batches that the brokers inside stored twice are no fault of the publisher; none may be missing.
    let mut distinct = found;
    distinct.dedup();
    assert_eq!(distinct, numbers(published), "seed {seed}");
    assert_eq!(dead_letters(db.pool()).await, [], "seed {seed}");
}

fn fault(brokers: &Brokers, random: &mut StdRng) {
    let script = brokers.script();
    match random.random_range(0..5) {
        0 => script.broker_down(random.random_range(1..=3)).unwrap(),
        1 => {
            for partition in 0..3 {
                let leader = Some(random.random_range(1..=3));
                script.partition_leader(TOPIC.name(), partition, leader).unwrap();
            }
        }
        2 => script.request_errors(RDKafkaApiKey::Produce, &[NOT_LEADER, TIMED_OUT, DISCONNECTED]),
        3 => script.request_errors(RDKafkaApiKey::Fetch, &[DISCONNECTED, NOT_LEADER, DISCONNECTED]),
        _ => script.broker_round_trip_time(-1, Duration::from_millis(150)).unwrap(),
    }
}
