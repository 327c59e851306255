//! Checks: written by people, run by agents.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_slice::Capabilities;
use ctops_testkit::{TestHost, a_host, a_organisation};
use serde_json::{Value, json};

use crate::support::App;

const OURS: Capabilities = Capabilities::CHECKS_COMPLETE;

async fn host(app: &App) -> TestHost {
    a_host(app.org).insert(app.pool()).await
}

async fn create(app: &App, host: &TestHost, who: &str, body: Value) -> Value {
    app.send(who, "POST", &format!("/hosts/{}/checks", host.id), Some(body), None).await.expect(201)
}

fn port(number: u16) -> Value {
    json!({"name": "database", "type": "port", "config": {"host": "db", "port": number}})
}

fn id(check: &Value) -> String {
    check["id"].as_str().unwrap().to_owned()
}

/// Spec: monitoring 17, 18
#[tokio::test]
async fn check_when_it_is_made_changed_and_deleted_reaches_its_agent_as_a_complete_set() {
    let app = App::new().await;
    let (host, other) = (host(&app).await, host(&app).await);
    let engineer = app.person(Role::Engineer).await;
    let empty = app.sent(&host, OURS).await.remove(0);
    assert!(empty.checks_complete && empty.checks.is_empty(), "nothing is a set as well");
    let check = create(&app, &host, &engineer, port(5432)).await;
    assert_eq!((&check["interval_seconds"], &check["enabled"]), (&json!(60), &json!(true)));
    let sent = app.sent(&host, OURS).await.remove(0);
    assert_eq!(
        (sent.checks.len(), sent.checks[0].check_type.as_str(), sent.checks[0].interval_seconds),
        (1, "port", 60)
    );
    assert_eq!(sent.checks[0].check_id, id(&check));
    let config: Value = serde_json::from_str(&sent.checks[0].config_json).unwrap();
    assert_eq!(config, json!({"host": "db", "port": 5432, "protocol": "tcp", "timeout_s": 5}));
    assert!(app.sent(&other, OURS).await[0].checks.is_empty());

    let path = format!("/checks/{}", id(&check));
    let change = json!({"config": {"port": 5433}, "interval_seconds": 10});
    let changed = app.send(&engineer, "PATCH", &path, Some(change), None).await.expect(200);
    assert_eq!((&changed["config"]["port"], &changed["config"]["host"]), (&json!(5433), &json!("db")));
    assert_eq!(app.sent(&host, OURS).await[0].checks[0].interval_seconds, 10);
    app.send(&engineer, "PATCH", &path, Some(json!({"enabled": false})), None).await.expect(200);
    let sent = app.sent(&host, OURS).await.remove(0);
    assert!(sent.checks_complete && sent.checks.is_empty(), "disabling the last check stops it");
    app.send(&engineer, "PATCH", &path, Some(json!({"enabled": true})), None).await.expect(200);
    app.send(&engineer, "DELETE", &path, None, None).await.expect(204);
    assert!(app.sent(&host, OURS).await[0].checks.is_empty());
    app.get(&engineer, &path).await.expect(404);
    let trail = app.audited(&id(&check)).await;
    assert_eq!(trail, ["check.created", "check.changed", "check.changed", "check.changed", "check.deleted"]);
}

/// Trap 9 of the wire contract, appendix B.1: an empty list does not stop the last check of an original agent.
#[tokio::test]
async fn original_agent_gets_a_placeholder_instead_of_an_empty_set() {
    let app = App::new().await;
    let host = host(&app).await;
    let engineer = app.person(Role::Engineer).await;
    let original = Capabilities::default();
    assert!(app.sent(&host, original).await.is_empty(), "it never had a check");
    let body = json!({"name": "web", "type": "certificate", "config": {"host": "example.com"}});
    let check = create(&app, &host, &engineer, body).await;
    let sent = app.sent(&host, original).await.remove(0);
    let config: Value = serde_json::from_str(&sent.checks[0].config_json).unwrap();
    assert_eq!(
        config,
        json!({"host": "example.com", "port": 443, "timeout_seconds": 10}),
        "in its own words"
    );
    assert!(!sent.checks_complete);
    app.send(&engineer, "DELETE", &format!("/checks/{}", id(&check)), None, None).await.expect(204);
    let sent = app.sent(&host, original).await.remove(0);
    assert_eq!((sent.checks.len(), sent.checks[0].check_type.as_str()), (1, "process"));
    app.reports(&host, &[(&sent.checks[0].check_id, 1, "pass")]).await;
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM check_results").fetch_one(app.pool()).await.unwrap();
    assert_eq!(kept, 0, "its result belongs to no check");
}

