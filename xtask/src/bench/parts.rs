//! Parts by themselves: the agent, the server at rest, the queue, the host list, the browser's first view.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Scope;
use super::programs::{Programs, text};
use super::readings::{own_cpu_seconds, resident_bytes};
use super::report::{Budget, Report};
use super::site::Site;
use crate::process::command;
use crate::root;

const MB: f64 = 1024.0 * 1024.0;
/// Starts of which the median counts.
const STARTS: usize = 5;
/// How long the server rests before its memory is read.
const REST: Duration = Duration::from_secs(10);
/// Interval of the agent that is measured, seconds; the shortest, so that there is something to measure.
const AGENT_INTERVAL: u64 = 5;
/// The interval that the budget is about, seconds.
const USUAL_INTERVAL: f64 = 30.0;

/// What a browser loads before it shows anything: the scripts that the page itself names, and all of them.
pub(super) fn bundle(report: &mut Report) -> Result<()> {
    let dist = root().join("web/dist");
    let page = fs::read_to_string(dist.join("index.html"))?;
    let (mut first, mut all) = (0, 0);
    for entry in fs::read_dir(dist.join("assets"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".js") {
            continue;
        }
        let size = gzip_bytes(&path)?;
        all += size;
        if page.contains(&name) {
            first += size;
        }
    }
    let kilobytes = |bytes: usize| bytes as f64 / 1024.0;
    report.budget(
        "ui_first",
        "UI: JavaScript of the first view, gzip",
        kilobytes(first),
        "KB",
        Budget::AtMost(220.0),
    );
    report.figure("ui_all", "UI: all JavaScript, gzip", kilobytes(all), "KB");
    Ok(())
}

fn gzip_bytes(path: &Path) -> Result<usize> {
    let output = Command::new("gzip").args(["-9c", &text(path)]).output().context("gzip")?;
    Ok(output.stdout.len())
}

/// The queue without anything around it.
pub(super) fn queue(programs: &Programs, scope: &Scope, report: &mut Report) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("ct-ops-queue-bench-{}", std::process::id()));
    let seconds = scope.seconds(3, 1).to_string();
    let figures = example(&programs.example("queue_bench"), &[&text(&dir), &seconds], &[])?;
    let rate = |list: &str, key: &str, size: u64| {
        let rows = figures[list].as_array().into_iter().flatten();
        rows.filter(|row| row[key] == size).find_map(|row| row["records_per_second"].as_f64()).unwrap_or(0.0)
    };
    report.figure("queue_1", "Queue: durable records, 1 publisher", rate("publish", "publishers", 1), "/s");
    let many = rate("publish", "publishers", 1_000);
    report.figure("queue_1000", "Queue: durable records, 1,000 publishers", many, "/s");
    let read = figures["consume"]["records_per_second"].as_f64().unwrap_or(0.0);
    report.figure("queue_read", "Queue: records read in batches", read, "/s");
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Ok(())
}

/// First start, later starts, and memory when nothing happens.
pub(super) fn cold_start(site: &mut Site, report: &mut Report) -> Result<()> {
    let first = site.start()?;
    report.figure("start_first", "Server: first start, makes database and keys", first.as_secs_f64(), "s");
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        site.stop()?;
        starts.push(site.start()?);
    }
    starts.sort();
    let median = starts[STARTS / 2].as_secs_f64();
    report.budget(
        "start",
        "Server: start to ready on an existing database",
        median,
        "s",
        Budget::AtMost(2.0),
    );
    std::thread::sleep(REST);
    let resident = resident_bytes(site.pid()?)? / MB;
    report.budget(
        "server_rss",
        "Server at rest, without PostgreSQL: RSS",
        resident,
        "MB",
        Budget::AtMost(60.0),
    );
    Ok(())
}

