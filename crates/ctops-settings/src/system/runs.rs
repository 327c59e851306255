//! Remembers the last run of every periodic job, wherever it ran.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use tokio::time::Instant;

use super::store::{self, Run};

/// A job that runs every few seconds is written down this often, as long as nothing changes.
const WRITE_EVERY: Duration = Duration::from_secs(60);

/// Writes runs of jobs down. Clones share it.
#[derive(Clone, Debug)]
pub struct RunLog {
    pool: Pool,
    clock: Clock,
    node: String,
    written: Arc<Mutex<HashMap<&'static str, (Instant, bool)>>>,
}

impl RunLog {
    /// For the jobs of the process that people know as `node`.
    pub fn new(pool: Pool, clock: Clock, node: String) -> Self {
        Self { pool, clock, node, written: Arc::default() }
    }

    /// A run of `job` ended, after `took`. A failure to write it down is only logged.
    pub async fn ended(
        &self,
        job: &'static str,
        every: Duration,
        took: Duration,
        outcome: &Result<(), Problem>,
    ) {
        let succeeded = outcome.is_ok();
        if !self.is_news(job, succeeded) {
            return;
        }
        let took_delta = chrono::TimeDelta::from_std(took).unwrap_or_default();
        let run = Run {
            job,
            node: &self.node,
            every_seconds: every.as_secs_f64().max(0.001),
            started_at: self.clock.now() - took_delta,
            duration_ms: took_delta.num_milliseconds(),
            error: outcome.as_ref().err().map(|problem| format!("{}: {}", problem.code(), problem.detail())),
        };
        if let Err(error) = store::record_run(&self.pool, &run).await {
            tracing::debug!(job, %error, "the run of a job was not written down");
        }
    }

    fn is_news(&self, job: &'static str, succeeded: bool) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_old = written.get(job).is_none_or(|(at, as_then)| {
            now.duration_since(*at) >= WRITE_EVERY || *as_then != succeeded || !succeeded
        });
        if is_old {
            written.insert(job, (now, succeeded));
        }
        is_old
    }
}
