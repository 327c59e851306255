//! What a simulated agent does besides reporting: answers checks and queries, does tasks, sends an inventory.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use ctops_agent::dial::Client;
use ctops_proto::agent::{
    AgentQuery, AgentQueryResult, AgentTask, AgentTaskProgress, AgentTaskResult, CheckDefinition,
    CheckResult, HeartbeatRequest, HeartbeatResponse, PortInfo, ServiceInfo, SoftwareInventoryChunk,
    SoftwarePackage,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Request;

use crate::fleet::Fleet;

/// Interval of a check that names none (wire contract 1.2).
const DEFAULT_CHECK_SECONDS: i32 = 60;
/// Packages in a simulated inventory, and in one chunk of it.
const PACKAGES: usize = 1000;
const CHUNK: usize = 500;
/// Ids of queries and tasks that are remembered; servers deliver them again until they have the result.
const REMEMBERED: usize = 10_000;

/// Numbers from 0 to 1 that look random and are the same in every run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that differ from those of every other agent.
    pub fn new(index: usize) -> Self {
        Self((index as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The next number. The generator is xorshift64 (Marsaglia 2003).
    pub fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[derive(Debug)]
struct Check {
    interval: Duration,
    due: Instant,
}

#[derive(Debug)]
struct Task {
    task: AgentTask,
    chunks_left: u32,
    next: Instant,
}

/// Everything one agent has been asked for.
#[derive(Debug)]
pub struct Duties {
    dice: Dice,
    checks: BTreeMap<String, Check>,
    tasks: Vec<Task>,
    inventories: JoinSet<AgentTaskResult>,
    known: HashSet<String>,
    answers: Vec<AgentQueryResult>,
    progress: Vec<AgentTaskProgress>,
    results: Vec<AgentTaskResult>,
}

impl Duties {
    /// Nothing asked for yet.
    pub fn new(index: usize) -> Self {
        Self {
            dice: Dice::new(index),
            checks: BTreeMap::new(),
            tasks: Vec::new(),
            inventories: JoinSet::new(),
            known: HashSet::new(),
            answers: Vec::new(),
            progress: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Takes in what the server asks for.
    pub fn obey(&mut self, fleet: &Fleet, message: &HeartbeatResponse, link: &InventoryLink) {
        let now = Instant::now();
        if fleet.options.simulate_checks && (message.checks_complete || !message.checks.is_empty()) {
            self.replace_checks(&message.checks, now);
        }
        for query in &message.pending_queries {
            if self.is_new(&query.query_id) {
                fleet.score.queries_answered.add(1);
                self.answers.push(answer(query));
            }
        }
        let task = message.pending_task.as_ref().filter(|_| fleet.options.simulate_tasks);
        if let Some(task) = task.filter(|task| self.is_new(&task.task_id)) {
            if task.task_type == "software_inventory" && fleet.options.simulate_inventory {
                self.inventories.spawn(scan(link.clone(), task.clone()));
            } else {
                let chunks_left = 2 + (self.dice.roll() * 3.0) as u32;
                let next = now + self.pause();
                self.tasks.push(Task { task: task.clone(), chunks_left, next });
            }
        }
        for id in &message.cancel_task_ids {
            let before = self.tasks.len();
            self.tasks.retain(|running| running.task.task_id != *id);
            if self.tasks.len() < before {
                self.results.push(AgentTaskResult {
                    task_id: id.clone(),
                    exit_code: -1,
                    error: "cancelled by user".to_owned(),
                    ..AgentTaskResult::default()
                });
            }
        }
    }

    /// Waits until something is to be delivered before the next heartbeat. Safe to cancel.
    pub async fn urgent(&mut self, fleet: &Fleet) {
        while self.answers.is_empty() && self.progress.is_empty() && self.results.is_empty() {
            let next = self.tasks.iter().map(|task| task.next).min();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.step(fleet, Instant::now()),
                Some(result) = self.inventories.join_next(), if !self.inventories.is_empty() => {
                    if let Ok(result) = result {
                        fleet.score.inventory_scans.add(u64::from(result.exit_code == 0));
                        fleet.score.tasks_completed.add(1);
                        self.results.push(result);
                    }
                }
            }
        }
    }

    /// Moves what waits into `report`; check results only into a scheduled one.
    pub fn drain(&mut self, fleet: &Fleet, report: &mut HeartbeatRequest) {
        report.query_results.append(&mut self.answers);
        report.task_progress.append(&mut self.progress);
        report.task_results.append(&mut self.results);
        if report.results_only {
            return;
        }
        let now = Instant::now();
        let failure_rate = fleet.options.check_failure_rate;
        for (id, check) in self.checks.iter_mut().filter(|(_, check)| check.due <= now) {
            check.due = now + check.interval;
            let fails = self.dice.roll() < failure_rate;
            report.check_results.push(CheckResult {
                check_id: id.clone(),
                status: if fails { "fail" } else { "pass" }.to_owned(),
                output: if fails { "simulated failure" } else { "simulated" }.to_owned(),
                duration_ms: 1 + (self.dice.roll() * 50.0) as i32,
                ran_at_unix: report.timestamp_unix,
            });
            fleet.score.checks_reported.add(1);
        }
    }

    /// `percent`, varied by the jitter of the run and kept between 0 and 100.
    pub fn vary(&mut self, fleet: &Fleet, percent: f32) -> f32 {
        let jitter = fleet.options.metrics_jitter;
        let factor = 1.0 + jitter * (2.0 * self.dice.roll() - 1.0);
        (f64::from(percent) * factor).clamp(0.0, 100.0) as f32
    }

    fn replace_checks(&mut self, definitions: &[CheckDefinition], now: Instant) {
        let mut before = std::mem::take(&mut self.checks);
        for definition in definitions {
            let seconds = Some(definition.interval_seconds).filter(|seconds| *seconds > 0);
            let interval =
                Duration::from_secs(seconds.unwrap_or(DEFAULT_CHECK_SECONDS).unsigned_abs().into());
            let same = before.remove(&definition.check_id).filter(|check| check.interval == interval);
            self.checks.insert(definition.check_id.clone(), same.unwrap_or(Check { interval, due: now }));
        }
    }

    fn is_new(&mut self, id: &str) -> bool {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(id.to_owned())
    }

    /// Half a second to two.
    fn pause(&mut self) -> Duration {
        Duration::from_millis(500 + (self.dice.roll() * 1500.0) as u64)
    }

    /// Lets tasks that are due say something, or end.
    fn step(&mut self, fleet: &Fleet, now: Instant) {
        for mut running in std::mem::take(&mut self.tasks) {
            if running.next > now {
                self.tasks.push(running);
                continue;
            }
            if running.chunks_left == 0 {
                fleet.score.tasks_completed.add(1);
                self.results.push(AgentTaskResult {
                    task_id: running.task.task_id,
                    task_type: running.task.task_type,
                    result_json: r#"{"source":"loadtest","ok":true}"#.to_owned(),
                    ..AgentTaskResult::default()
                });
                continue;
            }
            let output_chunk = format!("simulated output, {} to come\n", running.chunks_left);
            self.progress.push(AgentTaskProgress { task_id: running.task.task_id.clone(), output_chunk });
            running.chunks_left -= 1;
            running.next = now + self.pause();
            self.tasks.push(running);
        }
    }
}

fn answer(query: &AgentQuery) -> AgentQueryResult {
    let port = |port| PortInfo { port, protocol: "tcp".to_owned(), process: "simulated".to_owned() };
    let service = |name: &str| ServiceInfo {
        name: name.to_owned(),
        load_state: "loaded".to_owned(),
        active_sub: "running".to_owned(),
    };
    let is_ports = query.query_type == "list_ports";
    AgentQueryResult {
        query_id: query.query_id.clone(),
        query_type: query.query_type.clone(),
        status: "ok".to_owned(),
        error: String::new(),
        ports: if is_ports { [22, 80, 443].map(port).to_vec() } else { Vec::new() },
        services: if is_ports { Vec::new() } else { ["ssh.service", "cron.service"].map(service).to_vec() },
    }
}

/// What sending an inventory needs.
#[derive(Clone)]
pub struct InventoryLink {
    /// The connection of the stream.
    pub client: Client,
    /// Token of the agent.
    pub token: String,
    /// Id of the agent.
    pub agent_id: String,
}

/// Sends a simulated inventory; the result says how it went.
async fn scan(mut link: InventoryLink, task: AgentTask) -> AgentTaskResult {
    let names: Vec<usize> = (0..PACKAGES).collect();
    let chunks: Vec<SoftwareInventoryChunk> = names
        .chunks(CHUNK)
        .enumerate()
        .map(|(index, names)| SoftwareInventoryChunk {
            scan_id: task.task_id.clone(),
            agent_id: link.agent_id.clone(),
            source: "dpkg".to_owned(),
            chunk_index: i32::try_from(index).unwrap_or(i32::MAX),
            is_last: (index + 1) * CHUNK >= PACKAGES,
            packages: names.iter().map(|number| package(*number)).collect(),
        })
        .collect();
    let mut request = Request::new(tokio_stream::iter(chunks));
    let mut result = AgentTaskResult {
        task_id: task.task_id,
        task_type: task.task_type,
        exit_code: -1,
        ..AgentTaskResult::default()
    };
    match format!("Bearer {}", link.token).parse() {
        Ok(token) => request.metadata_mut().insert("authorization", token),
        Err(_) => {
            "streaming packages: the token cannot be sent".clone_into(&mut result.error);
            return result;
        }
    };
    match link.client.submit_software_inventory(request).await {
        Ok(ack) => {
            result.exit_code = 0;
            result.result_json =
                format!(r#"{{"package_count":{},"source":"dpkg"}}"#, ack.into_inner().received);
        }
        Err(status) => {
            result.error = format!("streaming packages: {:?}: {}", status.code(), status.message());
        }
    }
    result
}

fn package(number: usize) -> SoftwarePackage {
    SoftwarePackage {
        name: format!("package-{number:04}"),
        version: format!("1.{}.{}", number % 7, number % 11),
        architecture: "amd64".to_owned(),
        publisher: "Simulated".to_owned(),
        distro_id: "debian".to_owned(),
        ..SoftwarePackage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_when_rolled_often_then_fill_the_range_and_differ_between_agents() {
        let mut dice = Dice::new(3);
        let rolls: Vec<f64> = (0..10_000).map(|_| dice.roll()).collect();
        assert!(rolls.iter().all(|roll| (0.0..1.0).contains(roll)));
        let mean = rolls.iter().sum::<f64>() / rolls.len() as f64;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert_ne!(Dice::new(4).roll().to_bits(), Dice::new(3).roll().to_bits());
    }
}
