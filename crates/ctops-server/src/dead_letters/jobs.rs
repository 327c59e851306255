//! Applies letters for which a replay was asked, forgets old replayed ones, and tells how many are left. Who asks wakes the
//! job; its own rhythm is for what nobody asked for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_queue::{Handler, dead_letters, report_dead_letters};
use ctops_slice::Job;

/// Name of the job, and of the notification that wakes it.
pub(super) const JOB: &str = "dead_letter_replays";
/// How long a replayed letter can still be seen.
const KEPT: TimeDelta = TimeDelta::days(30);

/// See the module text.
pub(super) struct Replays {
    pool: Pool,
    clock: Clock,
    handlers: Vec<Arc<dyn Handler>>,
}

impl Replays {
    pub(super) fn new(pool: Pool, clock: Clock, handlers: Vec<Arc<dyn Handler>>) -> Self {
        Self { pool, clock, handlers }
    }
}

#[async_trait]
impl Job for Replays {
    fn name(&self) -> &'static str {
        JOB
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<(), Problem> {
        let replays = dead_letters::replay_requested(&self.pool, &self.clock, &self.handlers)
            .await
            .map_err(Problem::internal)?;
        if replays != dead_letters::Replays::default() {
            tracing::info!(applied = replays.applied, refused = replays.refused, "replayed dead letters");
        }
        let before = self.clock.now() - KEPT;
        dead_letters::forget_replayed(&self.pool, before).await.map_err(Problem::internal)?;
        let counts = dead_letters::count_waiting(&self.pool).await.map_err(Problem::internal)?;
        report_dead_letters(&self.handlers, &counts);
        Ok(())
    }
}
