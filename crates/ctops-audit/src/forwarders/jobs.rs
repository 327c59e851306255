//! Periodic work of the leader.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_slice::Job;
use ctops_slice::licence::Feature;
use futures_util::StreamExt;

use super::deliver::{DeliveryError, deliver};
use super::model::{Forwarder, pause};
use super::store;
use crate::Deps;
use crate::chain::links_between;

/// Name of the job, and of the notification that wakes it.
pub(crate) const FORWARDING_JOB: &str = "audit_forward";
/// Events of one delivery.
const BATCH: i64 = 500;
/// Deliveries of one forwarder in one run, so that one with a long way to catch up does not stop the others.
const BATCHES: usize = 100;
/// Forwarders looked at in one run.
const DUE: i64 = 100;
/// Forwarders that deliver at the same time.
const TOGETHER: usize = 8;
/// Longest kept error, bytes.
const ERROR_BYTES: usize = 300;

/// Sends what was sealed to the forwarders: when something was, and every ten seconds what could not be sent.
pub struct ForwardEvents(Deps);

impl ForwardEvents {
    /// The job.
    pub fn new(deps: &Deps) -> Self {
        Self(deps.clone())
    }

    async fn forward(&self, forwarder: Forwarder) -> Result<(), Problem> {
        let deps = &self.0;
        if !deps.entitlements.of(forwarder.org_id).await?.has(Feature::AuditLog) {
            return Ok(());
        }
        match self.send(&forwarder).await.map_err(Problem::internal)? {
            Ok(()) => Ok(()),
            Err(error) => {
                let failures = forwarder.failures.saturating_add(1);
                let mut text = error.to_string();
                text.truncate(text.floor_char_boundary(ERROR_BYTES));
                tracing::warn!(forwarder = %forwarder.id, failures, "audit events were not taken: {text}");
                let next = deps.clock.now() + pause(failures);
                store::record_failure(&deps.pool, forwarder.id, failures, &text, next)
                    .await
                    .map_err(Problem::internal)
            }
        }
    }

    /// Sends batch after batch. The outer error is the database's, the inner one the other side's.
    async fn send(&self, forwarder: &Forwarder) -> Result<Result<(), DeliveryError>, sqlx::Error> {
        let deps = &self.0;
        let mut cursor = forwarder.cursor_seq;
        for _ in 0..BATCHES {
            let events = links_between(&deps.pool, forwarder.org_id, cursor, BATCH).await?;
            let Some(last) = events.last() else { break };
            let now = deps.clock.now();
            if let Err(error) = deliver(&deps.egress, &deps.seal, forwarder, &events, now).await {
                return Ok(Err(error));
            }
            cursor = last.seq;
            store::record_sent(&deps.pool, forwarder.id, cursor, now).await?;
        }
        Ok(Ok(()))
    }
}

#[async_trait]
impl Job for ForwardEvents {
    fn name(&self) -> &'static str {
        FORWARDING_JOB
    }

    fn every(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run(&self) -> Result<(), Problem> {
        let due = store::due(&self.0.pool, self.0.clock.now(), DUE).await.map_err(Problem::internal)?;
        let mut running =
            futures_util::stream::iter(due.into_iter().map(|forwarder| self.forward(forwarder)))
                .buffer_unordered(TOGETHER);
        let mut first = Ok(());
        while let Some(outcome) = running.next().await {
            first = first.and(outcome);
        }
        first
    }
}