/// Spec: monitoring 17, 20
#[tokio::test]
async fn results_are_kept_once_with_their_own_time_and_only_from_the_checks_host() {
    let app = App::new().await;
    let (host, other) = (host(&app).await, host(&app).await);
    let reader = app.person(Role::ReadOnly).await;
    let check = create(&app, &host, &app.person(Role::Engineer).await, port(1)).await;
    let id = id(&check);
    app.reports(
        &host,
        &[(&id, 7200, "fail"), (&id, 60, "pass"), ("00000000-0000-7000-8000-000000000001", 1, "pass")],
    )
    .await;
    app.reports(&host, &[(&id, 60, "pass")]).await;
    app.reports(&other, &[(&id, 30, "error")]).await;
    let page = app.get(&reader, &format!("/checks/{id}/results")).await.expect(200);
    let statuses: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["pass", "fail"], "newest first, the repeated one once, the other host's never");
    assert_eq!(page["items"][1]["ran_at"], "2026-06-03T10:00:00.000Z");
    let part = app.get(&reader, &format!("/checks/{id}/results?limit=1")).await.expect(200);
    let next = format!("/checks/{id}/results?limit=1&cursor={}", part["next_cursor"].as_str().unwrap());
    let rest = app.get(&reader, &next).await.expect(200);
    assert_eq!((&rest["items"][0]["status"], &rest["next_cursor"]), (&json!("fail"), &json!(null)));
    app.get(&reader, &format!("/checks/{id}/results?limit=0")).await.expect(422);
    let list = app.get(&reader, &format!("/hosts/{}/checks", host.id)).await.expect(200);
    assert_eq!(list["items"][0]["latest_results"][0]["output"], "pass 60");
    let engineer = app.person(Role::Engineer).await;
    app.send(&engineer, "DELETE", &format!("/checks/{id}/results"), None, None).await.expect(204);
    let page = app.get(&reader, &format!("/checks/{id}/results")).await.expect(200);
    assert_eq!(page["items"], json!([]));
}

/// Spec: monitoring 23
#[tokio::test]
async fn run_now_is_sent_until_a_result_answers_it() {
    let app = App::new().await;
    let host = host(&app).await;
    let engineer = app.person(Role::Engineer).await;
    let check = create(&app, &host, &engineer, port(1)).await;
    let (id, original) = (id(&check), Capabilities::default());
    let before = app.sent(&host, original).await[0].checks[0].config_json.clone();
    let run = format!("/checks/{id}/run");
    app.send(&engineer, "POST", &run, None, None).await.expect(202);
    assert_eq!(app.sent(&host, OURS).await[1].run_check_ids, std::slice::from_ref(&id));
    let after = app.sent(&host, original).await.remove(0);
    assert_ne!(after.checks[0].config_json, before, "an original agent starts a changed check at once");
    app.clock.advance(TimeDelta::seconds(2));
    app.reports(&host, &[(&id, 1, "pass")]).await;
    assert_eq!(app.sent(&host, OURS).await.len(), 1, "answered");
    app.send(&engineer, "PATCH", &format!("/checks/{id}"), Some(json!({"enabled": false})), None)
        .await
        .expect(200);
    assert_eq!(app.send(&engineer, "POST", &run, None, None).await.expect(409)["code"], "wrong_state");
}

