//! One installation has one queue. Two processes on one database with different queues would take each other's offsets for
//! their own, so whoever uses a queue holds a lease in its name, and others with another queue refuse to start.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use ctops_crypto::secret::sha256;
use ctops_pg::Pool;
use ctops_pg::leader::{ASKING, Candidate, LEASE, PROLONGING, RETRY};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::queue::ServerQueue;

/// Name of the lease.
const LEASE_NAME: &str = "queue";
/// Pause between two attempts to get it at start.
const PAUSE: Duration = Duration::from_millis(500);

/// The lease of a queue. Processes on the same brokers hold it together.
pub struct QueueClaim {
    candidate: Candidate,
    is_shared: bool,
}

impl QueueClaim {
    /// Takes the lease for `queue`; waits for the end of one that a killed process left behind.
    ///
    /// # Errors
    /// When a living process uses another queue with this database.
    pub async fn take(pool: &Pool, queue: &ServerQueue, label: String) -> Result<Self> {
        let (identity, is_shared) = match queue {
            ServerQueue::Embedded(log) => (format!("embedded {}", log.log_id()), false),
            #[cfg(feature = "kafka")]
            ServerQueue::Brokers(_) => ("brokers".to_owned(), true),
        };
        Self::take_as(pool, &identity, is_shared, label).await
    }

    /// Takes the lease for somebody who needs every queue to be unused.
    ///
    /// # Errors
    /// When a living process uses a queue with this database.
    pub async fn take_alone(pool: &Pool, label: String) -> Result<Self> {
        Self::take_as(pool, &label, false, label.clone()).await
    }

    async fn take_as(pool: &Pool, identity: &str, is_shared: bool, label: String) -> Result<Self> {
        let digest = sha256(identity.as_bytes());
        let id = Uuid::from_slice(&digest[..16]).context("naming the queue")?;
        let candidate = Candidate::new(pool.clone(), LEASE_NAME, id, label);
        let end = Instant::now() + LEASE + ASKING;
        let mut waiting = false;
        while candidate.hold().await.context("taking the queue's lease")?.is_none() {
            let holder = candidate.holder().await.context("asking who uses another queue")?;
            if Instant::now() > end {
                bail!(
                    "another process uses this database with another queue: {}. All processes of an installation need the \
                     same CT_OPS_QUEUE_BROKERS; without it, only one `ct-ops serve` may run",
                    holder.unwrap_or_default()
                );
            }
            if !waiting {
                tracing::info!(
                    holder = holder.unwrap_or_default(),
                    "waiting for a process with another queue to end"
                );
            }
            waiting = true;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Self { candidate, is_shared })
    }

    /// Keeps the lease until `shutdown`.
    pub async fn keep(self, shutdown: CancellationToken) {
        let (mut lost, mut pause) = (false, PROLONGING);
        while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = PROLONGING;
            match self.candidate.hold().await {
                Ok(held) => {
                    if held.is_none() && !lost {
                        tracing::error!(
                            "another process uses this database with another queue; stop one of them"
                        );
                    }
                    lost = held.is_none();
                }
                Err(error) => {
                    pause = RETRY;
                    tracing::debug!(%error, "the queue's lease could not be prolonged yet");
                }
            }
        }
        // Others on the same brokers may still work.
        if !self.is_shared
            && let Err(error) = self.candidate.give_up().await
        {
            tracing::debug!(%error, "the queue's lease was not given up and will run out");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_testkit::TestDb;

    use super::*;

    #[tokio::test]
    async fn claim_when_another_queue_is_used_then_is_refused_until_that_one_is_given_up() {
        let db = TestDb::new().await;
        let take = |identity: &'static str| {
            let pool = db.pool().clone();
            async move { QueueClaim::take_as(&pool, identity, false, identity.to_owned()).await }
        };
        let first = take("one log").await.unwrap();
        take("one log").await.unwrap();
        let mut other = Box::pin(take("another log"));
        let early = tokio::time::timeout(PAUSE * 3, &mut other).await;
        assert!(early.is_err(), "it waits");
        let stop = CancellationToken::new();
        stop.cancel();
        first.keep(stop).await;
        other.await.unwrap();
    }
}
