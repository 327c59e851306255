//! Browser journeys: a real server and a real agent on loopback ports of their own, driven by headless Chromium.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{command, run};
use crate::setup::chromium;
use crate::{target_dir, web};

/// How long the server may take to become ready.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Asked for by the set-up page.
const SETUP_CODE: &str = "journey-code";

/// Runs the journeys against a fresh installation in a temporary directory.
pub(crate) fn journeys() -> Result<()> {
    let scratch = Scratch::new()?;
    let server = scratch.start_server()?;
    scratch.wait_until_ready()?;
    let chromium = chromium().context("chromium is missing; run `cargo xtask setup`")?;
    let mut npm = web::npm(&["run", "--silent", "e2e"])?;
    npm.env("CHROMIUM_PATH", chromium)
        .env("CT_OPS_URL", scratch.url())
        .env("CT_OPS_SETUP_CODE", SETUP_CODE)
        .env("CT_OPS_AGENT_START", scratch.agent_start());
    let result = run(&mut npm);
    drop(server);
    if result.is_err() {
        eprintln!("server log:\n{}", fs::read_to_string(scratch.dir.join("server.log")).unwrap_or_default());
    } else {
        fs::remove_dir_all(&scratch.dir)?;
    }
    result
}

struct Scratch {
    dir: PathBuf,
    web_port: u16,
    ingest_port: u16,
}

/// Stops the program when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _gone_already = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _reaped = self.0.wait();
    }
}

impl Scratch {
    fn new() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("ct-ops-journey-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Self { dir, web_port: free_port()?, ingest_port: free_port()? })
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.web_port)
    }

    fn start_server(&self) -> Result<Running> {
        let log = fs::File::create(self.dir.join("server.log"))?;
        let dist = self.dir.join("agent-dist");
        fs::create_dir_all(&dist)?;
        let child = command(&self.dir, &program("ct-ops"), &["serve"])
            .env("CT_OPS_STATE_DIR", self.dir.join("server"))
            .env("CT_OPS_WEB_LISTEN", format!("127.0.0.1:{}", self.web_port))
            .env("CT_OPS_INGEST_BIND", "127.0.0.1")
            .env("INGEST_GRPC_PORT", self.ingest_port.to_string())
            .env("BETTER_AUTH_URL", self.url())
            .env("CT_OPS_SETUP_CODE", SETUP_CODE)
            .env("AGENT_DIST_DIR", dist)
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .context("starting ct-ops")?;
        Ok(Running(child))
    }

    fn wait_until_ready(&self) -> Result<()> {
        let end = Instant::now() + READY_LIMIT;
        loop {
            let answer = Command::new("curl")
                .args(["-fsk", "--max-time", "2", &format!("{}/readyz", self.url())])
                .output()
                .context("curl")?;
            if answer.status.success() {
                return Ok(());
            }
            if Instant::now() > end {
                bail!(
                    "the server did not become ready:\n{}",
                    fs::read_to_string(self.dir.join("server.log"))?
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Shell command that runs an agent in the foreground; the journey puts the token in place of `{token}`.
    fn agent_start(&self) -> String {
        format!(
            "exec env CT_OPS_ENROLMENT_TOKEN='{{token}}' CT_OPS_INGEST_ADDRESS=localhost:{} CT_OPS_INGEST_CA_CERT='{}' \
             CT_OPS_DATA_DIR='{}' CT_OPS_HEARTBEAT_INTERVAL_SECS=5 '{}' -config /nonexistent/agent.toml",
            self.ingest_port,
            self.dir.join("server/tls/ca.pem").display(),
            self.dir.join("agent").display(),
            program("ct-ops-agent")
        )
    }
}

fn program(name: &str) -> String {
    target_dir().join("debug").join(name).to_string_lossy().into_owned()
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
