//! Consumers of a group join and leave under load: no record is lost and none is applied twice.

use std::sync::Arc;
use std::time::Duration;

use ctops_pg::Pool;
use ctops_queue::kafka::KafkaQueue;
use ctops_queue::{Queue, Topic};
use ctops_testkit::wait_until;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::applier::{Applier, Consumer, Then, applied, database, dead_letters};
use crate::brokers::Brokers;
use crate::support::numbers;

const TOPIC: Topic = Topic::METRICS_RAW;
const PARTITIONS: u32 = 6;
/// How many records may wait for the consumers.
const AHEAD: usize = 1_000;
/// Rebalances take seconds, and there are several in a test.
const LIMIT: Duration = Duration::from_secs(120);

/// Publishes numbers until stopped, without getting too far ahead of the consumers, because the brokers inside the test
/// keep little; returns how many were acknowledged.
fn publisher(queue: Arc<KafkaQueue>, pool: Pool, stop: CancellationToken) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut next = 0_usize;
        while !stop.is_cancelled() {
            wait_until(LIMIT, || async { next < count(&pool).await + AHEAD }).await;
            let records = (next..next + 20).map(|number| {
                let key = format!("host {}", number % 50);
                (key.into(), number.to_string().into())
            });
            queue.publish_many(TOPIC, records.collect()).await.unwrap();
            next += 20;
        }
        next
    })
}

fn committing() -> Arc<Applier> {
    Applier::new(|_| Then::Commit)
}

async fn count(pool: &Pool) -> usize {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM applied").fetch_one(pool).await.unwrap();
    usize::try_from(count).unwrap()
}

async fn until_more(pool: &Pool, more: usize) {
    let start = count(pool).await;
    wait_until(LIMIT, || async { count(pool).await >= start + more }).await;
}

/// Every number once, and those of a key in their order.
async fn check(pool: &Pool, published: usize, seed: u64) {
    wait_until(LIMIT, || async { count(pool).await >= published }).await;
    let applied = applied(pool).await;
    let mut sorted: Vec<usize> = applied.iter().map(|number| number.parse().unwrap()).collect();
    for key in 0..50 {
        let of_key: Vec<usize> = sorted.iter().copied().filter(|number| number % 50 == key).collect();
        assert!(of_key.is_sorted(), "seed {seed}: records of host {key} were applied out of order");
    }
    sorted.sort_unstable();
    let sorted: Vec<String> = sorted.iter().map(usize::to_string).collect();
    assert_eq!(sorted, numbers(published), "seed {seed}");
    assert_eq!(dead_letters(pool).await, [], "seed {seed}");
}

/// Which consumers' partitions are moved: those whose offsets are stored.
async fn partitions_read(pool: &Pool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM consumer_offsets WHERE group_name = 'metrics'")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Spec: deployment 1, 4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_consumer_that_joins_and_leaves_under_load_changes_nothing() {
    let (db, brokers) = (database().await, Brokers::any(PARTITIONS));
    let (one, other) = (brokers.queue().await, brokers.queue().await);
    let stop = CancellationToken::new();
    let publishing = publisher(Arc::clone(&one), db.pool().clone(), stop.clone());
    let first = Consumer::start(&one, db.pool(), &committing());
    until_more(db.pool(), 200).await;

    // The second one has taken over partitions when it has applied something.
    let joined = Applier::new(|_| Then::Commit);
    let seen = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&seen);
    let mut counting = Arc::into_inner(joined).unwrap();
    counting.then = Box::new(move |_| {
        tell.notify_one();
        Then::Commit
    });
    let second = Consumer::start(&other, db.pool(), &Arc::new(counting));
    tokio::time::timeout(LIMIT, seen.notified()).await.unwrap();
    until_more(db.pool(), 200).await;
    second.stop().await;
    until_more(db.pool(), 200).await;

    stop.cancel();
    let published = publishing.await.unwrap();
    check(db.pool(), published, 0).await;
    assert_eq!(partitions_read(db.pool()).await, i64::from(PARTITIONS));
    first.stop().await;
    for queue in [one, other] {
        queue.close().await;
    }
}

/// Spec: deployment 1, 4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_consumers_that_come_go_and_crash_at_random_apply_each_record_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (db, brokers) = (database().await, Brokers::any(PARTITIONS));
    let mut queues = Vec::new();
    for _ in 0..3 {
        queues.push(brokers.queue().await);
    }
    let stop = CancellationToken::new();
    let publishing = publisher(Arc::clone(&queues[0]), db.pool().clone(), stop.clone());
    let mut consumers: Vec<Option<Consumer>> =
        queues.iter().map(|queue| Some(Consumer::start(queue, db.pool(), &committing()))).collect();
    until_more(db.pool(), 100).await;
    for _ in 0..8 {
        let which = random.random_range(0..3);
        match consumers[which].take() {
            // A crash leaves whatever transaction is open.
            Some(consumer) if random.random_bool(0.5) => consumer.abort().await,
            Some(consumer) => consumer.stop().await,
            None => consumers[which] = Some(Consumer::start(&queues[which], db.pool(), &committing())),
        }
        if consumers.iter().all(Option::is_none) {
            consumers[0] = Some(Consumer::start(&queues[0], db.pool(), &committing()));
        }
        until_more(db.pool(), random.random_range(1..200)).await;
    }
    stop.cancel();
    let published = publishing.await.unwrap();
    check(db.pool(), published, seed).await;
    for consumer in consumers.into_iter().flatten() {
        consumer.stop().await;
    }
    for queue in queues {
        queue.close().await;
    }
}
