//! `Register` on the wire. What is decided about an agent is tested where it is decided, in the slice `agents`.

use std::time::Duration;

use ctops_crypto::peer::PeerCertificate;
use ctops_fleet::agents::{approve_agent, reject_agent};
use ctops_proto::agent::{AgentInfo, PlatformInfo, RegisterRequest, RegisterResponse};
use rcgen::{KeyPair, PKCS_ED25519};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::Instant;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support::{TestAgent, TestNode, csr, public_key};

fn request(token: &str, key: &KeyPair) -> RegisterRequest {
    RegisterRequest {
        enrolment_token: token.to_owned(),
        public_key: public_key(key),
        platform_info: Some(PlatformInfo {
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            ..Default::default()
        }),
        agent_info: Some(AgentInfo {
            hostname: format!("host-{}", &ctops_base::id::new_agent_id()[..8]),
            version: "1.0.0".to_owned(),
            ..Default::default()
        }),
        csr_der: csr(key),
        ..Default::default()
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

async fn register(node: &TestNode, request: RegisterRequest) -> Result<RegisterResponse, Status> {
    node.client().connect(None).await.rpc().register(request).await.map(tonic::Response::into_inner)
}

/// What the answer says is what the next connection needs.
///
/// Spec: agents-enrolment 8, 9
#[tokio::test]
async fn register_with_an_auto_approving_token_gives_everything_to_connect_without_a_certificate() {
    let node = TestNode::start().await;
    let key = new_key();
    let answer = register(&node, request(&node.token(true).await, &key)).await.unwrap();
    assert_eq!((answer.status.as_str(), answer.agent_id.len(), answer.waited), ("active", 24, false));
    assert_eq!(answer.agent_ca_cert_pem, node.agents.trust.agent_ca_bundle());
    let cert_der = CertificateDer::from_pem_slice(answer.client_cert_pem.as_bytes()).unwrap().to_vec();
    let leaf = PeerCertificate::parse(&cert_der).unwrap();
    assert_eq!(
        (&leaf.agent_id, leaf.not_after.timestamp()),
        (&answer.agent_id, answer.client_cert_not_after_unix)
    );
    let agent = TestAgent {
        id: answer.agent_id,
        host_id: Uuid::nil(),
        key,
        cert_der,
        serial: leaf.serial_hex,
        jwt: answer.jwt_token,
    };
    node.client().stream(&agent).await.acked().await;
}

/// Spec: agents-enrolment 9
#[tokio::test]
async fn register_that_waits_for_approval_is_answered_at_once_when_asked_so() {
    let node = TestNode::start().await;
    let answer = register(&node, request(&node.token(false).await, &new_key())).await.unwrap();
    assert_eq!((answer.status.as_str(), answer.waited), ("pending", false));
    assert_eq!((answer.jwt_token.as_str(), answer.client_cert_pem.as_str()), ("", ""));
}

/// Whoever knows a public key could otherwise wait for the approval of its owner and receive the owner's token.
#[tokio::test]
async fn register_without_proof_of_its_key_is_never_held() {
    let node = TestNode::start().await;
    let mut call = request(&node.token(false).await, &new_key());
    (call.csr_der, call.wait_seconds) = (vec![], 25);
    let asked = Instant::now();
    let answer = register(&node, call).await.unwrap();
    assert_eq!((answer.status.as_str(), answer.waited), ("pending", false));
    assert!(asked.elapsed().as_secs() < 20);
}

/// Starts a call that waits for approval; gives it once it is held, with the agent's id.
async fn held_call(node: &TestNode) -> (impl Future<Output = RegisterResponse> + Unpin + use<>, String) {
    let first = request(&node.token(false).await, &new_key());
    let agent_id = register(node, first.clone()).await.unwrap().agent_id;
    let connection = node.client().connect(None).await;
    let waiting = RegisterRequest { wait_seconds: 3600, ..first };
    let mut call = Box::pin(async move { connection.rpc().register(waiting).await.unwrap().into_inner() });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut call).await;
    assert!(early.is_err(), "the call is held: {early:?}");
    (call, agent_id)
}

/// Spec: agents-enrolment 9, 14
#[tokio::test]
async fn register_that_is_held_is_answered_when_the_agent_is_approved() {
    let node = TestNode::start().await;
    let (call, agent_id) = held_call(&node).await;
    let decided = Instant::now();
    approve_agent(&node.agents, &node.administrator(), &agent_id).await.unwrap();
    let answer = call.await;
    assert_eq!((answer.status.as_str(), answer.waited, &answer.agent_id), ("active", true, &agent_id));
    assert!(!answer.jwt_token.is_empty() && !answer.client_cert_pem.is_empty());
    assert!(decided.elapsed().as_secs() < 5, "woken by the decision, not by the end of the wait");
}

/// Spec: agents-enrolment 9, 16
#[tokio::test]
async fn register_that_is_held_is_answered_when_the_agent_is_rejected() {
    let node = TestNode::start().await;
    let (call, agent_id) = held_call(&node).await;
    reject_agent(&node.agents, &node.administrator(), &agent_id).await.unwrap();
    let answer = call.await;
    assert_eq!((answer.status.as_str(), answer.waited, answer.jwt_token.as_str()), ("revoked", true, ""));
}

#[tokio::test]
async fn register_that_is_held_is_answered_pending_when_the_time_is_over_or_the_node_stops() {
    let mut node = TestNode::start().await;
    let token = node.token(false).await;
    let mut brief = request(&token, &new_key());
    brief.wait_seconds = 1;
    let answer = register(&node, brief).await.unwrap();
    assert_eq!((answer.status.as_str(), answer.waited), ("pending", true));
    let (call, agent_id) = held_call(&node).await;
    let stopping = Instant::now();
    let (answer, ()) = tokio::join!(call, node.stop());
    assert_eq!((answer.status.as_str(), answer.waited, answer.agent_id), ("pending", true, agent_id));
    assert!(stopping.elapsed().as_secs() < 20);
}

/// Spec: agents-enrolment 3
#[tokio::test]
async fn register_with_an_unknown_token_is_unauthenticated() {
    let node = TestNode::start().await;
    let refused = register(&node, request("tok_unknown", &new_key())).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.metadata().get("ctops-code").unwrap(), "unauthenticated");
}

