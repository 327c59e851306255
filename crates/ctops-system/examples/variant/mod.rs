//! The agent as a version of its own, with short waiting times.

use std::process::ExitCode;
use std::time::Duration;

use ctops_agent::program::Build;
use ctops_agent::timing::Timing;

/// Runs the agent as `version`.
pub(crate) fn run(version: &'static str) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let build = Build { version, timing, ..Build::COMPILED };
    ExitCode::from(ctops_agent::run(build, &arguments))
}

fn timing(heartbeat: Duration) -> Timing {
    Timing {
        health_window: Duration::from_secs(15),
        update_retry: Duration::from_secs(1),
        watchdog: Duration::from_millis(500),
        watchdog_rest: Duration::from_secs(5),
        ..Timing::standard(heartbeat)
    }
}
