//! Which servers the agent talks to.

use std::fs;

use crate::bench::Bench;
use crate::peer::Peer;
use crate::plan::Event;

#[tokio::test]
async fn server_when_self_signed_and_configured_then_is_believed_without_skipping_verification() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    assert!(!bench.arguments.iter().any(|argument| argument.contains("skip")));
    let agent = bench.start();
    peer.next_beat().await;
    agent.stop().await;
}

#[tokio::test]
async fn server_when_not_the_configured_one_then_gets_no_registration() {
    let mut peer = Peer::start().await;
    let other = Peer::start().await;
    let bench = Bench::new(&peer);
    fs::write(bench.path().join("ca.pem"), &other.certificate).unwrap();
    let agent = bench.start();
    let seen = peer.next("a failed handshake", |event| match event {
        Event::HandshakeFailed => Some(true),
        Event::Registered { .. } => Some(false),
        _ => None,
    });
    assert!(seen.await, "the token must not be sent");
    bench.until("the reason is logged", |bench| bench.log.count("TLS handshake failed") >= 1).await;
    agent.stop().await;
}

#[tokio::test]
async fn server_when_its_certificate_has_another_name_then_is_not_believed() {
    let mut peer = Peer::start_with(rustls::ALL_VERSIONS, "elsewhere.example", 0).await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    bench.until("the reason is logged", |bench| bench.log.text().contains("not valid for name")).await;
    agent.stop().await;

    let mut bench = Bench::new(&peer);
    bench.arguments.push("-tls-skip-verify".to_owned());
    let agent = bench.start();
    peer.next_beat().await;
    agent.stop().await;
}

#[tokio::test]
async fn certificate_file_when_missing_then_is_waited_for() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    fs::remove_file(bench.path().join("ca.pem")).unwrap();
    let agent = bench.start();
    bench
        .until("the reason is logged", |bench| bench.log.count("certificates to trust cannot be read") >= 1)
        .await;
    fs::write(bench.path().join("ca.pem"), &peer.certificate).unwrap();
    peer.next_beat().await;
    agent.stop().await;
}
