//! Forwarding over TLS to receivers that have certificates of their own authority.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::serve::Listener;
use ctops_audit::event::SealedEvent;
use ctops_audit::forwarders::sign_body;
use ctops_base::{Clock, Role};
use ctops_crypto::authority::{Authority, Purpose};
use ctops_testkit::wait_until;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::App;

const LIMIT: Duration = Duration::from_secs(20);
const SECRET: &str = "a secret of the webhook";

/// An authority that nobody knows yet.
fn an_authority() -> Authority {
    Authority::generate(Purpose::ServerCa, Clock::system().now()).unwrap()
}

/// A port of this machine behind a certificate for `name`.
struct SecuredPort {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl SecuredPort {
    async fn open(authority: &Authority, name: &str) -> Self {
        let identity = authority.issue_server(&[name.to_owned()], Clock::system().now()).unwrap();
        let chain = CertificateDer::pem_slice_iter(identity.cert_chain_pem.as_bytes());
        let chain: Vec<_> = chain.map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    fn port(&self) -> u16 {
        self.tcp.local_addr().unwrap().port()
    }
}

impl Listener for SecuredPort {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// The next client that accepts our certificate.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// A request, or what came over a connection.
type Received = (HeaderMap, Vec<u8>);

/// What a receiver was sent, one entry per connection or request.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<Received>>>);

impl Inbox {
    fn put(&self, headers: HeaderMap, body: Vec<u8>) {
        self.0.lock().unwrap().push((headers, body));
    }

    fn all(&self) -> Vec<Received> {
        self.0.lock().unwrap().clone()
    }
}

/// A task that ends with the test.
struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A syslog receiver; the first `dying` connections are cut off after their first bytes.
async fn syslog(authority: &Authority, name: &str, mut dying: usize) -> (u16, Inbox, Serving) {
    let mut listener = SecuredPort::open(authority, name).await;
    let (port, inbox) = (listener.port(), Inbox::default());
    let kept = inbox.clone();
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await;
            if dying > 0 {
                dying -= 1;
                let mut first = [0; 16];
                stream.read_exact(&mut first).await.unwrap();
                // Unread bytes make the system reset the connection.
                drop(stream);
                continue;
            }
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            kept.put(HeaderMap::new(), bytes);
        }
    });
    (port, inbox, Serving(serving))
}

async fn webhook(authority: &Authority, name: &str) -> (u16, Inbox, Serving) {
    let listener = SecuredPort::open(authority, name).await;
    let (port, inbox) = (listener.port(), Inbox::default());
    let kept = inbox.clone();
    let app = Router::new().fallback(move |headers: HeaderMap, body: Bytes| async move {
        kept.put(headers, body.to_vec());
        StatusCode::NO_CONTENT
    });
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (port, inbox, Serving(serving))
}

/// The events in a stream of RFC 5424 messages with their length in front.
fn events(mut bytes: &[u8]) -> Vec<SealedEvent> {
    let mut found = Vec::new();
    while let Some(space) = bytes.iter().position(|b| *b == b' ') {
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let (message, rest) = bytes[space + 1..].split_at(length);
        let (head, event) = std::str::from_utf8(message).unwrap().split_once('\u{feff}').unwrap();
        assert!(head.starts_with('<') && head.contains(">1 ") && head.contains(" ct-ops "), "{head}");
        found.push(serde_json::from_str(event).unwrap());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "the stream ends with a whole message");
    found
}

fn seqs(events: &[SealedEvent]) -> Vec<i64> {
    events.iter().map(|event| event.seq).collect()
}

async fn forward_to(app: &App, kind: &str, endpoint: String) -> (String, String) {
    let admin = app.person(Role::OrgAdmin).await;
    let secret = (kind == "webhook").then_some(SECRET);
    let wanted = json!({"name": "SIEM", "kind": kind, "endpoint": endpoint, "secret": secret});
    let made = app.post(&admin, "/audit/forwarders", wanted).await.expect(201);
    (admin, made["id"].as_str().unwrap().to_owned())
}

async fn last_error(app: &App, admin: &str) -> Value {
    app.get(admin, "/audit/forwarders").await.expect(200)["items"][0]["last_error"].clone()
}

/// Spec: audit-log 15
#[tokio::test]
async fn syslog_over_tls_gets_every_event_whole_and_in_order() {
    let authority = an_authority();
    let (port, inbox, _serving) = syslog(&authority, "localhost", 0).await;
    let app = App::trusting(authority.cert_pem()).await;
    let (admin, _) = forward_to(&app, "syslog_tls", format!("localhost:{port}")).await;
    app.write_many(700).await;
    app.run("audit_forward").await;
    let received = |inbox: &Inbox| -> Vec<SealedEvent> {
        inbox.all().iter().flat_map(|(_, bytes)| events(bytes)).collect()
    };
    wait_until(LIMIT, || async { received(&inbox).len() >= 701 }).await;
    let received = received(&inbox);
    assert_eq!(seqs(&received), (1..=701).collect::<Vec<_>>());
    for pair in received.windows(2) {
        assert_eq!(pair[1].prev_hash, pair[0].hash, "the receiver can check the chain by itself");
    }
    assert_eq!(last_error(&app, &admin).await, Value::Null);
}

