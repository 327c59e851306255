//! Each record is applied exactly once, whatever dies between applying and committing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ctops_queue::log::Log;
use ctops_queue::{Queue, Topic};
use ctops_testkit::wait_until;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::applier::{Applier, Consumer, Then, applied, database, dead_letters, stored, until_applied};
use crate::support::{LIMIT, numbers, open, publish, small};

const TOPIC: Topic = Topic::METRICS_RAW;

async fn fill(log: &Arc<Log>, from: usize, to: usize) {
    for number in from..to {
        publish(log.as_ref(), TOPIC, "key", number.to_string()).await;
    }
}

async fn filled(directory: &Path, count: usize) -> Arc<Log> {
    let log = open(small(directory, &[TOPIC])).await;
    let records = numbers(count).into_iter().map(|number| (Default::default(), number.into())).collect();
    log.publish_many(TOPIC, records).await.unwrap();
    log
}

/// Says yes the first time.
fn once() -> impl Fn() -> bool + Send + Sync {
    let done = AtomicBool::new(false);
    move || !done.swap(true, Ordering::SeqCst)
}

#[tokio::test]
async fn consumer_applies_everything_and_stores_the_offset_with_it() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = filled(directory.path(), 120).await;
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    until_applied(db.pool(), 120).await;
    assert_eq!(stored(db.pool()).await, Some((log.log_id().to_string(), 120)));
    consumer.stop().await;

    fill(&log, 120, 130).await;
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    until_applied(db.pool(), 130).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(130), "the second consumer continued");
    assert_eq!(dead_letters(db.pool()).await, []);
}

#[tokio::test]
async fn connection_lost_before_the_commit_applies_each_record_once() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = filled(directory.path(), 120).await;
    let first = once();
    let applier =
        Applier::new(
            move |records| {
                if records[0].offset == 50 && first() { Then::LoseConnection } else { Then::Commit }
            },
        );
    let consumer = Consumer::start(&log, db.pool(), &applier);
    until_applied(db.pool(), 120).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(120));
    assert_eq!(dead_letters(db.pool()).await, []);
}

#[tokio::test]
async fn task_aborted_before_the_commit_applies_each_record_once() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = filled(directory.path(), 120).await;
    let hanging = Applier::new(|records| if records[0].offset == 50 { Then::Hang } else { Then::Commit });
    let consumer = Consumer::start(&log, db.pool(), &hanging);
    hanging.hanging.notified().await;
    assert_eq!(applied(db.pool()).await, numbers(50));
    consumer.abort().await;
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    until_applied(db.pool(), 120).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(120));
}

/// Spec: deployment 2
#[tokio::test]
async fn consumers_that_die_at_random_moments_apply_each_record_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let mut log = filled(directory.path(), 2_000).await;
    let mut random = StdRng::seed_from_u64(seed);
    while applied(db.pool()).await.len() < 2_000 {
        // The batch in which this consumer hangs and is killed; before it, connections are lost now and then.
        let (hangs_at, loses): (u64, u64) = (random.random_range(0..500), random.random_range(2..9));
        let start = stored(db.pool()).await.map_or(0, |(_, next)| next.cast_unsigned());
        let last_loss = std::sync::atomic::AtomicU64::new(u64::MAX);
        let applier = Applier::new(move |records| {
            let first = records[0].offset;
            if first >= start + hangs_at {
                Then::Hang
            } else if (first / 50).is_multiple_of(loses) && last_loss.swap(first, Ordering::SeqCst) != first {
                Then::LoseConnection
            } else {
                Then::Commit
            }
        });
        let consumer = Consumer::start(&log, db.pool(), &applier);
        tokio::select! {
            () = applier.hanging.notified() => {}
            () = until_applied(db.pool(), 2_000) => {}
        }
        consumer.abort().await;
        if random.random_bool(0.3) {
            log.close().await;
            log = open(small(directory.path(), &[TOPIC])).await;
        }
    }
    assert_eq!(applied(db.pool()).await, numbers(2_000), "seed {seed}");
    assert_eq!(dead_letters(db.pool()).await, [], "seed {seed}");
}

#[tokio::test]
async fn two_consumers_that_both_believe_to_own_the_partition_apply_each_record_once() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    filled(directory.path(), 1_000).await.close().await;
    let copy = tempfile::tempdir().unwrap();
    let status =
        std::process::Command::new("cp").arg("-r").arg(directory.path().join(".")).arg(copy.path()).status();
    assert!(status.unwrap().success());
    let (one, other) =
        (open(small(directory.path(), &[TOPIC])).await, open(small(copy.path(), &[TOPIC])).await);
    assert_eq!(one.log_id(), other.log_id(), "as two nodes of one Kafka group would have");
    let slow = Applier::new(|records| if records[0].offset == 50 { Then::Hang } else { Then::Commit });
    let slow_consumer = Consumer::start(&one, db.pool(), &slow);
    slow.hanging.notified().await;
    let other_consumer = Consumer::start(&other, db.pool(), &Applier::new(|_| Then::Commit));
    let blocked = || async {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(db.pool())
        .await
        .unwrap();
        count == 1
    };
    wait_until(LIMIT, blocked).await;
    assert_eq!(applied(db.pool()).await, numbers(50), "the second one waits for the first");
    slow.released.notify_one();
    until_applied(db.pool(), 1_000).await;
    slow_consumer.stop().await;
    other_consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(1_000));
}

#[tokio::test]
async fn replaced_queue_is_read_from_its_beginning() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = filled(directory.path(), 30).await;
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    until_applied(db.pool(), 30).await;
    consumer.stop().await;
    let directory = tempfile::tempdir().unwrap();
    let log = open(small(directory.path(), &[TOPIC])).await;
    fill(&log, 30, 35).await;
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    until_applied(db.pool(), 35).await;
    consumer.stop().await;
    assert_eq!(applied(db.pool()).await, numbers(35));
    assert_eq!(stored(db.pool()).await, Some((log.log_id().to_string(), 5)));
}

#[tokio::test]
async fn committed_batches_let_the_log_delete_segments() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = open(small(directory.path(), &[TOPIC])).await;
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    for number in 0..300 {
        publish(log.as_ref(), TOPIC, "key", format!("{number:01000}")).await;
    }
    let segments = || std::fs::read_dir(directory.path().join(TOPIC.name())).unwrap().count();
    wait_until(LIMIT, || async { segments() == 1 }).await;
    until_applied(db.pool(), 300).await;
    consumer.stop().await;
}

#[tokio::test]
async fn consumer_ends_when_the_queue_is_closed() {
    let (db, directory) = (database().await, tempfile::tempdir().unwrap());
    let log = filled(directory.path(), 1).await;
    let consumer = Consumer::start(&log, db.pool(), &Applier::new(|_| Then::Commit));
    until_applied(db.pool(), 1).await;
    log.close().await;
    tokio::time::timeout(LIMIT, consumer.task).await.unwrap().unwrap();
}
