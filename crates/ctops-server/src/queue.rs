//! The queue of this process: the embedded log, or one that all processes share.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ctops_base::Clock;
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{Handler, Queue, Topic};

use crate::settings::Settings;

/// An open queue with what is needed to end it.
pub enum ServerQueue {
    /// Files in the state directory; this process is their only user.
    Embedded(Arc<Log>),
}

impl ServerQueue {
    /// For publishers and consumers.
    pub fn handle(&self) -> Arc<dyn Queue> {
        match self {
            Self::Embedded(log) => Arc::clone(log) as Arc<dyn Queue>,
        }
    }

    /// Stores what was published and lets go.
    pub async fn close(&self) {
        match self {
            Self::Embedded(log) => Arc::clone(log).close().await,
        }
    }
}

/// Whether several processes can use the queue that the settings name.
pub fn is_shared(_settings: &Settings) -> bool {
    false
}

/// Opens the queue that the settings name for these consumers.
///
/// # Errors
/// When it cannot be opened, for example because another process has the embedded log.
pub async fn open(settings: &Settings, consumers: &[Arc<dyn Handler>], clock: Clock) -> Result<ServerQueue> {
    let mut options = LogOptions::new(settings.state_dir.join("queue"));
    options.max_bytes = settings.values.number("CT_OPS_QUEUE_MAX_SIZE");
    options.topics = Topic::ALL.into_iter().filter(|t| consumers.iter().any(|c| c.topic() == *t)).collect();
    options.groups = consumers.iter().map(|handler| (handler.topic(), handler.group())).collect();
    if options.topics.is_empty() {
        bail!("no consumer is part of this program");
    }
    Ok(ServerQueue::Embedded(Arc::new(Log::open(options, clock).await.context("opening the queue")?)))
}
