//! One fault after the other, chosen and timed by seeds, under load: what was acknowledged is in the database exactly
//! once, nothing is put aside, and every agent comes back by itself.
//!
//! `CT_OPS_FAULT_RUNS` sets the number of runs, `CT_OPS_FAULT_SEED` the seed of the first; each further run has the next
//! number, and a run depends on its seed alone. The long run:
//!
//! ```sh
//! CT_OPS_FAULT_RUNS=200 cargo test -p ctops-system faults -- --nocapture
//! ```

use std::time::{Duration, Instant};

use ctops_testkit::{wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::crash::{all_back, check};
use crate::support::{Entrance, Fleet, Gate, LoadTest, Plan, Server};

/// 60 agents five times a second: 300 heartbeats/s.
const PLAN: Plan = Plan { agents: 60, interval: Duration::from_millis(200) };
/// Runs every day; the long run has 200.
const RUNS: u64 = 8;
/// Runs on one installation, after which the ledger is compared.
const RUNS_TOGETHER: u64 = 20;
/// For all agents to be online again after the fault is over.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// For the whole fleet to enrol.
const ENROLMENT_LIMIT: Duration = Duration::from_secs(60);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `kill -9` of the server.
    KillServer,
    /// `kill -9` of the database's main process; the server ends by itself and is started again.
    KillDatabase,
    /// `kill -9` of one process of the database, which then restarts all of its processes; the server lives on.
    KillBackend,
    /// All processes of the database stand still for a while.
    StopDatabase(Duration),
    /// The server stands still for a while.
    StopServer(Duration),
    /// Every connection of an agent breaks.
    CutConnections,
    /// The network carries nothing for a while.
    HoldConnections(Duration),
    /// The server is asked to end, and started again.
    Restart,
}

impl Fault {
    fn of(dice: &mut StdRng) -> Self {
        let mut pause = |longest: u64| Duration::from_millis(dice.random_range(100..longest));
        let (long, short) = (pause(6_000), pause(3_000));
        match dice.random_range(0..8) {
            0 => Self::KillServer,
            1 => Self::KillDatabase,
            2 => Self::KillBackend,
            3 => Self::StopDatabase(long),
            4 => Self::StopServer(short),
            5 => Self::CutConnections,
            6 => Self::HoldConnections(long),
            _ => Self::Restart,
        }
    }
}

/// Spec: hosts 2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_reports_when_anything_single_fails_are_kept_exactly_once() {
    let first: u64 = number("CT_OPS_FAULT_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let runs = number("CT_OPS_FAULT_RUNS").unwrap_or(RUNS);
    println!("fault runs: CT_OPS_FAULT_SEED={first} CT_OPS_FAULT_RUNS={runs}");
    let seeds: Vec<u64> = (first..first + runs).collect();
    for seeds in seeds.chunks(usize::try_from(RUNS_TOGETHER).unwrap()) {
        let mut site = Site::new().await;
        for seed in seeds {
            site.run(*seed).await;
        }
        site.end().await;
    }
}

/// One installation under load. The server comes last: its directory holds the files of the others.
struct Site {
    load: LoadTest,
    gate: Gate,
    fleet: Fleet,
    server: Server,
}

impl Site {
    async fn new() -> Self {
        let mut server = Server::new()
            .with("CT_OPS_REGISTER_PER_SOURCE", "100000")
            .with("CT_OPS_REGISTER_PER_TOKEN", "100000");
        server.start().await;
        let api = server.set_up().await;
        let gate = Gate::start(server.ingest_port()).await;
        let entrance = Entrance { port: gate.port, ..Entrance::from(&server) };
        let load = LoadTest::start(entrance, &api.token_for_many().await, &PLAN);
        let fleet = Fleet::of(&server).await;
        wait_until(ENROLMENT_LIMIT, || all_back(&fleet, PLAN.agents)).await;
        Self { load, gate, fleet, server }
    }

    async fn run(&mut self, seed: u64) {
        let mut dice = StdRng::seed_from_u64(seed);
        let moment = Duration::from_millis(dice.random_range(0..1_500));
        let fault = Fault::of(&mut dice);
        // Not a wait for something: the moment itself is what the seed decides.
        tokio::time::sleep(moment).await;
        self.inflict(fault, &mut dice).await;
        let over = Instant::now();
        wait_for(RECOVERY_LIMIT, || async { all_back(&self.fleet, PLAN.agents).await.then_some(()) }).await;
        let before = self.load.acknowledged();
        wait_for(RECOVERY_LIMIT, || async { (self.load.acknowledged() > before).then_some(()) }).await;
        println!(
            "seed {seed}: {fault:?} after {moment:?}, all online {:?} later, {} acknowledged",
            over.elapsed(),
            self.load.acknowledged()
        );
    }

    async fn inflict(&mut self, fault: Fault, dice: &mut StdRng) {
        match fault {
            Fault::KillServer => {
                self.server.kill();
                self.server.start().await;
            }
            Fault::KillDatabase => {
                signal(self.database(), Signal::SIGKILL);
                assert_ne!(self.server.ended().await, Some(0), "a lost database is no clean end");
                self.server.start().await;
            }
            Fault::KillBackend => {
                let backends = backends_of(self.database());
                signal(backends[dice.random_range(0..backends.len())], Signal::SIGKILL);
                // The database ends all others as well and recovers. A fault that met it there would be a second one.
                wait_until(RECOVERY_LIMIT, || async {
                    let now = backends_of(self.database());
                    !now.is_empty() && !backends.iter().any(|backend| now.contains(backend))
                })
                .await;
                wait_until(RECOVERY_LIMIT, || all_back(&self.fleet, PLAN.agents)).await;
            }
            Fault::StopDatabase(pause) => {
                let main = self.database();
                let all: Vec<Pid> = std::iter::once(main).chain(children_of(main)).collect();
                all.iter().for_each(|pid| signal(*pid, Signal::SIGSTOP));
                tokio::time::sleep(pause).await;
                all.iter().for_each(|pid| signal(*pid, Signal::SIGCONT));
            }
            Fault::StopServer(pause) => {
                self.server.process().signal(Signal::SIGSTOP);
                tokio::time::sleep(pause).await;
                self.server.process().signal(Signal::SIGCONT);
            }
            Fault::CutConnections => self.gate.cut(),
            Fault::HoldConnections(pause) => {
                self.gate.hold();
                tokio::time::sleep(pause).await;
                self.gate.release();
            }
            Fault::Restart => {
                self.server.stop().await;
                self.server.start().await;
            }
        }
    }

    fn database(&self) -> Pid {
        let pid = self.server.database_pid().expect("the database runs");
        Pid::from_raw(i32::try_from(pid).unwrap())
    }

    /// Compares what was acknowledged with what is stored.
    async fn end(self) {
        assert!(self.load.process().is_running(), "the fleet needed no restart");
        let (ledger, summary) = self.load.stop().await;
        println!("{} acknowledged, fleet: {summary}", ledger.len());
        assert!(ledger.len() > PLAN.agents * 10, "there was load");
        check(&self.fleet, &ledger).await;
    }
}

/// A process that has just ended by itself needs no signal.
fn signal(pid: Pid, signal: Signal) {
    let _ended = kill(pid, signal);
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().map(|child| Pid::from_raw(child.parse().unwrap())).collect()
}

/// Without the process that writes the log: the others go on without it until there is a new one.
fn backends_of(database: Pid) -> Vec<Pid> {
    let writes_log = |pid: &Pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.windows(6).any(|word| word == b"logger")
    };
    children_of(database).into_iter().filter(|pid| !writes_log(pid)).collect()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}
