//! Programs of releases for agents.

use ctops_fleet::releases::{NewRelease, Program, Publisher, import, sign, write_bundle};
use ctops_ingest::Limits;
use ctops_proto::agent::release_service_client::ReleaseServiceClient;
use ctops_proto::agent::{FetchReleaseRequest, ReleaseChunk};
use ctops_proto::release::MAX_CHUNK_BYTES;
use ctops_testkit::wait_until;
use http::Uri;
use tonic::{Code, Status, Streaming};

use crate::support::{Connection, SOON, TestNode, release_key};

/// More than fits into the windows and buffers between server and client.
const PROGRAM_BYTES: usize = 3 * 1024 * 1024;

async fn publish(node: &TestNode) -> Vec<u8> {
    let program: Vec<u8> = (0..PROGRAM_BYTES).map(|place| (place * 31 % 251) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent");
    std::fs::write(&path, &program).unwrap();
    let release = NewRelease {
        channel: "stable".into(),
        version: "v1.1.0".parse().unwrap(),
        minimum_version: "v0.0.0".parse().unwrap(),
        released_at: node.clock.now(),
        programs: vec![Program { os: "linux".into(), arch: "amd64".into(), path }],
        also_trust: Vec::new(),
    };
    let signed = sign(&release_key(), &release).unwrap();
    let mut bundle = Vec::new();
    write_bundle(&mut bundle, &signed, &release.programs).unwrap();
    let parts = (node.pool(), &node.clock, &node.agents.releases);
    import(parts, Publisher::Operator, &mut bundle.as_slice()).await.unwrap();
    program
}

fn wanted(offset: u64) -> FetchReleaseRequest {
    FetchReleaseRequest { version: "v1.1.0".into(), os: "linux".into(), arch: "amd64".into(), offset }
}

async fn fetch(
    connection: &Connection,
    request: FetchReleaseRequest,
) -> Result<Streaming<ReleaseChunk>, Status> {
    let origin = Uri::from_static("https://localhost");
    let mut client = ReleaseServiceClient::with_origin(connection.channel(), origin);
    client.fetch_release(request).await.map(tonic::Response::into_inner)
}

async fn all(mut chunks: Streaming<ReleaseChunk>) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(chunk) = tokio::time::timeout(SOON, chunks.message()).await.unwrap().unwrap() {
        assert!(chunk.data.len() <= MAX_CHUNK_BYTES);
        content.extend(chunk.data);
    }
    content
}

/// Spec: agents-enrolment 28, 31
#[tokio::test]
async fn program_when_fetched_by_an_approved_agent_then_arrives_whole_and_from_any_offset() {
    let node = TestNode::start().await;
    let program = publish(&node).await;
    let agent = node.agent().await;
    let connection = node.client().connect(Some(&agent)).await;
    assert!(all(fetch(&connection, wanted(0)).await.unwrap()).await == program);
    for offset in [1, PROGRAM_BYTES - 1, PROGRAM_BYTES, PROGRAM_BYTES + 7] {
        let rest = all(fetch(&connection, wanted(offset as u64)).await.unwrap()).await;
        assert!(rest == program[offset.min(PROGRAM_BYTES)..], "from {offset}");
    }
}

#[tokio::test]
async fn program_when_unknown_or_wanted_by_others_than_approved_agents_then_is_refused() {
    let node = TestNode::start().await;
    publish(&node).await;
    let code = async |connection: &Connection, request| fetch(connection, request).await.unwrap_err().code();
    let nobody = node.client().connect(None).await;
    assert_eq!(code(&nobody, wanted(0)).await, Code::Unauthenticated);
    for agent in [node.unknown_agent(), node.agent_with_status("pending").await] {
        let connection = node.client().connect(Some(&agent)).await;
        assert_eq!(code(&connection, wanted(0)).await, Code::PermissionDenied);
    }
    let connection = node.client().connect(Some(&node.agent().await)).await;
    let with = |change: fn(&mut FetchReleaseRequest)| {
        let mut request = wanted(0);
        change(&mut request);
        request
    };
    assert_eq!(code(&connection, with(|r| r.version = "v1.2.0".into())).await, Code::NotFound);
    assert_eq!(code(&connection, with(|r| r.version = "../v1.1.0".into())).await, Code::InvalidArgument);
    assert_eq!(code(&connection, with(|r| r.arch = "arm64".into())).await, Code::Unavailable);
}

/// Spec: agents-enrolment 31
#[tokio::test]
async fn downloads_when_too_many_at_a_time_then_later_ones_come_back_and_heartbeats_go_on() {
    let node = TestNode::with_limits(Limits { max_downloads: 2, ..Limits::default() }).await;
    let program = publish(&node).await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    let connection = node.client().connect(Some(&agent)).await;
    // Nobody reads these, so they keep their places.
    let first = fetch(&connection, wanted(0)).await.unwrap();
    let second = fetch(&node.client().connect(Some(&agent)).await, wanted(0)).await.unwrap();
    let other = node.client().connect(Some(&node.agent().await)).await;
    assert_eq!(fetch(&other, wanted(0)).await.unwrap_err().code(), Code::ResourceExhausted);
    stream.send(crate::support::beat(&agent.id)).await;
    stream.acked().await;
    drop(second);
    wait_until(SOON, || async { fetch(&other, wanted(0)).await.is_ok() }).await;
    assert!(all(first).await == program, "a slow one arrives as well");
}
