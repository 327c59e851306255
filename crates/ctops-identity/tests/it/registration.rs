//! People who ask for an account: who may, what becomes of them, and what strangers learn.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::letters::{letters, link, recipients, token};
use crate::support::{Answer, App, Browser, EMAIL, an_installation, get, json_call, post};

const GRACE: &str = "grace@example.com";
const WORDS: &str = "compiler of 1952";

async fn open_to(app: &App, domains: &[&str]) {
    app.set_authentication(json!({ "registration_mode": "approval", "allowed_domains": domains })).await;
}

/// An installation that takes registrations, and the browser of its administrator.
async fn an_open_app() -> (App, Browser) {
    let (app, ada) = App::set_up().await;
    open_to(&app, &[]).await;
    (app, ada)
}

fn body(email: &str, password: &str) -> Value {
    json!({ "name": "Grace Hopper", "email": email, "password": password, "password_confirmation": password })
}

async fn register(app: &App, email: &str, ip: &str) -> Answer {
    app.send(post("/auth/register", body(email, WORDS)).from(ip)).await
}

async fn verify(app: &App, token: &str, ip: &str) -> Answer {
    app.send(post("/auth/verify-email", json!({ "token": token })).from(ip)).await
}

async fn methods(app: &App) -> Value {
    app.send(get("/auth/methods")).await.body
}

/// Spec: auth 4, 5, 7
#[tokio::test]
async fn whoever_registers_and_proves_the_address_waits_until_an_administrator_approves() {
    let (app, ada) = an_open_app().await;
    let answer = register(&app, "Grace@Example.com", "203.0.113.1").await;
    assert_eq!((answer.status, answer.body), (StatusCode::ACCEPTED, Value::Null));
    let (page, token) = link(&app, "verify_email").await;
    assert_eq!(page, "https://ops.example.com/verify-email");
    let grace = verify(&app, &token, "203.0.113.2").await;
    assert_eq!(grace.body["status"], "signed_in", "{}", grace.body);
    assert_eq!(grace.body["me"]["standing"], "pending");
    assert_eq!(grace.body["me"]["roles"], json!([]));
    assert_eq!(grace.body["me"]["user"]["email_verified"], true);
    let browser = grace.browser();
    for path in ["/users", "/me/sessions", "/teams", "/invitations"] {
        let refused = app.send(get(path).with(&browser)).await;
        assert_eq!(refused.refusal(), (403, "membership_pending"), "{path}");
    }
    assert_eq!(app.send(get("/me/profile").with(&browser)).await.status, StatusCode::OK, "their own account");

    let waiting = app.send(get("/users?state=pending").with(&ada)).await;
    assert_eq!(waiting.body["total"], 1);
    assert_eq!(waiting.body["items"][0]["email"], GRACE);
    let path = format!("/users/{}", waiting.body["items"][0]["id"].as_str().unwrap());
    let approve = json!({ "state": "active", "roles": ["engineer"] });
    let approved = app.send(json_call(Method::PATCH, &path, approve).with(&ada)).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    assert_eq!(recipients(&app, "approved").await, [GRACE], "they are told");
    let again = app.login(GRACE, WORDS, "203.0.113.3").await;
    assert_eq!(
        (&again.body["me"]["standing"], &again.body["me"]["roles"]),
        (&json!("active"), &json!(["engineer"]))
    );
    let audit = app.audit().await;
    for action in ["user.registration_requested", "user.registered", "user.approved"] {
        assert!(audit.iter().any(|known| known == action), "{action} in {audit:?}");
    }
}

/// Spec: auth 4, users-teams-rbac 5
#[tokio::test]
async fn whoever_an_administrator_refuses_is_out_at_once() {
    let (app, ada) = an_open_app().await;
    register(&app, GRACE, "203.0.113.1").await;
    let browser = verify(&app, &token(&app, "verify_email").await, "203.0.113.2").await.browser();
    let waiting = app.send(get("/users?state=pending").with(&ada)).await;
    let path = format!("/users/{}", waiting.body["items"][0]["id"].as_str().unwrap());
    let refused = app.send(json_call(Method::DELETE, &path, json!({})).with(&ada)).await;
    assert_eq!(refused.status, StatusCode::NO_CONTENT, "{}", refused.body);
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.login(GRACE, WORDS, "203.0.113.3").await.refusal(), (401, "invalid_credentials"));
}

