//! Runs the periodic jobs of the slices in the one process that leads (deployment 4). Every process is a candidate. A job
//! that a notification names runs at once.

use std::collections::HashMap;
use std::sync::Arc;

use ctops_pg::leader::{ASKING, Candidate, PROLONGING, RETRY};
use ctops_pg::notify::{self, Notice, Notifications};
use ctops_settings::system::RunLog;
use ctops_slice::Job;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::measure;

/// Name of the lease that the leader holds.
pub const LEASE_NAME: &str = "jobs";

/// Runs until `shutdown`: waits to become the leader, runs the jobs while it is, and gives the lease up in the end.
pub async fn run(
    jobs: Vec<Arc<dyn Job>>,
    candidate: Candidate,
    runs: RunLog,
    notifications: Notifications,
    shutdown: CancellationToken,
) {
    metrics::gauge!(measure::LEADER).set(0.0);
    while let Some(until) = shutdown.run_until_cancelled(win(&candidate)).await {
        tracing::info!("this process runs the periodic jobs from now on");
        metrics::gauge!(measure::LEADER).set(1.0);
        metrics::counter!(measure::LEADER_CHANGES).increment(1);
        // Dropping the set ends the jobs wherever they are; they are idempotent, and transactions roll back.
        let mut running = JoinSet::new();
        let mut bells = HashMap::new();
        for job in &jobs {
            let bell = Arc::new(Notify::new());
            running.spawn(repeat(Arc::clone(job), runs.clone(), Arc::clone(&bell)));
            bells.insert(job.name(), bell);
        }
        running.spawn(ring(notifications.subscribe(), bells));
        let lost = shutdown.run_until_cancelled(keep(&candidate, until)).await.is_some();
        running.shutdown().await;
        metrics::gauge!(measure::LEADER).set(0.0);
        metrics::counter!(measure::LEADER_CHANGES).increment(1);
        if lost {
            tracing::warn!("another process runs the periodic jobs from now on, or the database is away");
        } else if let Err(error) = candidate.give_up().await {
            tracing::debug!(%error, "the leader's lease was not given up and will run out");
        }
    }
}

/// Resolves when the lease is held.
async fn win(candidate: &Candidate) -> Instant {
    let mut ticks = tokio::time::interval(ASKING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match candidate.hold().await {
            Ok(Some(until)) => return until,
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the leader's lease could not be asked for"),
        }
    }
}

/// Prolongs the lease; resolves when it is lost, or could not be prolonged in time.
async fn keep(candidate: &Candidate, mut until: Instant) {
    let mut failing = false;
    loop {
        tokio::time::sleep(if failing { RETRY } else { PROLONGING }).await;
        match tokio::time::timeout_at(until, candidate.hold()).await {
            Ok(Ok(Some(later))) => (until, failing) = (later, false),
            Ok(Ok(None)) | Err(_) => return,
            Ok(Err(error)) => {
                if !failing {
                    tracing::warn!(%error, "the leader's lease could not be prolonged yet");
                }
                failing = true;
                if Instant::now() >= until {
                    return;
                }
            }
        }
    }
}

/// Wakes the jobs that notifications name. A lost notification costs the time until the job runs by itself.
async fn ring(mut notices: broadcast::Receiver<Notice>, bells: HashMap<&'static str, Arc<Notify>>) {
    loop {
        match notices.recv().await {
            Ok(Notice::Message { channel, payload }) if &*channel == notify::JOBS => {
                if let Some(bell) = bells.get(&*payload) {
                    bell.notify_one();
                }
            }
            Ok(Notice::Message { .. } | Notice::Reconnected) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Runs a job at its rhythm and whenever its bell rings; a failure is logged and the job runs again next time.
async fn repeat(job: Arc<dyn Job>, runs: RunLog, bell: Arc<Notify>) {
    let mut ticks = tokio::time::interval(job.every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = bell.notified() => ticks.reset(),
        }
        let began = Instant::now();
        let outcome = job.run().await;
        let took = began.elapsed();
        metrics::histogram!(measure::JOB_SECONDS, "job" => job.name()).record(took.as_secs_f64());
        runs.ended(job.name(), job.every(), took, &outcome).await;
        let label = if outcome.is_ok() { "done" } else { "failed" };
        metrics::counter!(measure::JOB_RUNS, "job" => job.name(), "outcome" => label).increment(1);
        if let Err(problem) = outcome {
            let cause = problem.cause_chain().unwrap_or_default();
            tracing::warn!(
                job = job.name(),
                cause,
                "job {} failed and will run again: {}",
                job.name(),
                problem.detail()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use ctops_base::Problem;
    use ctops_base::id::new_id;
    use ctops_testkit::{TestDb, a_clock, wait_until};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// Counts its runs; by itself it runs once an hour.
    struct Hourly(&'static str, AtomicUsize);

    impl Hourly {
        fn runs(&self) -> usize {
            self.1.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl Job for Hourly {
        fn name(&self) -> &'static str {
            self.0
        }

        fn every(&self) -> Duration {
            Duration::from_secs(3600)
        }

        async fn run(&self) -> Result<(), Problem> {
            self.1.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    /// Spec: deployment 4
    #[tokio::test]
    async fn job_when_a_notification_names_it_runs_at_once_and_no_other_does() {
        let db = TestDb::new().await;
        let pool = db.pool().clone();
        let notifications = Notifications::start(&pool, &[notify::JOBS]).await.unwrap();
        let named = Arc::new(Hourly("named", AtomicUsize::default()));
        let other = Arc::new(Hourly("other", AtomicUsize::default()));
        let jobs: Vec<Arc<dyn Job>> = vec![named.clone(), other.clone()];
        let candidate = Candidate::new(pool.clone(), LEASE_NAME, new_id(), "test".to_owned());
        let runs = RunLog::new(pool.clone(), a_clock(), "test".to_owned());
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(jobs, candidate, runs, notifications.clone(), stop.clone()));
        wait_until(SOON, async || named.runs() == 1 && other.runs() == 1).await;

        let mut tx = pool.begin().await.unwrap();
        notify::notify(&mut *tx, notify::JOBS, "named").await.unwrap();
        notify::notify(&mut *tx, notify::JOBS, "nobody").await.unwrap();
        assert_eq!(named.runs(), 1, "nothing is known before the commit");
        tx.commit().await.unwrap();
        wait_until(SOON, async || named.runs() == 2).await;
        assert_eq!(other.runs(), 1);
        stop.cancel();
        running.await.unwrap();
    }
}
