//! Password in, session out; and everything that must not be possible.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use ctops_slice::state::Installation;
use serde_json::json;

use crate::support::{App, Browser, EMAIL, PASSWORD, an_installation, get, post};

/// Spec: auth 12, 13
#[tokio::test]
async fn login_sets_a_host_cookie_with_all_attributes_and_a_token_that_is_stored_as_hash() {
    let (app, _) = App::set_up().await;
    let answer = app.login(" Ada@Example.com ", PASSWORD, "192.0.2.9").await;
    let browser = answer.browser();
    let expected = format!("{}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure", browser.cookie);
    assert_eq!(answer.set_cookie(), expected);
    assert!(browser.cookie.starts_with("__Host-ctops_session="));
    assert_eq!(browser.token().len(), 43, "256 bits in base64url");
    assert_eq!(answer.body["me"]["session"]["expires_at"], "2026-06-10T12:00:00.000Z");
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT sessions::text FROM sessions").fetch_all(app.db.pool()).await.unwrap();
    assert!(stored.iter().all(|row| !row.contains(browser.token())));
    let by_hash: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE token_hash = sha256($1)")
        .bind(browser.token().as_bytes())
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert_eq!(by_hash, 1);
}

/// Spec: auth 12
#[tokio::test]
async fn login_over_plain_http_drops_secure_and_the_prefix_that_needs_it() {
    let installation = Installation { public_url: "http://ops.example.com".into(), ..an_installation() };
    let app = App::prepared_with(installation).await;
    let call = post("/setup", crate::support::set_up_body()).header("origin", "http://ops.example.com");
    let answer = app.send(call).await;
    let browser = answer.browser();
    assert!(browser.cookie.starts_with("ctops_session="));
    assert!(
        !answer.set_cookie().contains("Secure") && answer.set_cookie().contains("HttpOnly; SameSite=Lax")
    );
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::OK);
}

/// Spec: auth 6
#[tokio::test]
async fn login_unverified_is_refused_only_after_the_right_password() {
    let (app, _) = App::set_up().await;
    app.execute("UPDATE users SET email_verified_at = NULL").await;
    let wrong = app.login(EMAIL, "not the password", "192.0.2.9").await;
    assert_eq!(wrong.refusal(), (401, "invalid_credentials"));
    let right = app.login(EMAIL, PASSWORD, "192.0.2.9").await;
    assert_eq!(right.refusal(), (403, "email_not_verified"));
    assert!(!right.headers.contains_key("set-cookie"));
}

/// Spec: auth 6
#[tokio::test]
async fn login_unverified_passes_when_verification_is_switched_off() {
    let installation = Installation { require_email_verification: false, ..an_installation() };
    let (app, _) = App::set_up_with(installation).await;
    app.execute("UPDATE users SET email_verified_at = NULL").await;
    let answer = app.login(EMAIL, PASSWORD, "192.0.2.9").await;
    assert_eq!(
        (answer.status, &answer.body["me"]["user"]["email_verified"]),
        (StatusCode::OK, &json!(false))
    );
}

/// Spec: auth 22
#[tokio::test]
async fn fifth_wrong_password_locks_the_account_longer_each_time_until_a_success() {
    let (app, _) = App::set_up().await;
    let attempt = async |password: &str, n: u32| app.login(EMAIL, password, &format!("198.51.100.{n}")).await;
    for (round, minutes) in [5, 10].into_iter().enumerate() {
        let base = u32::try_from(round).unwrap() * 20;
        for n in 0..5 {
            assert_eq!(attempt("not the password", base + n).await.refusal().0, 401, "round {round}, {n}");
        }
        let locked = attempt(PASSWORD, base + 5).await;
        assert_eq!(locked.refusal(), (429, "rate_limited"), "the right password does not open the lock");
        assert_eq!(locked.retry_after(), minutes * 60);
        app.clock.advance(TimeDelta::minutes(i64::try_from(minutes).unwrap()));
    }
    assert_eq!(attempt(PASSWORD, 50).await.status, StatusCode::OK);
    for n in 60..65 {
        assert_eq!(attempt("not the password", n).await.refusal().0, 401);
    }
    assert_eq!(attempt(PASSWORD, 70).await.retry_after(), 5 * 60, "success forgot the earlier locks");
    let audit = app.audit().await;
    assert_eq!(audit.iter().filter(|action| *action == "auth.login.locked").count(), 3);
    assert_eq!(audit.iter().filter(|action| *action == "auth.login.failed").count(), 15);
}

