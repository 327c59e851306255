//! Checks, queries, tasks and the software inventory over a stream.

use std::fs;
use std::time::Duration;

use ctops_proto::agent::{AgentQuery, AgentTask, CheckDefinition, HeartbeatRequest, HeartbeatResponse};
use tonic::{Code, Status};

use crate::bench::Bench;
use crate::peer::Peer;
use crate::plan::{Event, Opened};

fn check(id: &str, check_type: &str, config: &str) -> CheckDefinition {
    CheckDefinition {
        check_id: id.to_owned(),
        check_type: check_type.to_owned(),
        config_json: config.to_owned(),
        interval_seconds: 3600,
    }
}

/// A check of a process that certainly does not run.
fn absent(id: &str) -> CheckDefinition {
    check(id, "process", r#"{"process_name":"ct-ops-no-such-process"}"#)
}

fn push() -> HeartbeatResponse {
    HeartbeatResponse { ok: true, is_push: true, ..HeartbeatResponse::default() }
}

fn checks(definitions: Vec<CheckDefinition>, complete: bool) -> HeartbeatResponse {
    HeartbeatResponse {
        checks: definitions,
        checks_complete: complete,
        is_push: complete,
        ok: true,
        ..push()
    }
}

fn script(id: &str, text: &str) -> HeartbeatResponse {
    let config_json = serde_json::json!({"script": text}).to_string();
    let task = AgentTask { task_id: id.to_owned(), task_type: "custom_script".to_owned(), config_json };
    HeartbeatResponse { pending_task: Some(task), ..push() }
}

/// Passes over reports until one has what `pick` wants.
async fn report<T>(peer: &mut Peer, what: &str, pick: impl Fn(&HeartbeatRequest) -> Option<T>) -> T {
    peer.next(what, |event| match event {
        Event::Beat { report, .. } => pick(&report),
        _ => None,
    })
    .await
}

async fn checked(peer: &mut Peer, id: &str) -> (String, String) {
    report(peer, &format!("a result of {id}"), |report| {
        let result = report.check_results.iter().find(|result| result.check_id == id)?;
        Some((result.status.clone(), result.output.clone()))
    })
    .await
}

/// Spec: monitoring 17, 18
#[tokio::test]
async fn check_when_pushed_then_runs_at_once_and_its_result_comes_with_the_next_report() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    let first = peer.next_beat().await.1;
    assert!(first.capabilities.iter().any(|name| name == "checks_complete"), "{:?}", first.capabilities);
    assert!(first.capabilities.iter().any(|name| name == "tasks"));
    let port = peer.port;
    let open = check("p", "port", &format!(r#"{{"host":"127.0.0.1","port":{port}}}"#));
    peer.push(stream, Ok(checks(vec![absent("a"), open], true)));
    assert_eq!(checked(&mut peer, "p").await, ("pass".to_owned(), format!("port {port} reachable")));
    let mut run = push();
    run.run_check_ids = vec!["a".to_owned(), "unknown".to_owned()];
    peer.push(stream, Ok(run));
    assert_eq!(checked(&mut peer, "a").await.0, "fail");
    let changed = check("p", "port", r#"{"host":"127.0.0.1","port":1}"#);
    peer.push(stream, Ok(checks(vec![changed], true)));
    assert_eq!(checked(&mut peer, "p").await.0, "fail");
    agent.stop().await;
}

/// Spec: monitoring 18, 23
#[tokio::test]
async fn check_when_it_is_to_run_now_then_its_result_does_not_wait_for_a_report() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    bench.timing.heartbeat = Duration::from_secs(300);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    peer.push(stream, Ok(checks(vec![absent("a")], true)));
    let run = HeartbeatResponse { run_check_ids: vec!["a".to_owned()], ..push() };
    peer.push(stream, Ok(run));
    let early = report(&mut peer, "an early message", |report| {
        (!report.check_results.is_empty()).then(|| report.clone())
    })
    .await;
    assert!(early.results_only && !early.agent_version.is_empty(), "its vitals are those of the last report");
    assert_eq!(early.agent_id, "agent0000000000000000001");
    agent.stop().await;
}

/// Spec: monitoring 18
#[tokio::test]
async fn last_check_when_removed_then_stops_only_on_an_authoritative_set() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    let run = || Ok(HeartbeatResponse { run_check_ids: vec!["a".to_owned(), "b".to_owned()], ..push() });
    // The original leaves the list empty when the last check is gone; its agents keep what runs.
    peer.push(stream, Ok(checks(vec![absent("a")], false)));
    checked(&mut peer, "a").await;
    peer.push(stream, Ok(checks(Vec::new(), false)));
    peer.push(stream, run());
    checked(&mut peer, "a").await;
    peer.push(stream, Ok(checks(vec![absent("a"), absent("b")], true)));
    checked(&mut peer, "b").await;
    peer.push(stream, Ok(checks(Vec::new(), true)));
    peer.push(stream, run());
    let query = AgentQuery { query_id: "q".to_owned(), query_type: "other".to_owned() };
    peer.push(stream, Ok(HeartbeatResponse { pending_queries: vec![query], ..push() }));
    let results = report(&mut peer, "the answer to a later question", |report| {
        (!report.query_results.is_empty()).then_some(report.check_results.len())
    })
    .await;
    assert_eq!(results, 0);
    agent.stop().await;
}

/// Spec: monitoring 20
#[tokio::test]
async fn results_when_the_stream_is_gone_then_are_kept_and_delivered_on_the_next_one() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    bench.timing.backoff_first = Duration::from_millis(400);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    peer.plan().mute.insert(stream);
    let slow = script("t", "echo begun; sleep 0.3; echo ended");
    peer.push(stream, Ok(slow));
    let lost = report(&mut peer, "output", |report| report.task_progress.first().cloned()).await;
    assert_eq!(lost.output_chunk, "begun\n");
    peer.push(stream, Err(Status::unavailable("restarting")));
    let (next, _) = peer.next_stream().await;
    assert!(next > stream);
    let mut output = String::new();
    let result = peer
        .next("the result", |event| match event {
            Event::Beat { report, .. } => {
                output.extend(report.task_progress.into_iter().map(|chunk| chunk.output_chunk));
                report.task_results.into_iter().next()
            }
            _ => None,
        })
        .await;
    assert_eq!((result.task_id.as_str(), result.exit_code), ("t", 0));
    assert_eq!(output, "begun\nended\n", "what was not acknowledged comes again, in order");
    agent.stop().await;
}

