//! New passwords: by a link that was mailed, and by the present one; and what somebody might try with either.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use ctops_slice::mail::{Letter, seal_name};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, App, EMAIL, PASSWORD, get, json_call, post};

const NEW_PASSWORD: &str = "compiler of 1952";

async fn forget(app: &App, email: &str, ip: &str) -> Answer {
    app.send(post("/auth/forgot-password", json!({ "email": email })).from(ip)).await
}

async fn reset(app: &App, token: &str, password: &str, ip: &str) -> Answer {
    let body = json!({ "token": token, "password": password, "password_confirmation": password });
    app.send(post("/auth/reset-password", body).from(ip)).await
}

async fn change(app: &App, browser: &crate::support::Browser, current: &str, new: &str) -> Answer {
    let body = json!({ "current_password": current, "password": new, "password_confirmation": new });
    app.send(json_call(Method::PUT, "/me/password", body).with(browser)).await
}

/// The newest letter of a kind, opened.
async fn letter(app: &App, kind: &str) -> Letter {
    let (id, sealed): (Uuid, Vec<u8>) =
        sqlx::query_as("SELECT id, sealed FROM mail_outbox WHERE kind = $1 ORDER BY id DESC LIMIT 1")
            .bind(kind)
            .fetch_one(app.db.pool())
            .await
            .unwrap();
    serde_json::from_slice(&app.state.seal.open(&seal_name(id), &sealed).unwrap()).unwrap()
}

async fn token(app: &App) -> String {
    let link = letter(app, "password_reset").await.link.unwrap();
    let (page, token) = link.split_once('#').unwrap();
    assert_eq!(page, "https://ops.example.com/reset-password", "the token reaches no log of a proxy");
    token.to_owned()
}

/// Spec: auth 10
#[tokio::test]
async fn reset_link_works_once_ends_all_sessions_and_is_kept_as_a_hash() {
    let (app, ada) = App::set_up().await;
    assert_eq!(forget(&app, "Ada@Example.com", "203.0.113.1").await.status, StatusCode::ACCEPTED);
    let token = token(&app).await;
    assert_eq!(token.len(), "rst_".len() + 43, "256 bits");
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT token_hash FROM password_resets").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!(stored, ctops_crypto::secret::sha256(token.as_bytes()), "hashed at rest");

    let answer = reset(&app, &token, NEW_PASSWORD, "203.0.113.2").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    assert_eq!(app.send(get("/me").with(&ada)).await.status, StatusCode::UNAUTHORIZED, "sessions ended");
    assert_eq!(app.login(EMAIL, PASSWORD, "203.0.113.3").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.login(EMAIL, NEW_PASSWORD, "203.0.113.4").await.status, StatusCode::OK);
    assert_eq!(letter(&app, "password_changed").await.to, EMAIL, "the person is told");
    let again = reset(&app, &token, "another long password", "203.0.113.5").await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "once");
    assert_eq!(again.body["fields"][0]["code"], "invalid_token");
    let audit = app.audit().await;
    for action in ["auth.password.reset_requested", "auth.password.reset", "auth.session.revoked"] {
        assert!(audit.iter().any(|known| known == action), "{action} in {audit:?}");
    }
}

/// Spec: auth 10
#[tokio::test]
async fn reset_link_ends_after_an_hour_and_when_another_one_was_used() {
    let (app, _) = App::set_up().await;
    forget(&app, EMAIL, "203.0.113.1").await;
    let old = token(&app).await;
    app.clock.advance(TimeDelta::minutes(59));
    forget(&app, EMAIL, "203.0.113.1").await;
    let newer = token(&app).await;
    app.clock.advance(TimeDelta::minutes(2));
    let code = |answer: Answer| answer.body["fields"][0]["code"].clone();
    assert_eq!(code(reset(&app, &old, NEW_PASSWORD, "203.0.113.2").await), "invalid_token", "too old");
    forget(&app, EMAIL, "203.0.113.1").await;
    let newest = token(&app).await;
    assert_eq!(reset(&app, &newer, NEW_PASSWORD, "203.0.113.3").await.status, StatusCode::NO_CONTENT);
    assert_eq!(code(reset(&app, &newest, "yet another password", "203.0.113.4").await), "invalid_token");
}

