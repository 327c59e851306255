//! The own name and address: what changes, when, and what a stolen session cannot do.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::letters::{letters, link, recipients, token};
use crate::support::{Answer, App, Browser, EMAIL, PASSWORD, call, get, json_call, post};

const NEW: &str = "lovelace@example.com";

async fn profile(app: &App, browser: &Browser) -> Value {
    let answer = app.send(get("/me/profile").with(browser)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn change(app: &App, browser: &Browser, email: &str, password: Option<&str>) -> Answer {
    let body = json!({ "email": email, "current_password": password });
    app.send(post("/me/email", body).with(browser)).await
}

async fn verify(app: &App, token: &str, ip: &str) -> Answer {
    app.send(post("/auth/verify-email", json!({ "token": token })).from(ip)).await
}

/// Spec: auth 11, settings 9
#[tokio::test]
async fn address_changes_only_when_the_link_to_the_new_one_is_opened_and_the_old_one_is_told() {
    let (app, ada) = App::set_up().await;
    let asked = change(&app, &ada, "Lovelace@Example.com", Some(PASSWORD)).await;
    assert_eq!((asked.status, asked.body), (StatusCode::ACCEPTED, Value::Null));
    assert_eq!(recipients(&app, "change_email").await, [NEW]);
    assert_eq!(recipients(&app, "email_change_asked").await, [EMAIL], "the old address is told");
    let shown = profile(&app, &ada).await;
    assert_eq!((&shown["email"], &shown["pending_email"]), (&json!(EMAIL), &json!(NEW)));
    assert_eq!(app.login(NEW, PASSWORD, "203.0.113.1").await.refusal(), (401, "invalid_credentials"));

    app.send(post("/auth/forgot-password", json!({ "email": EMAIL })).from("203.0.113.2")).await;
    let reset = token(&app, "password_reset").await;
    let (page, token) = link(&app, "change_email").await;
    assert_eq!(page, "https://ops.example.com/verify-email?redirect=%2Faccount%2Fprofile");
    let opened = verify(&app, &token, "203.0.113.3").await;
    assert_eq!(opened.body, json!({ "status": "verified", "email": NEW }));
    assert!(opened.cookies().is_empty(), "the link alone lets nobody in");
    let shown = profile(&app, &ada).await;
    assert_eq!(
        (&shown["email"], &shown["email_verified"]),
        (&json!(NEW), &json!(true)),
        "the session goes on"
    );
    assert_eq!(shown["pending_email"], Value::Null);
    assert_eq!(recipients(&app, "email_changed").await, [EMAIL]);
    assert_eq!(app.login(NEW, PASSWORD, "203.0.113.4").await.status, StatusCode::OK);
    assert_eq!(app.login(EMAIL, PASSWORD, "203.0.113.5").await.refusal(), (401, "invalid_credentials"));
    let body = json!({ "token": reset, "password": "compiler of 1952", "password_confirmation": "compiler of 1952" });
    let late = app.send(post("/auth/reset-password", body).from("203.0.113.6")).await;
    assert_eq!(late.fields(), [("token", "invalid_token")], "links in the old mailbox are worthless");
    assert_eq!(verify(&app, &token, "203.0.113.7").await.fields(), [("token", "invalid_token")], "once");
    let audit = app.audit().await;
    for action in ["auth.email.change_requested", "user.email_changed"] {
        assert!(audit.iter().any(|known| known == action), "{action} in {audit:?}");
    }
}

/// Spec: auth 11
#[tokio::test]
async fn new_address_needs_the_password_however_fresh_the_session_is() {
    let (app, ada) = App::set_up().await;
    let without = change(&app, &ada, NEW, None).await;
    assert_eq!(without.fields(), [("current_password", "required")]);
    assert_eq!(
        change(&app, &ada, NEW, Some("not the password")).await.refusal(),
        (422, "invalid_credentials")
    );
    assert!(letters(&app, "change_email").await.is_empty());
    assert_eq!(change(&app, &ada, EMAIL, Some(PASSWORD)).await.fields(), [("email", "unchanged")]);
    assert_eq!(change(&app, &ada, "nowhere", Some(PASSWORD)).await.fields(), [("email", "invalid")]);
    let trick = change(&app, &ada, "x@placeholder.invalid", Some(PASSWORD)).await;
    assert_eq!(trick.fields(), [("email", "invalid")]);
    for _ in 0..3 {
        change(&app, &ada, NEW, Some("not the password")).await;
    }
    assert_eq!(
        change(&app, &ada, NEW, Some(PASSWORD)).await.refusal(),
        (429, "rate_limited"),
        "five an hour"
    );
}

/// Spec: auth 11
#[tokio::test]
async fn change_can_be_withdrawn_and_a_newer_one_replaces_it() {
    let (app, ada) = App::set_up().await;
    let cancel = async || app.send(call(Method::DELETE, "/me/email").with(&ada)).await;
    assert_eq!(cancel().await.refusal(), (404, "not_found"));
    change(&app, &ada, NEW, Some(PASSWORD)).await;
    let first = token(&app, "change_email").await;
    assert_eq!(cancel().await.status, StatusCode::NO_CONTENT);
    assert_eq!(profile(&app, &ada).await["pending_email"], Value::Null);
    assert_eq!(verify(&app, &first, "203.0.113.1").await.fields(), [("token", "invalid_token")]);
    change(&app, &ada, NEW, Some(PASSWORD)).await;
    let second = token(&app, "change_email").await;
    change(&app, &ada, "byron@example.com", Some(PASSWORD)).await;
    assert_eq!(verify(&app, &second, "203.0.113.2").await.fields(), [("token", "invalid_token")]);
    assert_eq!(profile(&app, &ada).await["pending_email"], "byron@example.com");
    app.clock.advance(TimeDelta::hours(24));
    let late = verify(&app, &token(&app, "change_email").await, "203.0.113.3").await;
    assert_eq!(late.fields(), [("token", "invalid_token")], "a day is over");
}

/// Spec: auth 11, 23
#[tokio::test]
async fn address_of_somebody_else_is_not_taken_and_nobody_learns_that_it_is_one() {
    let (app, ada) = App::set_up().await;
    app.add_member("grace@example.com", &["engineer"]).await;
    let mut seen = Vec::new();
    for email in ["grace@example.com", "nobody@example.com"] {
        let answer = change(&app, &ada, email, Some(PASSWORD)).await;
        seen.push((answer.status, answer.body));
        assert_eq!(profile(&app, &ada).await["pending_email"], email, "shown alike");
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(recipients(&app, "email_taken").await, ["grace@example.com"], "its owner is told");
    assert_eq!(recipients(&app, "change_email").await, ["nobody@example.com"]);
    app.add_member("nobody@example.com", &["engineer"]).await;
    let late = verify(&app, &token(&app, "change_email").await, "203.0.113.1").await;
    assert_eq!(late.refusal(), (409, "already_exists"), "taken in between");
    assert_eq!(profile(&app, &ada).await["email"], EMAIL);
}

/// Somebody of a directory that knows no address, signed in.
async fn a_person_without_address(app: &App) -> Browser {
    let address = "7f00000000004000800000000000001a@placeholder.invalid";
    app.add_member(address, &["engineer"]).await;
    let browser = app.login(address, PASSWORD, "203.0.113.1").await.browser();
    app.execute(
        "UPDATE users SET password_hash = NULL, email_verified_at = NULL WHERE email LIKE '%placeholder.invalid'",
    )
    .await;
    browser
}

/// Spec: auth 32
#[tokio::test]
async fn person_without_an_address_is_held_until_one_is_entered_and_verified() {
    let (app, _) = App::set_up().await;
    let browser = a_person_without_address(&app).await;
    let me = app.send(get("/me").with(&browser)).await;
    assert_eq!(me.body["standing"], "must_give_address");
    for path in ["/me/sessions", "/teams", "/features"] {
        let refused = app.send(get(path).with(&browser)).await;
        assert!(matches!(refused.refusal(), (403, "email_required") | (404, _)), "{path} {}", refused.body);
    }
    assert_eq!(profile(&app, &browser).await["email"], Value::Null, "a placeholder is no address");
    assert_eq!(change(&app, &browser, "grace@example.com", None).await.status, StatusCode::ACCEPTED);
    assert!(letters(&app, "email_change_asked").await.is_empty(), "nobody reads the placeholder");
    let me = app.send(get("/me").with(&browser)).await;
    assert_eq!(me.body["standing"], "must_give_address", "entered is not verified");
    let opened = verify(&app, &token(&app, "change_email").await, "203.0.113.2").await;
    assert_eq!(opened.body["status"], "verified", "the directory signs people in, not the link");
    let me = app.send(get("/me").with(&browser)).await;
    assert_eq!(
        (&me.body["standing"], &me.body["user"]["email"]),
        (&json!("active"), &json!("grace@example.com"))
    );
    assert_eq!(app.send(get("/me/sessions").with(&browser)).await.status, StatusCode::OK);
    assert!(letters(&app, "email_changed").await.is_empty());
}

/// Spec: auth 17, 32
#[tokio::test]
async fn account_without_a_password_needs_a_fresh_confirmation_instead() {
    let (app, _) = App::set_up().await;
    let browser = a_person_without_address(&app).await;
    app.clock.advance(TimeDelta::minutes(6));
    let refused = change(&app, &browser, "grace@example.com", None).await;
    assert_eq!(refused.refusal(), (403, "reauthentication_required"));
    assert_eq!(app.count("SELECT count(*) FROM mail_outbox WHERE kind = 'change_email'").await, 0);
}

/// Spec: settings 9
#[tokio::test]
async fn name_is_changed_by_its_owner_and_by_nothing_else_in_the_request() {
    let (app, ada) = App::set_up().await;
    let rename = async |body: Value| app.send(json_call(Method::PATCH, "/me", body).with(&ada)).await;
    let renamed = rename(json!({ "name": "  Ada King  " })).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (StatusCode::OK, &json!("Ada King")));
    assert_eq!(app.send(get("/me").with(&ada)).await.body["user"]["name"], "Ada King");
    assert_eq!(rename(json!({})).await.body["name"], "Ada King", "what is absent stays");
    rename(json!({ "name": "Ada King" })).await;
    let renames = app.audit().await.into_iter().filter(|action| action == "user.renamed").count();
    assert_eq!(renames, 1, "no change, no event");
    for (name, code) in [("A", "too_short"), ("ev\u{1b}il", "invalid")] {
        assert_eq!(rename(json!({ "name": name })).await.fields(), [("name", code)]);
    }
    for field in ["email", "roles", "email_verified", "id"] {
        assert_eq!(
            rename(json!({ "name": "Ada", field: "x" })).await.refusal(),
            (422, "unknown_field"),
            "{field}"
        );
    }
}

/// Spec: auth 21
#[tokio::test]
async fn keys_may_look_at_the_profile_and_change_nothing_of_it() {
    let (app, ada) = App::set_up().await;
    let body = json!({ "name": "key", "scopes": ["sessions.own"] });
    let made = app.send(post("/me/api-keys", body).with(&ada)).await;
    let secret =
        format!("Bearer {}", made.body["secret"].as_str().unwrap_or_else(|| panic!("{}", made.body)));
    let with_key = |call: crate::support::Call| call.header("authorization", &secret);
    assert_eq!(app.send(with_key(get("/me/profile"))).await.status, StatusCode::OK);
    for call in [
        json_call(Method::PATCH, "/me", json!({ "name": "Mallory" })),
        post("/me/email", json!({ "email": NEW, "current_password": PASSWORD })),
        call(Method::DELETE, "/me/email"),
    ] {
        assert_eq!(app.send(with_key(call)).await.refusal(), (403, "forbidden"));
    }
}
