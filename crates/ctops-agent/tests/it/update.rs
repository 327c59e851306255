//! Offers of updates to a build that is marked `dev`.

use ctops_agent::update::CAPABILITY;
use ctops_proto::agent::{HeartbeatResponse, UpdateOffer};

use crate::bench::Bench;
use crate::peer::Peer;

/// Spec: agents-enrolment 30
#[tokio::test]
async fn build_without_a_version_when_offered_an_update_then_neither_says_nor_does_anything_about_it() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    let (_, first) = peer.next_beat().await;
    assert!(!first.capabilities.iter().any(|name| name == CAPABILITY), "{:?}", first.capabilities);
    assert_eq!(first.agent_version, "dev");
    let update = UpdateOffer {
        manifest_json: b"{}".to_vec(),
        signature: vec![0; 64],
        version: "v9.0.0".to_owned(),
        pinned: true,
    };
    let offer = HeartbeatResponse {
        ok: true,
        update: Some(update),
        // What the original server says to every agent of another version.
        update_available: true,
        latest_version: "v9.0.0".to_owned(),
        download_url: "https://localhost/api/agent/download".to_owned(),
        ..HeartbeatResponse::default()
    };
    peer.push(stream, Ok(offer));
    for _ in 0..2 {
        assert_eq!(peer.next_beat().await.1.update_outcome, None);
    }
    agent.stop().await;
}
