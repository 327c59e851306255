//! Reports, status changes, consumers and event streams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_proto::queue::status_change::Kind;
use ctops_proto::queue::{HostFacts, Report, StatusChange};
use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{Handler, Parked, Queue, Record, run_consumer};
use ctops_testkit::{TestHost, start_time, wait_until};
use futures_util::StreamExt;
use prost::Message;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::support::{App, Person};

/// Long enough for a busy machine; nothing waits this long when all is well.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// A sample of `host`, measured and received `at`.
pub(crate) fn a_report(org: Uuid, host: &TestHost, at: DateTime<Utc>) -> Report {
    Report {
        host_id: host.id.to_string(),
        org_id: org.to_string(),
        agent_id: host.agent_id.clone().unwrap_or_else(|| "a".repeat(24)),
        received_at_ms: at.timestamp_millis(),
        recorded_at_ms: at.timestamp_millis(),
        cpu_centi: Some(4_200),
        memory_centi: Some(5_000),
        disk_centi: Some(6_000),
        uptime_seconds: Some(77),
        is_sample: true,
        facts: None,
        session_id: new_id().to_string(),
        clock_skewed: false,
        ..Report::default()
    }
}

pub(super) fn some_facts() -> HostFacts {
    HostFacts {
        agent_version: "2.1.0".into(),
        os: "alpine".into(),
        arch: "aarch64".into(),
        os_version: "3.20".into(),
        disks: vec![ctops_proto::queue::Disk {
            mount_point: "/".into(),
            device: "/dev/vda1".into(),
            fs_type: "ext4".into(),
            total_bytes: 100,
            used_bytes: 25,
            free_bytes: 75,
            used_centi: 2_504,
        }],
        interfaces: vec![ctops_proto::queue::Interface {
            name: "eth0".into(),
            ip_addresses: vec!["192.0.2.9".into(), "fe80::1".into()],
            mac_address: "02:00:00:00:00:09".into(),
            is_up: true,
        }],
    }
}

/// A lease of `host`'s agent that begins.
pub(super) fn a_beginning(org: Uuid, host: &TestHost, session: Uuid) -> StatusChange {
    StatusChange {
        host_id: host.id.to_string(),
        org_id: org.to_string(),
        agent_id: host.agent_id.clone().unwrap(),
        session_id: session.to_string(),
        node_id: Uuid::from_u128(9).to_string(),
        kind: Kind::LeaseBegan.into(),
        reason: String::new(),
        at_ms: start_time().timestamp_millis(),
        interval_seconds: 30,
    }
}

/// The end of that lease.
pub(super) fn an_end(beginning: &StatusChange, reason: &str) -> StatusChange {
    StatusChange { kind: Kind::LeaseEnded.into(), reason: reason.into(), ..beginning.clone() }
}

/// Applies the messages as one batch.
pub(crate) async fn apply(app: &App, handler: impl Handler, messages: &[impl Message]) -> Vec<Parked> {
    let record = |(offset, message): (usize, &_)| Record {
        offset: offset as u64,
        key: Bytes::new(),
        payload: Message::encode_to_vec(message).into(),
        appended_at_ms: 0,
    };
    let records: Vec<Record> = messages.iter().enumerate().map(record).collect();
    let mut tx = app.pool().begin().await.unwrap();
    let parked = handler.apply(&mut tx, &records).await.unwrap();
    tx.commit().await.unwrap();
    parked
}

/// A real queue with one consumer.
pub(super) struct Consumer {
    log: Arc<Log>,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
    _directory: TempDir,
}

impl Consumer {
    pub(super) async fn start(app: &App, handler: impl Handler + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = LogOptions::new(directory.path().join("queue"));
        (options.segment_bytes, options.max_bytes) = (64 * 1024, 64 * 1024 * 64);
        let log = Arc::new(Log::open(options, app.clock.clone()).await.unwrap());
        let handler: Arc<dyn Handler> = Arc::new(handler);
        let stop = CancellationToken::new();
        let pool = app.pool().clone();
        tokio::spawn(run_consumer(log.clone(), pool, app.clock.clone(), handler.clone(), stop.clone()));
        Self { log, handler, stop, _directory: directory }
    }

    /// Publishes and waits until everything published so far is applied.
    pub(super) async fn deliver(&self, app: &App, payloads: Vec<Vec<u8>>) {
        let topic = self.handler.topic();
        let before: i64 = self.next_offset(app).await;
        let published = payloads.len() as i64;
        let records = payloads.into_iter().map(|payload| (Bytes::from_static(b"key"), payload.into()));
        self.log.publish_many(topic, records.collect()).await.unwrap();
        wait_until(LIMIT, async || self.next_offset(app).await >= before + published).await;
    }

    async fn next_offset(&self, app: &App) -> i64 {
        sqlx::query_scalar(
            "SELECT COALESCE(max(next_offset), 0) FROM consumer_offsets WHERE group_name = $1 AND topic = $2",
        )
        .bind(self.handler.group())
        .bind(self.handler.topic().name())
        .fetch_one(app.pool())
        .await
        .unwrap()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An open event stream.
pub(crate) struct Stream {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: BodyDataStream,
    text: String,
}

/// One event of it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Stream {
    pub(crate) async fn open(app: &App, who: &Person, path: &str, last_event_id: Option<&str>) -> Self {
        let mut api = OpenApiRouter::new();
        for slice in ctops_fleet::slices(&app.deps) {
            api = api.merge(slice.into_router());
        }
        let guard = axum::middleware::from_fn_with_state(app.state.clone(), ctops_slice::guard::guard);
        let router: Router = api.split_for_parts().0.layer(guard).with_state(app.state.clone());
        let session = format!("__Host-ctops_session=session-{}", who.actor.session_id().unwrap().simple());
        let mut request = Request::get(path).header("cookie", session).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event; none when the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let reading = async {
            loop {
                if let Some((block, rest)) = self.text.split_once("\n\n") {
                    let event = parse(block);
                    self.text = rest.to_owned();
                    match event {
                        Some(event) => return Some(event),
                        None => continue,
                    }
                }
                let bytes = self.body.next().await?.unwrap();
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        };
        tokio::time::timeout(LIMIT, reading).await.expect("the stream says something or ends")
    }

    /// The next event, which must have this name.
    pub(crate) async fn expect(&mut self, name: &'static str) -> Event {
        let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}"));
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}

/// A block of lines; none for comments.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim_start().to_owned())
    };
    let data = serde_json::from_str(&field("data")?).unwrap();
    Some(Event { id: field("id").unwrap(), name: field("event").unwrap(), data })
}
