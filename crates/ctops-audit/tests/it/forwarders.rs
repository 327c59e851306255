//! Forwarding to real receivers on this machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use chrono::TimeDelta;
use ctops_audit::event::SealedEvent;
use ctops_audit::forwarders::sign_body;
use ctops_base::Role;
use ctops_pg::notify::{JOBS, Notice, Notifications};
use ctops_slice::audit::{AuditEvent, By};
use ctops_testkit::{a_organisation, wait_until};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::App;

const SECRET: &str = "a secret of the webhook";
const LIMIT: Duration = Duration::from_secs(20);

/// Everything a receiver was sent.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<Delivery>>>);

/// Headers and body of one request.
type Delivery = (HeaderMap, Vec<u8>);

impl Inbox {
    fn all(&self) -> Vec<(HeaderMap, Vec<u8>)> {
        self.0.lock().unwrap().clone()
    }
}

struct Receiver {
    address: SocketAddr,
    inbox: Inbox,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn webhook(address: &str, status: StatusCode) -> Receiver {
    let listener = TcpListener::bind(address).await.unwrap();
    let (address, inbox) = (listener.local_addr().unwrap(), Inbox::default());
    let kept = inbox.clone();
    let app = Router::new().fallback(move |headers: HeaderMap, body: Bytes| async move {
        kept.0.lock().unwrap().push((headers, body.to_vec()));
        status
    });
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Receiver { address, inbox, serving }
}

async fn syslog() -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, inbox) = (listener.local_addr().unwrap(), Inbox::default());
    let kept = inbox.clone();
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            kept.0.lock().unwrap().push((HeaderMap::new(), bytes));
        }
    });
    Receiver { address, inbox, serving }
}

/// The messages in a stream of frames with their length in front.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(space) = bytes.iter().position(|b| *b == b' ') {
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let message = &bytes[space + 1..space + 1 + length];
        found.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = &bytes[space + 1 + length..];
    }
    found
}

fn wanted(kind: &str, endpoint: &str) -> Value {
    let secret = (kind == "webhook").then_some(SECRET);
    json!({"name": "SIEM", "kind": kind, "endpoint": endpoint, "secret": secret})
}

async fn state_of(app: &App, who: &str) -> Value {
    app.get(who, "/audit/forwarders").await.expect(200)["items"][0].clone()
}

fn seqs(inbox: &Inbox) -> Vec<i64> {
    let bodies = inbox.all();
    let read = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["events"].clone();
    bodies
        .iter()
        .flat_map(|(_, body)| serde_json::from_value::<Vec<SealedEvent>>(read(body)).unwrap())
        .map(|event| event.seq)
        .collect()
}

/// Spec: audit-log 15, 16
#[tokio::test]
async fn webhook_gets_every_event_in_order_and_signed() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(3).await;
    let receiver = webhook("127.0.0.1:0", StatusCode::NO_CONTENT).await;
    let endpoint = format!("http://{}/in", receiver.address);
    let made = app.post(&admin, "/audit/forwarders", wanted("webhook", &endpoint)).await;
    assert!(!made.text.contains(SECRET));
    assert_eq!(made.expect(201)["has_secret"], true);
    app.write_many(501).await;
    app.run("audit_forward").await;
    let expected: Vec<i64> = (4..=505).collect();
    assert_eq!(seqs(&receiver.inbox), expected, "from its making on, the event about it included");
    let (headers, body) = receiver.inbox.all()[0].clone();
    let timestamp: i64 = headers["x-ctops-timestamp"].to_str().unwrap().parse().unwrap();
    let signature = format!("sha256={}", sign_body(SECRET.as_bytes(), timestamp, &body));
    assert_eq!(headers["x-ctops-signature"], signature.as_str());
    let state = state_of(&app, &admin).await;
    assert_eq!((&state["lag"], &state["last_error"]), (&json!(0), &json!(null)));
    app.run("audit_forward").await;
    assert_eq!(seqs(&receiver.inbox).len(), expected.len(), "nothing is sent again");
    let rows: Vec<String> = sqlx::query_scalar("SELECT to_jsonb(e)::text FROM audit_events AS e")
        .fetch_all(app.pool())
        .await
        .unwrap();
    assert!(rows.iter().any(|row| row.contains("audit.forwarder_created")));
    assert!(!rows.iter().any(|row| row.contains(SECRET)));
}

/// Spec: audit-log 15
#[tokio::test]
async fn sealing_wakes_the_job_that_forwards_and_only_when_something_was_sealed() {
    let app = App::new().await;
    let notifications = Notifications::start(app.pool(), &[JOBS]).await.unwrap();
    let mut notices = notifications.subscribe();
    app.run("audit_seal").await;
    app.write(AuditEvent::by(By::System, Some(app.org), "host.updated", "host")).await;
    app.run("audit_seal").await;
    let notice = tokio::time::timeout(LIMIT, notices.recv()).await.unwrap().unwrap();
    assert_eq!(notice, Notice::Message { channel: JOBS.into(), payload: "audit_forward".into() });
    assert!(notices.try_recv().is_err(), "nothing was sealed before");
}

