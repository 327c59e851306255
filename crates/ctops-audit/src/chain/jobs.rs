//! Periodic work of the leader.

use std::time::Duration;

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_pg::notify::{JOBS, notify};
use ctops_slice::Job;
use ctops_slice::audit::denied;

use super::checkpoint::{signing_key, write_daily};
use super::seal::seal_all;
use crate::Deps;
use crate::forwarders::FORWARDING_JOB;

/// Seals events, every five seconds, and wakes whoever forwards them.
pub struct SealEvents(Deps);

/// Turns refused attempts of minutes that are over into events.
pub struct CollectDenied(Deps);

/// Signs the ends of the chains, once a day.
pub struct WriteCheckpoints(Deps);

impl SealEvents {
    /// The job.
    pub fn new(deps: &Deps) -> Self {
        Self(deps.clone())
    }
}

impl CollectDenied {
    /// The job.
    pub fn new(deps: &Deps) -> Self {
        Self(deps.clone())
    }
}

impl WriteCheckpoints {
    /// The job.
    pub fn new(deps: &Deps) -> Self {
        Self(deps.clone())
    }
}

#[async_trait]
impl Job for SealEvents {
    fn name(&self) -> &'static str {
        "audit_seal"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> Result<(), Problem> {
        if seal_all(&self.0.pool).await.map_err(Problem::internal)? > 0 {
            notify(&self.0.pool, JOBS, FORWARDING_JOB).await.map_err(Problem::internal)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Job for CollectDenied {
    fn name(&self) -> &'static str {
        "audit_denied"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run(&self) -> Result<(), Problem> {
        denied::collect(&self.0.pool, self.0.clock.now()).await.map(drop).map_err(Problem::internal)
    }
}

#[async_trait]
impl Job for WriteCheckpoints {
    fn name(&self) -> &'static str {
        "audit_checkpoints"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let key = signing_key(&self.0.seal);
        write_daily(&self.0.pool, &key, self.0.clock.now()).await.map(drop).map_err(Problem::internal)
    }
}
