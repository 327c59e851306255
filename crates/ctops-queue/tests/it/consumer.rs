//! Consumers of the embedded log: two that believe to own a partition, a replaced queue, freed segments.

use std::path::Path;
use std::sync::Arc;

use ctops_queue::log::Log;
use ctops_queue::{Queue, Topic};
use ctops_testkit::wait_until;

use crate::applier::{Applier, Consumer, Then, applied, database, stored, until_applied};
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
