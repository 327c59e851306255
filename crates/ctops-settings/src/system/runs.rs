//! Remembers the last run of every periodic job, wherever it ran.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use tokio::time::Instant;

use super::store::{self, Run};

/// Runs that ended like those before are written down together this often.
const WRITE_EVERY: Duration = Duration::from_secs(60);

/// Writes runs of jobs down: at once what is new, the others once a minute in one statement, because an idle server should
/// leave its database alone. Clones share it.
#[derive(Clone, Debug)]
pub struct RunLog {
    pool: Pool,
    clock: Clock,
    node: String,
    ledger: Arc<Mutex<Ledger>>,
}

impl RunLog {
    /// For the jobs of the process that people know as `node`.
    pub fn new(pool: Pool, clock: Clock, node: String) -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::new(Instant::now())));
        Self { pool, clock, node, ledger }
    }

    /// A run of `job` ended, after `took`. A failure to write it down is only logged.
    pub async fn ended(
        &self,
        job: &'static str,
        every: Duration,
        took: Duration,
        outcome: &Result<(), Problem>,
    ) {
        let took_delta = chrono::TimeDelta::from_std(took).unwrap_or_default();
        let run = Run {
            job,
            every_seconds: every.as_secs_f64().max(0.001),
            started_at: self.clock.now() - took_delta,
            duration_ms: took_delta.num_milliseconds(),
            error: outcome.as_ref().err().map(|problem| format!("{}: {}", problem.code(), problem.detail())),
        };
        let due = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).note(run, Instant::now());
        if due.is_empty() {
            return;
        }
        if let Err(error) = store::record_runs(&self.pool, &self.node, &due).await {
            tracing::debug!(job, %error, "runs of jobs were not written down");
        }
    }
}

/// What was written down, and what waits for it.
#[derive(Debug)]
struct Ledger {
    succeeded: HashMap<&'static str, bool>,
    waiting: BTreeMap<&'static str, Run>,
    written_at: Instant,
}

impl Ledger {
    fn new(now: Instant) -> Self {
        Self { succeeded: HashMap::new(), waiting: BTreeMap::new(), written_at: now }
    }

    /// Notes a run; returns what is to be written down now, each job once.
    fn note(&mut self, run: Run, now: Instant) -> Vec<Run> {
        let (job, succeeded) = (run.job, run.error.is_none());
        self.waiting.insert(job, run);
        let is_news = self.succeeded.insert(job, succeeded) != Some(true) || !succeeded;
        if now.duration_since(self.written_at) >= WRITE_EVERY {
            self.written_at = now;
            return std::mem::take(&mut self.waiting).into_values().collect();
        }
        if is_news { self.waiting.remove(job).into_iter().collect() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn run(job: &'static str, error: Option<&str>) -> Run {
        let error = error.map(str::to_owned);
        Run { job, every_seconds: 5.0, started_at: DateTime::UNIX_EPOCH, duration_ms: 1, error }
    }

    #[test]
    fn news_are_written_at_once_and_the_rest_together_once_a_minute() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut ledger = Ledger::new(began);
        let mut note = |job, error, seconds| -> Vec<String> {
            let due = ledger.note(run(job, error), at(seconds));
            due.iter().map(|run| format!("{} {}", run.job, run.error.as_deref().unwrap_or("done"))).collect()
        };
        assert_eq!(note("sweep", None, 0), ["sweep done"], "the first run");
        assert!(note("sweep", None, 5).is_empty());
        assert_eq!(note("sync", Some("away"), 6), ["sync away"]);
        assert_eq!(note("sync", Some("away"), 11), ["sync away"], "failures are counted, so each is written");
        assert_eq!(note("sync", None, 16), ["sync done"], "it works again");
        assert!(note("sync", None, 21).is_empty());
        assert_eq!(note("sweep", None, 60), ["sweep done", "sync done"], "what waited, in one statement");
        assert!(note("sweep", None, 119).is_empty());
        assert_eq!(note("sweep", None, 120), ["sweep done"], "only what ran since");
    }
}
