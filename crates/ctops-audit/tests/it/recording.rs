//! What is written, and that it stays as it was written.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_slice::audit::context::{session_hash, within};
use ctops_slice::audit::{AuditEvent, By, RequestContext, append};
use ctops_testkit::{a_host, a_organisation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::App;

async fn only(app: &App) -> Value {
    sqlx::query_scalar("SELECT to_jsonb(e) FROM audit_events AS e").fetch_one(app.pool()).await.unwrap()
}

/// Spec: audit-log 3
#[tokio::test]
async fn event_within_a_request_carries_its_context_and_the_names_of_the_time() {
    let app = App::new().await;
    let (_, user) = app.somebody(app.org, Role::OrgAdmin).await;
    let host = a_host(app.org).named("web-1").insert(app.pool()).await;
    let session = Uuid::new_v4();
    let context = RequestContext {
        ip: Some(IpAddr::from([192, 0, 2, 1])),
        user_agent: Some("browser".into()),
        request_id: Some("req-12345678".into()),
        session_hash: Some(session_hash(session)),
        auth_method: Some("passkey".into()),
        second_factor: Some(true),
        api_key_id: None,
    };
    let event = AuditEvent::by(By::User(user), Some(app.org), "host.updated", "host")
        .on(host.id)
        .summary("changed a host")
        .change(Some(json!({"name": "a"})), Some(json!({"name": "b"})));
    within(context, app.write(event)).await;
    sqlx::query("DELETE FROM hosts WHERE id = $1").bind(host.id).execute(app.pool()).await.unwrap();
    sqlx::query("DELETE FROM users WHERE id = $1").bind(user).execute(app.pool()).await.unwrap();
    let row = only(&app).await;
    for (column, value) in [
        ("actor_kind", json!("user")),
        ("actor_id", json!(user.to_string())),
        ("actor_name", json!("Test User")),
        ("target_label", json!("web-1")),
        ("outcome", json!("success")),
        ("ip", json!("192.0.2.1")),
        ("user_agent", json!("browser")),
        ("request_id", json!("req-12345678")),
        ("auth_method", json!("passkey")),
        ("second_factor", json!(true)),
        ("before", json!({"name": "a"})),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    assert!(!row.to_string().contains(&session.to_string()), "the session's id is not in the trail");
}

/// Spec: audit-log 6
#[tokio::test]
async fn event_when_its_organisation_is_deleted_stays() {
    let app = App::new().await;
    let gone = a_organisation(app.pool()).await;
    app.write(AuditEvent::by(By::System, Some(gone), "organisation.created", "organisation").on(gone)).await;
    sqlx::query("DELETE FROM organisations WHERE id = $1").bind(gone).execute(app.pool()).await.unwrap();
    let row = only(&app).await;
    assert_eq!(row["org_id"], json!(gone.to_string()));
    assert!(row["target_label"].as_str().unwrap().starts_with("Org "));
}

/// Spec: audit-log 1, 2
#[tokio::test]
async fn event_and_change_are_one_transaction_and_the_server_names_its_cause() {
    let app = App::new().await;
    let event = AuditEvent::by(By::System, Some(app.org), "host.deleted", "host").because("sweep:stale");
    let mut tx = app.pool().begin().await.unwrap();
    append(&mut tx, &event, app.clock.now()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM audit_events").await, 0, "no change, no event");
    assert_eq!(app.count("SELECT count(*) FROM audit_unsealed").await, 0);
    app.write(event).await;
    let row = only(&app).await;
    assert_eq!((&row["actor_kind"], &row["cause"]), (&json!("system"), &json!("sweep:stale")));
    let agent = AuditEvent::by(By::Agent("agent-1".into()), Some(app.org), "agent.registered", "agent");
    app.write(agent).await;
    let by_agent = "SELECT count(*) FROM audit_events WHERE actor_kind = 'agent' AND actor_id = 'agent-1'";
    assert_eq!(app.count(by_agent).await, 1);
}

/// Spec: audit-log 5
#[tokio::test]
async fn secrets_reach_no_row() {
    let app = App::new().await;
    let token = format!("ctops_pat_{}", "a1B2".repeat(10));
    let event = AuditEvent::by(By::System, Some(app.org), "host.updated", "host")
        .summary(format!("used {token}"))
        .change(
            Some(json!({"smtp": {"password": "hunter2-hunter2"}})),
            Some(json!({"url": "https://u:hunter2-hunter2@x.example.com", "note": format!("key {token}\0")})),
        );
    app.write(event).await;
    let row = only(&app).await.to_string();
    assert!(!row.contains("hunter2") && !row.contains("a1B2"), "{row}");
    assert_eq!(row.matches("[redacted]").count(), 4, "{row}");
}

/// Spec: audit-log 8
#[tokio::test]
async fn nothing_that_was_written_can_be_changed() {
    let app = App::new().await;
    app.write_many(2).await;
    app.run("audit_checkpoints").await;
    for table in ["audit_events", "audit_chain", "audit_checkpoints"] {
        for statement in [
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            match table {
                "audit_events" => "UPDATE audit_events SET summary = 'nothing'".to_owned(),
                _ => format!("UPDATE {table} SET seq = seq + 100"),
            },
        ] {
            let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(app.pool()).await;
            let error = refused.expect_err(&statement);
            assert_eq!(error.as_database_error().and_then(|e| e.code()).unwrap(), "42501", "{statement}");
        }
    }
    let moved = sqlx::query_scalar::<_, i32>("SELECT audit_make_partitions('2026-06-01', 2)");
    assert_eq!(moved.fetch_one(app.pool()).await.unwrap(), 2);
    let direct = sqlx::query("DELETE FROM audit_events_p202606").execute(app.pool()).await;
    assert!(direct.is_err(), "a partition is as protected as the whole");
    assert_eq!(app.count("SELECT count(*) FROM audit_events_p202606").await, 2);
    assert_eq!(app.count("SELECT count(*) FROM audit_unsealed").await, 0, "moving queues nothing again");
}

/// Spec: audit-log 4
#[tokio::test]
async fn refused_attempts_of_a_minute_become_one_event_with_a_counter() {
    let app = App::new().await;
    let (reader, user) = app.somebody(app.org, Role::ReadOnly).await;
    let admin = app.person(Role::OrgAdmin).await;
    let foreign = Uuid::new_v4();
    for _ in 0..3 {
        app.get(&reader, "/audit/events").await.code(403);
    }
    for _ in 0..2 {
        assert_eq!(app.get(&admin, &format!("/audit/events/{foreign}")).await.code(404), "not_found");
    }
    app.get(&admin, "/nowhere").await;
    app.get("unknown", "/audit/events").await.code(401);
    app.run("audit_denied").await;
    assert_eq!(app.count("SELECT count(*) FROM audit_events").await, 0, "the minute is not over");
    app.clock.advance(TimeDelta::seconds(30));
    app.get(&reader, "/audit/events").await.code(403);
    app.clock.advance(TimeDelta::seconds(60));
    app.run("audit_denied").await;
    type Row = (Option<String>, String, String, String, i32, String, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT actor_id, target_id, target_label, reason_code, repeats, outcome, user_agent
         FROM audit_events WHERE action = 'access.denied' ORDER BY repeats DESC",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    let browser = Some("test browser".to_owned());
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((rows[0].0.clone(), rows[0].3.as_str(), rows[0].4), (Some(user.to_string()), "forbidden", 4));
    assert_eq!(
        (rows[0].2.as_str(), &rows[0].5, &rows[0].6),
        ("GET /audit/events", &"denied".to_owned(), &browser)
    );
    assert_eq!((rows[1].1.clone(), rows[1].3.as_str(), rows[1].4), (foreign.to_string(), "not_found", 2));
    assert_eq!(app.count("SELECT count(*) FROM audit_denied").await, 0);
}

/// Somebody who tries ids one after another must not bury what else is in the trail.
///
/// Spec: audit-log 4
#[tokio::test]
async fn refusals_of_somebody_who_tries_many_ids_are_all_counted_in_few_events() {
    let app = App::new().await;
    let scanner = app.person(Role::OrgAdmin).await;
    let colleague = app.person(Role::OrgAdmin).await;
    let first = format!("/audit/events/{}", Uuid::new_v4());
    app.get(&scanner, &first).await.code(404);
    for _ in 0..69 {
        app.get(&scanner, &format!("/audit/events/{}", Uuid::new_v4())).await.code(404);
    }
    app.get(&scanner, &first).await.code(404);
    app.get(&colleague, &format!("/audit/events/{}", Uuid::new_v4())).await.code(404);
    app.clock.advance(TimeDelta::seconds(61));
    app.get(&scanner, &format!("/audit/events/{}", Uuid::new_v4())).await.code(404);
    app.clock.advance(TimeDelta::seconds(61));
    app.run("audit_denied").await;
    let denied: Vec<(String, i32)> = sqlx::query_as(
        "SELECT target_label, repeats FROM audit_events WHERE action = 'access.denied' ORDER BY repeats DESC",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert_eq!(denied[0], ("other operations and targets".to_owned(), 20));
    assert_eq!(denied[1].1, 2, "what was told apart stays so");
    assert_eq!(denied.len(), 50 + 1 + 1 + 1, "the colleague and the next minute have counts of their own");
    assert_eq!(denied.iter().map(|(_, repeats)| repeats).sum::<i32>(), 73, "none is left out");
}

/// Spec: audit-log 4
#[tokio::test]
async fn refusal_for_want_of_a_licence_is_recorded() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.licence(ctops_slice::licence::Tier::Community);
    assert_eq!(app.get(&admin, "/audit/events").await.code(403), "feature_not_licensed");
    app.clock.advance(TimeDelta::seconds(120));
    app.run("audit_denied").await;
    let refused = "SELECT count(*) FROM audit_events WHERE reason_code = 'feature_not_licensed'";
    assert_eq!(app.count(refused).await, 1);
}

/// Writers of one organisation do not wait for each other: both have written and neither has ended.
#[tokio::test]
async fn two_transactions_of_one_organisation_write_side_by_side() {
    let app = App::new().await;
    let event = || AuditEvent::by(By::System, Some(app.org), "host.updated", "host");
    let (mut first, mut second) = (app.pool().begin().await.unwrap(), app.pool().begin().await.unwrap());
    let now = app.clock.now();
    append(&mut first, &event().summary("first"), now).await.unwrap();
    let began = Instant::now();
    append(&mut second, &event().summary("second"), now - TimeDelta::seconds(1)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    first.commit().await.unwrap();
    assert_eq!(app.seal().await, 1);
    second.commit().await.unwrap();
    assert_eq!(app.seal().await, 1, "an event committed late gets its place later");
    let order: Vec<String> = sqlx::query_scalar(
        "SELECT e.summary FROM audit_chain AS c JOIN audit_events AS e ON e.id = c.event_id ORDER BY c.seq",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert_eq!(order, ["first", "second"]);
}
