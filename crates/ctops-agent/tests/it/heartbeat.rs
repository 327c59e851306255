//! Reporting, reconnecting, ending.

use std::time::{Duration, Instant};

use ctops_agent::agent::Outcome;
use ctops_proto::agent::HeartbeatResponse;
use tonic::{Code, Status};

use crate::bench::Bench;
use crate::peer::Peer;
use crate::plan::{Event, Opened};

/// Spec: agents-enrolment 26
#[tokio::test]
async fn report_when_a_stream_opens_then_goes_out_at_once_and_then_at_every_interval() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    bench.timing.heartbeat = Duration::from_millis(200);
    let agent = bench.start();
    let mut times = Vec::new();
    for _ in 0..4 {
        let (at, report) = peer
            .next("a heartbeat", |event| match event {
                Event::Beat { at, report, .. } => Some((at, report)),
                _ => None,
            })
            .await;
        assert!(report.timestamp_unix > 1_700_000_000);
        assert!(report.absent_vitals.iter().all(|name| name == "cpu"), "{:?}", report.absent_vitals);
        times.push(at);
    }
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap >= Duration::from_millis(120), "{gap:?}");
    }
    agent.stop().await;
}

/// Spec: agents-enrolment 11, 26
#[tokio::test]
async fn agent_when_the_server_does_not_know_it_then_forgets_its_token_and_registers_with_the_same_key() {
    for code in [Code::Unauthenticated, Code::NotFound, Code::PermissionDenied] {
        let mut peer = Peer::start().await;
        let bench = Bench::new(&peer);
        let agent = bench.start();
        let (first, _, _) = peer.next_registration().await;
        let (stream, _) = peer.next_stream().await;
        peer.next_beat().await;
        peer.push(stream, Err(Status::new(code, "unknown")));
        let (second, _, _) = peer.next_registration().await;
        assert_eq!(second.public_key, first.public_key, "{code:?}");
        assert_eq!(second.agent_info.unwrap().agent_id, "", "state was emptied");
        let beat = peer
            .next("the first heartbeat after it", |event| match event {
                Event::Beat { stream: 2, report, .. } => Some(report),
                _ => None,
            })
            .await;
        assert_eq!(beat.agent_id, "jwt-2");
        bench.until("the new token is stored", |bench| bench.state()["jwt_token"] == "jwt-2").await;
        agent.stop().await;
    }
}

/// Spec: agents-enrolment 26
#[tokio::test]
async fn server_when_it_registers_and_refuses_in_turn_then_the_agent_backs_off() {
    let mut peer = Peer::start().await;
    peer.plan().open.extend(vec![Opened::Refuse(Code::Unauthenticated); 5]);
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let mut times = Vec::new();
    for _ in 0..6 {
        times.push(peer.next_registration().await.2);
    }
    for (pair, least) in times.windows(2).zip([20, 40, 80, 160, 320]) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(least), "{:?}", pair[1] - pair[0]);
    }
    peer.next_beat().await;
    agent.stop().await;
}

/// Spec: agents-enrolment 26
#[tokio::test]
async fn reconnect_delay_when_streams_are_short_then_grows_and_after_a_stable_one_starts_again() {
    let mut peer = Peer::start().await;
    peer.plan().open.extend(vec![Opened::AcceptOne; 4]);
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let mut times = Vec::new();
    for _ in 0..5 {
        peer.next_stream().await;
        times.push(Instant::now());
    }
    for (pair, least) in times.windows(2).zip([20, 40, 80, 160]) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(least), "{:?}", pair[1] - pair[0]);
    }
    // The fifth stream lives; after 300 ms of it the next delay is a first step again.
    for _ in 0..5 {
        peer.next_beat().await;
    }
    peer.push(5, Err(Status::unavailable("restarting")));
    peer.next_stream().await;
    let steps: Vec<String> = bench
        .log
        .text()
        .lines()
        .filter_map(|line| {
            line.split_once("heartbeat stream ended, reconnecting\"")?
                .1
                .split_once("backoff=")
                .map(|(_, d)| d.to_owned())
        })
        .collect();
    assert_eq!(steps.len(), 5, "{steps:?}");
    let last: f64 = steps[4].trim_end_matches("ms").parse().unwrap();
    assert!((20.0..=40.0).contains(&last), "{steps:?}");
    assert!(bench.log.text().contains("err=\"server closed the stream\""));
    assert!(bench.log.text().contains("err=\"Unavailable: restarting\""));
    agent.stop().await;
}

