//! One reader of the embedded log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::inbox::Inbox;
use super::reader::Reader;
use super::topic_log::TopicLog;
use crate::queue::{Batch, BatchLimits, Delivery, Origin, Position, QueueError, Started, Subscription};

/// The only partition there is.
const PARTITION: u32 = 0;

/// A member of a group. The first one of a group reads, the others wait for it to leave.
pub(super) struct LogSubscription {
    /// Distinguishes the members.
    pub(super) id: u64,
    pub(super) group: &'static str,
    pub(super) log: Arc<TopicLog>,
    pub(super) log_id: Arc<str>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) closed: CancellationToken,
    end: watch::Receiver<u64>,
    /// Shared with the thread that reads, which may outlive a cancelled call.
    reader: Arc<Mutex<Reader>>,
    assigned: bool,
    position: Option<u64>,
}

impl LogSubscription {
    pub(super) fn new(
        id: u64,
        group: &'static str,
        log: Arc<TopicLog>,
        log_id: Arc<str>,
        inbox: Arc<Inbox>,
        closed: CancellationToken,
    ) -> Self {
        let end = log.watch_end();
        let reader = Arc::new(Mutex::new(Reader::new(Arc::clone(&log))));
        Self { id, group, log, log_id, inbox, closed, end, reader, assigned: false, position: None }
    }

    /// Waits until this member may read for its group.
    async fn acquire(&self) {
        loop {
            let released = self.log.released.notified();
            tokio::pin!(released);
            // Listening begins before looking, so that a release in between is not missed.
            released.as_mut().enable();
            if self.log.acquire(self.group, self.id) {
                return;
            }
            released.await;
        }
    }

    async fn wait_for_records(&mut self, until: u64, at_most: Duration) -> bool {
        // The sender lives in `self.log`, so the only possible error is the time-out.
        timeout(at_most, self.end.wait_for(|end| *end >= until)).await.is_ok()
    }

    async fn gather(&mut self, limits: &BatchLimits) -> Result<Delivery, QueueError> {
        if !self.assigned {
            if timeout(limits.max_idle, self.acquire()).await.is_err() {
                return Ok(Delivery::Idle);
            }
            self.assigned = true;
            return Ok(Delivery::Assigned(vec![PARTITION]));
        }
        let Some(from) = self.position else {
            tokio::time::sleep(limits.max_idle).await;
            return Ok(Delivery::Idle);
        };
        if !self.wait_for_records(from + 1, limits.max_idle).await {
            return Ok(Delivery::Idle);
        }
        self.wait_for_records(from.saturating_add(limits.max_records as u64), limits.max_wait).await;
        let (reader, limits) = (Arc::clone(&self.reader), *limits);
        let read = move || {
            let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.read(from, limits.max_records.max(1), limits.max_bytes.max(1))
        };
        let records = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| QueueError::Storage { action: "read records", source: Arc::new(error) })??;
        self.position = records.last().map(|record| record.offset + 1);
        let log_id = Arc::clone(&self.log_id);
        Ok(Delivery::Batch(Batch { topic: self.log.topic, partition: PARTITION, log_id, records }))
    }

    fn check(&self, partition: u32) -> Result<(), QueueError> {
        if self.assigned && partition == PARTITION {
            return Ok(());
        }
        Err(QueueError::NotAssigned { topic: self.log.topic, partition })
    }
}

#[async_trait]
impl Subscription for LogSubscription {
    async fn next_batch(&mut self, limits: &BatchLimits) -> Result<Delivery, QueueError> {
        let closed = self.closed.clone();
        tokio::select! {
            biased;
            () = closed.cancelled() => Err(QueueError::Closed),
            delivery = self.gather(limits) => delivery,
        }
    }

    async fn seek(&mut self, partition: u32, position: Option<&Position>) -> Result<Started, QueueError> {
        self.check(partition)?;
        let (next_offset, origin) = Origin::of(position, &self.log_id, self.log.begin(), self.log.end());
        self.position = Some(next_offset);
        self.committed(partition, next_offset).await?;
        Ok(Started { position: Position { log_id: Arc::clone(&self.log_id), next_offset }, origin })
    }

    async fn committed(&mut self, partition: u32, next_offset: u64) -> Result<(), QueueError> {
        self.check(partition)?;
        if self.log.set_committed(self.group, next_offset) {
            self.inbox.retire();
        }
        Ok(())
    }

    fn lag(&self, _partition: u32, next_offset: u64) -> u64 {
        self.log.end().saturating_sub(next_offset)
    }
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        self.log.release(self.group, self.id);
    }
}
