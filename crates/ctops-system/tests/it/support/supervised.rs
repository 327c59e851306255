//! An agent under a service manager: started again whenever it ends.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::{INTERVAL_SECONDS, Server, program};

/// Pause before a program that ended is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The agent, its service manager and its files. Ended when dropped.
pub(crate) struct Supervised {
    child: Arc<Mutex<Option<Child>>>,
    stopping: Arc<AtomicBool>,
    starts: Arc<AtomicU32>,
    supervisor: Option<JoinHandle<()>>,
    data_dir: PathBuf,
    log: PathBuf,
    installed: PathBuf,
}

impl Supervised {
    /// Installs `example` as the agent of this host and starts it. `settings` are further lines of `[agent]`.
    pub(crate) fn start(server: &Server, example: &str, token: &str, settings: &str) -> Self {
        let installed = server.path("ct-ops-agent");
        fs::copy(program(&format!("examples/{example}")), &installed).unwrap();
        let config = server.path("agent.toml");
        fs::write(&config, format!("[agent]\n{settings}\n")).unwrap();
        fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();
        let (data_dir, log) = (server.path("agent"), server.path("agent.log"));
        let command = {
            let address = format!("localhost:{}", server.ingest_port());
            let (ca, token, data_dir, log) =
                (server.ca_file(), token.to_owned(), data_dir.clone(), log.clone());
            let installed = installed.clone();
            move || {
                let output = OpenOptions::new().create(true).append(true).open(&log).unwrap();
                let mut command = Command::new(&installed);
                command
                    .arg("-config")
                    .arg(&config)
                    .env_clear()
                    .env("PATH", "/usr/bin:/bin")
                    .env("CT_OPS_INGEST_ADDRESS", &address)
                    .env("CT_OPS_INGEST_CA_CERT", &ca)
                    .env("CT_OPS_ENROLMENT_TOKEN", &token)
                    .env("CT_OPS_DATA_DIR", &data_dir)
                    .env("CT_OPS_HEARTBEAT_INTERVAL_SECS", INTERVAL_SECONDS.to_string())
                    .stdin(Stdio::null())
                    .stdout(output.try_clone().unwrap())
                    .stderr(output);
                command.spawn().unwrap()
            }
        };
        let child = Arc::new(Mutex::new(Some(command())));
        let (stopping, starts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(1)));
        let supervisor = {
            let (child, stopping, starts) = (Arc::clone(&child), Arc::clone(&stopping), Arc::clone(&starts));
            std::thread::spawn(move || {
                while !stopping.load(Ordering::SeqCst) {
                    std::thread::sleep(LOOK_AGAIN);
                    let mut child = child.lock().unwrap();
                    if child.as_mut().unwrap().try_wait().unwrap().is_some() {
                        std::thread::sleep(RESTART_PAUSE);
                        *child = Some(command());
                        starts.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        };
        Self { child, stopping, starts, supervisor: Some(supervisor), data_dir, log, installed }
    }

    /// Process id of what runs now.
    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().unwrap().as_ref().unwrap().id()
    }

    /// How often the service manager started it.
    pub(crate) fn starts(&self) -> u32 {
        self.starts.load(Ordering::SeqCst)
    }

    /// Ends what runs now with SIGKILL; the service manager starts it again.
    pub(crate) fn kill(&self) {
        self.child.lock().unwrap().as_mut().unwrap().kill().unwrap();
    }

    /// The program that the service manager starts.
    pub(crate) fn installed(&self) -> &Path {
        &self.installed
    }

    /// Where updated programs are.
    pub(crate) fn program_dir(&self) -> PathBuf {
        self.data_dir.join("program")
    }

    /// What it remembers about updates; null while there is nothing.
    pub(crate) fn update_state(&self) -> Value {
        let text = fs::read_to_string(self.program_dir().join("state.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// What it printed, over all its starts.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(supervisor) = self.supervisor.take() {
            // A supervisor that failed has failed the test already.
            let _ = supervisor.join();
        }
        if let Ok(mut child) = self.child.lock()
            && let Some(child) = child.as_mut()
        {
            // An error means that it ended before.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "the last lines of the agent's log:\n{}\n",
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
    }
}
