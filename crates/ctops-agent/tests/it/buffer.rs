//! Measuring without a stream, delivering afterwards, and configuration from the server.

use std::time::Duration;

use ctops_proto::agent::{AgentConfig, HeartbeatRequest, HeartbeatResponse};
use tonic::{Code, Status};

use crate::bench::Bench;
use crate::peer::Peer;
use crate::plan::{Event, Opened};

/// A server of ours shows at once that it knows more than the classic contract.
fn greeting() -> HeartbeatResponse {
    HeartbeatResponse { ok: true, is_push: true, checks_complete: true, ..HeartbeatResponse::default() }
}

/// A bench whose agent has an outage of some samples: the first stream breaks, the next ones are refused.
async fn outage(peer: &mut Peer, refusals: usize) -> (Bench, crate::bench::Running) {
    let mut bench = Bench::new(peer);
    bench.timing.heartbeat = Duration::from_millis(50);
    bench.timing.backoff_first = Duration::from_millis(400);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    peer.plan().open.extend(vec![Opened::Refuse(Code::Unavailable); refusals]);
    peer.push(stream, Err(Status::unavailable("restarting")));
    (bench, agent)
}

/// The next message after the first stream with at least `least` buffered samples, and its stream.
async fn next_delivery(peer: &mut Peer, least: usize) -> (u64, HeartbeatRequest) {
    peer.next("buffered samples", |event| match event {
        Event::Beat { stream, report, .. } if stream > 1 && report.buffered_samples.len() >= least => {
            Some((stream, *report))
        }
        _ => None,
    })
    .await
}

/// Spec: monitoring 3, 4
#[tokio::test]
async fn samples_of_an_outage_when_the_server_is_back_then_are_delivered_oldest_first_beside_the_reports() {
    let mut peer = Peer::start().await;
    peer.plan().greeting = Some(greeting());
    let (bench, agent) = outage(&mut peer, 1).await;
    // The outage lasts for 0.4 s or more.
    let (_, delivery) = next_delivery(&mut peer, 4).await;
    assert!(delivery.results_only, "its own vitals are no sample");
    assert_eq!(delivery.agent_id, "agent0000000000000000001");
    let samples = &delivery.buffered_samples;
    assert!(samples.is_sorted_by_key(|sample| sample.timestamp_unix));
    for sample in samples {
        assert!(sample.memory_centi.is_some() && sample.uptime_seconds.is_some());
        let measurements = sample.measurements.as_ref().unwrap();
        assert!(measurements.process_count.is_some() && !measurements.disks.is_empty());
    }
    bench.until("it was told", |bench| bench.log.count("delivering buffered samples") >= 1).await;
    agent.stop().await;
}

/// Spec: monitoring 4
#[tokio::test]
async fn samples_when_their_delivery_is_not_acknowledged_then_are_delivered_again_on_the_next_stream() {
    let mut peer = Peer::start().await;
    peer.plan().greeting = Some(greeting());
    peer.plan().mute_deliveries = true;
    let (_bench, agent) = outage(&mut peer, 0).await;
    let (stream, first) = next_delivery(&mut peer, 1).await;
    peer.plan().mute_deliveries = false;
    peer.push(stream, Err(Status::unavailable("restarting")));
    let (next, second) = next_delivery(&mut peer, first.buffered_samples.len()).await;
    assert!(next > stream);
    for sample in &first.buffered_samples {
        assert!(second.buffered_samples.contains(sample), "{sample:?} came back");
    }
    agent.stop().await;
}

#[tokio::test]
async fn samples_of_an_outage_when_the_server_shows_no_extension_then_are_dropped() {
    let mut peer = Peer::start().await;
    let (bench, agent) = outage(&mut peer, 1).await;
    bench
        .until("the samples are dropped", |bench| {
            bench.log.count("server takes no buffered samples, dropped") == 1
        })
        .await;
    for _ in 0..3 {
        let (_, report) = peer.next_beat().await;
        assert!(report.buffered_samples.is_empty() && !report.results_only);
    }
    agent.stop().await;
}

fn config(revision: u64) -> AgentConfig {
    AgentConfig {
        revision,
        interval_seconds: 0,
        collect_cpu: true,
        collect_memory: false,
        collect_disk: false,
        collect_network: true,
        collect_containers: false,
    }
}

/// The next report that names `revision`.
async fn report_of(peer: &mut Peer, revision: u64) -> HeartbeatRequest {
    peer.next("a report with the revision", |event| match event {
        Event::Beat { report, .. } if report.config_revision == revision => Some(*report),
        _ => None,
    })
    .await
}

/// Spec: agents-enrolment 32
#[tokio::test]
async fn configuration_when_pushed_then_is_obeyed_with_the_next_report_and_outlives_a_restart() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    let (_, before) = peer.next_beat().await;
    assert!(before.capabilities.contains(&"config".to_owned()), "{:?}", before.capabilities);
    assert_eq!(before.config_revision, 0);
    assert!(
        !before.disks.is_empty() && before.docker_status.is_none_or(|status| status.error_message.is_empty())
    );
    let push = HeartbeatResponse {
        ok: true,
        is_push: true,
        config: Some(config(41)),
        ..HeartbeatResponse::default()
    };
    peer.push(stream, Ok(push));
    let after = report_of(&mut peer, 41).await;
    assert!(after.disks.is_empty() && after.docker_status.is_none());
    assert!(
        after.absent_vitals.contains(&"memory".to_owned())
            && after.absent_vitals.contains(&"disk".to_owned())
    );
    agent.stop().await;

    let agent = bench.start();
    let (_, first) = peer
        .next("the first report after the restart", |event| match event {
            Event::Beat { stream: 2, report, .. } => Some((2, report)),
            _ => None,
        })
        .await;
    assert_eq!((first.config_revision, first.disks.len()), (41, 0));
    agent.stop().await;
}

/// Spec: agents-enrolment 26, 32
#[tokio::test]
async fn interval_when_pushed_then_is_reported_and_a_configuration_without_revision_is_not_obeyed() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    let push = |config| HeartbeatResponse {
        ok: true,
        is_push: true,
        config: Some(config),
        ..HeartbeatResponse::default()
    };
    peer.push(stream, Ok(push(config(0))));
    peer.push(stream, Ok(push(AgentConfig { interval_seconds: 300, ..config(5) })));
    let report = report_of(&mut peer, 5).await;
    assert_eq!(report.interval_seconds, 300);
    assert_eq!(bench.log.count("configuration without a revision ignored"), 1);
    agent.stop().await;
}
