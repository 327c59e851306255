//! Removes old queries.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::store;

/// Answers can be read for so long.
const KEEP: TimeDelta = TimeDelta::days(1);

/// Removes queries a day after they expired.
pub(super) struct PurgeQueries {
    pool: Pool,
    clock: Clock,
}

impl PurgeQueries {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for PurgeQueries {
    fn name(&self) -> &'static str {
        "purge_queries"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        store::purge(&self.pool, self.clock.now() - KEEP).await.map_err(Problem::internal)
    }
}