/// Spec: auth 4
#[tokio::test]
async fn registration_is_open_in_one_mode_only_and_the_sign_in_page_follows() {
    let (app, _) = App::set_up().await;
    assert_eq!(
        methods(&app).await["registration_open"],
        false,
        "by invitation unless somebody says otherwise"
    );
    assert_eq!(register(&app, GRACE, "203.0.113.1").await.refusal(), (409, "wrong_state"));
    for mode in ["closed", "invite_only", "nonsense"] {
        app.set_authentication(json!({ "registration_mode": mode })).await;
        assert_eq!(register(&app, GRACE, "203.0.113.2").await.refusal(), (409, "wrong_state"), "{mode}");
        assert_eq!(methods(&app).await["registration_open"], false, "{mode}");
    }
    app.set_authentication(json!({ "registration_mode": "approval", "sso_only": true })).await;
    assert_eq!(register(&app, GRACE, "203.0.113.3").await.refusal(), (409, "wrong_state"));
    open_to(&app, &[]).await;
    assert_eq!(methods(&app).await["registration_open"], true);
    assert_eq!(methods(&app).await["password_reset_offered"], true);
    assert_eq!(register(&app, GRACE, "203.0.113.4").await.status, StatusCode::ACCEPTED);
    assert_eq!(app.count("SELECT count(*) FROM mail_outbox").await, 1);
}

/// Spec: auth 4
#[tokio::test]
async fn address_of_another_domain_is_refused() {
    let (app, _) = App::set_up().await;
    open_to(&app, &["example.com"]).await;
    let refused = register(&app, "grace@example.org", "203.0.113.1").await;
    assert_eq!(
        (refused.refusal(), refused.fields()),
        ((422, "validation_failed"), vec![("email", "domain_not_allowed")])
    );
    assert_eq!(register(&app, "Grace@EXAMPLE.com", "203.0.113.1").await.status, StatusCode::ACCEPTED);
    assert_eq!(recipients(&app, "verify_email").await, [GRACE]);
}

/// Spec: auth 4
#[tokio::test]
async fn link_does_not_work_any_more_after_registration_was_closed() {
    let (app, _) = an_open_app().await;
    register(&app, GRACE, "203.0.113.1").await;
    let token = token(&app, "verify_email").await;
    app.set_authentication(json!({ "registration_mode": "closed" })).await;
    assert_eq!(verify(&app, &token, "203.0.113.2").await.refusal(), (409, "wrong_state"));
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
    open_to(&app, &[]).await;
    assert_eq!(
        verify(&app, &token, "203.0.113.3").await.status,
        StatusCode::OK,
        "the refusal did not use it up"
    );
}

/// Everything a stranger sees and measures when registering with `email` and then signing in.
async fn seen_by_a_stranger(app: &App, email: &str, n: u8) -> (Vec<(u16, Value)>, Duration) {
    let ip = format!("198.51.100.{n}");
    let began = Instant::now();
    let registered = register(app, email, &ip).await;
    let took = began.elapsed();
    let mut seen = vec![(registered.status.as_u16(), registered.body)];
    for password in [WORDS, "not the password"] {
        let mut answer = app.login(email, password, &ip).await;
        answer.body["request_id"] = Value::Null;
        seen.push((answer.status.as_u16(), answer.body));
    }
    let again = json!({ "email": email, "password": WORDS });
    let resent = app.send(post("/auth/resend-verification", again).from(&ip)).await;
    seen.push((resent.status.as_u16(), resent.body));
    (seen, took)
}

