//! Forgets assertions.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::service::TICKET_LIFE;
use super::store;

/// Removes assertions that nobody could present any more.
pub(super) struct ForgetAssertions {
    pool: Pool,
    clock: Clock,
}

impl ForgetAssertions {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for ForgetAssertions {
    fn name(&self) -> &'static str {
        "forget_saml_assertions"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let now = self.clock.now();
        store::forget(&self.pool, now, now - TICKET_LIFE).await.map_err(Problem::internal)
    }
}
