//! Heartbeat streams that are refused when they open.

use chrono::TimeDelta;
use ctops_proto::agent::HeartbeatRequest;
use ctops_proto::limits::MAX_HEARTBEAT_BYTES;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};

use crate::support::{RawMessages, TestAgent, TestNode, beat};

/// Opens a stream with the agent's certificate and `token`; gives the refusal.
async fn refusal(node: &TestNode, agent: &TestAgent, token: &str) -> Status {
    let connection = node.client().connect(Some(agent)).await;
    connection.heartbeat(beat(token)).await.map(|_| ()).unwrap_err()
}

/// Nothing of a refused stream reaches the queue.
async fn assert_nothing_was_published(node: &TestNode) {
    assert_eq!(node.queue.reports(0).await, []);
    assert_eq!(node.queue.leases(0).await, []);
}

/// Spec: agents-enrolment 13; security 19
#[tokio::test]
async fn heartbeat_with_the_token_of_another_agent_is_unauthenticated() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    assert_eq!(refusal(&node, &agent, &other.jwt).await.code(), Code::Unauthenticated);
    assert_nothing_was_published(&node).await;
}

#[tokio::test]
async fn heartbeat_with_a_missing_or_broken_token_is_unauthenticated() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let foreign =
        ctops_crypto::jwt::AgentTokens::generate().unwrap().sign(&agent.id, node.clock.now()).unwrap();
    let (head, signature) = agent.jwt.rsplit_once('.').unwrap();
    let swapped: String = signature.chars().rev().collect();
    let tampered = format!("{head}.{swapped}");
    for token in ["", "garbage", "a.b.c", &agent.id, &foreign, &tampered, &"x".repeat(100_000)] {
        let status = refusal(&node, &agent, token).await;
        assert_eq!(status.code(), Code::Unauthenticated, "{token:.20}");
        assert!(!status.message().contains(&agent.id), "the refusal gives nothing away");
    }
    assert_nothing_was_published(&node).await;
}

/// Trap 5 of the wire contract, appendix B.1.
///
/// Agents of the original product never renew their token while they run; the certificate carries the proof.
///
/// Spec: agents-enrolment 11, 13
#[tokio::test]
async fn heartbeat_with_an_expired_token_and_the_matching_certificate_is_accepted() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    node.clock.advance(TimeDelta::days(30));
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    assert_eq!(refusal(&node, &agent, &other.jwt).await.code(), Code::Unauthenticated, "expired and foreign");
}

/// Spec: hosts 6
#[tokio::test]
async fn heartbeat_of_an_agent_that_is_not_approved_is_denied() {
    let node = TestNode::start().await;
    for status in ["pending", "revoked"] {
        let agent = node.agent_with_status(status).await;
        let refused = refusal(&node, &agent, &agent.jwt).await;
        assert_eq!(refused.code(), Code::PermissionDenied, "{status}");
    }
    assert_nothing_was_published(&node).await;
}

#[tokio::test]
async fn heartbeat_of_an_offline_agent_is_accepted() {
    let node = TestNode::start().await;
    let agent = node.agent_with_status("offline").await;
    node.client().stream(&agent).await.acked().await;
}

#[tokio::test]
async fn heartbeat_of_an_agent_that_is_not_known_is_not_found() {
    let node = TestNode::start().await;
    let agent = node.unknown_agent();
    assert_eq!(refusal(&node, &agent, &agent.jwt).await.code(), Code::NotFound);
    assert_nothing_was_published(&node).await;
}

#[tokio::test]
async fn stream_that_is_closed_before_its_first_message_ends_cleanly() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let connection = node.client().connect(Some(&agent)).await;
    let mut answers =
        connection.rpc().heartbeat(tokio_stream::empty::<HeartbeatRequest>()).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap(), None);
    assert_nothing_was_published(&node).await;
}

#[tokio::test]
async fn stream_whose_first_message_does_not_come_is_ended() {
    let limits = ctops_ingest::Limits {
        first_message: std::time::Duration::from_millis(50),
        ..ctops_ingest::Limits::default()
    };
    let node = TestNode::with_limits(limits).await;
    let agent = node.agent().await;
    let connection = node.client().connect(Some(&agent)).await;
    let silent = tokio_stream::pending::<HeartbeatRequest>();
    let refused = connection.rpc().heartbeat(silent).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded);
}

/// Sends raw messages on a heartbeat stream; gives how it ended and how many were acknowledged.
async fn send_raw(node: &TestNode, agent: &TestAgent, messages: Vec<Vec<u8>>) -> (usize, Status) {
    let connection = node.client().connect(Some(agent)).await;
    let mut grpc = Grpc::with_origin(connection.channel(), http::Uri::from_static("https://localhost"));
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/agent.v1.IngestService/Heartbeat");
    let stream = Request::new(tokio_stream::iter(messages));
    let mut acked = 0;
    let mut answers = match grpc.streaming(stream, path, RawMessages).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return (0, status),
    };
    loop {
        match answers.message().await {
            Ok(Some(_)) => acked += 1,
            Ok(None) => return (acked, Status::ok("")),
            Err(status) => return (acked, status),
        }
    }
}

/// Spec: security 17
#[tokio::test]
async fn heartbeat_that_is_too_large_is_resource_exhausted() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let good = beat(&agent.jwt).encode_to_vec();
    let huge = vec![0; MAX_HEARTBEAT_BYTES + 1];
    let (_, status) = send_raw(&node, &agent, vec![huge.clone()]).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_nothing_was_published(&node).await;
    let (_, status) = send_raw(&node, &agent, vec![good.clone(), huge]).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    // The largest allowed message passes: the rest of it is an unknown field, which is skipped.
    let mut large = good.clone();
    let filler = MAX_HEARTBEAT_BYTES - good.len() - 7;
    prost::encoding::bytes::encode(15_999, &vec![0; filler], &mut large);
    assert!(large.len() <= MAX_HEARTBEAT_BYTES && large.len() > MAX_HEARTBEAT_BYTES - 16, "{}", large.len());
    let (acked, status) = send_raw(&node, &agent, vec![large]).await;
    assert_eq!((acked, status.code()), (1, Code::Ok), "{status:?}");
}

#[tokio::test]
async fn message_that_is_no_protobuf_ends_the_stream_and_nothing_else() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let mut bystander = node.client().stream(&other).await;
    bystander.acked().await;
    for garbage in [vec![0xff; 64], b"GET / HTTP/1.1".to_vec(), vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
        let (_, status) = send_raw(&node, &agent, vec![garbage.clone()]).await;
        assert_eq!(status.code(), Code::Internal, "{status:?}");
        let (_, status) = send_raw(&node, &agent, vec![beat(&agent.jwt).encode_to_vec(), garbage]).await;
        assert_eq!(status.code(), Code::Internal, "{status:?}");
    }
    bystander.send(beat(&other.id)).await;
    bystander.acked().await;
}
