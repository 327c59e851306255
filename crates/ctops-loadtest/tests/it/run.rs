//! Whole runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use ctops_agent::shutdown;
use ctops_loadtest::fleet::Fleet;
use ctops_loadtest::options::Options;
use ctops_proto::agent::{AgentQuery, AgentTask, CheckDefinition, HeartbeatResponse};
use serde_json::Value;
use tonic::{Code, Status};

use crate::peer::{LIMIT, Peer};
use crate::plan::{Event, Opened, Registered};

struct Bench {
    dir: tempfile::TempDir,
    options: Options,
}

impl Bench {
    fn new(peer: &Peer, line: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), &peer.certificate).unwrap();
        let fixed = format!(
            "-address localhost:{} -token tok_test -run-id r -ca-cert {dir}/ca.pem -ledger {dir}/ledger \
             -preflight=false {line}",
            peer.port,
            dir = dir.path().display(),
        );
        let options =
            Options::parse(&fixed.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap();
        Self { dir, options }
    }

    async fn run(&self) -> Value {
        let (_stopper, shutdown) = shutdown::channel();
        let fleet = Fleet::new(self.options.clone()).unwrap();
        tokio::time::timeout(LIMIT, fleet.run(shutdown)).await.expect("the run ends by itself").unwrap()
    }

    /// Sequence numbers acknowledged, by host name. Fails if one is there twice.
    fn ledger(&self) -> BTreeMap<String, BTreeSet<i64>> {
        let mut seen: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for line in fs::read_to_string(self.dir.path().join("ledger")).unwrap().lines() {
            let (host, sequence) = line.split_once(' ').unwrap();
            assert!(
                seen.entry(host.to_owned()).or_default().insert(sequence.parse().unwrap()),
                "{line} twice"
            );
        }
        seen
    }
}

fn number(summary: &Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap()
}

fn total(ledger: &BTreeMap<String, BTreeSet<i64>>) -> u64 {
    ledger.values().map(|sequences| sequences.len() as u64).sum()
}

