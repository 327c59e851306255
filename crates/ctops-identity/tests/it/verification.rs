//! Links that prove addresses: what they do, for how long, and what somebody might try with them.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::letters::{letters, link, recipients, token};
use crate::second_factor::{self, Authenticator};
use crate::support::{Answer, App, EMAIL, PASSWORD, get, post};

const GRACE: &str = "grace@example.com";

/// A member whose address is not verified.
async fn an_unverified_member(app: &App) -> Uuid {
    let id = app.add_member(GRACE, &["engineer"]).await;
    app.execute("UPDATE users SET email_verified_at = NULL WHERE email = 'grace@example.com'").await;
    id
}

async fn resend(app: &App, email: &str, password: &str, ip: &str) -> Answer {
    app.send(post("/auth/resend-verification", json!({ "email": email, "password": password })).from(ip))
        .await
}

async fn verify(app: &App, token: &str, ip: &str) -> Answer {
    app.send(post("/auth/verify-email", json!({ "token": token })).from(ip)).await
}

/// Spec: auth 6, 7, 8, 17
#[tokio::test]
async fn link_sent_again_verifies_once_and_signs_in() {
    let (app, _) = App::set_up().await;
    an_unverified_member(&app).await;
    assert_eq!(app.login(GRACE, PASSWORD, "203.0.113.1").await.refusal(), (403, "email_not_verified"));
    let answer = resend(&app, "Grace@Example.COM", PASSWORD, "203.0.113.2").await;
    assert_eq!((answer.status, answer.body), (StatusCode::ACCEPTED, Value::Null));
    let (page, token) = link(&app, "verify_email").await;
    assert_eq!(page, "https://ops.example.com/verify-email", "the token reaches no log of a proxy");
    assert_eq!(token.len(), "ver_".len() + 43, "256 bits");
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT token_hash FROM address_links").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!(stored, ctops_crypto::secret::sha256(token.as_bytes()), "hashed at rest");

    let opened = verify(&app, &token, "203.0.113.3").await;
    assert_eq!(opened.body["status"], "signed_in", "{}", opened.body);
    let browser = opened.browser();
    assert_eq!(app.send(get("/me").with(&browser)).await.body["user"]["email_verified"], true);
    let enrol = app.send(post("/me/mfa/totp", json!({})).with(&browser)).await;
    assert_eq!(enrol.refusal(), (403, "reauthentication_required"), "a mailbox confirms nobody");
    let again = verify(&app, &token, "203.0.113.4").await;
    assert_eq!(again.fields(), [("token", "invalid_token")], "once");
    assert_eq!(app.login(GRACE, PASSWORD, "203.0.113.5").await.status, StatusCode::OK);
    let audit = app.audit().await;
    for action in ["auth.email.link_requested", "auth.email.verified", "auth.login.succeeded"] {
        assert!(audit.iter().any(|known| known == action), "{action} in {audit:?}");
    }
}

/// Spec: auth 7
#[tokio::test]
async fn link_ends_after_a_day_and_when_another_one_was_opened() {
    let (app, _) = App::set_up().await;
    an_unverified_member(&app).await;
    resend(&app, GRACE, PASSWORD, "203.0.113.1").await;
    let old = token(&app, "verify_email").await;
    app.clock.advance(TimeDelta::hours(23));
    for ip in ["203.0.113.2", "203.0.113.3"] {
        resend(&app, GRACE, PASSWORD, ip).await;
    }
    let sent = letters(&app, "verify_email").await;
    let tokens: Vec<&str> =
        sent.iter().map(|letter| letter.link.as_deref().unwrap().split_once('#').unwrap().1).collect();
    app.clock.advance(TimeDelta::minutes(61));
    assert_eq!(verify(&app, &old, "203.0.113.4").await.fields(), [("token", "invalid_token")], "too old");
    assert_eq!(verify(&app, tokens[1], "203.0.113.5").await.status, StatusCode::OK);
    assert_eq!(verify(&app, tokens[2], "203.0.113.6").await.fields(), [("token", "invalid_token")]);
}

