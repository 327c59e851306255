//! Runs the periodic jobs of the slices.

use std::sync::Arc;

use ctops_slice::Job;
use tokio_util::sync::CancellationToken;

/// Runs a job at its rhythm; a failure is logged and the job runs again next time.
pub async fn run_job(job: Arc<dyn Job>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(job.every());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(problem) = job.run().await {
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
