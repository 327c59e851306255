//! Measures the embedded log and prints one JSON document: `queue_bench [directory] [seconds for each measurement]`.
//!
//! - `publish_many`: one publisher, groups of a given size, each durable before the next.
//! - `publish`: many publishers that each wait for one record, as agent streams do.
//! - `consume`: reading everything that was published in batches of the default size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use ctops_base::clock::Clock;
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{BatchLimits, Delivery, Queue, Topic};
use serde_json::{Value, json};

const TOPIC: Topic = Topic::METRICS_RAW;
/// About the size of an encoded heartbeat.
const PAYLOAD_BYTES: usize = 300;
const GROUPS: [usize; 4] = [1, 32, 256, 2_000];
const PUBLISHERS: [usize; 4] = [1, 100, 1_000, 10_000];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "target/queue_bench".into());
    let seconds: u64 = arguments.next().map_or(Ok(3), |text| text.parse()).context("seconds")?;
    let duration = Duration::from_secs(seconds);
    let options = LogOptions {
        max_bytes: 64 * 1024 * 1024 * 1024,
        topics: vec![TOPIC],
        ..LogOptions::new(format!("{directory}/{}", std::process::id()))
    };
    let place = options.directory.clone();
    let log = Arc::new(Log::open(options, Clock::system()).await?);

    let mut by_group = Vec::new();
    for group in GROUPS {
        by_group.push(publish_groups(&log, group, duration).await?);
    }
    let mut by_publishers = Vec::new();
    for publishers in PUBLISHERS {
        by_publishers.push(publish_singly(&log, publishers, duration).await?);
    }
    let consumed = consume(&log).await?;
    let report = json!({
        "payload_bytes": PAYLOAD_BYTES,
        "publish_many": by_group,
        "publish": by_publishers,
        "consume": consumed,
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    log.close().await;
    std::fs::remove_dir_all(place)?;
    Ok(())
}

fn record() -> (Bytes, Bytes) {
    (Bytes::from_static(b"0123456789abcdef"), Bytes::from(vec![0x5a; PAYLOAD_BYTES]))
}

async fn publish_groups(log: &Log, group: usize, duration: Duration) -> anyhow::Result<Value> {
    let records = vec![record(); group];
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut count = 0;
    while began.elapsed() < duration {
        log.publish_many(TOPIC, records.clone()).await?;
        count += group;
    }
    result("group", group, count, began, cpu)
}

async fn publish_singly(log: &Arc<Log>, publishers: usize, duration: Duration) -> anyhow::Result<Value> {
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..publishers {
        let log = Arc::clone(log);
        tasks.spawn(async move {
            let (key, payload) = record();
            let mut count = 0;
            while began.elapsed() < duration {
                log.publish(TOPIC, key.clone(), payload.clone()).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(published) = tasks.join_next().await {
        count += published??;
    }
    result("publishers", publishers, count, began, cpu)
}

async fn consume(log: &Log) -> anyhow::Result<Value> {
    let mut subscription = log.subscribe("bench", TOPIC).await?;
    let limits = BatchLimits { max_wait: Duration::ZERO, ..BatchLimits::default() };
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut count = 0;
    loop {
        match subscription.next_batch(&limits).await? {
            Delivery::Assigned(partitions) => {
                for partition in partitions {
                    subscription.seek(partition, None).await?;
                }
            }
            Delivery::Revoked(_) => {}
            Delivery::Idle => break,
            Delivery::Batch(batch) => {
                count += batch.records.len();
                let next = batch.records.last().map_or(0, |record| record.offset + 1);
                subscription.committed(batch.partition, next).await?;
                if subscription.lag(batch.partition, next) == 0 {
                    break;
                }
            }
        }
    }
    result("batch", limits.max_records, count, began, cpu)
}

fn result(what: &str, size: usize, count: usize, began: Instant, cpu: f64) -> anyhow::Result<Value> {
    let seconds = began.elapsed().as_secs_f64();
    let cpu = cpu_seconds()? - cpu;
    Ok(json!({
        what: size,
        "records": count,
        "records_per_second": (count as f64 / seconds).round(),
        "cpu_microseconds_per_record": (cpu * 1e8 / count as f64).round() / 100.0,
    }))
}

/// Processor time of this process so far.
fn cpu_seconds() -> anyhow::Result<f64> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1_000_000.0;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
