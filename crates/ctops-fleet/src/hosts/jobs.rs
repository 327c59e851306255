//! Partitions of the metric history, made before they are needed.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Days;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_pg::partitions::ensure_days;
use ctops_slice::Job;

/// Days made at a time, beginning with yesterday, whose late samples still arrive: a server that stands still for a
/// week finds its partitions when it comes back.
const DAYS: u32 = 9;
/// Pause between two runs.
const EVERY: Duration = Duration::from_secs(6 * 3600);

/// Makes the day partitions of `metric_samples`.
pub(super) struct MakePartitions {
    pool: Pool,
    clock: Clock,
}

impl MakePartitions {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for MakePartitions {
    fn name(&self) -> &'static str {
        "metric_samples_partitions"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<(), Problem> {
        let today = self.clock.now().date_naive();
        let from = today.checked_sub_days(Days::new(1)).unwrap_or(today);
        let made = ensure_days(&self.pool, "metric_samples", from, DAYS).await.map_err(Problem::internal)?;
        if made > 0 {
            tracing::info!(made, "made partitions of the metric history");
        }
        Ok(())
    }
}
