//! `make run`: server and agent on this machine, in the background, from an empty checkout. `make stop` ends them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{command, output, quiet_output, run};
use crate::setup::{Purpose, ensure};
use crate::{docs_site, root, target_dir, web};

/// Ports that the server listens on unless they are taken or set by `CT_OPS_WEB_LISTEN` and `INGEST_GRPC_PORT`.
const WEB_PORT: u16 = 8443;
const INGEST_PORT: u16 = 9443;
/// How long the first start may take: it makes a database and keys.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long until this machine's agent is online.
const ONLINE_LIMIT: Duration = Duration::from_secs(60);
/// How long a program may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Heartbeats of the local agent: often enough to watch its vitals move.
const HEARTBEAT_SECONDS: &str = "5";

/// Starts everything and says where it is.
pub(crate) fn start() -> Result<()> {
    ensure(Purpose::Run)?;
    web::build()?;
    docs_site::build()?;
    let build = ["build", "--locked", "--release", "-p", "ctops-server", "-p", "ctops-agent"];
    run(&mut command(&root(), "cargo", &build))?;

    let home = Home::open()?;
    let server_started = home.start_server()?;
    home.wait_until_ready()?;
    home.start_agent()?;
    let host = home.wait_until_online()?;
    home.say(server_started, &host)
}

/// Ends what [`start`] started.
pub(crate) fn stop() -> Result<()> {
    let home = Home::open()?;
    for program in ["agent", "server"] {
        home.stop_program(program)?;
    }
    eprintln!("stopped");
    Ok(())
}

/// Removes build results and everything that [`start`] keeps.
pub(crate) fn clean() -> Result<()> {
    stop()?;
    let home = Home::open()?;
    fs::remove_dir_all(&home.dir).with_context(|| home.dir.display().to_string())?;
    for built in ["web/dist", "web/node_modules", "docs/site", ".cache"] {
        let path = root().join(built);
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
    }
    run(&mut command(&root(), "cargo", &["clean"]))
}

/// Where `make run` keeps its state.
struct Home {
    dir: PathBuf,
}

