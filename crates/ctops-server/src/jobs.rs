//! Runs the periodic jobs of the slices in the one process that leads (deployment 4). Every process is a candidate.

use std::sync::Arc;

use ctops_pg::leader::{Candidate, RENEWAL};
use ctops_settings::system::RunLog;
use ctops_slice::Job;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::measure;

/// Name of the lease that the leader holds.
pub const LEASE_NAME: &str = "jobs";

/// Runs until `shutdown`: waits to become the leader, runs the jobs while it is, and gives the lease up in the end.
pub async fn run(jobs: Vec<Arc<dyn Job>>, candidate: Candidate, runs: RunLog, shutdown: CancellationToken) {
    metrics::gauge!(measure::LEADER).set(0.0);
    while let Some(until) = shutdown.run_until_cancelled(win(&candidate)).await {
        tracing::info!("this process runs the periodic jobs from now on");
        metrics::gauge!(measure::LEADER).set(1.0);
        metrics::counter!(measure::LEADER_CHANGES).increment(1);
        // Dropping the set ends the jobs wherever they are; they are idempotent, and transactions roll back.
        let mut running = JoinSet::new();
        for job in &jobs {
            running.spawn(repeat(Arc::clone(job), runs.clone()));
        }
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
    let mut ticks = tokio::time::interval(RENEWAL);
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
        tokio::time::sleep(RENEWAL).await;
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

/// Runs a job at its rhythm; a failure is logged and the job runs again next time.
async fn repeat(job: Arc<dyn Job>, runs: RunLog) {
    let mut ticks = tokio::time::interval(job.every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
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
