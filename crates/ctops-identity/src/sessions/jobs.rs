//! Housekeeping of sessions and counters.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_slice::{Job, throttle};

use super::model::{LONGEST_IDLE, idle_since};
use super::store;

/// Rhythm of the job.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// Counters and locks are kept this long after they ended: the next lock of an account doubles the last one, so a
/// guesser must not be able to wait for the memory of it to fade quickly.
const KEEP_THROTTLES: TimeDelta = TimeDelta::hours(24);

/// A device or network that was not used for this long is new again.
const KEEP_ORIGINS: TimeDelta = TimeDelta::days(180);

/// Deletes sessions that ended by time, and throttle counters that are over.
pub(crate) struct PurgeSessions {
    pool: Pool,
    clock: Clock,
    idle: Duration,
}

impl PurgeSessions {
    pub(crate) fn new(pool: Pool, clock: Clock, idle: Duration) -> Self {
        Self { pool, clock, idle }
    }
}

#[async_trait]
impl Job for PurgeSessions {
    fn name(&self) -> &'static str {
        "purge_sessions"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<(), Problem> {
        let now = self.clock.now();
        // What an organisation calls idle ends at once; its row may stay until the longest idle time any may choose.
        let ended = store::delete_ended(&self.pool, now, idle_since(now, self.idle.max(LONGEST_IDLE))).await;
        let sessions = ended.map_err(Problem::internal)?;
        let throttles = throttle::purge(&self.pool, now - KEEP_THROTTLES).await?;
        let origins = store::delete_old_origins(&self.pool, now - KEEP_ORIGINS).await;
        let origins = origins.map_err(Problem::internal)?;
        tracing::debug!(sessions, throttles, origins, "ended sessions and old counters were deleted");
        Ok(())
    }
}