/// Spec: audit-log 15
#[tokio::test]
async fn syslog_receiver_that_dies_in_between_gets_everything_again() {
    let authority = an_authority();
    let (port, inbox, _serving) = syslog(&authority, "localhost", 1).await;
    let app = App::trusting(authority.cert_pem()).await;
    let (admin, _) = forward_to(&app, "syslog_tls", format!("localhost:{port}")).await;
    // More than the buffers of a connection hold, so that the sender notices.
    app.write_many(450).await;
    app.run("audit_forward").await;
    assert!(last_error(&app, &admin).await.as_str().unwrap().contains("connection broke"));
    assert!(inbox.all().is_empty());
    app.clock.advance(chrono::TimeDelta::minutes(1));
    app.run("audit_forward").await;
    wait_until(LIMIT, || async { !inbox.all().is_empty() }).await;
    assert_eq!(seqs(&events(&inbox.all()[0].1)), (1..=451).collect::<Vec<_>>());
    assert_eq!(last_error(&app, &admin).await, Value::Null);
}

/// Spec: audit-log 15, security 9
#[tokio::test]
async fn receiver_with_a_foreign_certificate_or_another_name_gets_nothing() {
    let (authority, foreign) = (an_authority(), an_authority());
    for (kind, issuer, name) in [
        ("syslog_tls", &foreign, "localhost"),
        ("syslog_tls", &authority, "logs.example.com"),
        ("webhook", &foreign, "localhost"),
        ("webhook", &authority, "siem.example.com"),
    ] {
        let app = App::trusting(authority.cert_pem()).await;
        let ((port, inbox, _serving), endpoint) = if kind == "webhook" {
            let receiver = webhook(issuer, name).await;
            let endpoint = format!("https://localhost:{}/in", receiver.0);
            (receiver, endpoint)
        } else {
            let receiver = syslog(issuer, name, 0).await;
            let endpoint = format!("localhost:{}", receiver.0);
            (receiver, endpoint)
        };
        let (admin, id) = forward_to(&app, kind, endpoint).await;
        app.write_many(2).await;
        app.run("audit_forward").await;
        let tested = app.post(&admin, &format!("/audit/forwarders/{id}/test"), json!({})).await.expect(200);
        assert_eq!(tested["delivered"], false, "{kind} {name} {port}");
        assert_eq!(tested["needs_target"], Value::Null);
        assert_eq!(tested["error"], "TLS with localhost failed");
        assert_eq!(last_error(&app, &admin).await, tested["error"]);
        assert!(inbox.all().is_empty(), "{kind} {name}");
    }
}

/// Spec: audit-log 15
#[tokio::test]
async fn webhook_over_tls_is_signed_and_its_secret_stays_here() {
    let authority = an_authority();
    let (port, inbox, _serving) = webhook(&authority, "localhost").await;
    let app = App::trusting(authority.cert_pem()).await;
    let (admin, id) = forward_to(&app, "webhook", format!("https://localhost:{port}/in")).await;
    app.write_many(3).await;
    app.run("audit_forward").await;
    let (headers, body) = inbox.all()[0].clone();
    let timestamp: i64 = headers["x-ctops-timestamp"].to_str().unwrap().parse().unwrap();
    assert_eq!(timestamp, app.clock.now().timestamp());
    let signature = format!("sha256={}", sign_body(SECRET.as_bytes(), timestamp, &body));
    assert_eq!(headers["x-ctops-signature"], signature.as_str());
    assert_eq!(headers["x-ctops-delivery"], format!("{id}:1-4").as_str());
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent["organisation"], json!(app.org));
    let sealed: Vec<SealedEvent> = serde_json::from_value(sent["events"].clone()).unwrap();
    assert_eq!(seqs(&sealed), [1, 2, 3, 4]);
    assert!(!format!("{headers:?}{sent}").contains(SECRET));
    let tested = app.post(&admin, &format!("/audit/forwarders/{id}/test"), json!({})).await.expect(200);
    assert_eq!(tested["delivered"], true, "{tested}");
}

/// Spec: security 8
#[tokio::test]
async fn receiver_in_a_private_network_is_named_so_that_it_can_be_opened() {
    let app = App::new().await;
    let (admin, id) = forward_to(&app, "webhook", "https://10.255.255.1/in".to_owned()).await;
    app.write_many(1).await;
    let test = format!("/audit/forwarders/{id}/test");
    let tested = app.post(&admin, &test, json!({})).await.expect(200);
    assert_eq!((&tested["delivered"], &tested["needs_target"]), (&json!(false), &json!("10.255.255.1")));
    sqlx::query("INSERT INTO egress_settings (org_id, mode, updated_at) VALUES ($1, 'public-only', now())")
        .bind(app.org)
        .execute(app.pool())
        .await
        .unwrap();
    let tested = app.post(&admin, &test, json!({})).await.expect(200);
    assert_eq!(tested["needs_target"], Value::Null, "an entry would not help");
}