impl Home {
    /// The embedded database runs as an account of its own, so the directory must not lie below a private one.
    fn open() -> Result<Self> {
        let dir = match std::env::var_os("CT_OPS_RUN_DIR") {
            Some(dir) => PathBuf::from(dir),
            None if nix::unistd::geteuid().is_root() => PathBuf::from("/var/lib/ct-ops/run"),
            None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?)
                .join(".local/state/ct-ops"),
        };
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o711))?;
        Ok(Self { dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A value that is made once and kept: ports and the set-up code.
    fn kept(&self, name: &str, make: impl FnOnce() -> Result<String>) -> Result<String> {
        let path = self.path(name);
        if let Ok(text) = fs::read_to_string(&path) {
            return Ok(text.trim().to_owned());
        }
        let value = make()?;
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(value.as_bytes())?;
        Ok(value)
    }

    fn web_listen(&self) -> Result<String> {
        match std::env::var("CT_OPS_WEB_LISTEN") {
            Ok(address) => Ok(address),
            Err(_) => self.kept("web-listen", || Ok(format!("127.0.0.1:{}", free_port(WEB_PORT)?))),
        }
    }

    fn ingest_port(&self) -> Result<String> {
        match std::env::var("INGEST_GRPC_PORT") {
            Ok(port) => Ok(port),
            Err(_) => self.kept("ingest-port", || Ok(free_port(INGEST_PORT)?.to_string())),
        }
    }

    fn public_url(&self) -> Result<String> {
        if let Ok(url) = std::env::var("BETTER_AUTH_URL") {
            return Ok(url);
        }
        let listen: SocketAddr =
            self.web_listen()?.parse().context("CT_OPS_WEB_LISTEN must be address:port")?;
        Ok(format!("https://localhost:{}", listen.port()))
    }

    fn setup_code(&self) -> Result<String> {
        self.kept("setup-code", || {
            let mut bytes = [0_u8; 10];
            fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
            let text: Vec<String> =
                bytes.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
            Ok(text.join("-"))
        })
    }

    /// `ct-ops` with the environment of this installation.
    fn ct_ops(&self, args: &[&str]) -> Result<Command> {
        let mut ct_ops = command(&self.dir, &program("ct-ops"), args);
        ct_ops
            .env("CT_OPS_STATE_DIR", self.path("server"))
            .env("CT_OPS_WEB_LISTEN", self.web_listen()?)
            .env("CT_OPS_INGEST_BIND", std::env::var("CT_OPS_INGEST_BIND").unwrap_or("127.0.0.1".into()))
            .env("INGEST_GRPC_PORT", self.ingest_port()?)
            .env("BETTER_AUTH_URL", self.public_url()?)
            .env("CT_OPS_SETUP_CODE", self.setup_code()?)
            .env("CT_OPS_DEVELOPMENT", "true")
            .env("AGENT_DIST_DIR", self.path("agent-dist"));
        Ok(ct_ops)
    }

    /// Returns false when it was running already.
    fn start_server(&self) -> Result<bool> {
        fs::create_dir_all(self.path("agent-dist"))?;
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let offered = self.path(&format!("agent-dist/ct-ops-agent-linux-{arch}"));
        fs::copy(program("ct-ops-agent"), &offered).context("offering the agent for download")?;
        if self.running("server").is_some() {
            return Ok(false);
        }
        self.spawn("server", self.ct_ops(&["serve"])?)?;
        Ok(true)
    }

    fn wait_until_ready(&self) -> Result<()> {
        self.wait_for("server", READY_LIMIT, "the server did not become ready", || {
            let status = quiet_output(&mut self.ct_ops(&["admin", "status"])?);
            Ok(status.is_some_and(|text| text.contains("\"ready\":true")).then_some(()))
        })
    }

    fn start_agent(&self) -> Result<()> {
        if self.running("agent").is_some() {
            return Ok(());
        }
        let data_dir = self.path("agent");
        let mut agent = command(&self.dir, &program("ct-ops-agent"), &["-config", "/nonexistent/agent.toml"]);
        if !data_dir.join("agent_state.json").exists() {
            let words = ["admin", "enrolment-token", "--label", "This machine", "--auto-approve"];
            agent.env("CT_OPS_ENROLMENT_TOKEN", output(&mut self.ct_ops(&words)?)?);
        }
        agent
            .env("CT_OPS_INGEST_ADDRESS", format!("localhost:{}", self.ingest_port()?))
            .env("CT_OPS_INGEST_CA_CERT", self.path("server/tls/ca.pem"))
            .env("CT_OPS_DATA_DIR", &data_dir)
            .env("CT_OPS_HEARTBEAT_INTERVAL_SECS", HEARTBEAT_SECONDS);
        self.spawn("agent", agent)
    }

    fn wait_until_online(&self) -> Result<String> {
        let hostname = nix::unistd::gethostname()?.to_string_lossy().into_owned();
        self.wait_for("agent", ONLINE_LIMIT, "this machine's agent did not come online", || {
            let status = output(&mut self.ct_ops(&["admin", "status"])?)?;
            let online = serde_json::from_str::<serde_json::Value>(&status)?["hosts_online"].as_i64();
            Ok((online > Some(0)).then(|| hostname.clone()))
        })
    }

    fn say(&self, server_started: bool, host: &str) -> Result<()> {
        let url = self.public_url()?;
        let status = output(&mut self.ct_ops(&["admin", "status"])?)?;
        let needs_setup = status.contains("\"setup_required\":true");
        println!("\nCT-Ops {} at {url}", if server_started { "runs" } else { "was running already" });
        println!("  The certificate is the server's own; your browser will ask once.");
        if needs_setup {
            println!("  First visit: set up the first account with the code {}", self.setup_code()?);
        }
        println!("  Host online: {host} (its agent reports every {HEARTBEAT_SECONDS} s)");
        println!("  Logs and data: {}", self.dir.display());
        println!("  Stop: make stop");
        Ok(())
    }

    /// Starts a program in a session of its own, so that it outlives this one; its output goes to `<name>.log`.
    fn spawn(&self, name: &str, mut program: Command) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path(&format!("{name}.log")))?;
        program.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = program.spawn().with_context(|| format!("starting the {name}"))?;
        fs::write(self.path(&format!("{name}.pid")), child.id().to_string())?;
        Ok(())
    }

    /// The process, if it lives and is ours.
    fn running(&self, name: &str) -> Option<Pid> {
        let pid: i32 = fs::read_to_string(self.path(&format!("{name}.pid"))).ok()?.trim().parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let wanted = if name == "agent" { "ct-ops-agent" } else { "ct-ops" };
        let program = line.split(|byte| *byte == 0).next()?.to_vec();
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let is_zombie = state.rsplit(") ").next()?.starts_with('Z');
        (!is_zombie && String::from_utf8_lossy(&program).ends_with(wanted)).then(|| Pid::from_raw(pid))
    }

    fn stop_program(&self, name: &str) -> Result<()> {
        let Some(pid) = self.running(name) else { return Ok(()) };
        kill(pid, Signal::SIGTERM)?;
        let end = Instant::now() + STOP_LIMIT;
        while self.running(name).is_some() {
            if Instant::now() > end {
                bail!(
                    "the {name} (process {pid}) does not stop; see {}",
                    self.path(&format!("{name}.log")).display()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn wait_for<T>(
        &self,
        program: &str,
        limit: Duration,
        failure: &str,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let end = Instant::now() + limit;
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            if self.running(program).is_none() || Instant::now() > end {
                bail!(
                    "{failure}; the last lines of its log:\n{}",
                    tail(&self.path(&format!("{program}.log")))
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn program(name: &str) -> String {
    target_dir().join("release").join(name).to_string_lossy().into_owned()
}

/// `wanted` when it is free on loopback, else one that is.
fn free_port(wanted: u16) -> Result<u16> {
    let bound = TcpListener::bind(("127.0.0.1", wanted)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    Ok(bound.local_addr()?.port())
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
