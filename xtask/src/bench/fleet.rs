//! The whole path under simulated fleets: every agent with its own TLS connection and its own certificate, on the same
//! machine as server and database.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Scope;
use super::readings::{machine_busy_seconds, resident_bytes, tree_cpu_seconds};
use super::report::{Budget, Report};
use super::site::Site;

/// Heartbeats per second of 10,000 agents at 30 s.
const FLEET_RATE: f64 = 10_000.0 / 30.0;
/// Heartbeats per second of all fleets that are compared.
const GROWTH_RATE: f64 = 1_000.0;
/// Heartbeats per second offered, one after the other, until the database no longer keeps up.
const STEPS: [u32; 8] = [1_000, 2_000, 4_000, 6_000, 8_000, 10_000, 13_000, 16_000];
/// Simulated agents that offer them.
const SENDERS: u32 = 1_000;
/// The database keeps up when so much of what is offered becomes visible.
const KEEPS_UP: f64 = 0.97;
/// For a fleet to enrol.
const ENROLMENT_LIMIT: Duration = Duration::from_secs(400);
/// For a fleet to come back.
const STORM_LIMIT: Duration = Duration::from_secs(120);
/// Between the last agent's arrival and a measurement, so that no handshake is measured.
const SETTLE: Duration = Duration::from_secs(8);
/// The same for large fleets, whose enrolment the database has to tidy up after.
const SETTLE_GROWN: Duration = Duration::from_secs(45);

/// A fleet that sends what 10,000 agents at 30 s send: memory for each connection, latency, processor.
pub(super) fn held(site: &Site, scope: &Scope, report: &mut Report) -> Result<()> {
    let agents = scope.agents;
    let before = resident_bytes(site.pid()?)?;
    let interval = Duration::from_secs_f64(f64::from(agents) / FLEET_RATE);
    let load = site.load("held", &site.token()?, agents, interval)?;
    site.until_connected(agents, ENROLMENT_LIMIT)?;
    std::thread::sleep(SETTLE);
    let window = Window::watch(site, Duration::from_secs(scope.seconds(30, 10)))?;
    let each = (resident_bytes(site.pid()?)? - before) / f64::from(agents) / 1024.0;
    let what = format!("Memory of the server for each of {agents} connected agents");
    report.budget("connection", &what, each, "KB", Budget::AtMost(48.0));
    let cpu = window.cpu_share();
    report.budget(
        "fleet_cpu",
        "Heartbeats of 10,000 agents at 30 s: processor, with PostgreSQL, of 2 cores",
        cpu / 2.0,
        "%",
        Budget::AtMost(40.0),
    );

    let summary = site.end_load("held", load)?;
    report.figure(
        "ack_p50",
        "Acknowledgement at that rate: p50",
        milliseconds(&summary, "ack_latency_p50_us")?,
        "ms",
    );
    let slow = milliseconds(&summary, "ack_latency_p99_us")?;
    report.budget("ack_p99", "Acknowledgement at that rate: p99", slow, "ms", Budget::AtMost(100.0));
    Ok(())
}

/// The same fleet when the server is started again under it.
pub(super) fn storm(site: &mut Site, scope: &Scope, report: &mut Report) -> Result<()> {
    let agents = scope.storm;
    let load =
        site.load("storm", &site.token()?, agents, Duration::from_secs_f64(f64::from(agents) / FLEET_RATE))?;
    site.until_connected(agents, ENROLMENT_LIMIT)?;
    site.stop()?;
    site.start()?;
    let took = site.until_connected(agents, STORM_LIMIT)?;
    let what = format!("Reconnect storm: {agents} agents online after the server is ready again");
    report.budget("storm", &what, took.as_secs_f64(), "s", Budget::AtMost(30.0));
    site.end_load("storm", load)?;
    Ok(())
}

/// Fleets of different sizes that send the same number of heartbeats each second: what a connection and a heartbeat cost.
pub(super) fn growth(site: &mut Site, scope: &Scope, report: &mut Report) -> Result<()> {
    let mut costs = Vec::new();
    for agents in scope.fleets {
        // A process that held another fleet before keeps memory that would be counted too late.
        site.stop()?;
        site.start()?;
        std::thread::sleep(SETTLE);
        let before = resident_bytes(site.pid()?)?;
        let name = format!("growth-{agents}");
        let interval = Duration::from_secs_f64(f64::from(agents) / GROWTH_RATE);
        let load = site.load(&name, &site.token()?, agents, interval)?;
        site.until_connected(agents, ENROLMENT_LIMIT)?;
        std::thread::sleep(SETTLE_GROWN);
        let window = Window::watch(site, Duration::from_secs(scope.seconds(30, 10)))?;
        let memory = (resident_bytes(site.pid()?)? - before) / f64::from(agents) / 1024.0;
        let processor = window.cpu_seconds / window.rows * 1000.0;
        site.end_load(&name, load)?;
        report.figure(
            "growth_memory",
            &format!("Memory for each of {agents} connected agents"),
            memory,
            "KB",
        );
        let what = format!("One heartbeat of {agents} agents that send 1,000/s: processor, with PostgreSQL");
        report.figure("growth_cpu", &what, processor, "ms");
        costs.push((agents, memory, processor));
    }
    if let (Some((few, memory_of_few, time_of_few)), Some((many, memory_of_many, time_of_many))) =
        (costs.first(), costs.last())
    {
        let what = format!("Growth from {few} to {many} agents: memory of a connection, times");
        report.budget("growth_memory_ratio", &what, memory_of_many / memory_of_few, "", Budget::AtMost(1.2));
        let what = format!("Growth from {few} to {many} agents: processor time of a heartbeat, times");
        report.budget("growth_cpu_ratio", &what, time_of_many / time_of_few, "", Budget::AtMost(1.2));
    }
    Ok(())
}