/// Spec: auth 8, 23
#[tokio::test]
async fn nobody_learns_by_registering_whether_an_address_has_an_account() {
    let (app, _) = an_open_app().await;
    app.add_member("removed@example.com", &["engineer"]).await;
    app.execute("UPDATE memberships SET state = 'removed' WHERE roles = '{engineer}'").await;
    let (nobody, quick) = seen_by_a_stranger(&app, "nobody@example.com", 1).await;
    assert_eq!(nobody[1].1["code"], "email_not_verified", "what was typed is recognised");
    assert_eq!(nobody[2].1["code"], "invalid_credentials");
    for (n, email) in [(2, EMAIL), (3, "removed@example.com")] {
        let (seen, took) = seen_by_a_stranger(&app, email, n).await;
        assert_eq!(seen, nobody, "{email}");
        assert!(took.min(quick) >= Duration::from_millis(400), "{took:?} {quick:?}");
    }
    assert_eq!(
        recipients(&app, "already_registered").await,
        [EMAIL, "removed@example.com"],
        "owners are told"
    );
    assert_eq!(recipients(&app, "verify_email").await, ["nobody@example.com"; 2], "once more on demand");
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2, "nothing came of it");
}

/// Spec: auth 22, 23
#[tokio::test]
async fn signing_in_with_what_was_registered_locks_accounts_and_strangers_alike() {
    let (app, _) = an_open_app().await;
    for (n, email) in [(1, EMAIL), (2, "nobody@example.com")] {
        register(&app, email, &format!("198.51.100.{n}")).await;
        for round in 0..5 {
            let answer = app.login(email, WORDS, &format!("203.0.113.{round}")).await;
            assert_eq!(answer.refusal(), (403, "email_not_verified"), "{email} {round}");
        }
        let locked = app.login(email, WORDS, "192.0.2.99").await;
        assert_eq!(
            locked.refusal(),
            (429, "rate_limited"),
            "{email}: the password of a stranger clears no lock"
        );
    }
}

/// Spec: auth 31
#[tokio::test]
async fn a_registration_does_not_keep_the_address_from_its_owner() {
    let (app, _) = an_open_app().await;
    app.send(post("/auth/register", body(GRACE, "chosen by a stranger")).from("203.0.113.1")).await;
    let strangers = token(&app, "verify_email").await;
    register(&app, GRACE, "203.0.113.2").await;
    let own = token(&app, "verify_email").await;
    assert_eq!(verify(&app, &own, "203.0.113.3").await.body["status"], "signed_in");
    assert_eq!(app.login(GRACE, WORDS, "203.0.113.4").await.status, StatusCode::OK);
    assert_eq!(
        app.login(GRACE, "chosen by a stranger", "203.0.113.5").await.refusal(),
        (401, "invalid_credentials"),
        "what others typed is forgotten"
    );
    let late = verify(&app, &strangers, "203.0.113.6").await;
    assert_eq!(late.fields(), [("token", "invalid_token")]);
}

/// Spec: auth 4
#[tokio::test]
async fn the_request_cannot_say_what_somebody_becomes() {
    let (app, _) = an_open_app().await;
    for (field, value) in [
        ("roles", json!(["super_admin"])),
        ("state", json!("active")),
        ("organisation_id", json!("019a0000-0000-7000-8000-000000000000")),
        ("email_verified", json!(true)),
        ("callback", json!("/accept-invite")),
    ] {
        let mut body = body(GRACE, WORDS);
        body[field] = value;
        let refused = app.send(post("/auth/register", body).from("203.0.113.1")).await;
        assert_eq!(refused.refusal(), (422, "unknown_field"), "{field}");
    }
    let mut body = body(GRACE, WORDS);
    body["redirect"] = json!("https://evil.example/accept-invite");
    let refused = app.send(post("/auth/register", body.clone()).from("203.0.113.1")).await;
    assert_eq!(refused.fields(), [("redirect", "not_local")]);
    body["redirect"] = json!("/hosts?status=offline");
    assert_eq!(app.send(post("/auth/register", body).from("203.0.113.1")).await.status, StatusCode::ACCEPTED);
    let (page, token) = link(&app, "verify_email").await;
    assert_eq!(page, "https://ops.example.com/verify-email?redirect=%2Fhosts%3Fstatus%3Doffline");
    assert_eq!(verify(&app, &token, "203.0.113.2").await.body["me"]["standing"], "pending");
}