/// Spec: auth 22
#[tokio::test]
async fn wrong_passwords_further_apart_than_the_window_do_not_lock() {
    let (app, _) = App::set_up().await;
    for n in 0..4 {
        app.login(EMAIL, "not the password", &format!("198.51.100.{n}")).await;
    }
    app.clock.advance(TimeDelta::minutes(15));
    assert_eq!(app.login(EMAIL, "not the password", "198.51.100.10").await.refusal().0, 401);
    assert_eq!(app.login(EMAIL, PASSWORD, "198.51.100.11").await.status, StatusCode::OK);
}

/// Spec: auth 22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_guesses_at_one_account_are_stopped_by_the_lock() {
    let (app, _) = App::set_up().await;
    let app = std::sync::Arc::new(app);
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..14 {
        let app = app.clone();
        guesses.spawn(async move {
            app.login(EMAIL, "not the password", &format!("203.0.113.{n}")).await.status.as_u16()
        });
    }
    let statuses = guesses.join_all().await;
    let judged = statuses.iter().filter(|status| **status == 401).count();
    // Two hashes run at a time, so one guess may pass the lock while the fifth is being counted.
    assert!((5..=6).contains(&judged), "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)));
}

/// Spec: auth 22
#[tokio::test]
async fn eleventh_credential_request_of_an_address_in_a_minute_is_refused_whatever_it_asks() {
    let (app, _) = App::set_up().await;
    let set_up = || post("/setup", crate::support::set_up_body()).from("203.0.113.5");
    for _ in 0..9 {
        assert_eq!(app.send(set_up()).await.refusal().0, 409);
    }
    assert_eq!(app.login(EMAIL, PASSWORD, "203.0.113.5").await.status, StatusCode::OK);
    let refused = app.login(EMAIL, PASSWORD, "203.0.113.5").await;
    assert_eq!(refused.refusal(), (429, "rate_limited"));
    assert_eq!(refused.retry_after(), 60);
    assert_eq!(app.send(set_up()).await.refusal().0, 429, "set-up shares the counter");
    assert_eq!(app.login(EMAIL, PASSWORD, "203.0.113.6").await.status, StatusCode::OK, "another address");
    app.clock.advance(TimeDelta::seconds(60));
    assert_eq!(app.login(EMAIL, PASSWORD, "203.0.113.5").await.status, StatusCode::OK);
}

/// Spec: auth 24
#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_counters_of_their_own() {
    let installation = Installation { trust_proxy_headers: true, ..an_installation() };
    let (app, _) = App::set_up_with(installation).await;
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let via = |client: &str| {
        let hops = format!("1.1.1.1, {client}");
        post("/auth/login", body.clone()).from("10.0.0.1").header("x-forwarded-for", &hops)
    };
    let set_up = |client: &str| {
        post("/setup", crate::support::set_up_body()).from("10.0.0.1").header("x-forwarded-for", client)
    };
    for _ in 0..10 {
        assert_eq!(app.send(set_up("203.0.113.5")).await.refusal().0, 409);
    }
    assert_eq!(app.send(via("203.0.113.5")).await.refusal().0, 429);
    let other = app.send(via("203.0.113.6")).await.browser();
    let listed = app.send(get("/me/sessions").with(&other).header("x-forwarded-for", "203.0.113.6")).await;
    let items = listed.body["items"].as_array().unwrap();
    assert!(items.iter().any(|s| s["current"] == true && s["ip"] == "203.0.113.6"), "{items:?}");
}

/// Spec: auth 24
#[tokio::test]
async fn proxy_headers_of_an_untrusted_peer_open_no_new_counter() {
    let (app, _) = App::set_up().await;
    for n in 0..10 {
        let call = post("/setup", crate::support::set_up_body()).from("203.0.113.5");
        app.send(call.header("x-forwarded-for", &format!("1.1.1.{n}"))).await;
    }
    let call = post("/auth/login", json!({ "email": EMAIL, "password": PASSWORD })).from("203.0.113.5");
    assert_eq!(app.send(call.header("x-forwarded-for", "1.1.1.99")).await.refusal().0, 429);
}

