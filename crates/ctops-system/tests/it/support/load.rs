//! `ct-ops-loadtest`: a simulated fleet with a ledger of what was acknowledged to it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Entrance, Process, SOON, program};

/// Prefix of the simulated hosts' names.
const PREFIX: &str = "loadtest";

/// Longest delay before a reconnect. Agents wait up to 60 s when streams never last ten seconds, and kills come faster than
/// that.
const MAX_BACKOFF: &str = "8s";

/// What the fleet does.
pub(crate) struct Plan {
    pub(crate) agents: usize,
    pub(crate) interval: Duration,
}

/// A running simulated fleet. It runs until it is stopped.
pub(crate) struct LoadTest {
    process: Process,
    ledger: PathBuf,
    summary: PathBuf,
}

impl LoadTest {
    /// Starts the fleet; its agents register with `token`, which must approve them by itself.
    pub(crate) fn start(entrance: impl Into<Entrance>, token: &str, plan: &Plan) -> Self {
        let entrance = entrance.into();
        let (ledger, summary) = (entrance.dir.join("ledger.txt"), entrance.dir.join("summary.json"));
        let mut command = Command::new(program("ct-ops-loadtest"));
        command
            .env_clear()
            .arg("run")
            .args(["-address", &format!("localhost:{}", entrance.port)])
            .args(["-ca-cert".as_ref(), entrance.ca_file.as_os_str()])
            .args(["-token", token])
            .args(["-agents", &plan.agents.to_string()])
            .args(["-heartbeat-interval", &format!("{}ms", plan.interval.as_millis())])
            .args(["-ramp", "2s", "-duration", "0", "-max-backoff", MAX_BACKOFF, "-hostname-prefix", PREFIX])
            .args(["-ledger".as_ref(), ledger.as_os_str()])
            .args(["-output-json".as_ref(), summary.as_os_str()]);
        Self { process: Process::spawn(command, &entrance.dir.join("loadtest.log")), ledger, summary }
    }

    /// The process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Acknowledged heartbeats so far.
    pub(crate) fn acknowledged(&self) -> usize {
        fs::read(&self.ledger).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
    }

    /// Ends the fleet cleanly. Returns the ledger, host name and number of every acknowledged heartbeat, and the summary.
    pub(crate) async fn stop(mut self) -> (Vec<(String, i64)>, Value) {
        self.process.signal(Signal::SIGINT);
        assert_eq!(self.process.ended(SOON).await, Some(0));
        let text = fs::read_to_string(&self.ledger).unwrap();
        let entry = |line: &str| {
            let (hostname, number) = line.split_once(' ').unwrap();
            (hostname.to_owned(), number.parse().unwrap())
        };
        let summary = fs::read_to_string(&self.summary).unwrap();
        (text.lines().map(entry).collect(), serde_json::from_str(&summary).unwrap())
    }
}
