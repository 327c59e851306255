//! Periodic work of the leader.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Datelike;
use ctops_base::Problem;
use ctops_slice::Job;

use super::{prune, store};
use crate::Deps;

/// Months made ahead, the running one included.
const MONTHS_AHEAD: i32 = 3;
/// Months made at once.
const MAX_MONTHS: i32 = 130;

/// Removes events whose time is over, every night.
pub struct PruneEvents(Deps);

/// Keeps partitions ready for the coming months.
pub struct MakePartitions(Deps);

impl PruneEvents {
    /// The job.
    pub fn new(deps: &Deps) -> Self {
        Self(deps.clone())
    }
}

impl MakePartitions {
    /// The job.
    pub fn new(deps: &Deps) -> Self {
        Self(deps.clone())
    }
}

#[async_trait]
impl Job for PruneEvents {
    fn name(&self) -> &'static str {
        "audit_prune"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(24 * 3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let removed = prune::prune_all(&self.0).await?;
        if removed > 0 {
            tracing::info!(removed, "removed audit events whose time is over");
        }
        Ok(())
    }
}

#[async_trait]
impl Job for MakePartitions {
    fn name(&self) -> &'static str {
        "audit_partitions"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(6 * 3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let now = self.0.clock.now();
        let waiting = store::oldest_unplaced(&self.0.pool).await.map_err(Problem::internal)?;
        let since = waiting.unwrap_or(now).min(now);
        let apart = (now.year() - since.year()) * 12 + i32::try_from(now.month()).unwrap_or(0)
            - i32::try_from(since.month()).unwrap_or(0);
        let months = (apart + MONTHS_AHEAD).clamp(MONTHS_AHEAD, MAX_MONTHS);
        store::make_partitions(&self.0.pool, since.date_naive(), months).await.map_err(Problem::internal)?;
        Ok(())
    }
}