#[tokio::test]
async fn register_with_fields_beyond_their_limits_is_invalid() {
    use ctops_proto::limits;
    let node = TestNode::start().await;
    let token = node.token(true).await;
    let key = new_key();
    let changes: [fn(&mut RegisterRequest); 5] = [
        |r| r.enrolment_token = String::new(),
        |r| r.public_key = String::new(),
        |r| r.public_key = "x".repeat(limits::MAX_PUBLIC_KEY_BYTES + 1),
        |r| r.csr_der = vec![0x30; limits::MAX_CSR_BYTES + 1],
        |r| {
            let platform = r.platform_info.as_mut().unwrap();
            platform.ip_addresses = vec!["10.0.0.9".to_owned(); limits::MAX_ADDRESSES + 1];
        },
    ];
    for change in changes {
        let mut bad = request(&token, &key);
        change(&mut bad);
        let refused = register(&node, bad).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let mut huge = request(&token, &key);
    huge.public_key = "x".repeat(1024 * 1024);
    assert_eq!(register(&node, huge).await.unwrap_err().code(), Code::ResourceExhausted);
}

/// Spec: security 17
#[tokio::test]
async fn register_too_often_from_one_source_is_resource_exhausted() {
    let node = TestNode::start().await;
    let token = node.token(true).await;
    let connection = node.client().connect(None).await;
    let message = request(&token, &new_key());
    for _ in 0..30 {
        connection.rpc().register(message.clone()).await.unwrap();
    }
    let refused = connection.rpc().register(message).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}
