//! Memory over a long stretch, of one program: `soak agent 60` lets a real agent live fast (checks, queries, package scans,
//! the server stopped, killed and started under it); `soak server 30` puts a fleet's steady load on a server. Prints the
//! resident memory of every minute and one JSON document, and fails when it grows. Needs the programs beside it: build with
//! `cargo build --release --workspace --bins --examples`.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unused_imports)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ctops_testkit::wait_until;
use serde_json::json;
use support::{Fleet, LoadTest, Plan, Server, installation_with_agent};

/// The load of a soaked server: 1,000 heartbeats per second, three times what 10,000 agents send at 30 s.
const LOAD: Plan = Plan { agents: 1_000, interval: Duration::from_secs(1) };
/// Time for the fleet to enrol.
const ENROLMENT_LIMIT: Duration = Duration::from_secs(240);
/// Pause between two turns of an agent's fast life.
const PAUSE: Duration = Duration::from_secs(2);
/// Turns between two ends of the server; every other one is a kill.
const TURNS_TO_A_RESTART: u32 = 10;
/// Growth that counts as flat, and the smallest that counts at all: allocators keep what they had to take once.
const FLAT: f64 = 1.05;
const NOISE_KB: f64 = 512.0;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, minutes] = arguments.as_slice() else {
        eprintln!("usage: soak <agent|server> <minutes>");
        return ExitCode::from(2);
    };
    let minutes = minutes.parse().expect("minutes are a whole number");
    let readings = match what.as_str() {
        "agent" => agent(minutes).await,
        "server" => server(minutes).await,
        other => {
            eprintln!("{other:?} is neither agent nor server");
            return ExitCode::from(2);
        }
    };
    judge(what, &readings)
}

/// The fast life of an agent.
async fn agent(minutes: u64) -> Vec<f64> {
    let (mut server, api, agent, fleet) = installation_with_agent().await;
    let host = fleet.host().await.unwrap().host_id;
    let port = server.web_port();
    let config = json!({"host": "127.0.0.1", "port": port});
    let check = json!({"name": "web", "type": "port", "config": config, "interval_seconds": 3600});
    let check = api.post(&format!("/hosts/{host}/checks"), check).await;
    let run = format!("/checks/{}/run", check["id"].as_str().unwrap());
    let mut readings = Readings::begin(minutes);
    let mut turn = 0_u32;
    while readings.watch(agent.process().pid().as_raw()) {
        turn += 1;
        api.act(&run).await;
        api.post(&format!("/hosts/{host}/queries"), json!({"kind": "list_ports"})).await;
        // One that still runs is answered with a conflict.
        api.ask(reqwest::Method::POST, &format!("/hosts/{host}/scans"), None).await;
        tokio::time::sleep(PAUSE).await;
        if turn.is_multiple_of(TURNS_TO_A_RESTART) {
            if turn.is_multiple_of(2 * TURNS_TO_A_RESTART) {
                server.kill();
            } else {
                server.stop().await;
            }
            server.start().await;
            // Finds that the old connections are gone; the session has outlived them.
            wait_until(ENROLMENT_LIMIT, || api.is_ready()).await;
            fleet.until_status("online").await;
        }
    }
    eprintln!("{turn} turns, {} restarts of the server", turn / TURNS_TO_A_RESTART);
    readings.minutes
}

/// The load on a server.
async fn server(minutes: u64) -> Vec<f64> {
    let mut server = Server::new()
        .with("CT_OPS_REGISTER_PER_SOURCE", "1000000")
        .with("CT_OPS_REGISTER_PER_TOKEN", "1000000");
    server.start().await;
    let api = server.set_up().await;
    let load = LoadTest::start(&server, &api.token_for_many().await, &LOAD);
    let fleet = Fleet::of(&server).await;
    let connected = "SELECT count(*) FROM agent_leases";
    wait_until(ENROLMENT_LIMIT, || async { fleet.count(connected).await == LOAD.agents as i64 }).await;
    let mut readings = Readings::begin(minutes);
    while readings.watch(server.process().pid().as_raw()) {
        // People look at the fleet meanwhile.
        api.get("/hosts").await;
        api.get("/hosts/summary").await;
        tokio::time::sleep(PAUSE).await;
    }
    let (acknowledged, _) = load.stop().await;
    eprintln!("{} heartbeats were acknowledged", acknowledged.len());
    readings.minutes
}

/// The largest resident memory of every minute, kilobytes.
struct Readings {
    began: Instant,
    length: Duration,
    minutes: Vec<f64>,
}

impl Readings {
    fn begin(minutes: u64) -> Self {
        Self { began: Instant::now(), length: Duration::from_secs(60 * minutes), minutes: Vec::new() }
    }

    /// Takes a reading; whether there is time left.
    fn watch(&mut self, pid: i32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the program has ended");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        let minute = (self.began.elapsed().as_secs() / 60) as usize;
        if self.minutes.len() <= minute {
            if let Some(last) = self.minutes.last() {
                println!("minute {}: {last} KB", self.minutes.len());
            }
            self.minutes.push(resident);
        }
        let current = self.minutes.last_mut().unwrap();
        *current = current.max(resident);
        self.began.elapsed() < self.length
    }
}

/// Compares the second quarter with the last one: the first is spent on growing to the working size.
fn judge(what: &str, readings: &[f64]) -> ExitCode {
    let quarter = readings.len() / 4;
    let median = |part: &[f64]| {
        let mut sorted = part.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    };
    let early = median(&readings[quarter..2 * quarter]);
    let late = median(&readings[readings.len() - quarter..]);
    let flat = late <= early * FLAT || late - early <= NOISE_KB;
    println!(
        "{}",
        json!({ "program": what, "minutes": readings.len(), "first_kb": readings.first(),
                "second_quarter_kb": early, "last_quarter_kb": late, "flat": flat })
    );
    if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
