//! Partitions of the metric history: made before they are needed, dropped when their time is over.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Days;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_pg::partitions::{drop_before, ensure_days};
use ctops_slice::Job;

/// Days made at a time, beginning with yesterday, whose late samples still arrive: a server that stands still for a
/// week finds its partitions when it comes back.
const DAYS: u32 = 9;
/// Days of samples that are kept (monitoring 13, the default).
const KEPT_DAYS: u64 = 30;
/// Pause between two runs (monitoring 15).
const EVERY: Duration = Duration::from_secs(6 * 3600);

/// Makes the day partitions of `metric_samples` and drops the old ones.
pub(super) struct KeepPartitions {
    pool: Pool,
    clock: Clock,
}

impl KeepPartitions {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for KeepPartitions {
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
        let oldest = today.checked_sub_days(Days::new(KEPT_DAYS)).unwrap_or(today);
        let dropped = drop_before(&self.pool, "metric_samples", oldest).await.map_err(Problem::internal)?;
        if dropped > 0 {
            tracing::info!(dropped, "dropped partitions of the metric history older than {KEPT_DAYS} days");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::TimeDelta;
    use ctops_pg::partitions::list_days;
    use ctops_testkit::{TestDb, a_clock};

    use super::*;

    /// Spec: monitoring 15
    #[tokio::test]
    async fn days_are_made_ahead_and_dropped_after_a_month() {
        let (db, clock) = (TestDb::new().await, a_clock());
        let first = clock.now().date_naive();
        let job = KeepPartitions::new(db.pool().clone(), clock.clone());
        job.run().await.unwrap();
        let days = list_days(db.pool(), "metric_samples").await.unwrap();
        assert_eq!((days[0], days.len()), (first - TimeDelta::days(1), 9));
        clock.advance(TimeDelta::days(30));
        job.run().await.unwrap();
        let days = list_days(db.pool(), "metric_samples").await.unwrap();
        assert_eq!(days[0], first, "30 days are kept, the day before them is gone");
        assert!(days.contains(&(first + TimeDelta::days(37))));
    }
}
