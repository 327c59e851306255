//! The time from a click to the agent: queries over HTTP while 1,000 agents are connected. Prints one JSON document and
//! fails when the 99th percentile is above its budget. Needs the programs beside it: build with
//! `cargo build --release --workspace --bins --examples`.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unused_imports)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use support::CommandSite;

/// Simulated agents beside the measured one.
const AGENTS: usize = 1_000;
/// Their heartbeat interval.
const INTERVAL: Duration = Duration::from_secs(30);
/// Queries before the measurement, and in it.
const WARM_UP: usize = 20;
const QUERIES: usize = 500;
/// Pause between two queries, so that none waits for another.
const PAUSE: Duration = Duration::from_millis(20);
/// Budget of the 99th percentile, milliseconds.
const BUDGET_MS: f64 = 50.0;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let mut site = CommandSite::with_fleet(AGENTS, INTERVAL).await;
    let mut times = Vec::with_capacity(QUERIES);
    for number in 0..WARM_UP + QUERIES {
        let took = site.ask().await.as_secs_f64() * 1000.0;
        if number >= WARM_UP {
            times.push(took);
        }
        tokio::time::sleep(PAUSE).await;
    }
    times.sort_by(f64::total_cmp);
    let percentile = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let (p50, p99, max) = (percentile(0.50), percentile(0.99), percentile(1.0));
    println!(
        "{}",
        json!({ "agents": AGENTS, "queries": QUERIES, "p50_ms": p50, "p99_ms": p99, "max_ms": max })
    );
    if p99 <= BUDGET_MS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