/// Spec: auth 8, 23
#[tokio::test]
async fn asking_again_says_nothing_about_accounts_and_mails_only_who_knows_the_password() {
    let (app, _) = App::set_up().await;
    an_unverified_member(&app).await;
    app.add_member("shut@example.com", &["engineer"]).await;
    app.execute("UPDATE users SET email_verified_at = NULL, active = false WHERE email = 'shut@example.com'")
        .await;
    let attempts = [
        (GRACE, PASSWORD),
        (GRACE, "not the password"),
        (EMAIL, PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("shut@example.com", PASSWORD),
    ];
    for (n, (email, password)) in attempts.into_iter().enumerate() {
        let began = Instant::now();
        let answer = resend(&app, email, password, &format!("203.0.113.{n}")).await;
        assert_eq!((answer.status, answer.body), (StatusCode::ACCEPTED, Value::Null), "{email}");
        assert!(began.elapsed() >= Duration::from_millis(400), "{email}");
    }
    assert_eq!(recipients(&app, "verify_email").await, [GRACE]);
}

/// Spec: auth 8
#[tokio::test]
async fn asking_again_is_throttled_by_address_and_by_client_whether_the_account_exists_or_not() {
    let (app, _) = App::set_up().await;
    an_unverified_member(&app).await;
    for email in [GRACE, "nobody@example.com"] {
        for round in 0..3 {
            let ip = format!("203.0.113.{round}");
            assert_eq!(resend(&app, email, PASSWORD, &ip).await.status, StatusCode::ACCEPTED);
        }
        assert_eq!(
            resend(&app, email, PASSWORD, "198.51.100.1").await.refusal(),
            (429, "rate_limited"),
            "{email}"
        );
    }
    for round in 0..10 {
        let email = format!("someone{round}@example.com");
        assert_eq!(resend(&app, &email, PASSWORD, "192.0.2.77").await.status, StatusCode::ACCEPTED);
    }
    assert_eq!(
        resend(&app, "one.more@example.com", PASSWORD, "192.0.2.77").await.refusal(),
        (429, "rate_limited")
    );
}

/// Spec: auth 7
#[tokio::test]
async fn guessed_tokens_foreign_paths_and_unknown_fields_are_refused() {
    let (app, _) = App::set_up().await;
    for token in ["", "ver_", "ver_\u{1}", "\u{202e}", &"v".repeat(4000)] {
        let refused = verify(&app, token, "203.0.113.1").await;
        assert_eq!(refused.fields(), [("token", "invalid_token")], "{token:?}");
    }
    let more = json!({ "token": "ver_x", "redirect": "/hosts" });
    assert_eq!(
        app.send(post("/auth/verify-email", more).from("203.0.113.2")).await.refusal().1,
        "unknown_field"
    );
    for path in ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nset-cookie: a=b"] {
        let body = json!({ "email": GRACE, "password": PASSWORD, "redirect": path });
        let refused = app.send(post("/auth/resend-verification", body).from("203.0.113.3")).await;
        assert_eq!(refused.fields(), [("redirect", "not_local")], "{path:?}");
    }
    for round in 0..10 {
        verify(&app, &format!("ver_{round:043}"), "203.0.113.4").await;
    }
    assert_eq!(verify(&app, "ver_x", "203.0.113.4").await.refusal(), (429, "rate_limited"));
    let foreign =
        post("/auth/verify-email", json!({ "token": "ver_x" })).header("origin", "https://evil.example");
    assert_eq!(app.send(foreign.from("203.0.113.5")).await.refusal(), (403, "untrusted_origin"));
}

/// Spec: auth 7
#[tokio::test]
async fn link_of_somebody_shut_out_meanwhile_lets_nobody_in() {
    let (app, _) = App::set_up().await;
    an_unverified_member(&app).await;
    resend(&app, GRACE, PASSWORD, "203.0.113.1").await;
    let token = token(&app, "verify_email").await;
    app.execute("UPDATE memberships SET state = 'deactivated' WHERE roles = '{engineer}'").await;
    let opened = verify(&app, &token, "203.0.113.2").await;
    assert_eq!(opened.body, json!({ "status": "verified", "email": GRACE }), "proved, but not let in");
    assert!(opened.cookies().is_empty());
    app.execute("UPDATE users SET email_verified_at = NULL WHERE email = 'grace@example.com'").await;
    app.execute("UPDATE memberships SET state = 'active'").await;
    app.clock.advance(TimeDelta::minutes(2));
    resend(&app, GRACE, PASSWORD, "203.0.113.3").await;
    app.execute("UPDATE users SET active = false WHERE email = 'grace@example.com'").await;
    let newer = crate::letters::token(&app, "verify_email").await;
    assert_eq!(verify(&app, &newer, "203.0.113.4").await.fields(), [("token", "invalid_token")]);
}

/// Spec: auth 7, 19
#[tokio::test]
async fn link_asks_for_the_second_factor_of_who_has_one() {
    let (app, _) = App::set_up().await;
    app.add_member(GRACE, &["engineer"]).await;
    let browser = app.login(GRACE, PASSWORD, "203.0.113.1").await.browser();
    let authenticator = Authenticator::enrol(&app, &browser).await;
    app.execute("UPDATE users SET email_verified_at = NULL WHERE email = 'grace@example.com'").await;
    resend(&app, GRACE, PASSWORD, "203.0.113.2").await;
    let opened = verify(&app, &token(&app, "verify_email").await, "203.0.113.3").await;
    let waiting = second_factor::waiting(&opened);
    let code = json!({ "code": authenticator.next_code(&app) });
    let signed_in = app.send(post("/auth/mfa/verify", code).with(&waiting).from("203.0.113.3")).await;
    assert_eq!(signed_in.body["status"], "signed_in", "{}", signed_in.body);
}

/// Spec: auth 35
#[tokio::test]
async fn link_signs_nobody_in_where_identity_providers_alone_do() {
    let (app, _) = App::set_up().await;
    an_unverified_member(&app).await;
    resend(&app, GRACE, PASSWORD, "203.0.113.1").await;
    app.set_authentication(json!({ "sso_only": true })).await;
    sqlx::query(
        "INSERT INTO identity_providers (id, org_id, kind, name, enabled, settings, created_at, updated_at)
         SELECT $1, id, 'oidc', 'Provider', true, '{}', created_at, created_at FROM organisations",
    )
    .bind(Uuid::nil())
    .execute(app.db.pool())
    .await
    .unwrap();
    let opened = verify(&app, &token(&app, "verify_email").await, "203.0.113.2").await;
    assert_eq!(opened.body["status"], "verified", "{}", opened.body);
    assert!(opened.cookies().is_empty());
    let offer = app.send(get("/auth/methods")).await;
    assert_eq!(offer.body["password_reset_offered"], false, "{}", offer.body);
}
