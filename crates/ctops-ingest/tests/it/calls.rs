//! Which calls are served to whom.

use ctops_fleet::agents::revoke_agent;
use ctops_proto::agent::{
    DockerTelemetryBatch, RegisterRequest, RenewCertificateRequest, SoftwareInventoryChunk,
    TerminalAgentMessage,
};
use ctops_testkit::wait_until;
use http::StatusCode;
use tonic::body::Body;

use tonic::{Code, Status};

use crate::support::{SOON, TestNode, beat};

/// Calls every method but `Register` over one connection; gives their statuses.
async fn statuses(connection: &crate::support::Connection, agent_id: &str) -> Vec<(&'static str, Status)> {
    let mut rpc = connection.rpc();
    let renewal = RenewCertificateRequest { agent_id: agent_id.to_owned(), csr_der: vec![] };
    vec![
        ("RenewCertificate", rpc.renew_certificate(renewal).await.unwrap_err()),
        ("Terminal", rpc.terminal(tokio_stream::iter([TerminalAgentMessage::default()])).await.unwrap_err()),
        (
            "SubmitSoftwareInventory",
            rpc.submit_software_inventory(tokio_stream::iter([SoftwareInventoryChunk::default()]))
                .await
                .unwrap_err(),
        ),
        (
            "SubmitDockerTelemetry",
            rpc.submit_docker_telemetry(tokio_stream::iter([someone_elses()])).await.unwrap_err(),
        ),
    ]
}

fn someone_elses() -> DockerTelemetryBatch {
    DockerTelemetryBatch { agent_id: "z".repeat(24), ..DockerTelemetryBatch::default() }
}

/// Spec: agents-enrolment 13; security 19
#[tokio::test]
async fn calls_without_a_certificate_are_unauthenticated_except_register() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let connection = node.client().connect(None).await;
    for (method, status) in statuses(&connection, &agent.id).await {
        assert_eq!(status.code(), Code::Unauthenticated, "{method}: {status:?}");
    }
    let refused = connection.rpc().register(RegisterRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "Register is served: it misses its token");
    let refused = connection.heartbeat(beat(&agent.jwt)).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(node.queue.leases(0).await, []);
}

#[tokio::test]
async fn calls_are_answered_by_their_methods_and_terminal_is_not_served() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let connection = node.client().connect(Some(&agent)).await;
    for (method, status) in statuses(&connection, &agent.id).await {
        let expected = match method {
            "RenewCertificate" => Code::InvalidArgument,
            "SubmitSoftwareInventory" => Code::Unauthenticated,
            "SubmitDockerTelemetry" => Code::PermissionDenied,
            _ => Code::Unimplemented,
        };
        assert_eq!(status.code(), expected, "{method}: {status:?}");
    }
    // A refused call leaves the connection and the stream on it alone.
    let mut stream = connection.heartbeat(beat(&agent.jwt)).await.unwrap();
    stream.acked().await;
    let telemetry = tokio_stream::iter([someone_elses()]);
    let refused = stream.connection().rpc().submit_docker_telemetry(telemetry).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    stream.send(beat(&agent.id)).await;
    stream.acked().await;
}

/// Spec: agents-enrolment 16; security 19
#[tokio::test]
async fn calls_on_a_connection_whose_certificate_was_revoked_meanwhile_are_unauthenticated() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let connection = node.client().connect(Some(&agent)).await;
    assert_eq!(statuses(&connection, &agent.id).await[1].1.code(), Code::Unimplemented);
    revoke_agent(&node.agents, &node.administrator(), &agent.id).await.unwrap();
    wait_until(SOON, || async {
        statuses(&connection, &agent.id).await[1].1.code() == Code::Unauthenticated
    })
    .await;
    for (method, status) in statuses(&connection, &agent.id).await {
        assert_eq!(status.code(), Code::Unauthenticated, "{method}");
    }
    // Also the call that needs no certificate: a revoked one must not help in any way.
    let refused = connection.rpc().register(RegisterRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn calls_on_a_connection_whose_certificate_expired_meanwhile_are_unauthenticated() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let connection = node.client().connect(Some(&agent)).await;
    assert_eq!(statuses(&connection, &agent.id).await[1].1.code(), Code::Unimplemented);
    node.clock.advance(chrono::TimeDelta::days(91));
    assert_eq!(statuses(&connection, &agent.id).await[1].1.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn request_that_is_no_grpc_is_refused_by_its_type() {
    let node = TestNode::start().await;
    let connection = node.client().connect(None).await;
    let request = http::Request::post("https://localhost/agent.v1.IngestService/Register")
        .header("content-type", "application/json")
        .body(Body::empty())
        .unwrap();
    assert_eq!(connection.channel().raw(request).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let request = http::Request::get("https://localhost/").body(Body::empty()).unwrap();
    assert_eq!(connection.channel().raw(request).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn method_that_does_not_exist_is_unimplemented_for_agents_and_unauthenticated_for_others() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    for (agent, code) in [(None, Code::Unauthenticated), (Some(&agent), Code::Unimplemented)] {
        let connection = node.client().connect(agent).await;
        let request = http::Request::post("https://localhost/grpc.health.v1.Health/Check")
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .unwrap();
        let response = connection.channel().raw(request).await;
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), code);
    }
}
