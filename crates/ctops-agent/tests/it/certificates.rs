//! Certificates: pushed, renewed, refused, and the token beside them.

use std::time::{Duration, Instant};

use ctops_proto::agent::HeartbeatResponse;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tonic::{Code, Status};

use crate::authority::Life;
use crate::bench::{Bench, Running};
use crate::peer::Peer;
use crate::plan::{Event, Opened, Registered};

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// An agent with an open stream; the request it registered with comes too.
async fn reporting(peer: &mut Peer, bench: &Bench) -> (Running, Vec<u8>, u64) {
    let agent = bench.start();
    let (request, _, _) = peer.next_registration().await;
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    (agent, request.csr_der, stream)
}

fn pushed(peer: &Peer, csr: &[u8]) -> HeartbeatResponse {
    let plan = peer.plan();
    HeartbeatResponse {
        ok: true,
        pending_client_cert_pem: plan.authority.sign(csr, Life::FRESH),
        agent_ca_cert_pem: plan.authority.pem(),
        ..HeartbeatResponse::default()
    }
}

/// What a test sees until the first stream is closed: times of reports, and where each happened.
async fn watch_handover(peer: &mut Peer, from: u64) -> (Vec<(u64, Instant)>, u64, Option<Vec<u8>>) {
    let mut beats = Vec::new();
    let mut next = None;
    loop {
        let event = peer.next("the move to the next stream", Some).await;
        match event {
            Event::Beat { stream, at, .. } => beats.push((stream, at)),
            Event::StreamOpened { stream, shown } => next = Some((stream, shown)),
            Event::StreamClosed { stream, clean } if stream == from => {
                assert!(clean, "the agent closes its side");
                let (stream, shown) = next.expect("the next stream was opened before the last one ended");
                assert!(beats.iter().any(|(on, _)| *on == stream), "and used");
                return (beats, stream, shown);
            }
            Event::Registered { .. } => panic!("no registration is needed"),
            _ => {}
        }
    }
}

/// Spec: agents-enrolment 13
#[tokio::test]
async fn certificate_when_pushed_then_reports_move_to_it_without_a_gap_and_without_exit() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let (agent, csr, stream) = reporting(&mut peer, &bench).await;
    let push = pushed(&peer, &csr);
    let new = push.pending_client_cert_pem.clone();
    // The original repeats the push every two seconds until the agent is back.
    peer.push(stream, Ok(push.clone()));
    peer.push(stream, Ok(push));
    let (mut beats, next, shown) = watch_handover(&mut peer, stream).await;
    assert_eq!(shown, Some(der(&new)));
    assert_eq!(bench.file("agent_cert.pem"), new);
    for _ in 0..3 {
        let (on, at) = peer
            .next("a heartbeat", |event| match event {
                Event::Beat { stream, at, .. } => Some((stream, at)),
                Event::StreamOpened { .. } => panic!("one new stream is enough"),
                _ => None,
            })
            .await;
        assert_eq!(on, next);
        beats.push((on, at));
    }
    for pair in beats.windows(2) {
        let gap = pair[1].1 - pair[0].1;
        assert!(gap < bench.timing.heartbeat * 3, "a report was missed: {gap:?}");
    }
    assert!(agent.is_running());
    agent.stop().await;
}

/// Spec: agents-enrolment 13
#[tokio::test]
async fn certificate_when_in_its_last_third_then_is_renewed_on_the_open_stream() {
    let mut peer = Peer::start().await;
    peer.plan().life = Life::DUE;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, old) = peer.next_stream().await;
    let (agent_id, shown) = peer
        .next("a renewal", |event| match event {
            Event::Renewed { agent_id, shown } => Some((agent_id, shown)),
            Event::StreamClosed { .. } => panic!("renewed after the stream ended"),
            _ => None,
        })
        .await;
    assert_eq!((agent_id.as_str(), shown), ("agent0000000000000000001", old.clone()));
    let (_, _, shown) = watch_handover(&mut peer, stream).await;
    assert_ne!(shown, old);
    assert_eq!(shown, Some(der(&peer.plan().stored_leaf)));
    agent.stop().await;
}

/// Spec: agents-enrolment 13
#[tokio::test]
async fn renewal_when_refused_then_is_repeated_later_and_reports_go_on() {
    let mut peer = Peer::start().await;
    {
        let mut plan = peer.plan();
        plan.life = Life::DUE;
        plan.renew.extend([Code::PermissionDenied, Code::Internal]);
    }
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    watch_handover(&mut peer, stream).await;
    assert_eq!(bench.log.count("certificate not renewed"), 2);
    agent.stop().await;
}

