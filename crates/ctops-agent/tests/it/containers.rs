//! Containers: from the engine's socket to the server.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ctops_agent::containers::probe;
use ctops_proto::agent::{
    DockerRuntimeStatus, DockerTelemetryBatch, DockerTelemetryConfig, HeartbeatResponse,
};
use tokio::net::UnixListener;
use tonic::Code;

use crate::bench::Bench;
use crate::engine::Engine;
use crate::peer::Peer;
use crate::plan::Event;

async fn next_upload(peer: &mut Peer) -> DockerTelemetryBatch {
    peer.next("an upload", |event| match event {
        Event::Telemetry { mut batches } => {
            assert_eq!(batches.len(), 1, "one batch in one call, so that it is clear what a refusal means");
            Some(batches.remove(0))
        }
        _ => None,
    })
    .await
}

/// The next upload that `wanted` takes.
async fn upload_with(
    peer: &mut Peer,
    wanted: impl Fn(&DockerTelemetryBatch) -> bool,
) -> DockerTelemetryBatch {
    loop {
        let batch = next_upload(peer).await;
        if wanted(&batch) {
            return batch;
        }
    }
}

/// Spec: containers 1, 2
#[tokio::test]
async fn status_when_probed_then_tells_what_is_the_matter() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path();
    let status = async |run| probe(run, 7).await.0;
    assert_eq!(status(run).await.status(), DockerRuntimeStatus::NotInstalled);

    let engine = Engine::start(run);
    let found = status(run).await;
    assert_eq!(found.status(), DockerRuntimeStatus::Installed);
    assert_eq!((found.runtime_version.as_str(), found.api_version.as_str()), ("27.3.1", "1.47"));
    assert_eq!(found.checked_at_unix, 7);
    for (code, expected) in [
        (401, DockerRuntimeStatus::PermissionDenied),
        (403, DockerRuntimeStatus::PermissionDenied),
        (500, DockerRuntimeStatus::Error),
        (301, DockerRuntimeStatus::Error),
    ] {
        engine.refuse("/version", code);
        assert_eq!(status(run).await.status(), expected, "{code}");
    }
    engine.answer("/version", serde_json::json!("nonsense"));
    let odd = status(run).await;
    assert_eq!(odd.status(), DockerRuntimeStatus::Error);
    assert!(!odd.error_message.is_empty() && odd.error_message.len() <= 512);
    engine.state().silent = true;
    let asked = std::time::Instant::now();
    assert_eq!(status(run).await.status(), DockerRuntimeStatus::Unreachable);
    assert!(asked.elapsed() < Duration::from_secs(4), "a probe takes 2 s at most: {:?}", asked.elapsed());
    drop(engine);
}

/// Spec: containers 1
#[tokio::test]
async fn socket_when_nobody_listens_or_access_is_refused_then_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(probe(dir.path(), 7).await.0.status(), DockerRuntimeStatus::Unreachable);
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    let expected = if nix::unistd::geteuid().is_root() {
        // Root is refused nothing.
        DockerRuntimeStatus::Unreachable
    } else {
        DockerRuntimeStatus::PermissionDenied
    };
    assert_eq!(probe(dir.path(), 7).await.0.status(), expected);
}

/// Spec: containers 1, 7, 11, 12, 13
#[tokio::test]
async fn containers_when_there_are_some_then_are_inventoried_first_and_sampled_afterwards() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let engine = Engine::start(&bench.sources.run);
    engine.list(&[("aaa111", "running"), ("bbb222", "exited")]);
    let agent = bench.start();
    let first = next_upload(&mut peer).await;
    assert_eq!((first.agent_id.as_str(), first.sequence), ("agent0000000000000000001", 1));
    assert!(first.batch_id.starts_with("agent0000000000000000001-") && first.batch_id.ends_with("-1"));
    assert_eq!((first.dropped_inventory_count, first.inventory_total), (0, 2));
    assert!(!first.inventory_id.is_empty());
    assert_eq!(first.runtime, "docker");
    let [one, two] = first.inventory.as_slice() else { panic!("two containers") };
    assert_eq!(
        (one.docker_container_id.as_str(), one.names.as_slice()),
        ("aaa111", ["name-aaa111".to_owned()].as_slice())
    );
    assert_eq!(
        (one.image.as_str(), one.state.as_str(), two.state.as_str()),
        ("nginx:1.27", "running", "exited")
    );
    assert_eq!((one.status.as_str(), one.restart_count), ("Up 2 hours (healthy)", 3));
    assert_eq!(
        (one.created_at_unix, one.started_at_unix, one.finished_at_unix),
        (1_780_000_000, 1_780_272_000, 0)
    );
    let labels: Vec<_> = one.labels.iter().map(|label| (label.key.as_str(), label.value.as_str())).collect();
    assert_eq!(labels, [("com.docker.compose.api_key", "hidden"), ("com.docker.compose.project", "shop")]);
    assert!(!format!("{first:?}").contains("s3cret"), "command lines and environment stay on the host");

    let (_, report) = peer.next_beat().await;
    assert_eq!(report.docker_status.unwrap().status(), DockerRuntimeStatus::Installed);
    // 0.9 s of processor time in 3.6 s of four processors together: one of them fully used.
    engine.stats("aaa111", 1_900_000_000, 103_600_000_000);
    let stream = 1;
    let faster = DockerTelemetryConfig { enabled: true, sample_interval_seconds: 2, ..Default::default() };
    peer.push(
        stream,
        Ok(HeartbeatResponse {
            ok: true,
            is_push: true,
            docker_telemetry_config: Some(faster),
            ..Default::default()
        }),
    );
    let upload = upload_with(&mut peer, |batch| !batch.samples.is_empty()).await;
    assert!(
        upload.inventory.is_empty() && upload.dropped_inventory_count > 0,
        "samples alone are no inventory"
    );
    let sample = &upload.samples[0];
    assert_eq!((sample.docker_container_id.as_str(), sample.cpu_percent), ("aaa111", 100.0));
    assert_eq!(sample.cpu_cores_centi, 150);
    assert_eq!(
        (sample.memory_usage_bytes, sample.memory_limit_bytes, sample.memory_percent),
        (3000, 10_000, 30.0)
    );
    assert_eq!((sample.network_rx_bytes, sample.network_tx_bytes), (10, 20));
    assert_eq!((sample.block_read_bytes, sample.block_write_bytes), (30, 40));
    assert_eq!((sample.pids_current, sample.restart_count), (5, 3));
    assert!(
        !engine.state().asked.iter().any(|path| path.contains("bbb222/stats")),
        "only what runs is measured"
    );
    agent.stop().await;
}

