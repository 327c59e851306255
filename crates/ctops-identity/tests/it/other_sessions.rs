//! Sessions of other members, notices of new devices, and lifetimes from the settings.

use axum::http::StatusCode;
use chrono::TimeDelta;
use ctops_identity::sessions::end_sessions_of;
use serde_json::json;

use crate::support::{App, EMAIL, PASSWORD, delete, get, post};

/// Spec: auth 14
#[tokio::test]
async fn administrators_see_and_end_sessions_of_members_of_their_organisation() {
    let (app, admin) = App::set_up().await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let one = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    let two = app.login("bob@example.com", PASSWORD, "192.0.2.78").await.browser();
    let of_bob = format!("/users/{bob}/sessions");
    assert_eq!(app.send(get(&of_bob).with(&one)).await.refusal(), (403, "forbidden"));
    let listed = app.send(get(&of_bob).with(&admin)).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
    let end = |id: &str| delete(&format!("{of_bob}/{id}")).with(&admin);
    for nonsense in [admin.session_id.to_string(), "x".to_owned()] {
        assert_eq!(app.send(end(&nonsense)).await.refusal(), (404, "not_found"), "{nonsense}");
    }
    assert_eq!(app.send(end(&one.session_id.to_string())).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(get("/me").with(&one)).await.refusal().0, 401);
    assert_eq!(app.send(get("/me").with(&two)).await.status, StatusCode::OK);
    assert_eq!(app.send(delete(&of_bob).with(&admin)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(get("/me").with(&two)).await.refusal().0, 401);
    assert_eq!(app.audit().await.last().unwrap(), "auth.session.revoked");
    let stranger = format!("/users/{}/sessions", uuid::Uuid::now_v7());
    assert_eq!(app.send(get(&stranger).with(&admin)).await.refusal(), (404, "not_found"));
    assert_eq!(app.send(delete(&stranger).with(&admin)).await.refusal(), (404, "not_found"));
}

/// Spec: auth 14
#[tokio::test]
async fn members_of_other_organisations_are_out_of_reach() {
    let (app, admin) = App::set_up().await;
    let other = ctops_testkit::a_organisation(app.db.pool()).await;
    let carol = ctops_testkit::a_user(app.db.pool(), other, &[ctops_base::Role::Engineer]).await;
    for path in [format!("/users/{carol}/sessions"), format!("/users/{carol}/sessions/{}", admin.session_id)]
    {
        assert_eq!(app.send(delete(&path).with(&admin)).await.refusal(), (404, "not_found"), "{path}");
    }
    assert_eq!(app.send(delete(&format!("/users/{carol}/mfa")).with(&admin)).await.refusal().0, 404);
}

/// Spec: auth 14
#[tokio::test]
async fn sessions_end_together_except_the_one_that_is_kept() {
    let (app, browser) = App::set_up().await;
    let other = app.login(EMAIL, PASSWORD, "192.0.2.9").await.browser();
    let user: uuid::Uuid = sqlx::query_scalar("SELECT id FROM users").fetch_one(app.db.pool()).await.unwrap();
    let mut tx = app.db.pool().begin().await.unwrap();
    let keep = Some(browser.session_id);
    end_sessions_of(&mut tx, user, keep, "the password was changed", app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(app.send(get("/me").with(&other)).await.refusal().0, 401);
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::OK);
    let summary: String = sqlx::query_scalar("SELECT summary FROM audit_events ORDER BY id DESC LIMIT 1")
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert!(summary.contains("1 sessions") && summary.contains("the password was changed"), "{summary}");
}

/// Spec: auth 13
#[tokio::test]
async fn lifetime_and_idle_time_are_those_of_the_settings() {
    let (app, _) = App::set_up().await;
    app.set_authentication(json!({ "session_max_days": 2, "session_idle_hours": 3 })).await;
    let browser = app.login(EMAIL, PASSWORD, "192.0.2.9").await;
    assert_eq!(browser.body["me"]["session"]["expires_at"], "2026-06-05T12:00:00.000Z");
    let browser = browser.browser();
    app.clock.advance(TimeDelta::hours(2));
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::OK);
    app.clock.advance(TimeDelta::hours(3));
    assert_eq!(app.send(get("/me").with(&browser)).await.refusal(), (401, "unauthenticated"));
    app.set_authentication(json!({ "session_max_days": 2, "session_idle_hours": 30 })).await;
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::OK, "counted anew at once");
}

/// What auth lists as 4 beyond the original.
#[tokio::test]
async fn a_new_device_or_network_is_told_by_mail_and_a_known_one_is_not() {
    let (app, _) = App::set_up().await;
    let notices = async || app.count("SELECT count(*) FROM mail_outbox WHERE kind = 'new_sign_in'").await;
    assert_eq!(notices().await, 0, "the first sign-in is new against nothing");
    let from = async |agent: &str, ip: &str| {
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        app.send(post("/auth/login", body).from(ip).header("user-agent", agent)).await.browser();
        notices().await
    };
    assert_eq!(from("Mozilla/5.0 Firefox/128.0", "192.0.2.250").await, 1, "another device");
    assert_eq!(from("Mozilla/5.0 Firefox/145.0", "192.0.2.9").await, 1, "its update, its neighbourhood");
    assert_eq!(from("Mozilla/5.0 Firefox/145.0", "203.0.113.9").await, 2, "another network");
    assert_eq!(from("Mozilla/5.0 Firefox/145.0", "203.0.113.9").await, 2);
}
