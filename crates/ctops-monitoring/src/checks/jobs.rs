//! Keeps results within their bounds.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;
use uuid::Uuid;

use super::model::{KEEP_DELETED, KEEP_RESULTS};
use super::store;

/// Checks in one statement, so that none of them is long.
const CHECKS_AT_A_TIME: i64 = 200;

/// Removes results that are too old or too many (monitoring 16), and checks that were deleted long ago.
pub struct PruneResults {
    pool: Pool,
    clock: Clock,
}

impl PruneResults {
    /// Works on `pool`.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    async fn prune(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut after = Uuid::nil();
        loop {
            let ids = store::ids_after(&self.pool, after, CHECKS_AT_A_TIME).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            store::prune(&self.pool, &ids, now - KEEP_RESULTS).await?;
        }
        store::purge_deleted(&self.pool, now - KEEP_DELETED).await
    }
}

#[async_trait]
impl Job for PruneResults {
    fn name(&self) -> &'static str {
        "prune_check_results"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        self.prune().await.map_err(Problem::internal)
    }
}
