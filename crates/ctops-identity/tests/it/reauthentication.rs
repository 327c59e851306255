//! Confirming that it is still the same person.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{App, EMAIL, PASSWORD, get, post};

/// Spec: auth 17
#[tokio::test]
async fn a_password_confirms_for_five_minutes_and_for_this_session_only() {
    let (app, browser) = App::set_up().await;
    let other = app.login(EMAIL, PASSWORD, "192.0.2.9").await.browser();
    let ways = app.send(get("/me/reauthentication").with(&browser)).await.body;
    assert_eq!(
        (&ways["password"], &ways["passkey"], &ways["redirect"]),
        (&json!(true), &json!(false), &json!(null))
    );
    assert_eq!(ways["confirmed_until"], "2026-06-03T12:05:00.000Z", "a sign-in is a confirmation");
    app.clock.advance(TimeDelta::minutes(10));
    let body = json!({ "password": PASSWORD });
    let confirmed = app.send(post("/me/reauthenticate", body).with(&browser)).await;
    assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{}", confirmed.body);
    let begin = |browser| post("/me/mfa/totp", json!({})).with(browser);
    assert_eq!(app.send(begin(&browser)).await.status, StatusCode::OK);
    assert_eq!(app.send(begin(&other)).await.refusal(), (403, "reauthentication_required"));
    app.clock.advance(TimeDelta::seconds(301));
    assert_eq!(app.send(begin(&browser)).await.refusal(), (403, "reauthentication_required"));
    assert_eq!(app.audit().await.last().unwrap(), "auth.reauthentication.succeeded");
}

/// Spec: auth 17, 22, 23
#[tokio::test]
async fn a_wrong_password_is_answered_slowly_audited_and_locks_like_a_sign_in() {
    let (app, browser) = App::set_up().await;
    app.clock.advance(TimeDelta::minutes(10));
    let wrong = || post("/me/reauthenticate", json!({ "password": "not the password" })).with(&browser);
    let began = Instant::now();
    assert_eq!(app.send(wrong()).await.refusal(), (422, "invalid_credentials"));
    assert!(began.elapsed() >= Duration::from_millis(400));
    assert_eq!(app.audit().await.last().unwrap(), "auth.reauthentication.failed");
    for _ in 0..4 {
        assert_eq!(app.send(wrong()).await.refusal().0, 422);
    }
    let right = post("/me/reauthenticate", json!({ "password": PASSWORD })).with(&browser);
    assert_eq!(app.send(right).await.refusal(), (429, "rate_limited"));
    assert_eq!(app.login(EMAIL, PASSWORD, "192.0.2.9").await.refusal().0, 429, "one lock for both doors");
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::OK, "the session goes on");
}

/// Spec: auth 17
#[tokio::test]
async fn without_a_password_here_nothing_is_confirmed_by_one() {
    let (app, browser) = App::set_up().await;
    app.execute("UPDATE users SET password_hash = NULL").await;
    let ways = app.send(get("/me/reauthentication").with(&browser)).await.body;
    assert_eq!(ways["password"], false);
    let body = json!({ "password": PASSWORD });
    assert_eq!(app.send(post("/me/reauthenticate", body).with(&browser)).await.refusal().0, 422);
    let long = json!({ "password": "x".repeat(129) });
    let refused = app.send(post("/me/reauthenticate", long).with(&browser)).await;
    assert_eq!(refused.refusal(), (422, "validation_failed"));
}