/// Spec: auth 22
#[tokio::test]
async fn registrations_are_throttled_by_client_and_by_address() {
    let (app, _) = an_open_app().await;
    for round in 0..5 {
        let ip = format!("203.0.113.{round}");
        assert_eq!(register(&app, GRACE, &ip).await.status, StatusCode::ACCEPTED);
    }
    assert_eq!(register(&app, GRACE, "203.0.113.9").await.refusal(), (429, "rate_limited"));
    app.clock.advance(TimeDelta::minutes(61));
    assert_eq!(register(&app, GRACE, "203.0.113.9").await.status, StatusCode::ACCEPTED);
    for _ in 0..10 {
        let typo = app.send(post("/auth/register", json!({})).from("192.0.2.77")).await;
        assert_eq!(typo.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for round in 0..10 {
        let wrong = app.send(post("/auth/register", body("nowhere", WORDS)).from("192.0.2.77")).await;
        assert_eq!(wrong.refusal(), (422, "validation_failed"), "{round}");
    }
    assert_eq!(register(&app, "late@example.com", "192.0.2.77").await.refusal(), (429, "rate_limited"));
}

/// Spec: auth 9
#[tokio::test]
async fn weak_passwords_are_refused_by_the_rule_of_the_organisation() {
    let (app, _) = App::set_up().await;
    app.set_authentication(json!({ "registration_mode": "approval", "password_min_length": 20 })).await;
    for (password, code) in [
        ("too short", "too_short"),
        ("analytical engines", "equals_organisation"),
        (GRACE, "equals_email"),
        ("qwerty123456", "common_password"),
        (WORDS, "too_short"),
    ] {
        let refused = app.send(post("/auth/register", body(GRACE, password)).from("203.0.113.1")).await;
        assert_eq!(refused.fields(), [("password", code)], "{password}");
    }
    assert!(letters(&app, "verify_email").await.is_empty());
}

/// Spec: auth 4, 6
#[tokio::test]
async fn without_verification_whoever_registers_waits_right_away() {
    let mut installation = an_installation();
    installation.require_email_verification = false;
    let (app, _) = App::set_up_with(installation).await;
    open_to(&app, &[]).await;
    assert_eq!(register(&app, GRACE, "203.0.113.1").await.status, StatusCode::ACCEPTED);
    let signed_in = app.login(GRACE, WORDS, "203.0.113.2").await;
    assert_eq!(signed_in.body["me"]["standing"], "pending", "{}", signed_in.body);
    assert_eq!(signed_in.body["me"]["user"]["email_verified"], false);
    let taken = register(&app, GRACE, "203.0.113.3").await;
    assert_eq!((taken.status, taken.body), (StatusCode::ACCEPTED, Value::Null));
    let proved = verify(&app, &token(&app, "verify_email").await, "203.0.113.4").await;
    assert_eq!(proved.body["me"]["user"]["email_verified"], true);
}

/// Spec: auth 7
#[tokio::test]
async fn registration_is_forgotten_after_a_day() {
    let (app, _) = an_open_app().await;
    register(&app, GRACE, "203.0.113.1").await;
    let token = token(&app, "verify_email").await;
    app.clock.advance(TimeDelta::hours(24));
    assert_eq!(verify(&app, &token, "203.0.113.2").await.fields(), [("token", "invalid_token")]);
    assert_eq!(app.login(GRACE, WORDS, "203.0.113.3").await.refusal(), (401, "invalid_credentials"));
    register(&app, "other@example.com", "203.0.113.4").await;
    assert_eq!(app.count("SELECT count(*) FROM registrations").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM address_links").await, 1);
}

/// Spec: auth 4, 28
#[tokio::test]
async fn whoever_was_invited_meanwhile_joins_by_the_invitation() {
    let (app, ada) = an_open_app().await;
    register(&app, GRACE, "203.0.113.1").await;
    let invitation = json!({ "email": GRACE, "roles": ["engineer"] });
    let invited = app.send(post("/invitations", invitation).with(&ada)).await;
    assert_eq!(invited.status, StatusCode::CREATED, "the address is free: {}", invited.body);
}