#[tokio::test]
async fn login_never_takes_over_a_token_and_ends_the_session_it_replaces() {
    let (app, first) = App::set_up().await;
    let planted = Browser { cookie: "__Host-ctops_session=chosen-by-the-attacker".into(), ..first.clone() };
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let victim = app.send(post("/auth/login", body.clone()).with(&planted)).await.browser();
    assert_ne!(victim.cookie, planted.cookie);
    assert_eq!(app.send(get("/me").with(&planted)).await.refusal(), (401, "unauthenticated"));
    let again = app.send(post("/auth/login", body).with(&victim)).await.browser();
    assert_ne!(again.cookie, victim.cookie);
    assert_eq!(app.send(get("/me").with(&victim)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        app.send(get("/me").with(&first)).await.status,
        StatusCode::OK,
        "another browser is not touched"
    );
}

/// Spec: auth 15
#[tokio::test]
async fn logout_ends_the_session_at_once_and_clears_the_cookie() {
    let (app, browser) = App::set_up().await;
    let answer = app.send(post("/auth/logout", json!({})).with(&browser)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(
        answer.set_cookie(),
        "__Host-ctops_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"
    );
    assert_eq!(app.send(get("/me").with(&browser)).await.refusal(), (401, "unauthenticated"));
    assert_eq!(app.send(post("/auth/logout", json!({})).with(&browser)).await.refusal().0, 401);
    assert_eq!(app.audit().await.last().unwrap(), "auth.logout");
}

/// Spec: auth 25
#[tokio::test]
async fn requests_forged_by_another_site_change_nothing() {
    let (app, browser) = App::set_up().await;
    let logout = || post("/auth/logout", json!({})).with(&browser);
    let forged = [
        logout().header("origin", "https://evil.example.net"),
        logout().header("origin", "null"),
        logout().without("origin"),
        logout().without("origin").header("referer", "https://evil.example.net/?https://ops.example.com"),
        logout().without("x-ctops-request"),
    ];
    for call in forged {
        assert_eq!(app.send(call).await.refusal(), (403, "untrusted_origin"));
    }
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let foreign = post("/auth/login", body.clone()).header("origin", "https://evil.example.net");
    assert_eq!(app.send(foreign).await.refusal(), (403, "untrusted_origin"), "forged sign-in");
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::OK, "still signed in");
    let form = post("/auth/login", body).header("content-type", "text/plain");
    assert_eq!(app.send(form).await.refusal(), (400, "malformed_json"), "what an HTML form can send");
    let alias = logout().header("origin", "https://alias.example.com");
    assert_eq!(app.send(alias).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn login_with_fields_of_its_own_making_is_refused() {
    let (app, _) = App::set_up().await;
    for field in ["role", "user_id", "org_id", "method"] {
        let mut body = json!({ "email": EMAIL, "password": PASSWORD });
        body[field] = json!("super_admin");
        let answer = app.send(post("/auth/login", body)).await;
        assert_eq!(
            (answer.refusal(), answer.fields()),
            ((422, "unknown_field"), vec![(field, "unknown_field")])
        );
    }
}

/// Spec: auth 9
#[tokio::test]
async fn login_with_an_over_long_password_is_refused_before_hashing_and_without_counting() {
    let (app, _) = App::set_up().await;
    let _busy = (app.passwords.turn().await.unwrap(), app.passwords.turn().await.unwrap());
    for (email, password, field) in [
        (EMAIL.to_owned(), "x".repeat(129), "password"),
        ("a".repeat(255), PASSWORD.to_owned(), "email"),
        ("a\u{0}b@example.com".to_owned(), PASSWORD.to_owned(), "body"),
    ] {
        let sent = app.login(&email, &password, "192.0.2.9");
        let answer = tokio::time::timeout(Duration::from_secs(10), sent).await.unwrap();
        assert_eq!(answer.refusal(), (422, "validation_failed"));
        assert_eq!(answer.fields()[0].0, field);
    }
    assert_eq!(app.count("SELECT count(*) FROM throttles WHERE scope = 'account_lock'").await, 0);
}

#[tokio::test]
async fn failed_sign_ins_are_audited_without_what_was_typed() {
    type Row = (String, Option<String>, String, Option<String>, String);
    let (app, _) = App::set_up().await;
    app.login(EMAIL, "typed-password-1", "192.0.2.9").await;
    app.login("typed-address@example.com", "typed-password-2", "192.0.2.9").await;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT actor_kind, target_id, summary, ip, audit_events::text
         FROM audit_events WHERE action = 'auth.login.failed' ORDER BY id",
    )
    .fetch_all(app.db.pool())
    .await
    .unwrap();
    let user: uuid::Uuid = sqlx::query_scalar("SELECT id FROM users").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!((rows[0].1.clone(), rows[0].2.as_str()), (Some(user.to_string()), "wrong password"));
    assert_eq!((rows[1].1.clone(), rows[1].2.as_str()), (None, "no such account"));
    for row in &rows {
        assert_eq!((row.0.as_str(), row.3.as_deref()), ("anonymous", Some("192.0.2.9")));
        assert!(!row.4.contains("typed-"), "{}", row.4);
    }
}
