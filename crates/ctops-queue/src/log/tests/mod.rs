//! Tests that reach under the log: its files and its disk.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod damage;
mod faults;
mod power;

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::queue::{BatchLimits, Delivery};

const TOPIC: Topic = Topic::EVENTS_RAW;

/// One topic in segments that hold a few dozen small records.
fn options(directory: &Path) -> LogOptions {
    LogOptions {
        segment_bytes: 4096,
        max_bytes: 4096 * 4096,
        topics: vec![TOPIC],
        ..LogOptions::new(directory)
    }
}

fn open(disk: Arc<dyn Disk>, directory: &Path) -> Result<Log, QueueError> {
    Log::open_on(disk, options(directory), Clock::system())
}

fn open_local(directory: &Path) -> Log {
    open(Arc::new(LocalDisk), directory).unwrap()
}

async fn publish(log: &Log, payload: impl Into<String>) -> Result<(), PublishError> {
    log.publish(TOPIC, Bytes::from_static(b"key"), Bytes::from(payload.into())).await
}

/// Everything readable, or the error that stopped reading.
async fn try_read(log: &Log) -> Result<Vec<(u64, String)>, QueueError> {
    let limits = BatchLimits {
        max_records: 7,
        max_wait: Duration::ZERO,
        max_idle: Duration::from_secs(10),
        ..BatchLimits::default()
    };
    let mut subscription = log.subscribe("reader", TOPIC).await?;
    assert!(matches!(subscription.next_batch(&limits).await?, Delivery::Assigned(_)));
    let mut next = subscription.seek(0, None).await?.position.next_offset;
    let mut read = Vec::new();
    while subscription.lag(0, next) > 0 {
        let Delivery::Batch(batch) = subscription.next_batch(&limits).await? else { panic!("no batch") };
        for record in batch.records {
            assert_eq!(record.offset, next, "embedded offsets are dense");
            next += 1;
            read.push((record.offset, String::from_utf8(record.payload.to_vec()).unwrap()));
        }
    }
    Ok(read)
}

async fn read(log: &Log) -> Vec<String> {
    try_read(log).await.unwrap().into_iter().map(|(_, payload)| payload).collect()
}

/// The segment files of the topic in order.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let listed = std::fs::read_dir(directory.join(TOPIC.name())).unwrap();
    let mut files: Vec<_> = listed.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}
