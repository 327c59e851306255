//! Browser journeys: a real server, agent, mail server and issuer of licences on loopback ports of their own, driven by
//! headless Chromium.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{command, output, run};
use crate::setup::chromium;
use crate::{target_dir, web};

/// How long the server may take to become ready.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Asked for by the set-up page.
const SETUP_CODE: &str = "journey-code";
/// Of the key that signs the licences of this run.
const ISSUER_PASSPHRASE: &str = "only for this journey";

/// Runs all journeys, or those of some projects of `playwright.config.ts` and the set-up before them, against a fresh
/// installation in a temporary directory.
pub(crate) fn journeys(projects: &[String]) -> Result<()> {
    let scratch = Scratch::new()?;
    scratch.make_issuer()?;
    let server = scratch.start_server()?;
    scratch.wait_until_ready()?;
    let chromium = chromium().context("chromium is missing; run `cargo xtask setup`")?;
    let mut npm = web::npm(&["run", "--silent", "e2e", "--"])?;
    npm.args(projects.iter().map(|name| format!("--project={name}")));
    npm.env("CHROMIUM_PATH", chromium)
        .env("JOURNEY_URL", scratch.url())
        .env("JOURNEY_INGEST", format!("localhost:{}", scratch.ingest_port))
        .env("JOURNEY_SMTP_PORT", scratch.smtp_port.to_string())
        .env("JOURNEY_SETUP_CODE", SETUP_CODE)
        .env("JOURNEY_ISSUER_PASSPHRASE", ISSUER_PASSPHRASE)
        .env("JOURNEY_SCRATCH", &scratch.dir)
        .env("JOURNEY_PROGRAMS", programs());
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
    smtp_port: u16,
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
        let [web_port, ingest_port, smtp_port] = free_ports()?;
        Ok(Self { dir, web_port, ingest_port, smtp_port })
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.web_port)
    }

    /// Where the key is that signs licences; the journeys mint with it.
    fn issuer(&self) -> PathBuf {
        self.dir.join("issuer")
    }

    fn make_issuer(&self) -> Result<()> {
        let dir = self.issuer().to_string_lossy().into_owned();
        let mut keygen =
            command(&self.dir, &program("ct-ops-licence"), &["keygen", "--bits", "2048", "--dir", &dir]);
        output(keygen.env("CT_OPS_ISSUER_PASSPHRASE", ISSUER_PASSPHRASE)).map(drop)
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
            .env("LICENCE_PUBLIC_KEY_PATH", self.issuer().join("issuer-public.pem"))
            .env("AUTH_EMAIL_SMTP_HOST", "localhost")
            .env("AUTH_EMAIL_SMTP_PORT", self.smtp_port.to_string())
            .env("AUTH_EMAIL_SMTP_SECURE", "none")
            .env("AUTH_EMAIL_FROM", "ct-ops@example.net")
            // Mail server, directory and identity providers are on this machine.
            .env("CT_OPS_DEVELOPMENT", "true")
            // Each journey names an address of its own, so that limits per address do not hit the next one.
            .env("CT_OPS_TRUST_PROXY_HEADERS", "true")
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
}

fn programs() -> PathBuf {
    target_dir().join("debug")
}

fn program(name: &str) -> String {
    programs().join(name).to_string_lossy().into_owned()
}

/// Ports that were free a moment ago, all different.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