/// Spec: monitoring 24
#[tokio::test]
async fn secrets_reach_the_agent_only() {
    let app = App::new().await;
    let host = host(&app).await;
    let engineer = app.person(Role::Engineer).await;
    let config = json!({"file_path": "/etc/a.p12", "format": "pkcs12", "password": "hunter2"});
    let body = json!({"name": "keystore", "type": "cert_file", "config": config});
    let check = create(&app, &host, &engineer, body).await;
    assert_eq!(check["config"], json!({"file_path": "/etc/a.p12", "format": "pkcs12", "has_password": true}));
    let path = format!("/checks/{}", id(&check));
    let change = json!({"config": {"alias": "web"}});
    app.send(&engineer, "PATCH", &path, Some(change), None).await.expect(200);
    let sent = app.sent(&host, OURS).await[0].checks[0].config_json.clone();
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(
        (&sent["password"], &sent["alias"], sent.get("has_password")),
        (&json!("hunter2"), &json!("web"), None)
    );
    for shown in
        [app.get(&engineer, &path).await, app.get(&engineer, &format!("/hosts/{}/checks", host.id)).await]
    {
        assert!(!shown.body.to_string().contains("hunter2"));
    }
    let stored: String = sqlx::query_scalar(
        "SELECT concat((SELECT string_agg(config::text || encode(secrets, 'escape'), '') FROM checks),
                       (SELECT string_agg(concat(before, after), '') FROM audit_events))",
    )
    .fetch_one(app.pool())
    .await
    .unwrap();
    assert!(!stored.contains("hunter2"), "neither the table nor the audit trail");
    let change = json!({"config": {"password": null}});
    let cleared = app.send(&engineer, "PATCH", &path, Some(change), None).await.expect(200);
    assert_eq!(cleared["config"]["has_password"], false);
}

/// Spec: monitoring 17
#[tokio::test]
async fn check_that_is_not_acceptable_is_refused_with_its_field() {
    let app = App::new().await;
    let host = host(&app).await;
    let engineer = app.person(Role::Engineer).await;
    let path = format!("/hosts/{}/checks", host.id);
    let refused = async |body: Value| {
        let body = app.send(&engineer, "POST", &path, Some(body), None).await.expect(422);
        (body["code"].as_str().unwrap().to_owned(), body["fields"][0]["path"].as_str().unwrap().to_owned())
    };
    let with = |key: &str, value: Value| {
        let mut body = port(1);
        body[key] = value;
        body
    };
    let invalid = |path: &str| ("validation_failed".to_owned(), path.to_owned());
    assert_eq!(refused(with("interval_seconds", json!(9))).await, invalid("interval_seconds"));
    assert_eq!(refused(with("interval_seconds", json!(3601))).await, invalid("interval_seconds"));
    assert_eq!(refused(with("name", json!(""))).await, invalid("name"));
    assert_eq!(refused(with("type", json!("ping"))).await, invalid("type"));
    assert_eq!(refused(with("config", json!({"host": "a", "port": 0}))).await, invalid("config.port"));
    let unknown = refused(with("config", json!({"host": "a", "port": 1, "filePath": "x"}))).await;
    assert_eq!(unknown, ("unknown_field".to_owned(), "config.filePath".to_owned()));
    let check = create(&app, &host, &engineer, port(1)).await;
    let one = format!("/checks/{}", id(&check));
    let retyped = app.send(&engineer, "PATCH", &one, Some(json!({"type": "http"})), None).await.expect(422);
    assert_eq!(retyped["fields"][0]["path"], "type");
    let path = "/hosts/00000000-0000-7000-8000-000000000001/checks";
    app.send(&engineer, "POST", path, Some(port(1)), None).await.expect(404);
}

#[tokio::test]
async fn change_of_a_version_that_is_no_more_is_refused() {
    let app = App::new().await;
    let host = host(&app).await;
    let engineer = app.person(Role::Engineer).await;
    let path = format!("/checks/{}", id(&create(&app, &host, &engineer, port(1)).await));
    let shown = app.get(&engineer, &path).await;
    let tag = shown.headers["etag"].to_str().unwrap().to_owned();
    let change = |name: &str| Some(json!({"name": name}));
    app.send(&engineer, "PATCH", &path, change("one"), Some(&tag)).await.expect(200);
    let late = app.send(&engineer, "PATCH", &path, change("two"), Some(&tag)).await.expect(412);
    assert_eq!(late["code"], "version_conflict");
    app.send(&engineer, "DELETE", &path, None, Some(&tag)).await.expect(412);
    app.send(&engineer, "DELETE", &path, None, Some("*")).await.expect(204);
}

