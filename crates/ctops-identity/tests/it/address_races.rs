//! Links about addresses that are opened at once, or by whom they were not meant for.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::letters::{letters, token};
use crate::support::{Answer, App, EMAIL, PASSWORD, get, post};

const GRACE: &str = "grace@example.com";

async fn open_registration(app: &App) {
    app.set_authentication(json!({ "registration_mode": "approval" })).await;
}

async fn register(app: &App, email: &str, password: &str, ip: &str) {
    let body =
        json!({ "name": "Grace", "email": email, "password": password, "password_confirmation": password });
    let answer = app.send(post("/auth/register", body).from(ip)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
}

/// Opens all links at the same time, each from an address of its own.
async fn open_at_once(app: &Arc<App>, tokens: Vec<String>) -> Vec<Answer> {
    let mut opened = JoinSet::new();
    for (n, token) in tokens.into_iter().enumerate() {
        let app = app.clone();
        opened.spawn(async move {
            let ip = format!("198.51.100.{n}");
            app.send(post("/auth/verify-email", json!({ "token": token })).from(&ip)).await
        });
    }
    opened.join_all().await
}

fn codes(answers: &[Answer]) -> Vec<u16> {
    let mut codes: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    codes.sort_unstable();
    codes
}

/// Spec: auth 7
#[tokio::test]
async fn link_opened_several_times_at_once_works_once() {
    let (app, _) = App::set_up().await;
    open_registration(&app).await;
    register(&app, GRACE, "compiler of 1952", "203.0.113.1").await;
    let token = token(&app, "verify_email").await;
    let app = Arc::new(app);
    let opened = open_at_once(&app, vec![token; 6]).await;
    assert_eq!(codes(&opened), [200, 422, 422, 422, 422, 422]);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 2, "Ada's and the new one");
}

/// Spec: auth 4
#[tokio::test]
async fn two_registrations_of_one_address_opened_at_once_make_one_account() {
    let (app, _) = App::set_up().await;
    open_registration(&app).await;
    for (n, password) in ["compiler of 1952", "nanoseconds of wire"].into_iter().enumerate() {
        register(&app, GRACE, password, &format!("203.0.113.{n}")).await;
    }
    let tokens = letters(&app, "verify_email").await.into_iter().map(|letter| {
        let link = letter.link.unwrap();
        link.split_once('#').unwrap().1.to_owned()
    });
    let tokens: Vec<String> = tokens.collect();
    let app = Arc::new(app);
    let opened = open_at_once(&app, tokens).await;
    assert_eq!(opened.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1, "{opened:?}");
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
    assert_eq!(app.count("SELECT count(*) FROM registrations").await, 0, "nothing waits any more");
}

/// Spec: auth 11
#[tokio::test]
async fn two_accounts_that_change_to_one_address_at_once_do_not_share_it() {
    let (app, ada) = App::set_up().await;
    app.add_member(GRACE, &["engineer"]).await;
    let grace = app.login(GRACE, PASSWORD, "203.0.113.1").await.browser();
    for (browser, ip) in [(&ada, "203.0.113.2"), (&grace, "203.0.113.3")] {
        let body = json!({ "email": "shared@example.com", "current_password": PASSWORD });
        let asked = app.send(post("/me/email", body).with(browser).from(ip)).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    }
    let tokens = letters(&app, "change_email").await.into_iter();
    let tokens: Vec<String> =
        tokens.map(|letter| letter.link.unwrap().split_once('#').unwrap().1.to_owned()).collect();
    let app = Arc::new(app);
    let opened = open_at_once(&app, tokens).await;
    assert_eq!(codes(&opened), [200, 409]);
    let holders = app.count("SELECT count(*) FROM users WHERE email = 'shared@example.com'").await;
    assert_eq!(holders, 1);
}

/// Attack class: session fixation.
///
/// Spec: auth 7
#[tokio::test]
async fn link_replaces_the_session_of_the_browser_that_opens_it() {
    let (app, ada) = App::set_up().await;
    open_registration(&app).await;
    register(&app, GRACE, "compiler of 1952", "203.0.113.1").await;
    let body = json!({ "token": token(&app, "verify_email").await });
    let opened = app.send(post("/auth/verify-email", body).with(&ada).from("203.0.113.2")).await;
    let grace = opened.browser();
    assert_ne!(grace.token(), ada.token(), "a new token");
    assert_eq!(app.send(get("/me").with(&ada)).await.status, StatusCode::UNAUTHORIZED, "the old one ended");
    assert_eq!(app.send(get("/me").with(&grace)).await.body["user"]["email"], GRACE);
}

/// Attack class: what a letter, the database and the audit trail give away.
#[tokio::test]
async fn tokens_and_passwords_stand_in_no_table_and_in_no_event() {
    let (app, ada) = App::set_up().await;
    open_registration(&app).await;
    register(&app, GRACE, "compiler of 1952", "203.0.113.1").await;
    let body = json!({ "email": "lovelace@example.com", "current_password": PASSWORD });
    app.send(post("/me/email", body).with(&ada)).await;
    let secrets = [
        token(&app, "verify_email").await,
        token(&app, "change_email").await,
        "compiler of 1952".to_owned(),
        PASSWORD.to_owned(),
    ];
    for sql in [
        "SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM registrations r",
        "SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM address_links l",
        "SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') FROM audit_events a",
        "SELECT coalesce(jsonb_agg(to_jsonb(m)), '[]') FROM mail_outbox m",
    ] {
        let rows: Value = sqlx::query_scalar(sql).fetch_one(app.db.pool()).await.unwrap();
        assert!(!rows.as_array().unwrap().is_empty(), "{sql}");
        for secret in &secrets {
            assert!(!rows.to_string().contains(secret.as_str()), "{sql}");
        }
    }
    assert_eq!(letters(&app, "email_change_asked").await[0].to, EMAIL);
    let text = &letters(&app, "verify_email").await[0].text;
    assert!(text.contains("Analytical Engines") && text.contains("24 hours"), "{text}");
}
