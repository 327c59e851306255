//! What happens before the first call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use ctops_crypto::authority::{Authority, Purpose};
use ctops_crypto::csr::Csr;
use ctops_ingest::Limits;
use ctops_proto::agent::RegisterRequest;
use ctops_testkit::wait_until;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind, ProtocolVersion, SignatureScheme};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::Code;

use crate::support::{SOON, TestAgent, TestNode, alert, client_config, closed, csr};

/// Trap 1 of the wire contract, appendix B.1.
///
/// Spec: security 19
#[tokio::test]
async fn handshake_with_tls_1_2_and_1_3_succeeds_with_and_without_certificate() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    for version in [&TLS12, &TLS13] {
        let client = node.client().only(version);
        for agent in [None, Some(&agent)] {
            assert_eq!(client.handshake(client.config(agent)).await, Ok(()), "{version:?}");
        }
        let mut stream = client.stream(&agent).await;
        stream.acked().await;
    }
}

#[tokio::test]
async fn handshake_without_the_application_protocol_h2_is_refused() {
    let node = TestNode::start().await;
    let client = node.client();
    let mut config = client.config(None);
    config.alpn_protocols.clear();
    assert_eq!(client.handshake(config.clone()).await, closed());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert_eq!(client.handshake(config).await, alert(AlertDescription::NoApplicationProtocol));
}

/// Spec: agents-enrolment 13; security 19
#[tokio::test]
async fn handshake_with_a_certificate_of_another_authority_is_refused() {
    let node = TestNode::start().await;
    let mut agent = node.agent().await;
    let foreign = Authority::generate(Purpose::AgentCa, node.clock.now()).unwrap();
    let request = Csr::parse(&csr(&agent.key)).unwrap();
    agent.cert_der = foreign.issue_client(&request, &agent.id, node.clock.now()).unwrap().der;
    for version in [&TLS12, &TLS13] {
        let client = node.client().only(version);
        let outcome = client.handshake(client.config(Some(&agent))).await;
        assert_eq!(outcome, alert(AlertDescription::UnknownCA));
    }
}

/// Spec: agents-enrolment 16; security 19
#[tokio::test]
async fn handshake_with_a_revoked_certificate_is_refused() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    node.revoke(&agent).await;
    let client = node.client();
    wait_until(SOON, || async {
        client.handshake(client.config(Some(&agent))).await == alert(AlertDescription::CertificateRevoked)
    })
    .await;
    assert_eq!(client.handshake(client.config(Some(&other))).await, Ok(()));
}

#[tokio::test]
async fn handshake_with_an_expired_certificate_is_refused() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    node.clock.advance(TimeDelta::days(91));
    let client = node.client();
    let outcome = client.handshake(client.config(Some(&agent))).await;
    assert_eq!(outcome, alert(AlertDescription::CertificateExpired));
}

/// A resumed session would bring a revoked certificate back without a check.
///
/// Spec: security 19
#[tokio::test]
async fn handshake_is_never_resumed() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    for version in [&TLS12, &TLS13] {
        let client = node.client().only(version);
        let mut config = client.config(Some(&agent));
        config.resumption = Resumption::in_memory_sessions(16);
        let config = Arc::new(config);
        for _ in 0..3 {
            let mut stream = client.tls(Arc::clone(&config)).await.unwrap();
            // Tickets would arrive with the server's first bytes.
            stream.read_exact(&mut [0; 9]).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
            let expected =
                if version.version == ProtocolVersion::TLSv1_2 { version.version } else { TLS13.version };
            assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        }
    }
}

/// Notes what the server says about acceptable certificates.
#[derive(Debug, Default)]
struct Hints(Mutex<(Vec<Vec<u8>>, Vec<SignatureScheme>)>);

impl ResolvesClientCert for Hints {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.0.lock().unwrap() = (issuers.iter().map(|issuer| issuer.to_vec()).collect(), schemes.to_vec());
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Trap 1 of the wire contract, appendix B.1.
///
/// Agents choose their certificate by the issuer's name; one from another installation connects without and can enrol.
#[tokio::test]
async fn handshake_offers_the_names_of_the_agent_authorities_and_ed25519() {
    let node = TestNode::start().await;
    for version in [&TLS12, &TLS13] {
        let client = node.client().only(version);
        let hints = Arc::new(Hints::default());
        let mut config = client.config(None);
        config.client_auth_cert_resolver = hints.clone();
        client.handshake(config).await.unwrap();
        let (issuers, schemes) = hints.0.lock().unwrap().clone();
        assert_eq!(issuers.len(), 1);
        let ours = node.agents.trust.agent_authority().cert_der();
        assert!(
            ours.windows(issuers[0].len()).any(|part| part == issuers[0]),
            "the subject of our authority"
        );
        assert!(schemes.contains(&SignatureScheme::ED25519));
    }
}

#[tokio::test]
async fn server_certificate_when_exchanged_is_shown_to_new_connections() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut old = node.client().stream(&agent).await;
    old.acked().await;
    let other = Authority::generate(Purpose::ServerCa, node.clock.now()).unwrap();
    let identity = other.issue_server(&["localhost".to_owned()], node.clock.now()).unwrap();
    node.tls.set_server_certificate(&identity.cert_chain_pem, &identity.key_pem).unwrap();
    let client = node.client();
    let config = client_config(other.cert_der(), rustls::DEFAULT_VERSIONS, None);
    assert_eq!(client.handshake(config).await, Ok(()));
    assert!(client.tls(Arc::new(client.config(None))).await.is_err(), "the old authority no longer fits");
    old.send(crate::support::beat(&agent.id)).await;
    old.acked().await;
}