/// Spec: auth 10, 23
#[tokio::test]
async fn request_for_an_unknown_address_is_answered_alike_and_mails_nobody() {
    let (app, _) = App::set_up().await;
    let mut times = Vec::new();
    for (email, ip) in [(EMAIL, "203.0.113.1"), ("nobody@example.com", "203.0.113.2")] {
        let began = Instant::now();
        let answer = forget(&app, email, ip).await;
        times.push(began.elapsed());
        assert_eq!((answer.status, answer.body), (StatusCode::ACCEPTED, Value::Null), "{email}");
    }
    assert!(times.iter().all(|time| *time >= Duration::from_millis(400)), "{times:?}");
    assert_eq!(app.count("SELECT count(*) FROM mail_outbox WHERE kind = 'password_reset'").await, 1);
    app.execute("UPDATE users SET active = false").await;
    forget(&app, EMAIL, "203.0.113.3").await;
    assert_eq!(app.count("SELECT count(*) FROM mail_outbox WHERE kind = 'password_reset'").await, 1);
}

/// Spec: auth 10
#[tokio::test]
async fn requests_are_throttled_by_address_and_by_client_whether_the_account_exists_or_not() {
    let (app, _) = App::set_up().await;
    for email in [EMAIL, "nobody@example.com"] {
        for round in 0..5 {
            let ip = format!("203.0.113.{round}");
            assert_eq!(forget(&app, email, &ip).await.status, StatusCode::ACCEPTED);
        }
        assert_eq!(forget(&app, email, "198.51.100.1").await.refusal(), (429, "rate_limited"), "{email}");
    }
    for round in 0..10 {
        let email = format!("someone{round}@example.com");
        assert_eq!(forget(&app, &email, "192.0.2.77").await.status, StatusCode::ACCEPTED);
    }
    assert_eq!(forget(&app, "one.more@example.com", "192.0.2.77").await.refusal(), (429, "rate_limited"));
}

/// Spec: auth 9, 10
#[tokio::test]
async fn guessed_tokens_weak_passwords_and_unknown_fields_are_refused() {
    let (app, _) = App::set_up().await;
    forget(&app, EMAIL, "203.0.113.1").await;
    let token = token(&app).await;
    let code = |answer: &Answer| answer.body["fields"][0]["code"].clone();
    for (password, expected) in [
        ("too short", "too_short"),
        ("ada@example.com", "equals_email"),
        ("Analytical Engines", "equals_organisation"),
        ("qwerty123456", "common_password"),
    ] {
        let answer = reset(&app, &token, password, "203.0.113.2").await;
        assert_eq!((answer.status.as_u16(), code(&answer)), (422, json!(expected)), "{password}");
    }
    let mixed =
        json!({ "token": token, "password": NEW_PASSWORD, "password_confirmation": "something else" });
    let answer = app.send(post("/auth/reset-password", mixed).from("203.0.113.3")).await;
    assert_eq!(code(&answer), "mismatch");
    let more = json!({ "token": token, "password": NEW_PASSWORD, "password_confirmation": NEW_PASSWORD,
                       "roles": ["super_admin"] });
    let answer = app.send(post("/auth/reset-password", more).from("203.0.113.3")).await;
    assert_eq!(code(&answer), "unknown_field");
    for round in 0..10 {
        let guess = format!("rst_{round:043}");
        assert_eq!(code(&reset(&app, &guess, NEW_PASSWORD, "203.0.113.4").await), "invalid_token");
    }
    assert_eq!(reset(&app, &token, NEW_PASSWORD, "203.0.113.4").await.refusal(), (429, "rate_limited"));
    let evil = forget(&app, "ada@example.com\r\nbcc: eve@example.com", "203.0.113.5").await;
    assert_eq!(evil.status, StatusCode::UNPROCESSABLE_ENTITY, "no header can be added");
}

/// Leaves [`EMAIL`] without a password and links the account to a provider that is switched on.
async fn kept_elsewhere(app: &App, kind: &'static str) {
    let table = match kind {
        "ldap" => "INSERT INTO ldap_configurations
                       (id, org_id, name, enabled, login_allowed, settings, created_at, updated_at)
                   SELECT gen_random_uuid(), id, 'elsewhere', TRUE, TRUE, '{}', created_at, created_at FROM organisations
                   RETURNING id",
        _ => "INSERT INTO identity_providers (id, org_id, kind, name, enabled, settings, created_at, updated_at)
              SELECT gen_random_uuid(), id, $1, 'elsewhere', TRUE, '{}', created_at, created_at FROM organisations
              RETURNING id",
    };
    let provider = sqlx::query_scalar::<_, Uuid>(table);
    let provider = if kind == "ldap" { provider } else { provider.bind(kind) };
    let provider = provider.fetch_one(app.db.pool()).await.unwrap();
    sqlx::query(
        "INSERT INTO external_identities
             (id, org_id, user_id, provider, provider_id, subject, name, linked_at, last_used_at)
         SELECT gen_random_uuid(), o.id, u.id, $1, $2, 'guid-1', 'Ada', o.created_at, o.created_at
         FROM organisations o, users u",
    )
    .bind(kind)
    .bind(provider)
    .execute(app.db.pool())
    .await
    .unwrap();
    app.execute("UPDATE users SET password_hash = NULL").await;
}

