//! Nobody learns from a refused sign-in whether an account exists.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::support::{Answer, App, EMAIL, PASSWORD};

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

/// Spec: auth 23
#[tokio::test]
async fn refusals_take_as_long_with_as_without_an_account() {
    let (app, _) = App::set_up().await;
    let timed = async |email: &str, n: u32| {
        let began = Instant::now();
        let answer = app.login(email, "not the password", &format!("198.51.100.{n}")).await;
        assert_eq!(answer.refusal().0, 401);
        began.elapsed()
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..4 {
        known.push(timed(EMAIL, n).await);
        unknown.push(timed("nobody@example.com", n).await);
    }
    known.sort();
    unknown.sort();
    for times in [&known, &unknown] {
        assert!(times[0] >= Duration::from_millis(400), "{times:?}");
        // The fastest of several: a busy machine may delay any single one.
        assert!(times[0] <= Duration::from_millis(600), "{times:?}");
    }
    assert!(known[0] <= unknown[3] && unknown[0] <= known[3], "apart: {known:?} and {unknown:?}");
}

/// Spec: auth 23
#[tokio::test]
async fn unknown_account_waits_for_its_turn_to_hash_like_a_known_one() {
    let (app, _) = App::set_up().await;
    let busy = (app.passwords.turn().await.unwrap(), app.passwords.turn().await.unwrap());
    let mut known = Box::pin(app.login(EMAIL, "not the password", "192.0.2.1"));
    let mut unknown = Box::pin(app.login("nobody@example.com", "not the password", "192.0.2.2"));
    // Longer than any answer to a refusal takes, so an answer without a hash would be here by then.
    let (known_waits, unknown_waits) = tokio::join!(
        timeout(Duration::from_millis(800), &mut known),
        timeout(Duration::from_millis(800), &mut unknown)
    );
    assert!(known_waits.is_err() && unknown_waits.is_err());
    drop(busy);
    let (known, unknown) = tokio::join!(known, unknown);
    assert_eq!(visible(known), visible(unknown));
}
