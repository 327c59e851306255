//! `ct-ops-agent` with a data directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Process, SOON, Server, program};

/// The shortest interval the agent accepts, seconds.
pub(crate) const INTERVAL_SECONDS: u64 = 5;

/// A running agent of this machine.
pub(crate) struct Agent {
    process: Process,
    data_dir: PathBuf,
}

impl Agent {
    /// Starts an agent whose identity is kept in the directory `name` of the test.
    pub(crate) fn start(server: &Server, name: &str, token: &str) -> Self {
        let data_dir = server.path(name);
        let mut command = Command::new(program("ct-ops-agent"));
        command
            .args(["-config", "/nonexistent/agent.toml"])
            .env_clear()
            .env("CT_OPS_INGEST_ADDRESS", format!("localhost:{}", server.ingest_port()))
            .env("CT_OPS_INGEST_CA_CERT", server.ca_file())
            .env("CT_OPS_ENROLMENT_TOKEN", token)
            .env("CT_OPS_DATA_DIR", &data_dir)
            .env("CT_OPS_HEARTBEAT_INTERVAL_SECS", INTERVAL_SECONDS.to_string());
        let log = server.path(&format!("{name}.log"));
        Self { process: Process::spawn(command, &log), data_dir }
    }

    /// The process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it cleanly.
    pub(crate) async fn stop(mut self) {
        self.process.signal(Signal::SIGTERM);
        assert_eq!(self.process.ended(SOON).await, Some(0), "a clean stop ends with code 0");
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Waits for it to end by itself; its exit code and how long that took.
    pub(crate) async fn ended(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let code = self.process.ended(SOON).await;
        (code, began.elapsed())
    }

    /// Where its identity is.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A file of its identity.
    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.data_dir.join(name)).unwrap()
    }

    /// Agent id and JWT as it stored them.
    pub(crate) fn state(&self) -> (String, String) {
        let state: Value = serde_json::from_str(&self.file("agent_state.json")).unwrap();
        let text = |name: &str| state[name].as_str().unwrap().to_owned();
        (text("agent_id"), text("jwt_token"))
    }
}
