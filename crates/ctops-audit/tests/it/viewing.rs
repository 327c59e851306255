//! The list, one event, own sign-ins, and who may see what.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_slice::audit::context::within;
use ctops_slice::audit::{AuditEvent, By, RequestContext};
use ctops_slice::licence::Tier;
use ctops_testkit::{a_host, a_organisation};
use serde_json::{Value, json};
use std::net::IpAddr;
use uuid::Uuid;

use crate::support::App;

fn summaries(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["summary"].as_str().unwrap().to_owned()).collect()
}

async fn found(app: &App, who: &str, query: &str) -> Vec<String> {
    summaries(&app.get(who, &format!("/audit/events?{query}")).await.expect(200))
}

/// Spec: audit-log 9
#[tokio::test]
async fn filters_find_what_they_name_alone_and_together() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let (_, ada) = app.somebody(app.org, Role::Engineer).await;
    let event = |action, summary: &str| {
        AuditEvent::by(By::User(ada), Some(app.org), action, "host").on("h1").summary(summary)
    };
    app.write(event("host.updated", "one 100%").from_ip(IpAddr::from([10, 0, 0, 1]))).await;
    app.clock.advance(TimeDelta::seconds(60));
    let context = RequestContext { request_id: Some("req-aaaaaaaa".into()), ..RequestContext::default() };
    within(context, app.write(event("host.deleted", "two").failed("busy"))).await;
    app.clock.advance(TimeDelta::seconds(60));
    app.write(AuditEvent::by(By::System, Some(app.org), "check.created", "check").on("c1").summary("three"))
        .await;
    let other = a_organisation(app.pool()).await;
    app.write(AuditEvent::by(By::System, Some(other), "host.updated", "host").summary("foreign")).await;
    for (query, expected) in [
        (String::new(), vec!["three", "two", "one 100%"]),
        (format!("actor_id={ada}"), vec!["two", "one 100%"]),
        ("actor_type=system".into(), vec!["three"]),
        ("action=host.".into(), vec!["two", "one 100%"]),
        ("action=ho%25".into(), vec![]),
        ("action=nothing.known".into(), vec![]),
        ("target_type=check&target_id=c1".into(), vec!["three"]),
        ("outcome=failed".into(), vec!["two"]),
        ("ip=10.0.0.1".into(), vec!["one 100%"]),
        ("request_id=req-aaaaaaaa".into(), vec!["two"]),
        ("q=100%25".into(), vec!["one 100%"]),
        ("q=_ne".into(), vec![]),
        ("from=2026-06-03T12:00:30Z&to=2026-06-03T12:01:30Z".into(), vec!["two"]),
        ("action=host.&outcome=success&target_id=h1".into(), vec!["one 100%"]),
    ] {
        assert_eq!(found(&app, &admin, &query).await, expected, "{query}");
    }
}

/// Spec: audit-log 9
#[tokio::test]
async fn pages_do_not_shift_when_events_are_added() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(120).await;
    let first = app.get(&admin, "/audit/events").await.expect(200);
    assert_eq!(summaries(&first).len(), 50);
    app.write_many(3).await;
    let mut seen = summaries(&first);
    let mut cursor = first["next_cursor"].clone();
    while let Some(next) = cursor.as_str() {
        let page = app.get(&admin, &format!("/audit/events?cursor={next}")).await.expect(200);
        seen.extend(summaries(&page));
        cursor = page["next_cursor"].clone();
    }
    let expected: Vec<String> = (0..120).rev().map(|n| format!("event {n}")).collect();
    assert_eq!(seen, expected, "every event once, newest first, in spite of the new ones");
}

/// Spec: audit-log 9
#[tokio::test]
async fn bad_questions_are_refused_with_the_agreed_codes() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for (query, code) in [
        ("cursor=x", "bad_cursor"),
        ("from=2026-06-03T12:00:00Z&to=2026-06-03T11:00:00Z", "validation_failed"),
        ("from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "validation_failed"),
        ("outcome=won", "validation_failed"),
        ("limit=0", "validation_failed"),
        ("limit=201", "validation_failed"),
        ("colour=red", "unknown_field"),
    ] {
        assert_eq!(app.get(&admin, &format!("/audit/events?{query}")).await.code(422), code, "{query}");
    }
    assert_eq!(app.get(&admin, "/audit/events?from=yesterday").await.code(400), "malformed_query");
    let long = app.get(&admin, "/audit/events?from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z").await;
    assert!(long.text.contains("400 days"), "{}", long.text);
}

