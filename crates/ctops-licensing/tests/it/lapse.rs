//! The end of a licence, the clock, notices, the cache.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_pg::notify::{LICENCES, Notifications, notify};
use ctops_slice::{Entitlements, Feature};
use ctops_testkit::wait_until;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::App;

impl App {
    async fn gate(&self) -> u16 {
        self.send(&self.admin, "GET", "/gated", None).await.0.as_u16()
    }

    async fn mails(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM mail_outbox WHERE kind = 'licence'")
            .fetch_one(self.pool())
            .await
            .unwrap()
    }
}

/// Spec: licensing 11, 20
#[tokio::test]
async fn a_licence_ends_to_the_second_without_a_restart() {
    let app = App::new().await;
    let end = app.clock.now().timestamp() + 3600;
    app.licensed(json!({"exp": end, "maxHosts": 5})).await;
    app.clock.advance(TimeDelta::seconds(3599));
    assert_eq!(app.gate().await, 200);
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(app.gate().await, 403);
    let of = app.licensing.of(app.org).await.unwrap();
    assert!(
        !of.has(Feature::AuditLog) && of.max_hosts.is_none(),
        "background work sees the same; Community has no cap"
    );
    let shown = app.ok("GET", "/licence", None).await;
    assert_eq!((&shown["status"], &shown["tier"]), (&json!("expired"), &json!("community")));
    assert_eq!((&shown["key"]["tier"], &shown["banner"]["stage"]), (&json!("pro"), &json!("expired")));
    app.licensed(json!({})).await;
    assert_eq!(app.gate().await, 200, "renewed");
}

/// Spec: licensing 20
#[tokio::test]
async fn administrators_are_told_once_per_stage() {
    let app = App::new().await;
    app.person(Role::Engineer).await;
    app.person(Role::SuperAdmin).await;
    let end = app.clock.now() + TimeDelta::days(40);
    app.licensed(json!({"exp": end.timestamp()})).await;
    let mut sent = 0;
    for (days_left, stage) in
        [(31, None), (30, Some("30")), (20, Some("30")), (14, Some("14")), (7, Some("7")), (1, Some("1"))]
    {
        app.clock.advance(end - TimeDelta::days(days_left) - app.clock.now());
        let shown = app.ok("GET", "/licence", None).await;
        assert_eq!(shown["banner"]["stage"].as_str(), stage, "{days_left} days before");
        for _ in 0..2 {
            app.run("licences.tell_administrators").await;
        }
        if matches!(days_left, 30 | 14 | 7 | 1) {
            sent += 2;
        }
        assert_eq!(app.mails().await, sent, "one to each administrator, {days_left} days before");
    }
    app.clock.advance(TimeDelta::days(1));
    for _ in 0..2 {
        app.run("licences.tell_administrators").await;
    }
    assert_eq!(app.mails().await, 10);
    assert_eq!(app.audited().await, ["licence.activated", "licence.expired"]);
}

/// Spec: licensing 20
#[tokio::test]
async fn a_licence_activated_late_is_told_at_its_own_stage_only() {
    let app = App::new().await;
    let end = app.clock.now() + TimeDelta::days(10);
    let shown = app.licensed(json!({"exp": end.timestamp()})).await;
    assert_eq!((&shown["banner"]["stage"], &shown["banner"]["days_left"]), (&json!("14"), &json!(10)));
    app.run("licences.tell_administrators").await;
    assert_eq!(app.mails().await, 1);
}

/// Spec: licensing 19
#[tokio::test]
async fn a_clock_that_goes_back_by_more_than_a_day_closes_paid_features() {
    let app = App::new().await;
    app.licensed(json!({"nbf": app.clock.now().timestamp() - 90 * 86_400})).await;
    app.clock.advance(TimeDelta::days(10));
    app.run("licences.guard_clock").await;
    app.clock.advance(-TimeDelta::hours(24));
    assert_eq!(app.gate().await, 200, "a day is forgiven");
    app.run("licences.guard_clock").await;
    app.clock.advance(-TimeDelta::seconds(1));
    assert_eq!(app.gate().await, 403, "the mark never sinks");
    assert_eq!(app.state().await, ("clock_rollback".into(), "community".into()));
    app.clock.advance(TimeDelta::hours(1));
    assert_eq!(app.gate().await, 200);
}

/// Spec: licensing 11, 15
#[tokio::test]
async fn an_answer_is_kept_for_a_minute_unless_another_process_says_otherwise() {
    let app = App::new().await;
    app.licensed(json!({})).await;
    assert_eq!(app.gate().await, 200);
    app.execute("DELETE FROM organisation_licences").await;
    app.clock.advance(TimeDelta::seconds(59));
    assert_eq!(app.gate().await, 200);
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(app.gate().await, 403, "at most 60 s");

    app.licensed(json!({})).await;
    let notifications = Notifications::start(app.pool(), &[LICENCES]).await.unwrap();
    let stop = CancellationToken::new();
    let following = tokio::spawn(app.licensing.follow(&notifications, stop.clone()));
    app.execute("DELETE FROM organisation_licences").await;
    notify(app.pool(), LICENCES, &app.org.to_string()).await.unwrap();
    wait_until(std::time::Duration::from_secs(10), || async { app.gate().await == 403 }).await;
    stop.cancel();
    following.await.unwrap();
    notifications.shutdown().await;
}

/// Spec: licensing 21
#[tokio::test]
async fn the_daily_line_is_written_with_and_without_a_licence() {
    let app = App::new().await;
    app.run("licences.log").await;
    app.licensed(json!({})).await;
    app.run("licences.log").await;
    let job = app.jobs.iter().find(|job| job.name() == "licences.log").unwrap();
    assert_eq!(job.every().as_secs(), 86_400);
    assert_ne!(app.ok("GET", "/licence", None).await["key"], Value::Null);
}
