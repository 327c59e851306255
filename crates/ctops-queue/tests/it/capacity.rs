//! Limits of the embedded log: one user, a size cap that slows, retention.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ctops_base::clock::Clock;
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{Health, PublishError, Queue, QueueError, Topic};
use ctops_testkit::wait_until;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{LIMIT, Member, open, publish, quick, small};

const TOPIC: Topic = Topic::METRICS_RAW;
const OTHER: Topic = Topic::AGENT_STATUS;

/// Room for five segments of 8 KiB, two of them reserved for the other topic.
fn five_segments(directory: &TempDir) -> LogOptions {
    LogOptions {
        segment_bytes: 8 * 1024,
        max_bytes: 5 * 8 * 1024,
        ..small(directory.path(), &[TOPIC, OTHER])
    }
}

fn segments(directory: &TempDir, topic: Topic) -> usize {
    std::fs::read_dir(directory.path().join(topic.name())).unwrap().count()
}

fn disk_bytes(directory: &TempDir) -> u64 {
    let size = |topic: Topic| {
        let files = std::fs::read_dir(directory.path().join(topic.name())).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    size(TOPIC) + size(OTHER)
}

/// Publishes numbered records of about 1 KiB, all at once.
fn flood(log: &Arc<Log>, count: usize) -> JoinSet<Result<(), PublishError>> {
    let mut publishing = JoinSet::new();
    for number in 0..count {
        let log = Arc::clone(log);
        let payload = format!("{number:01000}");
        publishing.spawn(async move { log.publish(TOPIC, Bytes::new(), Bytes::from(payload)).await });
    }
    publishing
}

async fn until_full(log: &Arc<Log>) {
    wait_until(LIMIT, || async { log.health() == Health::Full }).await;
}

#[tokio::test]
async fn directory_in_use_is_refused_with_the_holder() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(small(directory.path(), &[TOPIC])).await;
    let refusal = Log::open(small(directory.path(), &[TOPIC]), Clock::system()).await.unwrap_err();
    assert!(matches!(refusal, QueueError::Locked { .. }));
    let process = std::process::id();
    assert_eq!(
        refusal.to_string(),
        format!("the queue directory is in use by another process (process {process})")
    );
    log.close().await;
    open(small(directory.path(), &[TOPIC])).await;
}

/// Spec: deployment 2
#[tokio::test]
async fn full_log_makes_publishers_wait_until_consumers_free_space_and_drops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions { max_pending_records: 16, ..five_segments(&directory) };
    let log = open(options).await;
    let mut member = Member::join(log.as_ref(), "metrics", TOPIC).await;
    let mut publishing = flood(&log, 200);
    until_full(&log).await;
    assert_eq!(segments(&directory, TOPIC), 3, "two segments are kept for the other topic");
    let size = disk_bytes(&directory);
    assert!(size <= 5 * 8 * 1024, "{size} bytes are more than the cap");

    let draining = async {
        while member.records.len() < 200 {
            if member.step(&quick()).await > 0 {
                let next = member.records.last().unwrap().1.offset + 1;
                member.subscription.committed(0, next).await.unwrap();
            }
        }
    };
    timeout(LIMIT, draining).await.unwrap();
    while let Some(published) = publishing.join_next().await {
        published.unwrap().unwrap();
    }
    let mut numbers: Vec<u32> = member.payloads().iter().map(|number| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    assert_eq!(log.health(), Health::Ready);
}

/// Spec: deployment 2
#[tokio::test]
async fn full_topic_does_not_stop_another_topic() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(five_segments(&directory)).await;
    log.subscribe("metrics", TOPIC).await.unwrap();
    let _publishing = flood(&log, 60);
    until_full(&log).await;
    for number in 0..14 {
        publish(log.as_ref(), OTHER, "key", format!("{number:01000}")).await;
    }
    assert_eq!(segments(&directory, OTHER), 2, "the reserve was used");
    let mut member = Member::join(log.as_ref(), "events", OTHER).await;
    assert_eq!(member.read_all().await.len(), 14);
}

/// A publisher that gives up before there was room for its record leaves nothing behind.
#[tokio::test]
async fn records_that_wait_in_memory_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(LogOptions { max_pending_records: 4, ..five_segments(&directory) }).await;
    let mut member = Member::join(log.as_ref(), "metrics", TOPIC).await;
    let mut publishing = flood(&log, 100);
    until_full(&log).await;
    let stored = async {
        while publishing.len() > 100 - 21 {
            publishing.join_next().await.unwrap().unwrap().unwrap();
        }
    };
    timeout(LIMIT, stored).await.unwrap();
    publishing.shutdown().await;
    member.read(21).await;
    member.subscription.committed(0, 21).await.unwrap();
    // Those that had room are stored although nobody waits for them; an end mark is the last record of all.
    publish(log.as_ref(), TOPIC, "", "end").await;
    assert_eq!(member.read_all().await.len(), 21 + 4 + 1);
}