/// Spec: audit-log 10
#[tokio::test]
async fn event_opens_with_difference_target_chain_and_neighbours() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let (_, ada) = app.somebody(app.org, Role::Engineer).await;
    let host = a_host(app.org).named("web-1").insert(app.pool()).await;
    let context = |request: &str| RequestContext {
        request_id: Some(request.into()),
        session_hash: Some("5e55".into()),
        ..RequestContext::default()
    };
    let event = |summary: &str| {
        AuditEvent::by(By::User(ada), Some(app.org), "host.updated", "host").on(host.id).summary(summary)
    };
    within(context("req-11111111"), app.write(event("earlier"))).await;
    app.clock.advance(TimeDelta::seconds(60));
    let difference = event("middle").change(Some(json!({"a": 1})), Some(json!({"a": 2})));
    within(context("req-22222222"), app.write(difference)).await;
    within(context("req-22222222"), app.write(event("sibling"))).await;
    app.clock.advance(TimeDelta::seconds(60));
    within(context("req-33333333"), app.write(event("later"))).await;
    app.clock.advance(TimeDelta::seconds(25 * 3600));
    within(context("req-44444444"), app.write(event("next day"))).await;
    app.seal().await;
    let id: Uuid = sqlx::query_scalar("SELECT id FROM audit_events WHERE summary = 'middle'")
        .fetch_one(app.pool())
        .await
        .unwrap();
    let detail = app.get(&admin, &format!("/audit/events/{id}")).await.expect(200);
    assert_eq!((&detail["before"], &detail["after"]), (&json!({"a": 1}), &json!({"a": 2})));
    assert_eq!((&detail["target_label"], &detail["target_exists"]), (&json!("web-1"), &json!(true)));
    assert_eq!(detail["chain"]["seq"], 2);
    assert_eq!(detail["actor"]["name"], "Test User");
    let neighbours = |name: &str| summaries(&json!({"items": detail[name]}));
    assert_eq!(neighbours("same_request"), ["sibling"]);
    assert_eq!(neighbours("same_session"), ["earlier", "later"]);
    sqlx::query("UPDATE hosts SET deleted_at = created_at WHERE id = $1")
        .bind(host.id)
        .execute(app.pool())
        .await
        .unwrap();
    let gone = app.get(&admin, &format!("/audit/events/{id}")).await.expect(200);
    assert_eq!((&gone["target_exists"], &gone["target_label"]), (&json!(false), &json!("web-1")));
    let stranger = app.somebody(a_organisation(app.pool()).await, Role::SuperAdmin).await.0;
    assert_eq!(app.get(&stranger, &format!("/audit/events/{id}")).await.code(404), "not_found");
}

/// Spec: audit-log 12, 13
#[tokio::test]
async fn without_a_licence_events_are_kept_and_only_own_sign_ins_are_shown() {
    let app = App::new().await;
    let (reader, user) = app.somebody(app.org, Role::ReadOnly).await;
    let admin = app.person(Role::SuperAdmin).await;
    app.licence(Tier::Community);
    let signed_in = AuditEvent::by(By::User(user), Some(app.org), "auth.login.succeeded", "session");
    app.write(signed_in.summary("signed in").from_ip(IpAddr::from([192, 0, 2, 3]))).await;
    app.clock.advance(TimeDelta::seconds(1));
    let failed = AuditEvent::by(By::Anonymous, Some(app.org), "auth.login.failed", "user").on(user);
    app.write(failed.summary("wrong password").failed("wrong_password")).await;
    app.write(AuditEvent::by(By::User(user), Some(app.org), "host.updated", "host").summary("no sign-in"))
        .await;
    let foreign = AuditEvent::by(By::User(Uuid::new_v4()), Some(app.org), "auth.login.succeeded", "session");
    app.write(foreign.summary("somebody else")).await;
    for path in ["/audit/events", "/audit/actions", "/audit/settings", "/audit/forwarders"] {
        let refused = app.get(&admin, path).await.expect(403);
        assert_eq!(
            (&refused["code"], &refused["feature"], &refused["required_tier"]),
            (&json!("feature_not_licensed"), &json!("auditLog"), &json!("pro")),
            "{path}"
        );
    }
    let own = app.get(&reader, "/me/sign-ins").await.expect(200);
    assert_eq!(summaries(&own), ["wrong password", "signed in"]);
    assert_eq!(
        (&own["items"][0]["outcome"], &own["items"][1]["ip"]),
        (&json!("failed"), &json!("192.0.2.3"))
    );
    app.licence(Tier::Pro);
    assert_eq!(found(&app, &admin, "").await.len(), 4, "everything that was written meanwhile");
}

/// Spec: audit-log 9
#[tokio::test]
async fn only_administrators_see_the_log_and_know_the_actions() {
    let app = App::new().await;
    for (role, status) in
        [(Role::SuperAdmin, 200), (Role::OrgAdmin, 200), (Role::Engineer, 403), (Role::ReadOnly, 403)]
    {
        let who = app.person(role).await;
        for path in ["/audit/events", "/audit/actions", "/audit/settings", "/audit/forwarders"] {
            app.get(&who, path).await.expect(status);
        }
    }
    let admin = app.person(Role::OrgAdmin).await;
    let actions = app.get(&admin, "/audit/actions").await.expect(200);
    let names: Vec<&str> =
        actions["items"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"auth.login.failed") && names.contains(&"audit.exported"));
}