#[tokio::test]
async fn run_when_all_goes_well_then_every_heartbeat_is_acknowledged_and_in_the_ledger() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer, "-agents 5 -ramp 100ms -duration 1500ms -heartbeat-interval 50ms");
    let began = Instant::now();
    let summary = bench.run().await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(
        (
            number(&summary, "target_agents"),
            number(&summary, "registrations_started"),
            number(&summary, "registrations_active")
        ),
        (5, 5, 5)
    );
    assert_eq!((number(&summary, "reconnects"), number(&summary, "heartbeats_failed")), (0, 0));
    assert_eq!(number(&summary, "heartbeats_acknowledged"), number(&summary, "heartbeats_sent"));
    assert!(
        summary["top_errors"].as_array().unwrap().is_empty()
            && number(&summary, "all_open_after_ms") > 0
            && number(&summary, "ack_latency_p99_us") > 0
    );
    let ledger = bench.ledger();
    assert_eq!(total(&ledger), number(&summary, "heartbeats_acknowledged"));
    assert_eq!(ledger.keys().next().unwrap(), "loadtest-r-0000");
    for sequences in ledger.values() {
        assert!(sequences.len() > 5);
        assert_eq!(
            sequences.iter().copied().collect::<Vec<_>>(),
            (1..=sequences.len() as i64).collect::<Vec<_>>()
        );
    }
    let mut certificates = BTreeSet::new();
    let mut reported = BTreeSet::new();
    let mut times = BTreeSet::new();
    while certificates.len() < 5 || (reported.len() as u64) < number(&summary, "heartbeats_sent") {
        match peer.next("the events of the run", Some).await {
            Event::StreamOpened { shown, .. } => {
                certificates.insert(shown.expect("each agent shows its certificate"));
            }
            Event::Beat { stream, report, .. } => {
                assert!(
                    reported.insert((stream, report.uptime_seconds)),
                    "the sequence number travels as uptime"
                );
                assert!(
                    times.insert((stream, report.timestamp_unix)),
                    "no two reports of a host have one time"
                );
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn stream_when_it_breaks_then_is_opened_again_and_no_number_is_used_twice() {
    let mut peer = Peer::start().await;
    peer.plan().open.extend([Opened::AcceptOne, Opened::Refuse(Code::Unavailable)]);
    let bench =
        Bench::new(&peer, "-agents 1 -ramp 0 -duration 6s -heartbeat-interval 50ms -max-backoff 100ms");
    let summary = bench.run().await;
    assert_eq!(number(&summary, "reconnects"), 2);
    assert!(number(&summary, "heartbeats_acknowledged") < number(&summary, "heartbeats_sent"));
    let mut sent = BTreeSet::new();
    while (sent.len() as u64) < number(&summary, "heartbeats_sent") - 1 {
        if let Event::Beat { report, .. } = peer.next("the heartbeats", Some).await {
            assert!(sent.insert(report.uptime_seconds));
        }
    }
    let ledger = bench.ledger();
    assert!(ledger["loadtest-r-0000"].is_subset(&sent) && !ledger["loadtest-r-0000"].is_empty());
    assert_eq!(summary["top_errors"][0]["count"], 1);
}

#[tokio::test]
async fn agent_when_unknown_to_the_server_then_registers_again_with_the_same_key() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer, "-agents 1 -ramp 0 -duration 0 -heartbeat-interval 50ms -max-backoff 50ms");
    let (stopper, shutdown) = shutdown::channel();
    let run = tokio::spawn(Fleet::new(bench.options.clone()).unwrap().run(shutdown));
    let (first, _, _) = peer.next_registration().await;
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    peer.push(stream, Err(Status::unauthenticated("unknown")));
    let (second, _, _) = peer.next_registration().await;
    assert_eq!(second.public_key, first.public_key);
    // The second heartbeat goes out on a stream that counts as open on both sides.
    peer.next_beat().await;
    peer.next_beat().await;
    stopper.stop();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((number(&summary, "registrations_active"), number(&summary, "reconnects")), (1, 1));
}

#[tokio::test]
async fn agents_when_refused_for_good_or_left_pending_then_the_run_ends_at_once() {
    let peer = Peer::start().await;
    peer.plan().register.extend([
        Registered::Pending { waited: false },
        Registered::Error(Code::Unauthenticated),
        Registered::Status("revoked"),
    ]);
    let bench = Bench::new(&peer, "-agents 3 -ramp 0 -duration 1h");
    let summary = bench.run().await;
    assert_eq!(
        (
            number(&summary, "registrations_pending"),
            number(&summary, "registrations_failed"),
            number(&summary, "registrations_active")
        ),
        (1, 2, 0)
    );
}

#[tokio::test]
async fn registration_when_limited_then_is_repeated_and_sources_are_spread() {
    let mut peer = Peer::start().await;
    peer.plan().register.push_back(Registered::Error(Code::ResourceExhausted));
    let line = "-agents 2 -ramp 0 -duration 3s -heartbeat-interval 1s -source-addresses 2 -max-backoff 50ms";
    let summary = Bench::new(&peer, line).run().await;
    assert_eq!(number(&summary, "registrations_active"), 2);
    let mut sources = BTreeSet::new();
    while sources.len() < 2 {
        if let Event::Connected { from } = peer.next("connections", Some).await {
            sources.insert(from.to_string());
        }
    }
    assert_eq!(sources.into_iter().collect::<Vec<_>>(), ["127.0.1.1", "127.0.1.2"]);
}

/// Spec: deployment 19
#[tokio::test]
async fn token_when_it_does_not_approve_then_the_first_agent_finds_out_and_no_other_starts() {
    let peer = Peer::start().await;
    peer.plan().register.push_back(Registered::Pending { waited: false });
    let mut bench = Bench::new(&peer, "-agents 3 -ramp 0 -duration 1h");
    bench.options.preflight = true;
    let (_stopper, shutdown) = shutdown::channel();
    let result = Fleet::new(bench.options.clone()).unwrap().run(shutdown).await;
    assert!(format!("{:#}", result.unwrap_err()).contains("does not approve agents by itself"));
}

/// Spec: deployment 19
#[tokio::test]
async fn agent_when_asked_for_work_then_does_it_beside_its_heartbeats() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(
        &peer,
        "-agents 1 -ramp 0 -duration 0 -heartbeat-interval 200ms -check-failure-rate 1 -metrics-jitter 0.5",
    );
    let (stopper, shutdown) = shutdown::channel();
    let run = tokio::spawn(Fleet::new(bench.options.clone()).unwrap().run(shutdown));
    let (stream, _) = peer.next_stream().await;
    let push = HeartbeatResponse { ok: true, is_push: true, ..HeartbeatResponse::default() };
    let check =
        CheckDefinition { check_id: "c".into(), interval_seconds: 3600, ..CheckDefinition::default() };
    let query = AgentQuery { query_id: "q".into(), query_type: "list_ports".into() };
    let task = AgentTask { task_id: "t".into(), task_type: "custom_script".into(), ..AgentTask::default() };
    for _ in 0..2 {
        // Servers deliver until they have the result; the second time is no second piece of work.
        peer.push(
            stream,
            Ok(HeartbeatResponse { checks: vec![check.clone()], checks_complete: true, ..push.clone() }),
        );
        peer.push(stream, Ok(HeartbeatResponse { pending_queries: vec![query.clone()], ..push.clone() }));
        peer.push(stream, Ok(HeartbeatResponse { pending_task: Some(task.clone()), ..push.clone() }));
    }
    let (mut answers, mut checks, mut chunks, mut done, mut vitals) = (0, 0, 0, false, BTreeSet::new());
    while !done {
        let Event::Beat { report, .. } = peer.next("the work", Some).await else { continue };
        assert!(!report.results_only || report.check_results.is_empty());
        answers += report.query_results.len();
        checks += report.check_results.iter().filter(|result| result.status == "fail").count();
        chunks += report.task_progress.len();
        done = report.task_results.iter().any(|result| result.task_id == "t" && result.exit_code == 0);
        vitals.insert(report.cpu_percent.to_bits());
    }
    assert_eq!((answers, checks), (1, 1));
    assert!((2..=4).contains(&chunks), "{chunks}");
    assert!(vitals.len() > 1);
    stopper.stop();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((number(&summary, "tasks_completed"), number(&summary, "queries_answered")), (1, 1));
    assert_eq!(number(&summary, "checks_reported"), 1);
    assert_eq!(total(&bench.ledger()), number(&summary, "heartbeats_acknowledged"));
}

