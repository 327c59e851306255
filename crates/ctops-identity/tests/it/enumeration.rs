//! Nobody learns from a refused sign-in whether an account exists.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ctops_identity::passwords::Secret;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Answer, App, EMAIL, PASSWORD, get, post};

/// Everything the caller sees, without what is random in every answer.
fn visible(mut answer: Answer) -> (StatusCode, Vec<String>, Value) {
    answer.body["request_id"] = Value::Null;
    let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    (answer.status, headers, answer.body)
}

/// Spec: auth 23
#[tokio::test]
async fn refusals_of_all_kinds_of_accounts_look_the_same() {
    let (app, _) = App::set_up().await;
    app.add_member("inactive@example.com", &["engineer"]).await;
    app.add_member("removed@example.com", &["engineer"]).await;
    app.add_member("external@example.com", &["engineer"]).await;
    app.execute("UPDATE users SET active = false WHERE email = 'inactive@example.com'").await;
    app.execute("UPDATE users SET deleted_at = now() WHERE email = 'removed@example.com'").await;
    app.execute("UPDATE users SET password_hash = NULL WHERE email = 'external@example.com'").await;
    let wrong = visible(app.login(EMAIL, "not the password", "192.0.2.9").await);
    assert_eq!((wrong.0, &wrong.2["code"]), (StatusCode::UNAUTHORIZED, &Value::from("invalid_credentials")));
    for email in ["nobody@example.com", "inactive@example.com", "removed@example.com", "external@example.com"]
    {
        assert_eq!(visible(app.login(email, PASSWORD, "192.0.2.9").await), wrong, "{email}");
    }
}

/// Spec: auth 22, 23
#[tokio::test]
async fn lock_of_an_account_that_does_not_exist_looks_like_any_other() {
    let (app, _) = App::set_up().await;
    for (n, email) in [(1, EMAIL), (2, "nobody@example.com")] {
        for _ in 0..5 {
            let answer = app.login(email, "not the password", &format!("198.51.100.{n}")).await;
            assert_eq!(answer.refusal().0, 401);
        }
    }
    let real = visible(app.login(EMAIL, "not the password", "203.0.113.1").await);
    let made_up = visible(app.login("NOBODY@example.com", "not the password", "203.0.113.2").await);
    assert_eq!(real.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(real, made_up);
}

/// The time a refused sign-in takes.
async fn time_of_refusal(app: &App, email: &str, ip: &str) -> Duration {
    let began = Instant::now();
    let answer = app.login(email, "not the password", ip).await;
    assert_eq!(answer.refusal().0, 401);
    began.elapsed()
}

/// Spec: auth 23
#[tokio::test]
async fn refusal_takes_the_promised_time_however_fast_the_comparison_was() {
    let (app, _) = App::set_up().await;
    // A hash that is compared in microseconds, so that nothing but the waiting is measured.
    app.execute(
        "UPDATE users SET password_hash = '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$' || repeat('A', 43)",
    )
    .await;
    let mut times = Vec::new();
    for n in 0..4 {
        times.push(time_of_refusal(&app, EMAIL, &format!("198.51.100.{n}")).await);
    }
    times.sort();
    assert!(times[0] >= Duration::from_millis(400), "{times:?}");
    // The fastest of several: a busy machine may delay any single one.
    assert!(times[0] <= Duration::from_millis(600), "{times:?}");
}

/// Spec: auth 23
#[tokio::test]
async fn refusals_take_as_long_with_as_without_an_account() {
    let (app, _) = App::set_up().await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..4 {
        let ip = format!("198.51.100.{n}");
        known.push(time_of_refusal(&app, EMAIL, &ip).await);
        unknown.push(time_of_refusal(&app, "nobody@example.com", &ip).await);
    }
    known.sort();
    unknown.sort();
    assert!(known[0] >= Duration::from_millis(400) && unknown[0] >= Duration::from_millis(400));
    // Equal distributions do not overlap either in one run of 35; what a busy machine adds is no distinction.
    let noise = Duration::from_millis(40);
    assert!(
        known[0] <= unknown[3] + noise && unknown[0] <= known[3] + noise,
        "apart: {known:?} and {unknown:?}"
    );
}

/// Waiting hides a missing comparison only while the machine is idle; under load it would show again.
///
/// Spec: auth 23
#[tokio::test]
async fn sign_ins_to_unknown_accounts_cost_a_hash_each() {
    const SIGN_INS: u32 = 16;
    let (app, _) = App::set_up().await;
    let mut one_hash = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        app.passwords.turn().await.unwrap().verify(Secret::new("x"), None).await.unwrap();
        one_hash = one_hash.min(began.elapsed());
    }
    let _one_at_a_time = app.passwords.turn().await.unwrap();
    let began = Instant::now();
    let app = Arc::new(app);
    let mut sign_ins = JoinSet::new();
    for n in 0..SIGN_INS {
        let app = app.clone();
        sign_ins.spawn(async move {
            app.login(&format!("nobody-{n}@example.com"), "not the password", &format!("198.51.100.{n}"))
                .await
                .status
        });
    }
    let statuses = sign_ins.join_all().await;
    assert!(statuses.iter().all(|status| *status == StatusCode::UNAUTHORIZED), "{statuses:?}");
    let took = began.elapsed();
    assert!(took >= one_hash * (SIGN_INS / 2), "{SIGN_INS} in {took:?}, one hash takes {one_hash:?}");
}

/// The options of a sign-in with a passkey take no name and list no keys: they are the same whoever asks, whether anybody
/// has a passkey or not.
///
/// Spec: auth 19, 23
#[tokio::test]
async fn options_of_a_sign_in_with_a_passkey_name_nobody() {
    let (app, browser) = App::set_up().await;
    let options = async |ip: &str| {
        let answer = app.send(post("/auth/passkey/options", json!({})).from(ip)).await;
        let (status, headers, mut body) = visible(answer);
        assert_ne!(body["options"]["publicKey"]["challenge"].take(), Value::Null);
        assert_ne!(body["ceremony"].take(), Value::Null);
        (status, headers, body)
    };
    let before = options("192.0.2.30").await;
    let listed = &before.2["options"]["publicKey"]["allowCredentials"];
    assert!(listed.is_null() || listed.as_array().is_some_and(Vec::is_empty), "{listed}");
    let me = app.send(get("/me").with(&browser)).await;
    sqlx::query(
        "INSERT INTO passkeys (id, user_id, credential_id, name, credential, created_at)
         VALUES (gen_random_uuid(), $1::uuid, 'c', 'key', '{}', now())",
    )
    .bind(me.body["user"]["id"].as_str())
    .execute(app.db.pool())
    .await
    .unwrap();
    assert_eq!(options("192.0.2.31").await, before);
    let named = post("/auth/passkey/options", json!({ "email": EMAIL })).from("192.0.2.32");
    let (status, headers, mut body) = visible(app.send(named).await);
    if status == StatusCode::OK {
        body["options"]["publicKey"]["challenge"].take();
        body["ceremony"].take();
        assert_eq!((status, headers, body), before, "a name changes nothing");
    }
}
