//! Connections that are made and those that are not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Problem, ProblemKind};
use ctops_egress::{
    Egress, EgressError, EgressOptions, OutboundRequest, Purpose, Refusal, Resolver, TlsTrust,
};
use ctops_testkit::{TestDb, a_organisation};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const SECOND: Duration = Duration::from_secs(1);

/// Names of a test; each look-up takes the next answer, the last one stays.
#[derive(Default)]
struct Names(HashMap<&'static str, Mutex<Vec<Vec<&'static str>>>>);

#[async_trait]
impl Resolver for Names {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let answers = self.0.get(host).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut answers = answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Ok(answer.iter().map(|address| address.parse().unwrap()).collect())
    }
}

fn names(known: &[(&'static str, &[&[&'static str]])]) -> Arc<Names> {
    let answers = |lists: &[&[&'static str]]| Mutex::new(lists.iter().map(|list| list.to_vec()).collect());
    Arc::new(Names(known.iter().map(|(name, lists)| (*name, answers(lists))).collect()))
}

async fn refusal(egress: &Egress, purpose: Purpose, host: &str, port: u16) -> Option<Refusal> {
    match egress.connect(None, purpose, host, port, SECOND / 20).await {
        Err(EgressError::Refused { why, .. }) => Some(why),
        _ => None,
    }
}

/// Spec: security 7, 9
#[tokio::test]
async fn every_address_of_a_name_must_pass() {
    let db = TestDb::new().await;
    let resolver = names(&[
        ("mixed.example", &[&["10.255.255.1", "127.0.0.1"]]),
        ("mapped.example", &[&["::ffff:169.254.169.254"]]),
        ("plain.example", &[&["10.255.255.1"]]),
        ("nothing.example", &[&[]]),
    ]);
    let options = EgressOptions { resolver: Some(resolver), ..EgressOptions::default() };
    let egress = Egress::new(db.pool().clone(), options);
    for host in ["mixed.example", "mapped.example", "127.0.0.1", "[::1]", "0.0.0.0"] {
        assert_eq!(refusal(&egress, Purpose::Ldap, host, 636).await, Some(Refusal::Forbidden), "{host}");
    }
    assert_eq!(refusal(&egress, Purpose::Ldap, "plain.example", 636).await, None, "a private directory");
    assert_eq!(refusal(&egress, Purpose::Ldap, "plain.example", 22).await, Some(Refusal::Port));
    for host in ["nothing.example", "unknown.example"] {
        let outcome = egress.check(None, Purpose::Ldap, host, 636).await;
        assert!(matches!(outcome, Err(EgressError::Unresolved(_))), "{host}");
    }
    let problem = Problem::from(egress.check(None, Purpose::Ldap, "127.0.0.1", 636).await.unwrap_err());
    assert_eq!((problem.kind(), problem.code()), (ProblemKind::Invalid, "egress_refused"));
}

/// Spec: security 8
#[tokio::test]
async fn an_organisation_needs_an_entry_where_the_operator_does_not() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    let egress = Egress::new(db.pool().clone(), EgressOptions::default());
    let check = async |org| egress.check(org, Purpose::Smtp, "10.1.2.3", 587).await;
    assert!(check(None).await.is_ok(), "the relay of the environment");
    let error = check(Some(org)).await.unwrap_err();
    assert_eq!(error.code(), "egress_needs_target", "the page can offer to add it");
    for sql in [
        "INSERT INTO egress_targets (org_id, target, note, created_at) SELECT id, '10.1.2.0/24', '', now() FROM organisations",
        "INSERT INTO egress_settings (org_id, mode, updated_at) SELECT id, 'closed', now() FROM organisations",
    ] {
        sqlx::query(sql).execute(db.pool()).await.unwrap();
        assert!(check(Some(org)).await.is_ok(), "at once");
    }
    let other = egress.check(Some(org), Purpose::Smtp, "8.8.8.8", 587).await;
    assert!(matches!(other, Err(EgressError::Refused { why: Refusal::Closed, .. })));
}

/// Spec: security 7
#[tokio::test]
async fn services_of_the_installation_are_nobodys_target() {
    let db = TestDb::new().await;
    let resolver = names(&[("db.internal", &[&["10.9.9.9"]]), ("alias.example", &[&["10.9.9.9"]])]);
    let options = EgressOptions {
        resolver: Some(resolver),
        own_services: vec![("db.internal".into(), 5432)],
        ..EgressOptions::default()
    };
    let egress = Egress::new(db.pool().clone(), options);
    for host in ["db.internal", "alias.example", "10.9.9.9"] {
        let refused = refusal(&egress, Purpose::Certificates, host, 5432).await;
        assert_eq!(refused, Some(Refusal::OwnService), "{host}");
    }
    assert_eq!(
        refusal(&egress, Purpose::Certificates, "alias.example", 8443).await,
        None,
        "another port of it"
    );
}

/// A server that answers each connection with `answer`, counted.
async fn server(answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, asked)
}

