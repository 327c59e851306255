//! Periodic work of the slice.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::service;

/// Purges hosts that were deleted long ago (hosts 32).
pub(super) struct PurgeDeletedHosts {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
}

#[async_trait]
impl Job for PurgeDeletedHosts {
    fn name(&self) -> &'static str {
        "purge_deleted_hosts"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let purged = service::purge_old(&self.pool, self.clock.now()).await?;
        if purged > 0 {
            tracing::info!(hosts = purged, "purged deleted hosts");
        }
        Ok(())
    }
}
