use std::time::Duration;

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_fleet::hosts::{MetricsConsumer, StatusConsumer, soft_delete, watch};
use ctops_pg::notify::{CHANGES, Notifications, notify};
use ctops_proto::queue::Report;
use ctops_testkit::{TestHost, a_host, a_organisation, start_time};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::support::{Stream, a_beginning, a_report, apply, some_facts};
use crate::support::{App, Person};

/// The application with its live views running until this is dropped.
struct Live {
    app: App,
    viewer: Person,
    host: TestHost,
    _notifications: Notifications,
    stop: CancellationToken,
}

impl Live {
    async fn start() -> Self {
        let app = App::new().await;
        let viewer = app.person(Role::ReadOnly).await;
        let host = a_host(app.org).insert(app.pool()).await;
        let notifications = Notifications::start(app.pool(), &[CHANGES]).await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(watch::run(app.state.clone(), &notifications, stop.clone()));
        Self { app, viewer, host, _notifications: notifications, stop }
    }

    async fn follow(&self, last_event_id: Option<&str>) -> Stream {
        let path = format!("/hosts/{}/events", self.host.id);
        Stream::open(&self.app, &self.viewer, &path, last_event_id).await
    }

    async fn follow_fleet(&self, last_event_id: Option<&str>) -> Stream {
        Stream::open(&self.app, &self.viewer, "/events?topics=fleet", last_event_id).await
    }

    async fn report(&self, second: i64, cpu_centi: u32) {
        let at = start_time() + TimeDelta::seconds(second);
        let report = Report { cpu_centi: Some(cpu_centi), ..a_report(self.app.org, &self.host, at) };
        apply(&self.app, MetricsConsumer, &[report]).await;
    }