async fn development(resolver: Option<Arc<dyn Resolver>>) -> (TestDb, Egress) {
    let db = TestDb::new().await;
    let options = EgressOptions { allow_loopback: true, resolver, ..EgressOptions::default() };
    let egress = Egress::new(db.pool().clone(), options);
    (db, egress)
}

/// Spec: security 9
#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_dialled() {
    let (port, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".into()).await;
    let rebinding = names(&[("rebind.example", &[&["127.0.0.1"], &["169.254.169.254"]])]);
    let (_db, egress) = development(Some(rebinding)).await;
    let stream = egress.connect(None, Purpose::Ldap, "rebind.example", port, SECOND).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().ip(), IpAddr::from([127, 0, 0, 1]));
    assert_eq!(refusal(&egress, Purpose::Ldap, "rebind.example", port).await, Some(Refusal::Forbidden));
    drop(stream);
    assert!(asked.load(Ordering::SeqCst) <= 1, "looked up once per connection");
}

/// Spec: security 9
#[tokio::test]
async fn redirects_are_not_followed_and_answers_are_bounded() {
    let (target, visited) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
    let moved =
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = server(moved).await;
    let (_db, egress) = development(None).await;
    let ask = async |port: u16, most: usize| {
        let url = format!("http://127.0.0.1:{port}/x");
        let request = OutboundRequest { max_answer: most, ..OutboundRequest::get(url) };
        egress.https(None, Purpose::Webhook, request).await
    };
    let answer = ask(port, 100).await.unwrap();
    assert_eq!((answer.status.as_u16(), visited.load(Ordering::SeqCst)), (302, 0));

    let (declared, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345".into()).await;
    assert_eq!(ask(declared, 5).await.unwrap().body, "12345");
    assert!(matches!(ask(declared, 4).await, Err(EgressError::TooLarge(4))));
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n";
    let (endless, _) = server(chunked.into()).await;
    assert!(matches!(ask(endless, 9).await, Err(EgressError::TooLarge(9))));
    let (nonsense, _) = server("SSH-2.0-OpenSSH_9\r\n".into()).await;
    assert!(matches!(ask(nonsense, 9).await, Err(EgressError::Protocol(_))));
    let closed = ask(1, 9).await;
    assert!(matches!(closed, Err(EgressError::Refused { why: Refusal::Port, .. })), "{closed:?}");
    let plain = egress.https(None, Purpose::Oidc, OutboundRequest::get("http://idp.example/")).await;
    assert!(matches!(plain, Err(EgressError::BadUrl(_))), "plain HTTP to another machine");
}

/// Spec: security 9
#[tokio::test]
async fn tls_checks_issuer_and_name() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let (_db, egress) =
        development(Some(names(&[("localhost", &[&["127.0.0.1"]]), ("other", &[&["127.0.0.1"]])]))).await;
    let pem = certificate.pem();
    let ask = async |host: &str, trust: TlsTrust<'_>| {
        let request = OutboundRequest::get(format!("https://{host}:{port}/"));
        egress.https_trusting(None, Purpose::Oidc, request, trust).await
    };
    assert_eq!(ask("localhost", TlsTrust::Only(&pem)).await.unwrap().body, "hi");
    assert!(matches!(ask("other", TlsTrust::Only(&pem)).await, Err(EgressError::Tls { .. })), "another name");
    let system = ask("localhost", TlsTrust::System).await;
    assert!(matches!(system, Err(EgressError::Tls { .. } | EgressError::BadTrust)), "another issuer");
    assert!(matches!(ask("localhost", TlsTrust::Only("x")).await, Err(EgressError::BadTrust)));
}