/// Spec: tasks 5, 9
#[tokio::test]
async fn task_when_pushed_twice_then_runs_once_and_is_answered_early() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    bench.timing.heartbeat = Duration::from_secs(300);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    let runs = bench.path().join("runs");
    let task = script("t", &format!("echo run >> {}; echo said", runs.display()));
    peer.push(stream, Ok(task.clone()));
    let message =
        report(&mut peer, "the result", |report| (!report.task_results.is_empty()).then(|| report.clone()))
            .await;
    assert!(message.results_only);
    assert_eq!(message.task_results[0].result_json, "{\"exit_code\":0}");
    peer.push(stream, Ok(task));
    peer.push(stream, Ok(script("u", "true")));
    report(&mut peer, "the result of the second", |report| {
        report.task_results.iter().any(|result| result.task_id == "u").then_some(())
    })
    .await;
    assert_eq!(fs::read_to_string(runs).unwrap(), "run\n");
    agent.stop().await;
}

/// Spec: tasks 11
#[tokio::test]
async fn task_when_cancelled_by_the_server_then_says_so() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.push(stream, Ok(script("t", "echo begun; sleep 600")));
    report(&mut peer, "output", |report| report.task_progress.first().cloned()).await;
    peer.push(stream, Ok(HeartbeatResponse { cancel_task_ids: vec!["t".to_owned()], ..push() }));
    let error =
        report(&mut peer, "the result", |report| Some(report.task_results.first()?.error.clone())).await;
    assert_eq!(error, "cancelled by user");
    agent.stop().await;
}