/// Spec: security 20
#[tokio::test]
async fn agent_authorities_when_exchanged_are_trusted_side_by_side() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut moved = node.agent().await;
    let next = Authority::generate(Purpose::AgentCa, node.clock.now()).unwrap();
    let request = Csr::parse(&csr(&moved.key)).unwrap();
    moved.cert_der = next.issue_client(&request, &moved.id, node.clock.now()).unwrap().der;
    let client = node.client();
    let handshake = |agent: TestAgent| {
        let (client, config) = (node.client(), client.config(Some(&agent)));
        async move { client.handshake(config).await }
    };
    let outcome = client.handshake(client.config(Some(&moved))).await;
    assert_eq!(outcome, alert(AlertDescription::UnknownCA));
    let both = [next.cert_pem().to_owned(), node.agents.trust.agent_authority().cert_pem().to_owned()];
    node.tls.set_agent_authorities(&both).unwrap();
    assert_eq!(handshake(moved).await, Ok(()));
    assert_eq!(handshake(agent).await, Ok(()));
}

#[tokio::test]
async fn connection_that_says_nothing_is_closed_when_its_time_is_over() {
    let limits = Limits { handshake: Duration::from_millis(100), ..Limits::default() };
    let node = TestNode::with_limits(limits).await;
    let mut tcp = TcpStream::connect(node.address).await.unwrap();
    let read = tokio::time::timeout(SOON, tcp.read(&mut [0; 1])).await.expect("closed in time");
    assert!(matches!(read, Ok(0) | Err(_)));
}

#[tokio::test]
async fn connections_beyond_the_limits_are_closed_and_places_come_back() {
    let limits = Limits { max_connections: 2, max_anonymous_connections: 1, ..Limits::default() };
    let node = TestNode::with_limits(limits).await;
    let agent = node.agent().await;
    let client = node.client();
    let anonymous = client.connect(None).await;
    let refused = anonymous.rpc().register(RegisterRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "the call itself was served");
    assert_eq!(client.handshake(client.config(None)).await, closed(), "a second anonymous one has no place");
    let mut stream = client.stream(&agent).await;
    stream.acked().await;
    assert!(client.tls(Arc::new(client.config(Some(&agent)))).await.is_err(), "a third one has no place");
    anonymous.cut();
    wait_until(SOON, || async { client.handshake(client.config(None)).await == Ok(()) }).await;
}

#[tokio::test]
async fn anonymous_connection_when_old_is_asked_to_leave() {
    let limits = Limits {
        anonymous_age: Duration::from_millis(100),
        drain: Duration::from_millis(100),
        ..Limits::default()
    };
    let node = TestNode::with_limits(limits).await;
    let agent = node.agent().await;
    let client = node.client();
    let mut stream = client.tls(Arc::new(client.config(None))).await.unwrap();
    let mut everything = Vec::new();
    let closed = tokio::time::timeout(SOON, stream.read_to_end(&mut everything)).await;
    assert!(closed.is_ok(), "closed in time, one way or another");
    // An agent may stay as long as it likes.
    let mut stream = client.stream(&agent).await;
    stream.acked().await;
    assert!(stream.is_quiet().await && stream.is_quiet().await);
    stream.send(crate::support::beat(&agent.id)).await;
    stream.acked().await;
}

#[tokio::test]
async fn handshake_with_a_certificate_but_another_private_key_is_refused() {
    let node = TestNode::start().await;
    let (victim, thief) = (node.agent().await, node.agent().await);
    let client = node.client();
    let server_ca = node.agents.trust.server_authority().cert_der();
    // The library refuses to load a pair that does not match, so the signature is made by a resolver of our own.
    let mut config = client_config(server_ca, rustls::DEFAULT_VERSIONS, Some((&thief.cert_der, &thief.key)));
    let key = Arc::clone(&config.client_auth_cert_resolver)
        .resolve(&[], &[SignatureScheme::ED25519])
        .map(|pair| CertifiedKey::new(vec![CertificateDer::from(victim.cert_der.clone())], pair.key.clone()))
        .unwrap();
    config.client_auth_cert_resolver = Arc::new(Always(Arc::new(key)));
    assert_eq!(client.handshake(config).await, alert(AlertDescription::DecryptError));
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
