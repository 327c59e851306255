//! Rollouts go on by themselves.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::service::rollouts;

/// Begins waves, ends rollouts and halts those that fail.
pub(super) struct AdvanceRollouts {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
}

#[async_trait]
impl Job for AdvanceRollouts {
    fn name(&self) -> &'static str {
        "advance_agent_rollouts"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run(&self) -> Result<(), Problem> {
        rollouts::advance_all(&self.pool, self.clock.now()).await
    }
}
