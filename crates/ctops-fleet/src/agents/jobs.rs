//! Periodic work of the slice.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;

use super::service::leases::end_lost_leases;
use super::store::decisions::purge_ended;

/// How long ended certificates and their revocations are kept: clocks of agents may be late.
const KEPT_AFTER_END: TimeDelta = TimeDelta::days(1);

/// Ends the leases of lost nodes (hosts 2): with a node's lease of 15 s its hosts are offline within 20 s.
pub(super) struct EndLostLeases {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
}

#[async_trait]
impl Job for EndLostLeases {
    fn name(&self) -> &'static str {
        "end_lost_leases"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> Result<(), Problem> {
        end_lost_leases(&self.pool, self.clock.now()).await.map(drop)
    }
}

/// Forgets certificates that ended by themselves.
pub(super) struct PurgeCertificates {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
}

#[async_trait]
impl Job for PurgeCertificates {
    fn name(&self) -> &'static str {
        "purge_certificates"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let before = self.clock.now() - KEPT_AFTER_END;
        purge_ended(&self.pool, before).await.map(drop).map_err(Problem::internal)
    }
}