/// One real agent: size, memory, processor.
pub(super) fn agent(site: &Site, programs: &Programs, scope: &Scope, report: &mut Report) -> Result<()> {
    let program = programs.agent();
    let size = fs::metadata(&program)?.len() as f64 / MB;
    report.budget("agent_size", "Agent: static binary", size, "MB", Budget::AtMost(5.0));
    let agent = site.agent(&program, &site.token()?, AGENT_INTERVAL)?;
    site.until_connected(1, Duration::from_secs(60))?;
    let window = Duration::from_secs(scope.seconds(90, 20));
    let before = own_cpu_seconds(agent.pid())?;
    std::thread::sleep(window);
    let used = own_cpu_seconds(agent.pid())? - before;
    let heartbeats = window.as_secs_f64() / AGENT_INTERVAL as f64;
    let share = used / heartbeats / USUAL_INTERVAL * 100.0;
    let resident = resident_bytes(agent.pid())? / MB;
    report.budget("agent_rss", "Agent: RSS after its first heartbeats", resident, "MB", Budget::AtMost(5.0));
    report.budget("agent_cpu", "Agent: share of a core at 30 s", share, "%", Budget::AtMost(0.02));
    report.figure("agent_beat", "Agent: processor time of one heartbeat", used / heartbeats * 1000.0, "ms");
    agent.stop()?;
    Ok(())
}

/// Every list, filter and count at 100,000 generated hosts.
pub(super) fn hosts_list(site: &Site, programs: &Programs, report: &mut Report) -> Result<()> {
    let figures = example(&programs.example("hosts_bench"), &[], &[("DATABASE_URL", &site.database_url())])?;
    let worst = figures["worst_p95_ms"].as_f64().context("hosts_bench changed its report")?;
    let what = "Host list, 100,000 hosts: p95 of the slowest sort or filter";
    report.budget("hosts_list", what, worst, "ms", Budget::AtMost(50.0));
    let cases = figures["cases"].as_array().into_iter().flatten();
    let p95 = |name: &str| {
        let mut found = cases.clone().filter(|case| case["name"] == name);
        found.find_map(|case| case["p95_ms"].as_f64()).context("hosts_bench changed its cases")
    };
    report.figure(
        "hosts_default",
        "Host list, 100,000 hosts: p95 of the first page",
        p95("sort hostname")?,
        "ms",
    );
    report.budget(
        "summary",
        "Fleet summary, 100,000 hosts: p95",
        p95("summary")?,
        "ms",
        Budget::AtMost(50.0),
    );
    Ok(())
}

/// Charts of single hosts, and what aggregating costs, in a history of 2,000 generated hosts.
pub(super) fn charts(site: &Site, programs: &Programs, report: &mut Report) -> Result<()> {
    let figures =
        example(&programs.example("metrics_bench"), &[], &[("DATABASE_URL", &site.database_url())])?;
    let month = figures["month_p95_ms"].as_f64().context("metrics_bench changed its report")?;
    report.budget("chart_30d", "30-day chart of one host: p95", month, "ms", Budget::AtMost(30.0));
    let sample = figures["aggregation_us_per_sample"].as_f64().context("metrics_bench changed its report")?;
    report.figure("aggregation", "Aggregating one sample of a fleet at 30 s: time", sample / 1000.0, "ms");
    Ok(())
}

/// From a click to its agent, in an installation of its own with 1,000 connected agents.
pub(super) fn commands(programs: &Programs, report: &mut Report) -> Result<()> {
    let figures = example(&programs.example("command_latency"), &[], &[])?;
    let number = |name: &str| figures[name].as_f64().context("command_latency changed its report");
    let what = "Command: from the HTTP request to its agent, 1,000 agents connected: p99";
    report.budget("command_p99", what, number("p99_ms")?, "ms", Budget::AtMost(50.0));
    report.figure("command_p50", "Command: from the HTTP request to its agent: p50", number("p50_ms")?, "ms");
    Ok(())
}

/// Runs a benchmark that prints one JSON document. Its exit code only says whether a budget was met.
fn example(program: &Path, args: &[&str], environment: &[(&str, &str)]) -> Result<Value> {
    eprintln!("$ {}", program.display());
    let mut command = command(&root(), &text(program), args);
    command.envs(environment.iter().copied()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| program.display().to_string())?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("{} printed no JSON", program.display()))
}
