//! Renewal of client certificates and delivery of newer ones.

use chrono::TimeDelta;
use ctops_crypto::csr::Csr;
use ctops_crypto::peer::PeerCertificate;
use ctops_fleet::agents::AgentSignal;
use ctops_proto::agent::RenewCertificateRequest;
use rcgen::{KeyPair, PKCS_ED25519};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tonic::{Code, Status};

use crate::support::{TestAgent, TestNode, beat, csr};

fn leaf(pem: &str) -> PeerCertificate {
    PeerCertificate::parse(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap()
}

async fn renew(
    node: &TestNode,
    agent: &TestAgent,
    request: RenewCertificateRequest,
) -> Result<String, Status> {
    let connection = node.client().connect(Some(agent)).await;
    connection.rpc().renew_certificate(request).await.map(|answer| answer.into_inner().client_cert_pem)
}

fn request(agent: &TestAgent) -> RenewCertificateRequest {
    RenewCertificateRequest { agent_id: agent.id.clone(), csr_der: csr(&agent.key) }
}

/// Original agents ask before their stream makes them `active` again, so `offline` ones are served too.
///
/// Spec: agents-enrolment 13
#[tokio::test]
async fn renewal_gives_a_newer_certificate_that_works_beside_the_old_one() {
    let node = TestNode::start().await;
    for status in ["active", "offline"] {
        let mut agent = node.agent_with_status(status).await;
        node.clock.advance(TimeDelta::days(1));
        let pem = renew(&node, &agent, request(&agent)).await.unwrap();
        let renewed = leaf(&pem);
        assert_eq!(renewed.agent_id, agent.id);
        assert_ne!(renewed.serial_hex, agent.serial);
        assert_eq!((renewed.not_after - node.clock.now()).num_days(), 89);
        node.client().stream(&agent).await.acked().await;
        agent.cert_der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
        node.client().stream(&agent).await.acked().await;
    }
}

/// Spec: security 19
#[tokio::test]
async fn renewal_for_another_agent_is_denied() {
    let node = TestNode::start().await;
    let (agent, victim) = (node.agent().await, node.agent().await);
    let stolen = RenewCertificateRequest { agent_id: victim.id.clone(), ..request(&agent) };
    assert_eq!(renew(&node, &agent, stolen).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn renewal_that_is_incomplete_or_broken_is_invalid() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut tampered = csr(&agent.key);
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    for (agent_id, csr_der) in [
        (String::new(), csr(&agent.key)),
        (agent.id.clone(), vec![]),
        (agent.id.clone(), b"garbage".to_vec()),
        (agent.id.clone(), tampered),
        (agent.id.clone(), vec![0x30; 100_000]),
    ] {
        let refused = renew(&node, &agent, RenewCertificateRequest { agent_id, csr_der }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
}

/// The key is the identity: whoever holds only the certificate's key of a moment cannot move it to a key of theirs.
///
/// Spec: security 19
#[tokio::test]
async fn renewal_with_another_key_than_the_registered_one_is_invalid() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let swapped = RenewCertificateRequest { agent_id: agent.id.clone(), csr_der: csr(&other) };
    assert_eq!(renew(&node, &agent, swapped).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn renewal_of_an_agent_that_may_not_connect_is_denied_and_of_an_unknown_one_not_found() {
    let node = TestNode::start().await;
    for status in ["pending", "revoked"] {
        let agent = node.agent_with_status(status).await;
        let refused = renew(&node, &agent, request(&agent)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{status}");
    }
    let unknown = node.unknown_agent();
    assert_eq!(renew(&node, &unknown, request(&unknown)).await.unwrap_err().code(), Code::NotFound);
}

/// Puts a certificate into the database as the newest of the agent; gives its PEM.
async fn store_certificate(node: &TestNode, agent: &TestAgent, issued: TimeDelta) -> String {
    let request = Csr::parse(&csr(&agent.key)).unwrap();
    let at = node.clock.now() + issued;
    let authority = node.agents.trust.agent_authority();
    let leaf = authority.issue_client(&request, &agent.id, at.max(authority.not_before())).unwrap();
    sqlx::query(
        "UPDATE agents SET client_cert_pem = $2, client_cert_serial = $3, client_cert_not_after = $4 WHERE id = $1",
    )
    .bind(&agent.id)
    .bind(&leaf.pem)
    .bind(&leaf.serial_hex)
    .bind(leaf.not_after)
    .execute(node.pool())
    .await
    .unwrap();
    leaf.pem
}

/// Trap 6 of the wire contract, appendix B.1.
#[tokio::test]
async fn newer_certificate_is_delivered_once_in_a_message_of_its_own() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let waiting = store_certificate(&node, &agent, TimeDelta::days(1)).await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    let push = stream.next().await.unwrap().unwrap();
    assert_eq!(push.pending_client_cert_pem, waiting);
    assert_eq!(push.pending_client_cert_not_after_unix, leaf(&waiting).not_after.timestamp());
    assert_eq!(push.agent_ca_cert_pem, node.agents.trust.agent_ca_bundle());
    let newest = store_certificate(&node, &agent, TimeDelta::days(2)).await;
    for _ in 0..2 {
        node.notify(&AgentSignal::Certificate(agent.id.clone())).await;
    }
    assert_eq!(stream.next().await.unwrap().unwrap().pending_client_cert_pem, newest);
    stream.send(beat(&agent.id)).await;
    let answer = stream.next().await.unwrap().unwrap();
    assert!(answer.ok && answer.pending_client_cert_pem.is_empty(), "delivered once");
}

/// Trap 6 of the wire contract, appendix B.1.
///
/// Original agents end their process when a certificate is pushed, so none is pushed without need.
#[tokio::test]
async fn certificate_that_the_agent_has_or_that_is_older_is_not_delivered() {
    let node = TestNode::start().await;
    let presented = node.agent().await;
    let outdated = node.agent().await;
    node.clock.advance(TimeDelta::minutes(30));
    // A leaf that ends no later than the presented one brings nothing.
    store_certificate(&node, &outdated, -TimeDelta::minutes(30)).await;
    let renewed = node.agent().await;
    let connection = node.client().connect(Some(&renewed)).await;
    node.clock.advance(TimeDelta::minutes(30));
    connection.rpc().renew_certificate(request(&renewed)).await.unwrap();
    let mut streams = vec![
        (&presented, node.client().stream(&presented).await),
        (&outdated, node.client().stream(&outdated).await),
        // Renewed on the connection on which it streams: it has the newest from the answer.
        (&renewed, connection.heartbeat(beat(&renewed.jwt)).await.unwrap()),
    ];
    for (agent, stream) in &mut streams {
        stream.acked().await;
        node.notify(&AgentSignal::Certificate(agent.id.clone())).await;
        assert!(stream.is_quiet().await);
        stream.send(beat(&agent.id)).await;
        stream.acked().await;
    }
}

/// Trap 5 of the wire contract, appendix B.1.
///
/// Agents of the original product renew only when a stream opens, so one that never breaks would outlive its certificate.
///
/// Spec: agents-enrolment 13
#[tokio::test]
async fn stream_that_outlives_most_of_its_certificate_is_ended_so_that_the_agent_renews() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    node.clock.advance(TimeDelta::days(67));
    stream.send(beat(&agent.id)).await;
    stream.acked().await;
    assert!(stream.is_quiet().await, "there is time enough to renew by itself");
    node.clock.advance(TimeDelta::days(1));
    stream.send(beat(&agent.id)).await;
    stream.acked().await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(node.queue.reports(3).await.len(), 3, "no heartbeat is lost by it");
    // It reconnects; if it still cannot renew, it is left alone for an hour.
    let mut again = node.client().stream(&agent).await;
    again.acked().await;
    again.send(beat(&agent.id)).await;
    again.acked().await;
    assert!(again.is_quiet().await);
    renew(&node, &agent, request(&agent)).await.unwrap();
}