/// What a fleet costs that has nothing to say.
pub(super) fn idle(site: &Site, scope: &Scope, report: &mut Report) -> Result<()> {
    let load = site.load("idle", &site.token()?, SENDERS, Duration::from_secs(30))?;
    site.until_connected(SENDERS, ENROLMENT_LIMIT)?;
    std::thread::sleep(SETTLE);
    let transactions = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'ctops'";
    let before = site.number(transactions)?;
    let window = Window::watch(site, Duration::from_secs(scope.seconds(60, 30)))?;
    let each_second = (site.number(transactions)? - before) / window.seconds;
    let what = "1,000 agents at 30 s: processor, with PostgreSQL, of one core";
    report.budget("idle_cpu", what, window.cpu_share(), "%", Budget::AtMost(2.0));
    let what = "1,000 agents at 30 s: database transactions";
    report.budget("idle_transactions", what, each_second, "/s", Budget::AtMost(2.0));
    site.end_load("idle", load)?;
    Ok(())
}

/// How many heartbeats become durable and visible each second, and what one costs.
pub(super) fn throughput(site: &Site, scope: &Scope, report: &mut Report) -> Result<()> {
    let token = site.token()?;
    let mut best: Option<(u32, Window)> = None;
    for offered in STEPS {
        let (window, _) = offer(site, &token, offered, Duration::from_secs(scope.seconds(12, 6)))?;
        eprintln!("   offered {offered}/s: {:.0}/s in the database", window.rate());
        let keeps_up = window.rate() >= f64::from(offered) * KEEPS_UP;
        if best.as_ref().is_none_or(|(_, best)| window.rate() > best.rate()) {
            best = Some((offered, window));
        }
        if !keeps_up {
            break;
        }
    }
    let (offered, _) = best.context("nothing was offered")?;
    let (window, summary) = offer(site, &token, offered, Duration::from_secs(scope.seconds(60, 15)))?;
    let what = "Heartbeats accepted, durable and visible in the database, sustained";
    report.budget("heartbeats", what, window.rate(), "/s", Budget::AtLeast(10_000.0));
    let each = window.cpu_seconds / window.rows * 1000.0;
    report.budget(
        "heartbeat_cpu",
        "One heartbeat: processor, server and PostgreSQL",
        each,
        "ms",
        Budget::AtMost(0.12),
    );
    let database = window.database_cpu_seconds / window.rows * 1000.0;
    report.figure("heartbeat_pg", "One heartbeat: PostgreSQL's part of that", database, "ms");
    let others = (window.busy_seconds - window.cpu_seconds) / window.rows * 1000.0;
    report.figure(
        "heartbeat_other",
        "One heartbeat: everything else on the machine, mostly the load generator",
        others,
        "ms",
    );
    report.figure(
        "full_p50",
        "Acknowledgement at that rate: p50",
        milliseconds(&summary, "ack_latency_p50_us")?,
        "ms",
    );
    report.figure(
        "full_p99",
        "Acknowledgement at that rate: p99",
        milliseconds(&summary, "ack_latency_p99_us")?,
        "ms",
    );
    Ok(())
}

fn offer(site: &Site, token: &str, rate: u32, time: Duration) -> Result<(Window, Value)> {
    let name = format!("rate-{rate}-{}", time.as_secs());
    let interval = Duration::from_secs_f64(f64::from(SENDERS) / f64::from(rate));
    let load = site.load(&name, token, SENDERS, interval)?;
    site.until_connected(SENDERS, ENROLMENT_LIMIT)?;
    std::thread::sleep(SETTLE);
    let window = Window::watch(site, time)?;
    let summary = site.end_load(&name, load)?;
    Ok((window, summary))
}

/// What happened in a stretch of time.
struct Window {
    seconds: f64,
    /// Samples that became visible.
    rows: f64,
    /// Processor time of server and database.
    cpu_seconds: f64,
    /// Of it, the database.
    database_cpu_seconds: f64,
    /// Processor time of the whole machine.
    busy_seconds: f64,
}

impl Window {
    fn watch(site: &Site, time: Duration) -> Result<Self> {
        let (server, database) = (site.pid()?, site.database_pid()?);
        let rows = "SELECT count(*) FROM metric_samples";
        let first = (
            site.number(rows)?,
            tree_cpu_seconds(server)?,
            tree_cpu_seconds(database)?,
            machine_busy_seconds()?,
        );
        let began = Instant::now();
        std::thread::sleep(time);
        let seconds = began.elapsed().as_secs_f64();
        let last = (
            machine_busy_seconds()?,
            tree_cpu_seconds(database)?,
            tree_cpu_seconds(server)?,
            site.number(rows)?,
        );
        Ok(Self {
            seconds,
            rows: last.3 - first.0,
            cpu_seconds: last.2 - first.1,
            database_cpu_seconds: last.1 - first.2,
            busy_seconds: last.0 - first.3,
        })
    }

    fn rate(&self) -> f64 {
        self.rows / self.seconds
    }

    /// Percent of one core.
    fn cpu_share(&self) -> f64 {
        self.cpu_seconds / self.seconds * 100.0
    }
}

fn milliseconds(summary: &Value, name: &str) -> Result<f64> {
    let microseconds =
        summary[name].as_f64().with_context(|| format!("the fleet's summary has no {name}"))?;
    Ok(microseconds / 1000.0)
}
