//! Whether somebody is locked out and has a second factor, for administrators; and letting them in again.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, PASSWORD, get, post};

const BOB: &str = "bob@example.com";

/// Five wrong passwords, each from an address of its own.
async fn lock_out(app: &App) {
    for number in 1..=5 {
        let body = json!({ "email": BOB, "password": "not the password" });
        app.send(post("/auth/login", body).from(&format!("203.0.113.{number}"))).await;
    }
}

async fn tries(app: &App, ip: &str) -> StatusCode {
    app.send(post("/auth/login", json!({ "email": BOB, "password": PASSWORD })).from(ip)).await.status
}

/// Spec: auth 22
#[tokio::test]
async fn an_administrator_sees_that_somebody_is_locked_out_and_lets_them_in_again() {
    let (app, admin) = App::set_up().await;
    let bob = app.add_member(BOB, &["engineer"]).await;
    let path = format!("/users/{bob}/security");
    let shown = async || app.send(get(&path).with(&admin)).await.body["locked_until"].clone();
    assert_eq!(shown().await, Value::Null);
    lock_out(&app).await;
    assert_eq!(tries(&app, "203.0.113.20").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(shown().await, "2026-06-03T12:05:00.000Z", "five minutes");
    let unlock = || post(&format!("/users/{bob}/unlock"), json!({})).with(&admin);
    assert_eq!(app.send(unlock()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shown().await, Value::Null);
    assert_eq!(app.audit().await.last().unwrap(), "auth.login.unlocked");
    assert_eq!(tries(&app, "203.0.113.21").await, StatusCode::OK);
    assert_eq!(app.send(unlock()).await.status, StatusCode::NO_CONTENT, "who is not locked stays so");
}

/// Spec: auth 22
#[tokio::test]
async fn a_lock_of_second_factors_is_shown_and_lifted_as_well() {
    let (app, admin) = App::set_up().await;
    let bob = app.add_member(BOB, &["engineer"]).await;
    sqlx::query(
        "INSERT INTO throttles (scope, key, hits, window_started_at, lock_level, locked_until)
         VALUES ('second_factor_lock', $1, 0, $2, 1, $2 + interval '15 minutes'),
                ('account_lock', $3, 0, $2, 1, $2 + interval '5 minutes'),
                ('account_lock', 'else@example.com', 0, $2, 1, $2 + interval '5 minutes')",
    )
    .bind(bob.to_string())
    .bind(app.clock.now())
    .bind(BOB)
    .execute(app.db.pool())
    .await
    .unwrap();
    let security = app.send(get(&format!("/users/{bob}/security")).with(&admin)).await.body;
    assert_eq!(security["locked_until"], "2026-06-03T12:15:00.000Z", "the later of the two");
    app.send(post(&format!("/users/{bob}/unlock"), json!({})).with(&admin)).await;
    assert_eq!(
        app.count("SELECT count(*) FROM throttles WHERE locked_until IS NOT NULL").await,
        1,
        "others stay"
    );
}

/// Spec: auth 16
#[tokio::test]
async fn second_factors_are_counted_and_a_seed_that_waits_for_its_code_is_none() {
    let (app, admin) = App::set_up().await;
    let bob = app.add_member(BOB, &["engineer"]).await;
    let shown = async || app.send(get(&format!("/users/{bob}/security")).with(&admin)).await.body;
    assert_eq!(shown().await, json!({ "locked_until": null, "authenticator_app": false, "passkeys": 0 }));
    sqlx::query("INSERT INTO totp_seeds (user_id, seed_sealed, created_at) VALUES ($1, '\\x00', now())")
        .bind(bob)
        .execute(app.db.pool())
        .await
        .unwrap();
    assert_eq!(shown().await["authenticator_app"], false);
    app.execute("UPDATE totp_seeds SET enrolled_at = now()").await;
    assert_eq!(shown().await["authenticator_app"], true);
}

/// Spec: users-teams-rbac 1
#[tokio::test]
async fn people_elsewhere_are_unknown_and_who_is_no_administrator_may_not_ask() {
    let (app, admin) = App::set_up().await;
    let bob = app.add_member(BOB, &["engineer"]).await;
    let engineer = app.login(BOB, PASSWORD, "192.0.2.77").await.browser();
    let other = ctops_testkit::a_organisation(app.db.pool()).await;
    let carol = ctops_testkit::a_user(app.db.pool(), other, &[ctops_base::Role::Engineer]).await;
    for id in [carol, Uuid::nil()] {
        let look = app.send(get(&format!("/users/{id}/security")).with(&admin)).await;
        assert_eq!(look.refusal(), (404, "not_found"));
        let unlock = app.send(post(&format!("/users/{id}/unlock"), json!({})).with(&admin)).await;
        assert_eq!(unlock.refusal(), (404, "not_found"));
    }
    let look = app.send(get(&format!("/users/{bob}/security")).with(&engineer)).await;
    assert_eq!(look.refusal(), (403, "forbidden"));
    let unlock = app.send(post(&format!("/users/{bob}/unlock"), json!({})).with(&engineer)).await;
    assert_eq!(unlock.refusal(), (403, "forbidden"));
}