async fn refused_certificate_is_replaced(versions: &[&'static rustls::SupportedProtocolVersion]) {
    let mut peer = Peer::start_with(versions, "localhost", 0).await;
    let bench = Bench::new(&peer);
    let (agent, _, stream) = reporting(&mut peer, &bench).await;
    {
        let mut plan = peer.plan();
        let old = der(&plan.stored_leaf);
        plan.refused.insert(old);
    }
    peer.push(stream, Err(Status::unavailable("restarting")));
    let (request, shown, _) = peer.next_registration().await;
    assert_eq!(shown, None, "registered without the refused certificate");
    assert_eq!(request.agent_info.unwrap().agent_id, "agent0000000000000000001", "the state is kept");
    let (_, shown) = peer.next_stream().await;
    assert_eq!(shown, Some(der(&peer.plan().stored_leaf)));
    assert!(bench.log.text().contains("server refuses this agent's certificate"), "{}", bench.log.text());
    agent.stop().await;
}

/// Spec: agents-enrolment 13, 16
#[tokio::test]
async fn certificate_when_refused_in_tls_1_3_then_is_replaced_by_registering_without_it() {
    refused_certificate_is_replaced(&[&rustls::version::TLS13]).await;
}

/// Spec: agents-enrolment 13, 16
#[tokio::test]
async fn certificate_when_refused_in_tls_1_2_then_is_replaced_by_registering_without_it() {
    refused_certificate_is_replaced(&[&rustls::version::TLS12]).await;
}

#[tokio::test]
async fn certificate_when_refused_and_registration_too_then_is_tried_again_by_turns() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let (agent, _, stream) = reporting(&mut peer, &bench).await;
    {
        let mut plan = peer.plan();
        plan.refuse_all = true;
        plan.register.extend(vec![Registered::Error(Code::Unauthenticated); 2]);
    }
    peer.push(stream, Err(Status::unavailable("restarting")));
    peer.next_registration().await;
    peer.next_registration().await;
    // The server's authority is back; the token is used up, so only the old certificate helps.
    {
        let mut plan = peer.plan();
        plan.refuse_all = false;
        plan.register.extend(vec![Registered::Error(Code::Unauthenticated); 50]);
    }
    let (_, shown) = peer.next_stream().await;
    assert_eq!(shown, Some(der(&peer.plan().stored_leaf)));
    peer.next_beat().await;
    agent.stop().await;
}

#[tokio::test]
async fn server_when_it_hands_out_a_refused_certificate_again_then_the_agent_backs_off() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let (agent, _, stream) = reporting(&mut peer, &bench).await;
    {
        let mut plan = peer.plan();
        plan.refuse_all = true;
        plan.register.extend(vec![Registered::ActiveWithStored; 4]);
    }
    peer.push(stream, Err(Status::unavailable("restarting")));
    let mut times = Vec::new();
    for _ in 0..4 {
        times.push(peer.next_registration().await.2);
    }
    for (pair, least) in times.windows(2).zip([80, 160, 320]) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(least), "{:?}", pair[1] - pair[0]);
    }
    agent.stop().await;
}

/// Spec: agents-enrolment 13
#[tokio::test]
async fn new_certificate_when_the_server_does_not_accept_it_yet_then_the_old_stream_goes_on() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let (agent, csr, stream) = reporting(&mut peer, &bench).await;
    let push = pushed(&peer, &csr);
    {
        let mut plan = peer.plan();
        let new = der(&push.pending_client_cert_pem);
        plan.refused.insert(new);
        plan.open.push_back(Opened::Refuse(Code::Unavailable));
    }
    peer.push(stream, Ok(push));
    bench
        .until("the handshake was refused twice", |bench| {
            bench.log.count("no connection with the new certificate yet") >= 2
        })
        .await;
    for _ in 0..3 {
        assert_eq!(peer.next_beat().await.0, stream);
    }
    peer.plan().refused.clear();
    bench
        .until("the stream was refused", |bench| {
            bench.log.count("server does not accept the new certificate yet") == 1
        })
        .await;
    let (beats, _, _) = watch_handover(&mut peer, stream).await;
    for pair in beats.windows(2) {
        assert!(pair[1].1 - pair[0].1 < bench.timing.heartbeat * 3, "a report was missed");
    }
    agent.stop().await;
}

/// Spec: agents-enrolment 13
#[tokio::test]
async fn old_stream_when_the_server_ends_it_during_the_move_then_the_new_one_takes_over_at_once() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    // A reconnect would take this long; the move must not need one.
    bench.timing.backoff_first = Duration::from_secs(3600);
    bench.timing.backoff_cap = Duration::from_secs(3600);
    let (agent, csr, stream) = reporting(&mut peer, &bench).await;
    peer.push(stream, Ok(pushed(&peer, &csr)));
    peer.push(stream, Err(Status::aborted("replaced by a newer stream")));
    let (next, _) = peer.next_stream().await;
    for _ in 0..3 {
        assert_eq!(peer.next_beat().await.0, next);
    }
    agent.stop().await;
}

#[tokio::test]
async fn certificate_when_it_belongs_to_another_key_then_is_ignored() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let (agent, _, stream) = reporting(&mut peer, &bench).await;
    let before = bench.file("agent_cert.pem");
    let foreign = ctops_agent::identity::Identity::generate().unwrap().certificate_request().unwrap();
    peer.push(stream, Ok(pushed(&peer, &foreign)));
    bench
        .until("the refusal is logged", |bench| bench.log.count("certificate from the server not used") == 1)
        .await;
    peer.next_beat().await;
    assert_eq!(bench.file("agent_cert.pem"), before);
    agent.stop().await;
}

/// Spec: agents-enrolment 11
#[tokio::test]
async fn token_when_it_gets_old_then_is_replaced_while_the_stream_stays_open() {
    let mut peer = Peer::start().await;
    // The original returns the certificate signed earlier; it must not cause a new stream.
    peer.plan().register.extend([
        Registered::Active,
        Registered::Error(Code::Unavailable),
        Registered::ActiveWithStored,
    ]);
    let mut bench = Bench::new(&peer);
    bench.timing.token_refresh = Duration::from_millis(200);
    let (agent, _, stream) = reporting(&mut peer, &bench).await;
    let mut seen = 0;
    while seen < 2 {
        let event = peer.next("registrations while the stream lives", Some).await;
        match event {
            Event::Registered { request, shown, .. } => {
                seen += 1;
                assert!(shown.is_some());
                assert_eq!(request.wait_seconds, 0);
            }
            Event::StreamClosed { .. } | Event::StreamOpened { .. } => panic!("the stream stays"),
            _ => {}
        }
    }
    bench.until("the new token is stored", |bench| bench.state()["jwt_token"] == "jwt-2").await;
    assert_eq!(peer.next_beat().await.0, stream);
    assert_eq!(bench.log.count("token not replaced"), 1);
    agent.stop().await;
}