#[tokio::test]
async fn publishers_that_wait_for_space_are_told_when_the_log_closes() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions { max_pending_records: 4, ..five_segments(&directory) };
    let log = open(options.clone()).await;
    let mut publishing = flood(&log, 60);
    until_full(&log).await;
    let mut stored = 0;
    let mut refused = 0;
    Arc::clone(&log).close().await;
    while let Some(published) = publishing.join_next().await {
        match published.unwrap() {
            Ok(()) => stored += 1,
            Err(PublishError::Closed) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    assert!(matches!(log.publish(TOPIC, Bytes::new(), Bytes::new()).await, Err(PublishError::Closed)));
    assert!(matches!(log.subscribe("g", TOPIC).await, Err(QueueError::Closed)));
    assert_eq!(log.health(), Health::Unavailable);
    drop(log);
    let log = open(options).await;
    let mut member = Member::join(log.as_ref(), "g", TOPIC).await;
    assert_eq!(member.read_all().await.len(), stored, "exactly the acknowledged records are there");
}

#[tokio::test]
async fn subscription_of_a_closed_log_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(five_segments(&directory)).await;
    let mut subscription = log.subscribe("g", TOPIC).await.unwrap();
    log.close().await;
    assert!(matches!(subscription.next_batch(&quick()).await, Err(QueueError::Closed)));
}

#[tokio::test]
async fn segments_are_deleted_when_every_registered_group_is_past_them() {
    let directory = tempfile::tempdir().unwrap();
    let groups = vec![(TOPIC, "metrics"), (TOPIC, "alerts")];
    let options = LogOptions { groups, ..small(directory.path(), &[TOPIC]) };
    let log = open(LogOptions { segment_bytes: 8 * 1024, ..options.clone() }).await;
    for _ in 0..40 {
        publish(log.as_ref(), TOPIC, "key", "x".repeat(1000)).await;
    }
    let before = segments(&directory, TOPIC);
    assert!(before > 4, "{before} segments");
    let mut fast = Member::join(log.as_ref(), "metrics", TOPIC).await;
    let end = fast.read(40).await.last().unwrap().1.offset + 1;
    fast.subscription.committed(0, end).await.unwrap();
    publish(log.as_ref(), TOPIC, "key", "wakes the writer").await;
    assert_eq!(segments(&directory, TOPIC), before, "the other group has not even subscribed");

    let mut slow = Member::join(log.as_ref(), "alerts", TOPIC).await;
    slow.read(41).await;
    slow.subscription.committed(0, end).await.unwrap();
    wait_until(LIMIT, || async { segments(&directory, TOPIC) == 1 }).await;
    log.close().await;

    let log = open(options).await;
    let mut late = Member::join(log.as_ref(), "late", TOPIC).await;
    let left = late.read_all().await;
    assert!(left.len() < 10 && left.last().unwrap() == "wakes the writer", "{} records", left.len());
}

#[tokio::test]
async fn position_whose_records_are_gone_starts_at_the_oldest_and_counts_them() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(LogOptions { segment_bytes: 8 * 1024, ..small(directory.path(), &[TOPIC]) }).await;
    for _ in 0..40 {
        publish(log.as_ref(), TOPIC, "key", "x".repeat(1000)).await;
    }
    let mut member = Member::join(log.as_ref(), "g", TOPIC).await;
    member.read(40).await;
    member.subscription.committed(0, 40).await.unwrap();
    wait_until(LIMIT, || async { segments(&directory, TOPIC) == 1 }).await;
    let stored = ctops_queue::Position { log_id: Arc::clone(log.log_id()), next_offset: 3 };
    let started = member.subscription.seek(0, Some(&stored)).await.unwrap();
    let begin = started.position.next_offset;
    assert_eq!(started.origin, ctops_queue::Origin::Expired { missing: begin - 3 });
    member.records.clear();
    assert_eq!(member.read(1).await[0].1.offset, begin);
}

#[tokio::test]
async fn topic_that_is_not_carried_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(small(directory.path(), &[TOPIC])).await;
    assert_eq!((log.partitions(TOPIC), log.partitions(OTHER)), (1, 0));
    let refusal = log.publish(OTHER, Bytes::new(), Bytes::new()).await.unwrap_err();
    assert_eq!(refusal.to_string(), "topic agent.status is not carried by this queue");
    assert!(matches!(log.subscribe("g", OTHER).await, Err(QueueError::UnknownTopic(OTHER))));
}

#[tokio::test]
async fn record_larger_than_the_room_in_memory_still_gets_through() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(LogOptions { max_pending_bytes: 100, ..small(directory.path(), &[TOPIC]) }).await;
    let publishing = log.publish(TOPIC, Bytes::new(), Bytes::from(vec![1; 50_000]));
    timeout(Duration::from_secs(10), publishing).await.unwrap().unwrap();
}
