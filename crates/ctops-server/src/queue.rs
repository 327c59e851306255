//! The queue of this process: the embedded log, or brokers that all processes share.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ctops_base::Clock;
#[cfg(feature = "kafka")]
use ctops_queue::kafka::{KafkaOptions, KafkaQueue};
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{Queue, Topic};

use crate::settings::Settings;

/// An open queue with what is needed to end it.
pub enum ServerQueue {
    /// Files in the state directory; this process is their only user.
    Embedded(Arc<Log>),
    /// Brokers; any number of processes may use them.
    #[cfg(feature = "kafka")]
    Brokers(Arc<KafkaQueue>),
}

impl ServerQueue {
    /// For publishers and consumers.
    pub fn handle(&self) -> Arc<dyn Queue> {
        match self {
            Self::Embedded(log) => Arc::clone(log) as Arc<dyn Queue>,
            #[cfg(feature = "kafka")]
            Self::Brokers(queue) => Arc::clone(queue) as Arc<dyn Queue>,
        }
    }

    /// Stores what was published and lets go.
    pub async fn close(&self) {
        match self {
            Self::Embedded(log) => Arc::clone(log).close().await,
            #[cfg(feature = "kafka")]
            Self::Brokers(queue) => queue.close().await,
        }
    }
}

/// Whether several processes can use the queue that the settings name.
pub fn is_shared(settings: &Settings) -> bool {
    settings.values.text("CT_OPS_QUEUE_BROKERS").is_some()
}

/// Opens the queue that the settings name for consumers of these topics and groups.
///
/// # Errors
/// When it cannot be opened, for example because another process has the embedded log.
pub async fn open(settings: &Settings, reads: &[(Topic, &'static str)], clock: Clock) -> Result<ServerQueue> {
    match settings.values.text("CT_OPS_QUEUE_BROKERS") {
        Some(brokers) => open_brokers(settings, brokers, reads).await,
        None => open_embedded(settings, reads, clock).await,
    }
}

/// Opens the log in the state directory.
///
/// # Errors
/// When it cannot be opened, for example because another process has it.
pub async fn open_embedded(
    settings: &Settings,
    reads: &[(Topic, &'static str)],
    clock: Clock,
) -> Result<ServerQueue> {
    let mut options = LogOptions::new(settings.state_dir.join("queue"));
    options.max_bytes = settings.values.number("CT_OPS_QUEUE_MAX_SIZE");
    options.topics = topics(reads)?;
    options.groups = reads.to_vec();
    Ok(ServerQueue::Embedded(Arc::new(Log::open(options, clock).await.context("opening the queue")?)))
}

/// Reaches these brokers.
///
/// # Errors
/// When they do not answer.
#[cfg(feature = "kafka")]
pub async fn open_brokers(
    settings: &Settings,
    brokers: &str,
    reads: &[(Topic, &'static str)],
) -> Result<ServerQueue> {
    let mut options = KafkaOptions::new(brokers);
    options.prefix = settings.values.text("CT_OPS_QUEUE_PREFIX").unwrap_or_default().to_owned();
    options.partitions = settings.small("CT_OPS_QUEUE_PARTITIONS");
    options.retention = settings.duration("CT_OPS_QUEUE_RETENTION");
    options.topics = topics(reads)?;
    let queue = KafkaQueue::open(options).await.with_context(|| {
        format!("opening the queue on {brokers} (CT_OPS_QUEUE_BROKERS); are the brokers running?")
    })?;
    Ok(ServerQueue::Brokers(Arc::new(queue)))
}

/// This program was built without the client of brokers.
///
/// # Errors
/// Always.
#[cfg(not(feature = "kafka"))]
pub async fn open_brokers(_: &Settings, _: &str, _: &[(Topic, &'static str)]) -> Result<ServerQueue> {
    bail!("CT_OPS_QUEUE_BROKERS is set, but this program was built without the feature `kafka`")
}

fn topics(reads: &[(Topic, &'static str)]) -> Result<Vec<Topic>> {
    let topics: Vec<Topic> =
        Topic::ALL.into_iter().filter(|topic| reads.iter().any(|(read, _)| read == topic)).collect();
    if topics.is_empty() {
        bail!("no consumer is part of this program");
    }
    Ok(topics)
}
