//! Partitions of the samples, and what is forgotten.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Days;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_pg::partitions::{drop_before, ensure_days};
use ctops_slice::Job;

use super::model::{ABSENT_KEPT, BATCHES_KEPT, DEFAULT_RETENTION_DAYS, EVENTS_KEPT};
use super::store::purge;

/// Days made at a time, beginning with yesterday: a server that stands still for a week finds its partitions.
const DAYS_MADE: u32 = 9;
/// Pause between two runs (containers 25).
const EVERY: Duration = Duration::from_secs(6 * 3600);

/// Makes partitions ahead of time and removes what is old (containers 16, 24, 25).
pub(super) struct KeepTelemetry {
    pool: Pool,
    clock: Clock,
}

impl KeepTelemetry {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for KeepTelemetry {
    fn name(&self) -> &'static str {
        "container_telemetry"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<(), Problem> {
        let now = self.clock.now();
        let today = now.date_naive();
        let yesterday = today.checked_sub_days(Days::new(1)).unwrap_or(today);
        ensure_days(&self.pool, "container_samples", yesterday, DAYS_MADE)
            .await
            .map_err(Problem::internal)?;
        let chosen = purge::longest_retention(&self.pool).await.map_err(Problem::internal)?;
        let longest = chosen.unwrap_or(DEFAULT_RETENTION_DAYS).max(DEFAULT_RETENTION_DAYS);
        let oldest = today.checked_sub_days(Days::new(u64::from(longest.unsigned_abs()))).unwrap_or(today);
        drop_before(&self.pool, "container_samples", oldest).await.map_err(Problem::internal)?;
        let forget = async {
            purge::samples(&self.pool, DEFAULT_RETENTION_DAYS, longest, now).await?;
            purge::absent(&self.pool, now - ABSENT_KEPT).await?;
            purge::events(&self.pool, now - EVENTS_KEPT).await?;
            purge::batches(&self.pool, now - BATCHES_KEPT).await
        };
        forget.await.map(drop).map_err(Problem::internal)
    }
}