async fn links(app: &App) -> i64 {
    app.count("SELECT count(*) FROM mail_outbox WHERE kind = 'password_reset'").await
}

/// Somebody whom the directory shuts out must not have made themselves a password before.
///
/// Spec: auth 10, 35
#[tokio::test]
async fn account_of_a_usable_provider_gets_no_link_and_the_answer_does_not_show_it() {
    for (kind, off) in [
        ("ldap", "UPDATE ldap_configurations SET enabled = FALSE"),
        ("oidc", "UPDATE identity_providers SET enabled = FALSE"),
        ("saml", "UPDATE identity_providers SET deleted_at = created_at"),
    ] {
        let (app, _) = App::set_up().await;
        kept_elsewhere(&app, kind).await;
        let began = Instant::now();
        let answer = forget(&app, EMAIL, "203.0.113.1").await;
        assert_eq!((answer.status, answer.body), (StatusCode::ACCEPTED, Value::Null), "{kind}");
        assert!(began.elapsed() >= Duration::from_millis(400), "{kind}");
        assert_eq!(links(&app).await, 0, "{kind}");
        let denied = "SELECT count(*) FROM audit_events WHERE reason_code = 'external_account'";
        assert_eq!(app.count(denied).await, 1, "administrators see why");
        app.execute(off).await;
        forget(&app, EMAIL, "203.0.113.1").await;
        let way_back = reset(&app, &token(&app).await, NEW_PASSWORD, "203.0.113.2").await;
        assert_eq!(way_back.status, StatusCode::NO_CONTENT, "{kind}: {}", way_back.body);
        assert_eq!(app.login(EMAIL, NEW_PASSWORD, "203.0.113.3").await.status, StatusCode::OK, "{kind}");
    }
}

/// Spec: auth 35
#[tokio::test]
async fn link_sent_after_the_licence_lapsed_is_refused_once_the_provider_works_again() {
    let (app, _) = App::set_up().await;
    kept_elsewhere(&app, "saml").await;
    let all = ctops_slice::Entitlement::of_tier(ctops_slice::licence::Tier::Enterprise);
    app.licence.set(ctops_slice::Entitlement::of_tier(ctops_slice::licence::Tier::Pro));
    forget(&app, EMAIL, "203.0.113.1").await;
    let token = token(&app).await;
    app.licence.set(all);
    let refused = reset(&app, &token, NEW_PASSWORD, "203.0.113.2").await;
    assert_eq!(refused.body["fields"][0]["code"], "invalid_token");
    assert_eq!(app.count("SELECT count(*) FROM users WHERE password_hash IS NOT NULL").await, 0);
    app.licence.set(ctops_slice::Entitlement::community());
    assert_eq!(reset(&app, &token, NEW_PASSWORD, "203.0.113.2").await.status, StatusCode::NO_CONTENT);
    app.licence.set(ctops_slice::Entitlement::of_tier(ctops_slice::licence::Tier::Enterprise));
    forget(&app, EMAIL, "203.0.113.3").await;
    assert_eq!(links(&app).await, 2, "who has a password may replace it, linked or not");
}

/// Spec: auth 10, 14
#[tokio::test]
async fn changing_the_password_needs_the_present_one_and_ends_other_sessions_only() {
    let (app, ada) = App::set_up().await;
    let elsewhere = app.login(EMAIL, PASSWORD, "203.0.113.9").await.browser();
    let wrong = change(&app, &ada, "not the password", NEW_PASSWORD).await;
    assert_eq!(wrong.refusal(), (422, "invalid_credentials"));
    assert_eq!(app.audit().await.last().unwrap(), "auth.reauthentication.failed", "a guess leaves a trace");
    assert_eq!(app.send(get("/me").with(&elsewhere)).await.status, StatusCode::OK, "nothing happened");
    assert_eq!(change(&app, &ada, PASSWORD, NEW_PASSWORD).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(get("/me").with(&ada)).await.status, StatusCode::OK, "this session goes on");
    assert_eq!(app.send(get("/me").with(&elsewhere)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.login(EMAIL, NEW_PASSWORD, "203.0.113.10").await.status, StatusCode::OK);
    assert!(app.audit().await.iter().any(|action| action == "auth.password.changed"));
    app.execute("UPDATE users SET password_hash = NULL").await;
    assert_eq!(change(&app, &ada, NEW_PASSWORD, PASSWORD).await.refusal(), (409, "wrong_state"));
}
