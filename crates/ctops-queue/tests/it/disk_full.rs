//! A real refusal of the kernel: the process may not write beyond a file size.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use ctops_queue::log::Log;
use ctops_queue::{Health, PublishError, Queue, Topic};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::support::{Member, open, small};

const TOPIC: Topic = Topic::METRICS_RAW;
/// Tells the child below where to publish.
const DIRECTORY: &str = "CTOPS_QUEUE_TEST_FULL_DIRECTORY";

async fn publish(log: &Log, number: usize) -> Result<(), PublishError> {
    log.publish(TOPIC, Bytes::new(), Bytes::from(format!("{number:01000}"))).await
}

fn limit_file_size(bytes: u64) {
    setrlimit(Resource::RLIMIT_FSIZE, bytes, RLIM_INFINITY).unwrap();
}

/// Runs under a limit that would hit other tests too: does nothing unless the test below starts it in a process of its
/// own.
#[tokio::test]
async fn child_meets_a_full_disk() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let log = open(small(Path::new(&directory), &[TOPIC])).await;
    publish(&log, 0).await.unwrap();
    // In the middle of the first segment, and in the middle of a record.
    limit_file_size(10_500);
    let mut stored = 1;
    let refusal = loop {
        match publish(&log, stored).await {
            Ok(()) => stored += 1,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, PublishError::Unavailable { .. }), "{refusal}");
    assert_eq!((stored, log.health()), (10, Health::Unavailable));
    publish(&log, stored).await.unwrap_err();
    limit_file_size(RLIM_INFINITY);
    publish(&log, stored).await.unwrap();
    assert_eq!(log.health(), Health::Ready);
    // The space was used up again, this time where a new segment begins.
    limit_file_size(1);
    publish(&log, stored + 1).await.unwrap_err();
    limit_file_size(RLIM_INFINITY);
    publish(&log, stored + 1).await.unwrap();
    log.close().await;
}

/// Spec: deployment 2
#[tokio::test]
async fn full_disk_refuses_publishers_keeps_what_was_acknowledged_and_heals() {
    let directory = tempfile::tempdir().unwrap();
    let child = std::env::current_exe().unwrap();
    // The signal that comes with the limit is ignored, as it would be by a disk that has no signal.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact disk_full::child_meets_a_full_disk"])
        .arg(child)
        .env(DIRECTORY, directory.path())
        .status()
        .unwrap();
    assert!(status.success());
    let log = open(small(directory.path(), &[TOPIC])).await;
    let mut member = Member::join(log.as_ref() as &dyn Queue, "g", TOPIC).await;
    let numbers: Vec<usize> = member.read_all().await.iter().map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    drop(Arc::clone(&log));
}