/// Spec: monitoring 17
#[tokio::test]
async fn checks_are_written_by_engineers_scripts_by_administrators_and_seen_by_their_organisation() {
    let app = App::new().await;
    let host = host(&app).await;
    let (reader, engineer, admin) = (
        app.person(Role::ReadOnly).await,
        app.person(Role::Engineer).await,
        app.person(Role::OrgAdmin).await,
    );
    let path = format!("/hosts/{}/checks", host.id);
    app.send(&reader, "POST", &path, Some(port(1)), None).await.expect(403);
    let script = json!({"name": "s", "type": "script", "config": {"script": "exit 0"}});
    app.send(&engineer, "POST", &path, Some(script.clone()), None).await.expect(403);
    let check = create(&app, &host, &admin, script).await;
    let one = format!("/checks/{}", id(&check));
    for (method, path) in [("PATCH", one.clone()), ("DELETE", one.clone()), ("POST", format!("{one}/run"))] {
        let body = (method == "PATCH").then(|| json!({"enabled": false}));
        app.send(&engineer, method, &path, body, None).await.expect(403);
    }
    app.get(&reader, &one).await.expect(200);
    let stranger = app.person_of(a_organisation(app.pool()).await, Role::SuperAdmin).await;
    app.get(&stranger, &one).await.expect(404);
    app.get(&stranger, &path).await.expect(404);
    app.get(&stranger, &format!("{one}/results")).await.expect(404);
    app.send(&stranger, "DELETE", &one, None, None).await.expect(404);
}

/// Spec: monitoring 16
#[tokio::test]
async fn old_results_go_but_never_the_latest_hundred_nor_more_than_ten_thousand_stay() {
    let app = App::new().await;
    let host = host(&app).await;
    let engineer = app.person(Role::Engineer).await;
    let (slow, busy) =
        (create(&app, &host, &engineer, port(1)).await, create(&app, &host, &engineer, port(2)).await);
    let fill = async |check: &Value, count: i32, every: &str| {
        sqlx::query(
            "INSERT INTO check_results (check_id, host_id, ran_at, received_at, status, duration_ms, output)
             SELECT $1::uuid, $2, $3 - n * $4::interval, $3, 'pass', 1, '' FROM generate_series(1, $5) n",
        )
        .bind(id(check).parse::<uuid::Uuid>().unwrap())
        .bind(host.id)
        .bind(app.clock.now())
        .bind(every)
        .bind(count)
        .execute(app.pool())
        .await
        .unwrap();
    };
    fill(&slow, 120, "1 day").await;
    fill(&busy, 10_050, "1 second").await;
    app.prune().await;
    let count = async |check: &Value| -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM check_results WHERE check_id = $1::uuid")
            .bind(id(check).parse::<uuid::Uuid>().unwrap())
            .fetch_one(app.pool())
            .await
            .unwrap()
    };
    assert_eq!((count(&slow).await, count(&busy).await), (100, 10_000));
}

/// A host has so many checks at most, and all of them fit into one message below 4 MiB.
#[tokio::test]
async fn largest_set_of_checks_fits_into_one_message() {
    let app = App::new().await;
    let host = host(&app).await;
    let admin = app.person(Role::OrgAdmin).await;
    let body = json!({"name": "long", "type": "script", "config": {"script": "\n".repeat(9_950)}});
    let check = create(&app, &host, &admin, body.clone()).await;
    let mut too_long = body;
    too_long["config"]["script"] = json!("\n".repeat(10_000));
    let refused = app
        .send(&admin, "POST", &format!("/hosts/{}/checks", host.id), Some(too_long), None)
        .await
        .expect(422);
    assert_eq!(refused["fields"][0]["path"], "config", "escapes count as well");
    sqlx::query(
        "INSERT INTO checks (id, org_id, host_id, name, kind, config, interval_seconds, created_at, updated_at)
         SELECT gen_random_uuid(), org_id, host_id, name, kind, config, interval_seconds, created_at, updated_at
         FROM checks, generate_series(1, 199)",
    )
    .execute(app.pool())
    .await
    .unwrap();
    let sent = app.sent(&host, OURS).await.remove(0);
    assert_eq!(sent.checks.len(), 200);
    assert!(prost::Message::encoded_len(&sent) < 4 * 1024 * 1024);
    let path = format!("/hosts/{}/checks", host.id);
    let one_more = app.send(&admin, "POST", &path, Some(port(1)), None).await.expect(409);
    assert_eq!(one_more["code"], "wrong_state");
    app.send(&admin, "DELETE", &format!("/checks/{}", id(&check)), None, None).await.expect(204);
    create(&app, &host, &admin, port(1)).await;
}
