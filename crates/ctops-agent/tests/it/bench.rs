//! One agent in a directory of its own, with short waiting times, against a peer.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ctops_agent::agent::{Agent, Outcome};
use ctops_agent::collect::Sources;
use ctops_agent::flags::Flags;
use ctops_agent::logging::SlogText;
use ctops_agent::settings::Settings;
use ctops_agent::shutdown::{self, Stopper};
use ctops_agent::timing::Timing;
use ctops_base::Clock;
use tokio::task::JoinHandle;

use crate::peer::{LIMIT, Peer};

/// Waiting times that let a test see many rounds in a second.
pub fn timing() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(100),
        pending_poll: Duration::from_millis(150),
        waited_pause: Duration::from_millis(10),
        backoff_first: Duration::from_millis(40),
        backoff_cap: Duration::from_millis(640),
        stable_after: Duration::from_millis(300),
        errand_retry: Duration::from_millis(60),
        delivery_pause: Duration::from_millis(20),
        ..Timing::standard(Duration::from_secs(30))
    }
}

/// Collects the log of a test.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn count(&self, part: &str) -> usize {
        self.text().lines().filter(|line| line.contains(part)).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The agent's home, kept over several starts.
pub struct Bench {
    dir: tempfile::TempDir,
    pub timing: Timing,
    pub log: Log,
    pub arguments: Vec<String>,
    pub sources: Sources,
    pub clock: Clock,
    _guard: tracing::subscriber::DefaultGuard,
}

/// A running agent.
pub struct Running {
    stopper: Stopper,
    task: JoinHandle<Outcome>,
}

impl Bench {
    /// An agent that trusts `peer` and is to connect to it.
    pub fn new(peer: &Peer) -> Self {
        Self::at(peer.port, &peer.certificate)
    }

    /// An agent that trusts `certificate` and is to connect to `port`.
    pub fn at(port: u16, certificate: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), certificate).unwrap();
        let log = Log::default();
        let subscriber = SlogText::new(Clock::system(), Box::new(log.clone()));
        let guard = tracing::subscriber::set_default(subscriber);
        let arguments = vec![
            format!("-address=localhost:{port}"),
            format!("-ca-cert={}", dir.path().join("ca.pem").display()),
            "-token=tok_test".to_owned(),
        ];
        // An engine that may run on this machine is none of the tests' business.
        let sources = Sources { run: dir.path().join("run"), ..Sources::system() };
        Self { dir, timing: timing(), log, arguments, sources, clock: Clock::system(), _guard: guard }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.data().join(name)).unwrap()
    }

    pub fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.file("agent_state.json")).unwrap()
    }

    /// Starts the agent in this runtime.
    pub fn start(&self) -> Running {
        let data = self.data().display().to_string();
        let environment = |name: &str| (name == "CT_OPS_DATA_DIR").then(|| data.clone());
        let flags = Flags::parse(&self.arguments).unwrap();
        let settings = Settings::resolve(&Default::default(), &environment, &flags).unwrap();
        let agent =
            Agent::new(settings, self.timing.clone(), self.clock.clone(), self.sources.clone()).unwrap();
        let (stopper, shutdown) = shutdown::channel();
        Running { stopper, task: tokio::spawn(agent.run(shutdown)) }
    }

    /// Waits until the agent's log or files satisfy `condition`.
    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, wait)
            .await
            .unwrap_or_else(|_| panic!("{what}; log:\n{}", self.log.text()));
    }
}

impl Running {
    /// Asks the agent to end and returns how it did.
    pub async fn stop(self) -> Outcome {
        self.stopper.stop();
        self.ended().await
    }

    /// Waits for the agent to end by itself.
    pub async fn ended(self) -> Outcome {
        let Self { task, stopper } = self;
        let outcome = tokio::time::timeout(LIMIT, task).await.expect("the agent ends").unwrap();
        drop(stopper);
        outcome
    }

    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}
