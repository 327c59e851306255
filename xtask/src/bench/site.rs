//! A scratch installation with release programs, on loopback, in a temporary directory.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::programs::{Programs, text};
use crate::process::{command, output};
use crate::setup::postgres_bin_dir;

/// How long anything may take to start or to stop.
const LIMIT: Duration = Duration::from_secs(120);
/// How often waiting looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The installation.
pub(super) struct Site {
    dir: PathBuf,
    server_program: PathBuf,
    load_program: PathBuf,
    web_port: u16,
    ingest_port: u16,
    server: Option<Running>,
}

/// A child process that is stopped when dropped.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn spawn(mut command: Command, log: &str, dir: &std::path::Path) -> Result<Self> {
        let file = fs::OpenOptions::new().create(true).append(true).open(dir.join(log))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        Ok(Self(child))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).context("the process has ended by itself")
    }

    /// Asks it to stop and waits.
    pub(super) fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGINT)?;
        wait_for("a program to stop", LIMIT, || Ok(self.0.try_wait()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // An error means that it has just ended.
        let _ = self.signal(Signal::SIGTERM);
        let ended = wait_for("a program to stop", LIMIT, || Ok(self.0.try_wait()?));
        if ended.is_err() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

impl Site {
    /// An installation in an empty directory, not started.
    pub(super) fn new(programs: &Programs) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("ct-ops-bench-{}", std::process::id()));
        fs::create_dir(&dir)?;
        fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
        let (server_program, load_program) = (programs.server(), programs.load_test());
        let (web_port, ingest_port) = (free_port(21_000)?, free_port(22_000)?);
        Ok(Self { dir, server_program, load_program, web_port, ingest_port, server: None })
    }

    fn ct_ops(&self, args: &[&str]) -> Command {
        let mut ct_ops = command(&self.dir, &text(&self.server_program), args);
        ct_ops
            .env_remove("DATABASE_URL")
            .env("CT_OPS_STATE_DIR", self.dir.join("state"))
            .env("CT_OPS_WEB_LISTEN", format!("127.0.0.1:{}", self.web_port))
            .env("CT_OPS_INGEST_BIND", "127.0.0.1")
            .env("INGEST_GRPC_PORT", self.ingest_port.to_string())
            .env("BETTER_AUTH_URL", format!("https://localhost:{}", self.web_port))
            .env("CT_OPS_REGISTER_PER_SOURCE", "1000000")
            .env("CT_OPS_REGISTER_PER_TOKEN", "1000000")
            .env("CT_OPS_LOG", "warn");
        ct_ops
    }

    /// Starts the server; the time until it was ready.
    pub(super) fn start(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.server = Some(Running::spawn(self.ct_ops(&["serve"]), "server.log", &self.dir)?);
        let url = format!("https://localhost:{}/readyz", self.web_port);
        let ready = wait_for("the server to be ready", LIMIT, || {
            let answer =
                Command::new("curl").args(["-fsk", "--max-time", "2", &url]).output().context("curl")?;
            Ok(answer.status.success().then(|| began.elapsed()))
        });
        ready.with_context(|| fs::read_to_string(self.dir.join("server.log")).unwrap_or_default())
    }

    /// Stops the server cleanly.
    pub(super) fn stop(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop()?;
        }
        Ok(())
    }

    /// Process id of the server; its database is below it.
    pub(super) fn pid(&self) -> Result<u32> {
        Ok(self.server.as_ref().context("the server does not run")?.pid())
    }

    /// Process id of the database.
    pub(super) fn database_pid(&self) -> Result<u32> {
        let file = self.dir.join("state/postgres/data/postmaster.pid");
        let text = fs::read_to_string(file).context("the database does not run")?;
        Ok(text.lines().next().unwrap_or_default().trim().parse()?)
    }

    /// Makes a token for any number of agents.
    pub(super) fn token(&self) -> Result<String> {
        let words =
            ["admin", "enrolment-token", "--label", "bench", "--auto-approve", "--max-uses", "1000000"];
        output(&mut self.ct_ops(&words))
    }

    /// Asks the database for one value.
    pub(super) fn query(&self, sql: &str) -> Result<String> {
        let bin = postgres_bin_dir().context("PostgreSQL's programs are missing")?;
        let socket = text(&self.dir.join("state/postgres/run"));
        let args = ["-X", "-A", "-t", "-h", &socket, "-U", "ctops", "-d", "ctops", "-c", sql];
        output(&mut command(&self.dir, &text(&bin.join("psql")), &args))
    }

    /// Asks the database for a number.
    pub(super) fn number(&self, sql: &str) -> Result<f64> {
        self.query(sql)?.parse().with_context(|| format!("{sql} gave no number"))
    }

    /// The address of the database for another program.
    pub(super) fn database_url(&self) -> String {
        let socket = text(&self.dir.join("state/postgres/run")).replace('/', "%2F");
        format!("postgres://ctops@{socket}:5432/ctops?sslmode=disable")
    }

    /// An agent's environment.
    pub(super) fn agent(
        &self,
        program: &std::path::Path,
        token: &str,
        interval_seconds: u64,
    ) -> Result<Running> {
        let mut agent = command(&self.dir, &text(program), &["-config", "/nonexistent/agent.toml"]);
        agent
            .env("CT_OPS_INGEST_ADDRESS", format!("localhost:{}", self.ingest_port))
            .env("CT_OPS_INGEST_CA_CERT", self.dir.join("state/tls/ca.pem"))
            .env("CT_OPS_ENROLMENT_TOKEN", token)
            .env("CT_OPS_DATA_DIR", self.dir.join("agent"))
            .env("CT_OPS_HEARTBEAT_INTERVAL_SECS", interval_seconds.to_string());
        Running::spawn(agent, "agent.log", &self.dir)
    }

    /// Starts a simulated fleet that runs until it is stopped; `name` also names its summary.
    pub(super) fn load(&self, name: &str, token: &str, agents: u32, interval: Duration) -> Result<Running> {
        let args: Vec<String> = [
            ("-address", format!("localhost:{}", self.ingest_port)),
            ("-ca-cert", text(&self.dir.join("state/tls/ca.pem"))),
            ("-token", token.to_owned()),
            ("-agents", agents.to_string()),
            ("-heartbeat-interval", format!("{}ms", interval.as_millis())),
            ("-ramp", "5s".to_owned()),
            ("-duration", "0".to_owned()),
            ("-run-id", name.to_owned()),
            ("-output-json", text(&self.summary_file(name))),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect();
        let mut load = command(&self.dir, &text(&self.load_program), &["run"]);
        load.args(args);
        Running::spawn(load, &format!("{name}.log"), &self.dir)
    }

    /// Stops a simulated fleet and reads what it saw.
    pub(super) fn end_load(&self, name: &str, load: Running) -> Result<serde_json::Value> {
        load.stop()?;
        let summary = fs::read_to_string(self.summary_file(name)).context("the fleet wrote no summary")?;
        Ok(serde_json::from_str(&summary)?)
    }

    fn summary_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    /// Waits until so many agents hold a stream at the newest node. Returns how long that took.
    pub(super) fn until_connected(&self, agents: u32, limit: Duration) -> Result<Duration> {
        let began = Instant::now();
        let sql = "SELECT count(*) FROM agent_leases
                   WHERE node_id = (SELECT id FROM ingest_nodes ORDER BY started_at DESC LIMIT 1)";
        wait_for(&format!("{agents} agents to be online"), limit, || {
            Ok((self.number(sql)? >= f64::from(agents)).then(|| began.elapsed()))
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server = None;
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Looks until there is something, at most `limit`.
pub(super) fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("waited {} s for {what}", limit.as_secs());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A free port from `first` on, below those the kernel gives to outgoing connections: agents that reconnect while the server
/// is down must not be given its port.
fn free_port(first: u16) -> Result<u16> {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..first + 1_000).find(free).context("no free port")
}