/// Spec: deployment 19
#[tokio::test]
async fn registrations_when_fanned_out_then_share_a_connection_and_streams_do_not() {
    let mut peer = Peer::start().await;
    let line =
        "-agents 4 -ramp 0 -duration 2s -heartbeat-interval 500ms -conn-fanout 4 -registration-concurrency 1";
    let summary = Bench::new(&peer, line).run().await;
    assert_eq!(number(&summary, "registrations_active"), 4);
    let (mut connections, mut streams) = (0, 0);
    while streams < 4 {
        match peer.next("connections and streams", Some).await {
            Event::Connected { .. } => connections += 1,
            Event::StreamOpened { .. } => streams += 1,
            _ => {}
        }
    }
    assert_eq!(connections, 5, "one for all registrations, one for each stream");
}

fn program(line: &str) -> std::process::Output {
    let program = std::env::var_os("CARGO_BIN_EXE_ct-ops-loadtest").unwrap();
    Command::new(program).args(line.split_whitespace()).output().unwrap()
}

#[test]
fn program_when_called_wrongly_then_exit_code_is_2_and_when_nobody_answers_1() {
    for line in ["", "cleanup", "run", "run -address a:1 -token t -agents none"] {
        assert_eq!(program(line).status.code(), Some(2), "{line}");
    }
    let nobody = "run -address 127.0.0.1:1 -token t -agents 1 -ramp 0 -duration 200ms -tls-skip-verify";
    let output = program(nobody);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the first agent failed"));
    let output = program(&format!("{nobody} -preflight=false"));
    assert_eq!(output.status.code(), Some(1));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["target_agents"], &summary["registrations_active"]), (&1.into(), &0.into()));
}

/// Spec: deployment 19
#[tokio::test(flavor = "multi_thread")]
async fn program_when_a_limit_is_exceeded_then_exit_code_is_3_and_the_limit_is_named() {
    let peer = Peer::start().await;
    let bench = Bench::new(&peer, "");
    let line = format!(
        "run -address localhost:{} -token t -ca-cert {} -agents 1 -ramp 0 -duration 900ms \
         -heartbeat-interval 20ms -fail-ack-p99 0",
        peer.port,
        bench.dir.path().join("ca.pem").display()
    );
    let output = tokio::task::spawn_blocking(move || program(&line)).await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("limit exceeded: 99 of 100 acknowledgements"));
}
