//! Bulk deletion: who may, which hosts, and that nothing of them is left.

use axum::body::Body;
use axum::http::Request;
use ctops_testkit::a_organisation;
use serde_json::json;

use crate::support::{Answer, App, BULK_DELETE_KEY, Key};

async fn call(app: &App, header: (&str, &str), body: &str) -> Answer {
    let request = Request::post("/admin/hosts/bulk-delete")
        .header(header.0, header.1)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    app.call(request, [127, 0, 0, 1]).await
}

async fn enrol(app: &App, hostname: &str) -> String {
    let token = app
        .token(|new| {
            new.auto_approve = true;
            new.max_uses = None;
        })
        .await;
    let outcome = app.register(&token, &Key::new(), hostname).await.unwrap();
    assert!(outcome.certificate.is_some(), "{outcome:?}");
    outcome.agent_id
}

async fn left(app: &App) -> Vec<String> {
    sqlx::query_scalar("SELECT hostname FROM hosts ORDER BY hostname").fetch_all(app.pool()).await.unwrap()
}

/// Spec: deployment 20
#[tokio::test]
async fn hosts_of_the_prefix_are_deleted_with_agents_certificates_and_samples_and_others_stay() {
    let app = App::new().await;
    let gone = enrol(&app, "loadtest-r-0001").await;
    enrol(&app, "LOADTEST-r-0002").await;
    for kept in ["loadtest-r2-0001", "web-loadtest-r-1", "loadtest-rX0001"] {
        enrol(&app, kept).await;
    }
    let other = a_organisation(app.pool()).await;
    ctops_testkit::a_host(other).named("loadtest-r-0003").insert(app.pool()).await;
    sqlx::query(
        "INSERT INTO metric_samples (host_id, recorded_at, received_at, cpu_centi)
         SELECT h.id, $1, $1, 1 FROM hosts h WHERE h.hostname = 'loadtest-r-0001'",
    )
    .bind(app.clock.now())
    .execute(app.pool())
    .await
    .unwrap();
    let bearer = format!("Bearer {BULK_DELETE_KEY}");
    let answer = call(&app, ("authorization", &bearer), r#"{"hostname_prefix":"loadtest-r-"}"#).await;
    assert_eq!(answer.expect(200), json!({"deleted": 3, "failed": []}));
    assert_eq!(left(&app).await, ["loadtest-r2-0001", "loadtest-rX0001", "web-loadtest-r-1"]);
    let agents: i64 = app.value("SELECT count(*) FROM agents WHERE id = $1", &gone).await;
    let revoked: i64 =
        app.value("SELECT count(*) FROM revoked_certificates WHERE reason = $1", "host_deleted").await;
    let samples: i64 =
        sqlx::query_scalar("SELECT count(*) FROM metric_samples").fetch_one(app.pool()).await.unwrap();
    assert_eq!((agents, revoked, samples), (0, 2, 0));
    let audited: Vec<(String, String)> = sqlx::query_as(
        "SELECT actor_kind, summary FROM audit_events WHERE action = 'host.deleted' ORDER BY summary",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert_eq!(audited.len(), 2, "one event in each organisation: {audited:?}");
    assert!(audited.iter().all(|(by, text)| by == "system" && text.contains("loadtest-r-")));
    let again = call(&app, ("authorization", &bearer), r#"{"hostnamePrefix":"loadtest-r-"}"#).await;
    assert_eq!(again.expect(200), json!({"deleted": 0, "failed": []}));
}

/// Spec: deployment 20
#[tokio::test]
async fn hosts_whose_history_cannot_be_deleted_are_counted_as_deleted() {
    let app = App::new().await;
    enrol(&app, "loadtest-a").await;
    sqlx::query("ALTER TABLE metric_progress RENAME TO out_of_reach").execute(app.pool()).await.unwrap();
    let key = ("x-loadtest-admin-key", BULK_DELETE_KEY);
    let answer = call(&app, key, r#"{"hostname_prefix":"loadtest-"}"#).await;
    assert_eq!(answer.expect(200), json!({"deleted": 1, "failed": []}));
    assert_eq!(left(&app).await, [""; 0]);
}

/// Spec: deployment 20
#[tokio::test]
async fn hosts_that_cannot_be_deleted_are_named_and_stay() {
    let app = App::new().await;
    enrol(&app, "loadtest-a").await;
    sqlx::query("ALTER TABLE audit_events RENAME TO out_of_reach").execute(app.pool()).await.unwrap();
    let key = ("x-loadtest-admin-key", BULK_DELETE_KEY);
    let answer = call(&app, key, r#"{"hostname_prefix":"loadtest-"}"#).await;
    assert_eq!(answer.expect(200), json!({"deleted": 0, "failed": ["loadtest-a"]}));
    assert_eq!(left(&app).await, ["loadtest-a"]);
}

/// Spec: deployment 20
#[tokio::test]
async fn prefix_that_could_mean_real_hosts_is_refused_and_wildcards_mean_themselves() {
    let app = App::new().await;
    enrol(&app, "loadtest-a").await;
    let key = ("x-loadtest-admin-key", BULK_DELETE_KEY);
    let long = format!("loadtest-{}", "a".repeat(192));
    for prefix in ["", "web-", "loadtest", "LOADTEST-", &long] {
        let body = json!({"hostname_prefix": prefix}).to_string();
        assert_eq!(call(&app, key, &body).await.status.as_u16(), 422, "{prefix}");
    }
    for harmless in ["loadtest-%", "loadtest-_"] {
        let body = json!({"hostname_prefix": harmless}).to_string();
        assert_eq!(call(&app, key, &body).await.expect(200)["deleted"], 0, "{harmless}");
    }
    assert_eq!(left(&app).await, ["loadtest-a"]);
}

/// Spec: deployment 20
#[tokio::test]
async fn caller_without_the_key_is_refused_and_ten_calls_a_minute_are_taken() {
    let app = App::new().await;
    let body = r#"{"hostname_prefix":"loadtest-"}"#;
    for header in [
        ("x-other", "1"),
        ("authorization", "Bearer wrong"),
        ("authorization", BULK_DELETE_KEY),
        ("authorization", "Basic key of the load test"),
        ("x-loadtest-admin-key", "key of the load tesT"),
    ] {
        assert_eq!(call(&app, header, body).await.status.as_u16(), 401, "{header:?}");
    }
    for _ in 0..5 {
        call(&app, ("x-loadtest-admin-key", BULK_DELETE_KEY), body).await.expect(200);
    }
    let limited = call(&app, ("x-loadtest-admin-key", BULK_DELETE_KEY), body).await;
    assert_eq!(limited.status.as_u16(), 429);
    assert!(limited.headers.contains_key("retry-after"));
}
