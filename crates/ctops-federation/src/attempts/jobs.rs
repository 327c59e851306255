//! Removes what is over.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::store;

/// Attempts are kept this long after their end.
const KEEP: TimeDelta = TimeDelta::days(1);

/// Removes attempts that ended a day ago.
pub(crate) struct PurgeAttempts {
    pool: Pool,
    clock: Clock,
}

impl PurgeAttempts {
    pub(crate) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for PurgeAttempts {
    fn name(&self) -> &'static str {
        "purge_sso_attempts"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        store::purge(&self.pool, self.clock.now() - KEEP).await.map(drop).map_err(Problem::internal)
    }
}
