//! Scans that begin by themselves, scans that never end, and what is forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::Job;
use uuid::Uuid;

use super::model::{KEPT_REMOVED_DAYS, PENDING_LIMIT, RUNNING_LIMIT};
use super::service::{is_taken, settings_of, start};
use super::store::{sweep, uploads};

/// Starts the scans that are due and ends those that hang (software-inventory 8).
pub(super) struct SweepScans {
    pool: Pool,
    clock: Clock,
}

impl SweepScans {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    async fn end_hanging(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        let hosts = sweep::expire(&mut tx, now - PENDING_LIMIT, now - RUNNING_LIMIT, now).await?;
        if !hosts.is_empty() {
            uploads::note_end(&mut tx, &hosts, false, now).await?;
            tracing::info!(scans = hosts.len(), "ended software scans that did not end by themselves");
        }
        tx.commit().await?;
        sweep::purge_staged(&self.pool, now - RUNNING_LIMIT - RUNNING_LIMIT).await.map(drop)
    }

    async fn start_due(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        if !sweep::take_turn(&mut tx).await? {
            return Ok(());
        }
        let mut by_org: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for (org_id, host_id) in sweep::due_hosts(&mut tx, now).await? {
            by_org.entry(org_id).or_default().push(host_id);
        }
        for (org_id, hosts) in by_org {
            let settings = settings_of(&mut *tx, org_id).await?;
            start(&mut tx, org_id, &hosts, None, &settings, now).await?;
        }
        tx.commit().await
    }
}

#[async_trait]
impl Job for SweepScans {
    fn name(&self) -> &'static str {
        "software_scans"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<(), Problem> {
        self.end_hanging().await.map_err(Problem::internal)?;
        match self.start_due().await {
            // Somebody started a scan of one of the hosts at the same moment; the others follow in a minute.
            Err(error) if is_taken(&error) => Ok(()),
            done => done.map_err(Problem::internal),
        }
    }
}

/// Forgets packages that are gone for long.
pub(super) struct PurgePackages {
    pool: Pool,
    clock: Clock,
}

impl PurgePackages {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for PurgePackages {
    fn name(&self) -> &'static str {
        "software_purge"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(6 * 3600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let before = self.clock.now() - TimeDelta::days(KEPT_REMOVED_DAYS);
        sweep::purge_removed(&self.pool, before).await.map(drop).map_err(Problem::internal)
    }
}
