//! Measures a queue and prints one JSON document: `queue_bench [directory] [seconds for each measurement] [brokers]`.
//!
//! Without brokers it is the embedded log in the directory. `brokers` are host:port separated by commas, or `inside` for
//! one that lives in this process (librdkafka's mock: one thread, in memory) and shows what the client costs.
//!
//! - `publish_many`: one publisher, groups of a given size, each durable before the next.
//! - `publish`: many publishers that each wait for one record, as agent streams do.
//! - `consume`: reading everything that was published in batches of the default size.

use std::collections::BTreeMap;
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
    let place = format!("{directory}/{}", std::process::id());
    let inside = Inside::new()?;
    let queue: Arc<dyn Queue> = match arguments.next().as_deref() {
        None => Arc::new(Log::open(log_options(&place), Clock::system()).await?),
        Some("inside") => brokers(&inside.addresses()).await?,
        Some(addresses) => brokers(addresses).await?,
    };

    let mut by_group = Vec::new();
    for group in GROUPS {
        by_group.push(publish_groups(queue.as_ref(), group, duration).await?);
    }
    let mut by_publishers = Vec::new();
    for publishers in PUBLISHERS {
        by_publishers.push(publish_singly(&queue, publishers, duration).await?);
    }
    let consumed = consume(queue.as_ref()).await?;
    let report = json!({
        "payload_bytes": PAYLOAD_BYTES,
        "publish_many": by_group,
        "publish": by_publishers,
        "consume": consumed,
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    drop(queue);
    if std::path::Path::new(&place).exists() {
        std::fs::remove_dir_all(place)?;
    }
    Ok(())
}

fn log_options(place: &str) -> LogOptions {
    LogOptions { max_bytes: 64 * 1024 * 1024 * 1024, topics: vec![TOPIC], ..LogOptions::new(place) }
}

#[cfg(feature = "kafka")]
async fn brokers(addresses: &str) -> anyhow::Result<Arc<dyn Queue>> {
    use ctops_queue::kafka::{KafkaOptions, KafkaQueue};
    let options = KafkaOptions { topics: vec![TOPIC], ..KafkaOptions::new(addresses) };
    Ok(Arc::new(KafkaQueue::open(options).await?))
}

#[cfg(feature = "kafka")]
struct Inside(rdkafka::mocking::MockCluster<'static, rdkafka::producer::DefaultProducerContext>);

#[cfg(feature = "kafka")]
impl Inside {
    fn new() -> anyhow::Result<Self> {
        let brokers = rdkafka::mocking::MockCluster::new(1)?;
        brokers.create_topic(TOPIC.name(), 12, 1)?;
        Ok(Self(brokers))
    }

    fn addresses(&self) -> String {
        self.0.bootstrap_servers()
    }
}

#[cfg(not(feature = "kafka"))]
async fn brokers(_: &str) -> anyhow::Result<Arc<dyn Queue>> {
    anyhow::bail!("this program was built without the feature kafka")
}

#[cfg(not(feature = "kafka"))]
struct Inside;

#[cfg(not(feature = "kafka"))]
impl Inside {
    fn new() -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn addresses(&self) -> String {
        String::new()
    }
}

/// A key of one of a thousand hosts, so that every partition is used.
fn record() -> (Bytes, Bytes) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static HOST: AtomicU32 = AtomicU32::new(0);
    let host = HOST.fetch_add(1, Ordering::Relaxed) % 1_000;
    (Bytes::from(format!("{host:016}")), Bytes::from(vec![0x5a; PAYLOAD_BYTES]))
}

async fn publish_groups(queue: &dyn Queue, group: usize, duration: Duration) -> anyhow::Result<Value> {
    let records: Vec<_> = (0..group).map(|_| record()).collect();
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut count = 0;
    while began.elapsed() < duration {
        queue.publish_many(TOPIC, records.clone()).await?;
        count += group;
    }
    result("group", group, count, began, cpu)
}

async fn publish_singly(
    queue: &Arc<dyn Queue>,
    publishers: usize,
    duration: Duration,
) -> anyhow::Result<Value> {
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..publishers {
        let queue = Arc::clone(queue);
        tasks.spawn(async move {
            let (key, payload) = record();
            let mut count = 0;
            while began.elapsed() < duration {
                queue.publish(TOPIC, key.clone(), payload.clone()).await?;
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

async fn consume(queue: &dyn Queue) -> anyhow::Result<Value> {
    let mut subscription = queue.subscribe("bench", TOPIC).await?;
    let limits = BatchLimits { max_wait: Duration::ZERO, ..BatchLimits::default() };
    let (mut began, mut cpu) = (Instant::now(), cpu_seconds()?);
    let mut left = BTreeMap::new();
    let mut count = 0;
    while left.is_empty() || left.values().any(|left| *left > 0) {
        match subscription.next_batch(&limits).await? {
            Delivery::Assigned(partitions) => {
                for partition in partitions {
                    let start = subscription.seek(partition, None).await?.position.next_offset;
                    left.insert(partition, subscription.lag(partition, start));
                }
                // Joining a group is not what is measured.
                (began, cpu) = (Instant::now(), cpu_seconds()?);
            }
            Delivery::Revoked(_) | Delivery::Idle => {}
            Delivery::Batch(batch) => {
                count += batch.records.len();
                let next = batch.records.last().map_or(0, |record| record.offset + 1);
                subscription.committed(batch.partition, next).await?;
                left.insert(batch.partition, subscription.lag(batch.partition, next));
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
