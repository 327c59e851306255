//! Processes of single roles, several on one database.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use ctops_testkit::{TestDb, wait_for};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::server::{STOP_LIMIT, free_port};
use super::{Process, SOON, Server, program};

/// The secret that all processes of one installation share.
const INSTALL_SECRET: &str = "system-test-secret-0123456789abcdef";

/// Where agents arrive, what they trust, and where a test keeps its files.
pub(crate) struct Entrance {
    pub(crate) port: u16,
    pub(crate) ca_file: PathBuf,
    pub(crate) dir: PathBuf,
}

impl From<&Server> for Entrance {
    fn from(server: &Server) -> Self {
        Self { port: server.ingest_port(), ca_file: server.ca_file(), dir: server.path("") }
    }
}

/// A database with a directory for everything else.
pub(crate) struct Installation {
    pub(crate) db: TestDb,
    dir: TempDir,
    settings: Vec<(String, String)>,
}

/// One process. Plain HTTP on its web or internal port.
pub(crate) struct Node {
    pub(crate) process: Process,
    http: SocketAddr,
    pub(crate) ingest_port: u16,
    log: PathBuf,
}

impl Installation {
    /// Nothing runs yet.
    pub(crate) async fn new() -> Self {
        Self::on(TestDb::new().await)
    }

    /// The same on a database without a schema.
    pub(crate) async fn empty() -> Self {
        Self::on(TestDb::empty().await)
    }

    fn on(db: TestDb) -> Self {
        let dir = tempfile::Builder::new().prefix("ct-ops-nodes-").tempdir().unwrap();
        Self { db, dir, settings: Vec::new() }
    }

    /// A setting for every process that is started from now on.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Something in the directory of this test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A way in at `port`, with the authority's certificate as the process `name` wrote it.
    pub(crate) fn entrance(&self, port: u16, name: &str) -> Entrance {
        Entrance { port, ca_file: self.path(name).join("tls/ca.pem"), dir: self.dir.path().to_owned() }
    }

    /// A token for any number of agents that need no approval.
    pub(crate) fn token_for_many(&self) -> String {
        let arguments = "admin enrolment-token --label many --auto-approve --max-uses 100000";
        let mut command = self.command(arguments, "admin");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A process of a role, for example `consume events`, with a state directory of its own called `name`; waits until it
    /// is ready.
    pub(crate) async fn start(&self, role: &str, name: &str) -> Node {
        let node = self.spawn(role, name);
        node.ready().await;
        node
    }

    /// The same without waiting.
    pub(crate) fn spawn(&self, role: &str, name: &str) -> Node {
        let (web_port, http_port, ingest_port) = (free_port(), free_port(), free_port());
        let log = self.path(&format!("{name}.log"));
        let mut command = self.command(role, name);
        command
            .env("CT_OPS_WEB_LISTEN", format!("127.0.0.1:{web_port}"))
            .env("CT_OPS_WEB_TLS", "false")
            .env("CT_OPS_INGEST_BIND", "127.0.0.1")
            .env("INGEST_GRPC_PORT", ingest_port.to_string())
            .env("INGEST_HTTP_PORT", http_port.to_string())
            .env("CT_OPS_CONSUME_HTTP_PORT", http_port.to_string());
        let port = if role == "web" || role == "serve" { web_port } else { http_port };
        let process = Process::spawn(command, &log);
        Node { process, http: ([127, 0, 0, 1], port).into(), ingest_port, log }
    }

    fn command(&self, arguments: &str, name: &str) -> Command {
        let mut command = Command::new(program("ct-ops"));
        command
            .args(arguments.split(' '))
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CT_OPS_STATE_DIR", self.path(name))
            .env("DATABASE_URL", self.db.url())
            .env("BETTER_AUTH_SECRET", INSTALL_SECRET)
            .env("BETTER_AUTH_URL", "https://localhost:8443")
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Node {
    /// Waits until it may receive traffic.
    pub(crate) async fn ready(&self) {
        wait_for(SOON, || async {
            assert!(self.process.is_running(), "a process ended before it was ready");
            (self.get("/readyz").await.0 == 200).then_some(())
        })
        .await;
    }

    /// Status and body of an answer; status 0 when there is none.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        match reqwest::get(format!("http://{}{path}", self.http)).await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(_) => (0, String::new()),
        }
    }

    /// A metric without labels; `None` when the process does not answer or does not have it.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let (_, page) = self.get("/metrics/internal").await;
        let line =
            page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.and_then(|value| value.parse().ok())
    }

    /// Whether this process runs the periodic jobs.
    pub(crate) async fn leads(&self) -> bool {
        self.metric("ctops_server_leader").await == Some(1.0)
    }

    /// Ends it cleanly. Returns how long that took.
    pub(crate) async fn stop(mut self) -> Duration {
        let began = Instant::now();
        self.process.signal(Signal::SIGTERM);
        assert_eq!(self.process.ended(STOP_LIMIT).await, Some(0), "a clean stop ends with code 0");
        began.elapsed()
    }

    /// Ends it cleanly and sees that it refuses traffic first. Returns how long that took.
    pub(crate) async fn drain(mut self) -> Duration {
        let began = Instant::now();
        self.process.signal(Signal::SIGTERM);
        wait_for(SOON, || async {
            let (status, body) = self.get("/readyz").await;
            assert_ne!(status, 0, "it answers until it refuses");
            (status == 503).then(|| assert!(body.contains("draining"), "{body}"))
        })
        .await;
        assert_eq!(self.process.ended(STOP_LIMIT).await, Some(0), "a clean stop ends with code 0");
        began.elapsed()
    }

    /// What it printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