    async fn notify(&self, payload: &str) {
        notify(self.app.pool(), CHANGES, payload).await.unwrap();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Spec: hosts 28
#[tokio::test]
async fn host_stream_tells_new_figures_within_two_seconds_and_unchanged_ones_never() {
    let live = Live::start().await;
    let mut stream = live.follow(None).await;
    assert_eq!(stream.status, 200);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    let begin = Instant::now();
    live.report(1, 4_321).await;
    let event = stream.expect("host.updated").await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    let expected = json!({
        "id": live.host.id,
        "status": "online",
        "cpu_percent": 43.2,
        "memory_percent": 50.0,
        "disk_percent": 60.0,
        "uptime_seconds": 77,
        "last_seen_at": "2026-06-03T12:00:01.000Z",
        "recorded_at": "2026-06-03T12:00:01.000Z",
    });
    assert_eq!(event.data, expected);
    live.notify("vitals").await;
    live.notify("status:nonsense").await;
    live.report(2, 5_000).await;
    assert_eq!(stream.expect("host.updated").await.data["cpu_percent"], 50.0);
}

/// Spec: hosts 28, 29
#[tokio::test]
async fn host_stream_of_a_deleted_host_says_so_and_ends() {
    let live = Live::start().await;
    let mut stream = live.follow(None).await;
    let mut tx = live.app.pool().begin().await.unwrap();
    soft_delete(&mut tx, live.host.id, None, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stream.expect("host.deleted").await.data, json!({ "id": live.host.id }));
    assert!(stream.next().await.is_none(), "the stream is over");
}

/// Spec: hosts 28
#[tokio::test]
async fn host_stream_that_reconnects_continues_or_is_reset() {
    let live = Live::start().await;
    let mut stream = live.follow(None).await;
    live.report(1, 100).await;
    let first = stream.expect("host.updated").await;
    drop(stream);
    live.report(2, 200).await;
    let mut again = live.follow(Some(&first.id)).await;
    assert_eq!(again.expect("host.updated").await.data["cpu_percent"], 2.0, "what was missed");
    let mut lost = live.follow(Some("another-boot.7")).await;
    lost.expect("reset").await;
}

/// Spec: hosts 28
#[tokio::test]
async fn host_stream_shows_what_was_missed_while_the_database_connection_was_lost() {
    let live = Live::start().await;
    let mut stream = live.follow(None).await;
    live.report(1, 100).await;
    stream.expect("host.updated").await;
    // A change nobody is told about, like one made while nobody listened.
    sqlx::query("UPDATE host_vitals SET cpu_centi = 9900").execute(live.app.pool()).await.unwrap();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'ct-ops listen'",
    )
    .execute(live.app.pool())
    .await
    .unwrap();
    assert_eq!(stream.expect("host.updated").await.data["cpu_percent"], 99.0);
}

/// Spec: hosts 10
#[tokio::test]
async fn fleet_stream_tells_what_kind_of_thing_changed_within_two_seconds() {
    let live = Live::start().await;
    let mut stream = live.follow_fleet(None).await;
    let begin = Instant::now();
    let at = start_time() + TimeDelta::seconds(1);
    let report = Report { facts: Some(some_facts()), ..a_report(live.app.org, &live.host, at) };
    apply(&live.app, MetricsConsumer, &[report]).await;
    assert_eq!(stream.expect("fleet.changed").await.data, json!({ "kinds": ["vitals", "hosts"] }));
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    sqlx::query("UPDATE host_vitals SET status = 'offline'").execute(live.app.pool()).await.unwrap();
    apply(&live.app, StatusConsumer, &[a_beginning(live.app.org, &live.host, Uuid::now_v7())]).await;
    assert_eq!(stream.expect("fleet.changed").await.data, json!({ "kinds": ["status", "agents"] }));
}

/// Spec: hosts 10
#[tokio::test]
async fn fleet_stream_of_a_busy_fleet_speaks_once_a_second_and_forgets_nothing() {
    let live = Live::start().await;
    let mut stream = live.follow_fleet(None).await;
    live.notify(&format!("status:{}", live.app.org)).await;
    assert_eq!(stream.expect("fleet.changed").await.data, json!({ "kinds": ["status"] }));
    let begin = Instant::now();
    for payload in ["vitals", "hosts", "vitals", "agents", "alerts", ""] {
        live.notify(payload).await;
    }
    assert_eq!(stream.expect("fleet.changed").await.data, json!({ "kinds": ["vitals", "agents", "hosts"] }));
    assert!(begin.elapsed() > Duration::from_millis(700), "told together: {:?}", begin.elapsed());
}

/// Spec: hosts 10
#[tokio::test]
async fn fleet_stream_hears_nothing_of_other_organisations() {
    let live = Live::start().await;
    let other = a_organisation(live.app.pool()).await;
    let stranger = live.app.person_of(other, Role::ReadOnly).await;
    let mut mine = live.follow_fleet(None).await;
    let mut theirs = Stream::open(&live.app, &stranger, "/events?topics=fleet", None).await;
    live.notify(&format!("status:{other}")).await;
    live.notify(&format!("hosts:{}", live.app.org)).await;
    assert_eq!(mine.expect("fleet.changed").await.data, json!({ "kinds": ["hosts"] }));
    assert_eq!(theirs.expect("fleet.changed").await.data, json!({ "kinds": ["status"] }));
    let mut lost = live.follow_fleet(Some("nonsense")).await;
    lost.expect("reset").await;
}

#[tokio::test]
async fn streams_of_what_is_not_there_are_refused() {
    let live = Live::start().await;
    for query in ["", "?topics=", "?topics=fleets", "?topics=fleet,tasks", "?topics=host:1"] {
        let answer = live.app.get(&live.viewer, &format!("/events{query}")).await;
        assert_eq!(answer.code(422), "validation_failed", "{query}");
        assert_eq!(answer.json()["fields"][0]["path"], "topics");
    }
    let answer = live.app.get(&live.viewer, "/events?topic=fleet").await;
    assert_eq!(answer.code(422), "unknown_field");
    let path = format!("/hosts/{}/events", Uuid::nil());
    let refused: Vec<_> = (0..9).map(|_| live.app.get(&live.viewer, &path)).collect();
    for answer in refused {
        assert_eq!(answer.await.code(404), "not_found", "a refused stream does not count as one");
    }
}

/// Spec: hosts 10
#[tokio::test]
async fn ninth_stream_of_one_person_is_refused() {
    let live = Live::start().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(live.follow_fleet(None).await);
    }
    let answer = live.app.get(&live.viewer, "/events?topics=fleet").await;
    assert_eq!(answer.code(429), "rate_limited");
    assert!(answer.headers.contains_key("retry-after"));
}