/// Spec: monitoring 23
#[tokio::test]
async fn query_when_pushed_again_on_a_stream_then_is_answered_once_and_on_the_next_stream_again() {
    let mut peer = Peer::start().await;
    peer.plan().open.push_back(Opened::Accept);
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    let query = || {
        let query = AgentQuery { query_id: "q".to_owned(), query_type: "list_ports".to_owned() };
        Ok(HeartbeatResponse { pending_queries: vec![query], ..push() })
    };
    peer.push(stream, query());
    peer.push(stream, query());
    let port = i32::from(peer.port);
    let listed = async |peer: &mut Peer| {
        report(peer, "the ports", |report| report.query_results.first().cloned()).await
    };
    let result = listed(&mut peer).await;
    assert_eq!((result.query_id.as_str(), result.status.as_str()), ("q", "ok"));
    assert!(result.ports.iter().any(|info| info.port == port && info.protocol == "tcp"));
    peer.next_beat().await;
    let (_, later) = peer.next_beat().await;
    assert!(later.query_results.is_empty());
    peer.push(stream, Err(Status::unavailable("restarting")));
    let (next, _) = peer.next_stream().await;
    peer.push(next, query());
    assert_eq!(listed(&mut peer).await.query_id, "q");
    agent.stop().await;
}

/// A machine of Debian with `count` packages.
fn debian(bench: &mut Bench, count: usize) {
    let root = bench.path().join("machine");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir_all(root.join("var/lib/dpkg")).unwrap();
    fs::write(root.join("etc/os-release"), "ID=debian\nVERSION_ID=\"12\"\n").unwrap();
    let status: String = (0..count)
        .map(|number| {
            format!("Package: p{number}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n")
        })
        .collect();
    fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
    bench.sources.etc = root.join("etc");
}

fn scan() -> HeartbeatResponse {
    let task = AgentTask {
        task_id: "scan".to_owned(),
        task_type: "software_inventory".to_owned(),
        config_json: "{}".to_owned(),
    };
    HeartbeatResponse { pending_task: Some(task), ..push() }
}

/// Spec: software-inventory 1, 4
#[tokio::test]
async fn inventory_when_asked_for_then_streams_in_chunks_under_a_token_the_server_accepts() {
    let mut peer = Peer::start().await;
    peer.plan().inventory.push_back(Code::Unauthenticated);
    let mut bench = Bench::new(&peer);
    debian(&mut bench, 1201);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    peer.push(stream, Ok(scan()));
    let mut uploads = Vec::new();
    let result = peer
        .next("the result of the scan", |event| match event {
            Event::Inventory { token, chunks } => {
                uploads.push((token, chunks));
                None
            }
            Event::Beat { report, .. } => report.task_results.into_iter().next(),
            _ => None,
        })
        .await;
    assert_eq!((result.exit_code, result.error.as_str()), (0, ""));
    let document: serde_json::Value = serde_json::from_str(&result.result_json).unwrap();
    assert_eq!(
        (document["scan_id"].as_str(), document["package_count"].as_u64()),
        (Some("scan"), Some(1201))
    );
    assert_eq!(document["source"], "dpkg");
    assert!(document["completed_at"].as_str().unwrap().ends_with('Z'));
    let tokens: Vec<_> = uploads.iter().map(|(token, _)| token.as_str()).collect();
    assert_eq!(tokens, ["Bearer jwt-1", "Bearer jwt-2"], "a token that is refused is replaced first");
    let chunks = &uploads[1].1;
    let shapes: Vec<_> =
        chunks.iter().map(|chunk| (chunk.chunk_index, chunk.packages.len(), chunk.is_last)).collect();
    assert_eq!(shapes, [(0, 500, false), (1, 500, false), (2, 201, true)]);
    assert!(chunks.iter().all(|chunk| chunk.scan_id == "scan" && chunk.source == "dpkg"));
    assert_eq!(chunks[0].packages[0].distro_id, "debian");
    agent.stop().await;
}

/// Spec: software-inventory 5
#[tokio::test]
async fn inventory_when_packages_cannot_be_read_then_nothing_is_streamed() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    debian(&mut bench, 0);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    peer.push(stream, Ok(scan()));
    let result = peer
        .next("the result of the scan", |event| match event {
            Event::Inventory { .. } => panic!("nothing is to be sent"),
            Event::Beat { report, .. } => report.task_results.into_iter().next(),
            _ => None,
        })
        .await;
    assert_eq!(
        (result.exit_code, result.error.as_str()),
        (-1, "collecting packages: dpkg: no packages listed")
    );
    agent.stop().await;
}
