//! `ct-ops serve` with a state directory and ports of its own.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ctops_pg::Pool;
use ctops_pg::embedded::EmbeddedPostgres;
use ctops_testkit::wait_for;
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::{Api, PASSWORD, Process, SOON, program};

/// Asked for by the first-run set-up.
pub(crate) const SETUP_CODE: &str = "system-test-code";
/// How long the first start may take: it makes a database and keys.
const READY_LIMIT: Duration = Duration::from_secs(90);
/// How long a clean stop may take.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(40);

/// An installation: its directory, its ports, and the server when it runs.
pub(crate) struct Server {
    dir: TempDir,
    web_port: u16,
    ingest_port: u16,
    settings: Vec<(String, String)>,
    process: Option<Process>,
}

impl Server {
    /// An installation in an empty directory, not started. The directory can be entered by the account that the embedded
    /// database runs as.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("ct-ops-system-").tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Self { dir, web_port: free_port(), ingest_port: free_port(), settings: Vec::new(), process: None }
    }

    /// A setting in addition to, or instead of, the usual ones.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another server on the same state directory, with ports of its own.
    pub(crate) fn rival(&self) -> Command {
        let mut command = self.command(&["serve"]);
        command
            .env("CT_OPS_WEB_LISTEN", format!("127.0.0.1:{}", free_port()))
            .env("INGEST_GRPC_PORT", free_port().to_string());
        command
    }

    /// `ct-ops` with the environment of this installation and nothing else.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("ct-ops"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CT_OPS_STATE_DIR", self.state_dir())
            .env("CT_OPS_WEB_LISTEN", format!("127.0.0.1:{}", self.web_port))
            .env("CT_OPS_INGEST_BIND", "127.0.0.1")
            .env("INGEST_GRPC_PORT", self.ingest_port.to_string())
            .env("BETTER_AUTH_URL", self.url())
            .env("CT_OPS_SETUP_CODE", SETUP_CODE)
            .env("AGENT_DIST_DIR", self.path("agent-dist"))
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it is ready. Returns how long that took.
    pub(crate) async fn start(&mut self) -> Duration {
        let began = Instant::now();
        self.spawn();
        self.ready().await;
        began.elapsed()
    }

    /// Starts the server and does not wait.
    pub(crate) fn spawn(&mut self) {
        assert!(self.process.is_none(), "the server runs already");
        self.process = Some(Process::spawn(self.command(&["serve"]), &self.path("server.log")));
    }

    /// Waits until `/readyz` says so, over TLS that is verified against the server's own authority.
    pub(crate) async fn ready(&self) {
        wait_for(READY_LIMIT, || async {
            assert!(self.process().is_running(), "the server ended before it was ready");
            // The authority's certificate is written before anything listens.
            self.ca_file().exists().then_some(())
        })
        .await;
        let api = Api::new(self);
        wait_for(READY_LIMIT, || async {
            assert!(self.process().is_running(), "the server ended before it was ready");
            api.is_ready().await.then_some(())
        })
        .await;
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Ends it cleanly. Returns how long that took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let began = Instant::now();
        let mut process = self.process.take().unwrap();
        process.signal(Signal::SIGTERM);
        assert_eq!(process.ended(STOP_LIMIT).await, Some(0), "a clean stop ends with code 0");
        began.elapsed()
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut process = self.process.take().unwrap();
        process.ended(SOON).await
    }

    /// The running server.
    pub(crate) fn process(&self) -> &Process {
        self.process.as_ref().expect("the server was started")
    }

    /// Makes the first account and stays signed in with it.
    pub(crate) async fn set_up(&self) -> Api {
        let api = Api::new(self);
        api.post(
            "/setup",
            json!({
                "organisation_name": "Example",
                "name": "First Person",
                "email": "first@example.com",
                "password": PASSWORD,
                "password_confirmation": PASSWORD,
                "setup_code": SETUP_CODE,
            }),
        )
        .await;
        api
    }

    /// The embedded database, as the product uses it. The pool outlives restarts of the server.
    pub(crate) async fn database(&self) -> Pool {
        ctops_pg::connect(&EmbeddedPostgres::url_of(&self.state_dir().join("postgres")), 4).await.unwrap()
    }

    /// Address of the web interface.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.web_port)
    }

    /// Port of the web interface.
    pub(crate) fn web_port(&self) -> u16 {
        self.web_port
    }

    /// Port for agents.
    pub(crate) fn ingest_port(&self) -> u16 {
        self.ingest_port
    }

    /// The authority that signs what browsers and agents are shown.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.state_dir().join("tls/ca.pem")
    }

    /// Everything the server keeps.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// Something in the directory of this test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the server printed, over all its starts.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }

    /// The certificate that agents are shown, whoever signed it; DER.
    pub(crate) async fn certificate_for_agents(&self) -> Vec<u8> {
        super::wire::shown_certificate(self.ingest_port).await
    }

    /// Process id of the embedded database.
    pub(crate) fn database_pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.state_dir().join("postgres/data/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }
}

impl Drop for Server {
    /// A clean stop if possible. The database of a killed server needs a moment to follow it; the directory must not be
    /// removed under it.
    fn drop(&mut self) {
        let end = Instant::now() + STOP_LIMIT;
        if let Some(process) = &self.process {
            process.signal(Signal::SIGTERM);
            while process.is_running() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self.process = None;
        let is_alive = |pid: u32| Path::new(&format!("/proc/{pid}")).exists();
        while self.database_pid().is_some_and(is_alive) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A port that nobody listens on, below those that the kernel gives to outgoing connections (`ip_local_port_range`): a
/// client that reconnects while the server is down must not be given the server's port.
pub(super) fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