#[tokio::test]
async fn agent_when_asked_to_end_then_closes_its_stream_cleanly_and_soon() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    peer.next_beat().await;
    // The second one is sent after the answer to the first, on a stream that counts as open on both sides.
    peer.next_beat().await;
    let asked = Instant::now();
    assert_eq!(agent.stop().await, Outcome::Stopped);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let clean = peer
        .next("the end of the stream", |event| match event {
            Event::StreamClosed { clean, .. } => Some(clean),
            _ => None,
        })
        .await;
    assert!(clean);
}

/// Spec: agents-enrolment 26
#[tokio::test]
async fn server_when_it_goes_away_and_comes_back_then_the_agent_goes_on_by_itself() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    peer.next_beat().await;
    let port = peer.port;
    drop(peer);
    bench
        .until("the loss is noticed", |bench| bench.log.count("heartbeat stream ended, reconnecting") >= 2)
        .await;

    // The new server has another certificate and does not know the agent's.
    let mut peer = Peer::start_with(rustls::ALL_VERSIONS, "localhost", port).await;
    std::fs::write(bench.path().join("ca.pem"), &peer.certificate).unwrap();
    let (request, shown, _) = peer.next_registration().await;
    assert_eq!(request.public_key, bench.file("agent_key.pub"));
    assert_eq!(shown, None, "a certificate of a foreign authority is left out");
    peer.next_beat().await;
    assert!(agent.is_running());
    agent.stop().await;
}

#[tokio::test]
async fn server_when_unreachable_at_the_start_then_is_asked_until_it_is_there() {
    let peer = Peer::start().await;
    let (port, bench) = (peer.port, Bench::new(&peer));
    drop(peer);
    let agent = bench.start();
    bench.until("two failures", |bench| bench.log.count("registration failed, trying again") >= 2).await;
    let mut peer = Peer::start_with(rustls::ALL_VERSIONS, "localhost", port).await;
    std::fs::write(bench.path().join("ca.pem"), &peer.certificate).unwrap();
    peer.next_beat().await;
    agent.stop().await;
}

#[tokio::test]
async fn update_signal_when_it_is_not_signed_then_is_ignored_with_one_line() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    for _ in 0..3 {
        let signal = HeartbeatResponse {
            ok: true,
            update_available: true,
            latest_version: "9.9.9".to_owned(),
            download_url: "https://example.com/agent".to_owned(),
            ..HeartbeatResponse::default()
        };
        peer.push(stream, Ok(signal));
        peer.next_beat().await;
    }
    bench
        .until("the signal was seen", |bench| bench.log.count("update signal without signature ignored") == 1)
        .await;
    peer.next_beat().await;
    assert_eq!(bench.log.count("9.9.9"), 1);
    agent.stop().await;
}

#[tokio::test]
async fn web_certificate_when_pushed_then_is_pinned_and_advertised() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    let (_, before) = peer.next_beat().await;
    assert_eq!(before.pinned_server_cert_fingerprint, "");
    let pem = peer.certificate.clone();
    peer.push(
        stream,
        Ok(HeartbeatResponse { ok: true, pending_server_cert_pem: pem.clone(), ..Default::default() }),
    );
    let fingerprint = peer
        .next("a report with the fingerprint", |event| match event {
            Event::Beat { report, .. } => {
                Some(report.pinned_server_cert_fingerprint).filter(|text| !text.is_empty())
            }
            _ => None,
        })
        .await;
    assert_eq!(fingerprint.len(), 64);
    assert_eq!(bench.file("server_cert.pem"), pem);
    agent.stop().await;
}

#[tokio::test]
async fn stream_when_the_server_falls_silent_then_is_replaced() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    bench.timing.answer = Duration::from_millis(300);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.plan().mute.insert(stream);
    let (next, _) = peer.next_stream().await;
    assert!(next > stream);
    assert!(bench.log.text().contains("nothing heard from the server for"), "{}", bench.log.text());
    agent.stop().await;
}
