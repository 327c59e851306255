//! Ends what would wait for ever, and removes what is old.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::model::{CANCEL_WITHIN, KEEP_OUTPUT, KEEP_RUNS, STUCK_AFTER};
use super::service;
use super::store::progress;

/// Ends targets that waited too long for their start, their result or their cancellation.
pub struct SweepTasks {
    pool: Pool,
    clock: Clock,
}

impl SweepTasks {
    /// Works on `pool`.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    async fn sweep(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let (stuck, cancelled) = (now - STUCK_AFTER, now - CANCEL_WITHIN);
        let mut tx = self.pool.begin().await?;
        let runs = progress::lock_overdue_runs(&mut tx, now, stuck, cancelled).await?;
        if !runs.is_empty() {
            progress::end_overdue(&mut tx, &runs, now, stuck, cancelled).await?;
            service::go_on(&mut tx, &runs, now).await?;
        }
        progress::purge(&mut tx, now - KEEP_OUTPUT, now - KEEP_RUNS).await?;
        tx.commit().await
    }
}

#[async_trait]
impl Job for SweepTasks {
    fn name(&self) -> &'static str {
        "sweep_tasks"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run(&self) -> Result<(), Problem> {
        self.sweep().await.map_err(Problem::internal)
    }
}