/// Spec: audit-log 15
#[tokio::test]
async fn forwarder_after_an_outage_goes_on_where_it_was() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let refusing = webhook("127.0.0.1:0", StatusCode::SERVICE_UNAVAILABLE).await;
    let address = refusing.address;
    let endpoint = format!("http://{address}/in");
    let made = app.post(&admin, "/audit/forwarders", wanted("webhook", &endpoint)).await.expect(201);
    app.write_many(2).await;
    app.run("audit_forward").await;
    let state = state_of(&app, &admin).await;
    assert_eq!((&state["failures"], &state["lag"]), (&json!(1), &json!(3)));
    assert_eq!(state["last_error"], "the server answered 503");
    app.run("audit_forward").await;
    assert_eq!(refusing.inbox.all().len(), 1, "it waits before it tries again");
    drop(refusing);
    app.clock.advance(TimeDelta::seconds(6));
    app.run("audit_forward").await;
    assert_eq!(state_of(&app, &admin).await["failures"], 2);
    let working = webhook("127.0.0.1:0", StatusCode::OK).await;
    let path = format!("/audit/forwarders/{}", made["id"].as_str().unwrap());
    let moved =
        json!({"name": "SIEM", "kind": "webhook", "endpoint": format!("http://{}/in", working.address)});
    assert_eq!(app.send(&admin, "PUT", &path, Some(moved)).await.expect(200)["has_secret"], true);
    app.run("audit_forward").await;
    assert_eq!(seqs(&working.inbox), [1, 2, 3]);
}

/// Spec: audit-log 15
#[tokio::test]
async fn syslog_over_tcp_gets_messages_of_rfc_5424() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let receiver = syslog().await;
    let endpoint = receiver.address.to_string();
    app.post(&admin, "/audit/forwarders", wanted("syslog_tcp", &endpoint)).await.expect(201);
    app.write_many(2).await;
    app.run("audit_forward").await;
    wait_until(LIMIT, || async { !receiver.inbox.all().is_empty() }).await;
    let received = messages(&receiver.inbox.all()[0].1);
    assert_eq!(received.len(), 3);
    assert!(
        received[1].starts_with("<110>1 2026-06-03T12:00:01.000000Z - ct-ops - host.updated - \u{feff}{")
    );
    assert_eq!(state_of(&app, &admin).await["lag"], 0);
}

/// Spec: audit-log 15
#[tokio::test]
async fn forwarder_is_tested_switched_off_and_deleted() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(1).await;
    let receiver = webhook("127.0.0.1:0", StatusCode::OK).await;
    let endpoint = format!("http://{}/in", receiver.address);
    let made = app.post(&admin, "/audit/forwarders", wanted("webhook", &endpoint)).await.expect(201);
    let path = format!("/audit/forwarders/{}", made["id"].as_str().unwrap());
    let tested = app.send(&admin, "POST", &format!("{path}/test"), None).await.expect(200);
    assert_eq!(tested, json!({"delivered": true, "error": null, "needs_target": null}));
    let mut off = wanted("webhook", &endpoint);
    off["enabled"] = json!(false);
    app.send(&admin, "PUT", &path, Some(off)).await.expect(200);
    app.write_many(1).await;
    let before = receiver.inbox.all().len();
    app.run("audit_forward").await;
    assert_eq!(receiver.inbox.all().len(), before);
    drop(receiver);
    let failed = app.send(&admin, "POST", &format!("{path}/test"), None).await.expect(200);
    assert_eq!(failed["delivered"], false);
    let stranger = app.somebody(a_organisation(app.pool()).await, Role::SuperAdmin).await.0;
    assert_eq!(app.send(&stranger, "DELETE", &path, None).await.code(404), "not_found");
    app.send(&admin, "DELETE", &path, None).await.expect(204);
    assert_eq!(app.get(&admin, "/audit/forwarders").await.expect(200)["items"], json!([]));
    let actions: Vec<String> = sqlx::query_scalar(
        "SELECT action || ' ' || outcome FROM audit_events WHERE target_type = 'audit_forwarder' ORDER BY id",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    let expected = [
        "audit.forwarder_created success",
        "audit.forwarder_tested success",
        "audit.forwarder_changed success",
        "audit.forwarder_tested failed",
        "audit.forwarder_deleted success",
    ];
    assert_eq!(actions, expected);
}

/// Spec: audit-log 15
#[tokio::test]
async fn forwarders_are_checked_and_limited() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for bad in [
        json!({"name": "", "kind": "syslog_tcp", "endpoint": "a.example.com"}),
        json!({"name": "x", "kind": "carrier_pigeon", "endpoint": "a.example.com"}),
        json!({"name": "x", "kind": "webhook", "endpoint": "https://a.example.com"}),
        json!({"name": "x", "kind": "webhook", "endpoint": "https://a.example.com?k=1", "secret": SECRET}),
    ] {
        assert_eq!(app.post(&admin, "/audit/forwarders", bad).await.code(422), "validation_failed");
    }
    for _ in 0..10 {
        app.post(&admin, "/audit/forwarders", wanted("syslog_tls", "a.example.com")).await.expect(201);
    }
    let more = app.post(&admin, "/audit/forwarders", wanted("syslog_tls", "a.example.com")).await;
    assert_eq!(more.code(409), "conflict");
    let engineer = app.person(Role::Engineer).await;
    app.get(&engineer, "/audit/forwarders").await.code(403);
}