/// Spec: containers 12
#[tokio::test]
async fn upload_when_it_fails_then_is_repeated_with_the_same_id_and_reports_go_on() {
    let mut peer = Peer::start().await;
    peer.plan().telemetry.extend([Code::Unavailable, Code::Internal]);
    let bench = Bench::new(&peer);
    let engine = Engine::start(&bench.sources.run);
    engine.list(&[("aaa111", "exited")]);
    let agent = bench.start();
    let first = next_upload(&mut peer).await;
    assert_eq!(next_upload(&mut peer).await, first);
    assert_eq!(next_upload(&mut peer).await, first);
    peer.next_beat().await;
    bench.until("both were told", |bench| bench.log.count("container telemetry not uploaded") == 2).await;
    agent.stop().await;
}

/// Spec: containers 12, 13
#[tokio::test]
async fn batch_when_the_server_refuses_its_content_then_is_split_and_sent_again() {
    let mut peer = Peer::start().await;
    peer.plan().telemetry.push_back(Code::InvalidArgument);
    let bench = Bench::new(&peer);
    let engine = Engine::start(&bench.sources.run);
    engine.list(&[("aaa111", "exited"), ("bbb222", "exited")]);
    let agent = bench.start();
    let whole = next_upload(&mut peer).await;
    let (one, two) = (next_upload(&mut peer).await, next_upload(&mut peer).await);
    let ids = [&one, &two].map(|batch| batch.inventory[0].docker_container_id.clone());
    assert_eq!(ids, ["aaa111", "bbb222"]);
    assert!(one.dropped_inventory_count > 0 && two.dropped_inventory_count > 0);
    assert_eq!((&one.inventory_id, two.inventory_total), (&whole.inventory_id, 2));
    assert_ne!(one.batch_id, two.batch_id);
    agent.stop().await;
}

/// Spec: containers 13
#[tokio::test]
async fn list_when_it_fails_then_there_is_no_inventory_and_an_empty_one_is_told() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let engine = Engine::start(&bench.sources.run);
    engine.refuse("/containers/json", 500);
    let agent = bench.start();
    bench.until("the failure is told", |bench| bench.log.count("containers cannot be listed") >= 2).await;
    engine.list(&[]);
    let empty = next_upload(&mut peer).await;
    assert!(empty.inventory.is_empty() && empty.samples.is_empty());
    assert_eq!((empty.dropped_inventory_count, empty.inventory_total), (0, 0));
    assert!(!empty.inventory_id.is_empty());
    agent.stop().await;
}

/// Spec: containers 5
#[tokio::test]
async fn collection_when_turned_off_then_the_engine_is_left_alone() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let engine = Engine::start(&bench.sources.run);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    next_upload(&mut peer).await;
    let off = HeartbeatResponse {
        ok: true,
        is_push: true,
        docker_telemetry_config: Some(DockerTelemetryConfig::default()),
        ..HeartbeatResponse::default()
    };
    peer.push(stream, Ok(off));
    peer.next("a report without a status", |event| match event {
        Event::Beat { report, .. } if report.docker_status.is_none() => Some(()),
        _ => None,
    })
    .await;
    // A probe that was under way may still be counted.
    peer.next_beat().await;
    let asked = engine.state().asked.len();
    for _ in 0..3 {
        peer.next_beat().await;
    }
    assert_eq!(engine.state().asked.len(), asked);
    agent.stop().await;
}

/// Spec: containers 4
#[tokio::test]
async fn podman_when_it_is_the_only_engine_then_is_found_and_named() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let engine = Engine::start_on(&bench.sources.run, "podman/podman.sock");
    engine.answer(
        "/version",
        serde_json::json!({"Version": "5.2.2", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine", "Version": "5.2.2"}]}),
    );
    engine.list(&[("aaa111", "running")]);
    let agent = bench.start();
    let upload = next_upload(&mut peer).await;
    assert_eq!((upload.runtime.as_str(), upload.inventory.len()), ("podman", 1));
    agent.stop().await;
}
