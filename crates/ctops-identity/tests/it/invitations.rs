//! Invitations: made, sent, looked at, accepted; and everything somebody might try with one.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, App, Browser, EMAIL, PASSWORD, delete, get, json_call, post};

const NEW_PASSWORD: &str = "compiler of 1952";

async fn invite(app: &App, browser: &Browser, body: Value) -> Answer {
    app.send(post("/invitations", body).with(browser)).await
}

/// The token in the link of an answer.
#[track_caller]
fn token_of(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
    let link = answer.body["link"].as_str().unwrap();
    let (page, token) = link.split_once('#').unwrap();
    assert_eq!(page, "https://ops.example.com/invitation");
    token.to_owned()
}

async fn look(app: &App, token: &str, ip: &str) -> Answer {
    app.send(post("/invitations/lookup", json!({ "token": token })).from(ip)).await
}

fn acceptance(token: &str) -> Value {
    json!({ "token": token, "name": "Grace Hopper", "password": NEW_PASSWORD, "password_confirmation": NEW_PASSWORD })
}

async fn accept(app: &App, body: Value, ip: &str) -> Answer {
    app.send(post("/invitations/accept", body).from(ip)).await
}

async fn member(app: &App, email: &str) -> Option<(String, Vec<String>)> {
    sqlx::query_as(
        "SELECT m.state, m.roles FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = $1",
    )
    .bind(email)
    .fetch_optional(app.db.pool())
    .await
    .unwrap()
}

/// Spec: auth 27, 28
#[tokio::test]
async fn invited_person_makes_an_account_with_exactly_the_invited_address_roles_and_teams() {
    let (app, ada) = App::set_up().await;
    let team = app.send(post("/teams", json!({ "name": "Ops" })).with(&ada)).await.body["id"].clone();
    let body =
        json!({ "email": "Grace@Example.com", "roles": ["engineer", "read_only"], "team_ids": [team] });
    let made = invite(&app, &ada, body).await;
    assert_eq!((made.status, made.body["status"].as_str()), (StatusCode::CREATED, Some("invited")));
    let token = token_of(&made);
    assert_eq!(token.len(), "inv_".len() + 43, "256 bits");
    let seen = look(&app, &token, "203.0.113.1").await;
    assert_eq!(
        (seen.body["email"].as_str(), seen.body["has_account"].as_bool()),
        (Some("grace@example.com"), Some(false))
    );
    assert_eq!(seen.body["organisation"], "Analytical Engines");
    let accepted = accept(&app, acceptance(&token), "203.0.113.1").await;
    assert_eq!(accepted.status, StatusCode::OK, "{}", accepted.body);
    assert_eq!(
        member(&app, "grace@example.com").await.unwrap(),
        ("active".into(), vec!["read_only".into(), "engineer".into()])
    );
    assert_eq!(app.count("SELECT count(*) FROM team_members").await, 1);
    assert_eq!(app.login("grace@example.com", NEW_PASSWORD, "203.0.113.2").await.status, StatusCode::OK);
    assert_eq!(accept(&app, acceptance(&token), "203.0.113.3").await.refusal(), (409, "wrong_state"), "once");
    assert_eq!(app.count("SELECT count(*) FROM mail_outbox WHERE kind = 'invitation'").await, 1);
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT token_hash FROM invitations").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!(stored, ctops_crypto::secret::sha256(token.as_bytes()), "hashed at rest");
    let audit = app.audit().await;
    assert!(
        ["user.invited", "user.invite_accepted"].iter().all(|name| audit.iter().any(|action| action == name))
    );
}

/// Attack: roles, state or organisation in the request that accepts (attack class 19).
#[tokio::test]
async fn acceptance_cannot_choose_roles_state_or_organisation() {
    let (app, ada) = App::set_up().await;
    let token =
        token_of(&invite(&app, &ada, json!({ "email": "g@example.com", "roles": ["read_only"] })).await);
    for (n, (field, value)) in [
        ("roles", json!(["super_admin"])),
        ("role", json!("super_admin")),
        ("email", json!("other@example.com")),
        ("org_id", json!(Uuid::nil())),
        ("team_ids", json!([])),
        ("state", json!("active")),
        ("email_verified", json!(true)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = acceptance(&token);
        body[field] = value;
        let refused = accept(&app, body, &format!("198.51.100.{n}")).await;
        assert_eq!(refused.refusal(), (422, "unknown_field"), "{field}");
    }
    accept(&app, acceptance(&token), "198.51.100.99").await;
    assert_eq!(member(&app, "g@example.com").await.unwrap().1, ["read_only"]);
}

/// Spec: auth 28
/// Attack: acceptance by another address.
#[tokio::test]
async fn account_with_another_or_unverified_address_does_not_accept() {
    let (app, ada) = App::set_up().await;
    let other = ctops_testkit::a_organisation(app.db.pool()).await;
    for (email, verified) in [("eve@example.com", true), ("grace@example.com", false)] {
        let id = app.add_member(email, &["engineer"]).await;
        sqlx::query("UPDATE memberships SET org_id = $1 WHERE user_id = $2 AND org_id <> $1 AND NOT EXISTS (SELECT FROM memberships o WHERE o.user_id = $2 AND o.org_id = $1)")
            .bind(other)
            .bind(id)
            .execute(app.db.pool())
            .await
            .unwrap();
        sqlx::query("DELETE FROM memberships WHERE user_id = $2 AND org_id <> $1")
            .bind(other)
            .bind(id)
            .execute(app.db.pool())
            .await
            .unwrap();
        let browser = app.login(email, PASSWORD, "203.0.113.8").await.browser();
        if !verified {
            sqlx::query("UPDATE users SET email_verified_at = NULL WHERE id = $1")
                .bind(id)
                .execute(app.db.pool())
                .await
                .unwrap();
        }
        let token = token_of(
            &invite(&app, &ada, json!({ "email": format!("for-{email}"), "roles": ["org_admin"] })).await,
        );
        let foreign = app.send(post("/invitations/accept", json!({ "token": token })).with(&browser)).await;
        assert_eq!(foreign.refusal(), (403, "invitation_for_another_address"));
        let token = token_of(
            &invite(&app, &ada, json!({ "email": email.to_uppercase(), "roles": ["read_only"] })).await,
        );
        let without = accept(&app, acceptance(&token), "203.0.113.9").await;
        assert_eq!(without.refusal(), (409, "sign_in_first"), "no password of an existing account is set");
        let own = app.send(post("/invitations/accept", json!({ "token": token })).with(&browser)).await;
        if verified {
            assert_eq!(own.body["status"], "joined", "{}", own.body);
        } else {
            assert_eq!(own.refusal(), (403, "email_not_verified"));
        }
    }
    let joined = "SELECT count(*) FROM memberships WHERE roles = '{org_admin}'";
    assert_eq!(app.count(joined).await, 0);
}

/// Spec: auth 28
/// Attack: guessing tokens.
#[tokio::test]
async fn guessed_tokens_are_refused_alike_and_throttled_per_address() {
    let (app, ada) = App::set_up().await;
    let token =
        token_of(&invite(&app, &ada, json!({ "email": "g@example.com", "roles": ["read_only"] })).await);
    let nearly = format!("{}x", &token[..token.len() - 1]);
    let guesses =
        ["", "inv_", "' OR 1=1 --", &nearly, &token[4..], "\u{1}", &token.to_uppercase(), "a", "b", "c"];
    for guess in guesses {
        let refused = look(&app, guess, "203.0.113.66").await;
        assert_eq!(
            (refused.status.as_u16(), refused.fields()),
            (422, vec![("token", "invalid_token")]),
            "{guess:?}"
        );
    }
    assert_eq!(
        look(&app, &token, "203.0.113.66").await.refusal(),
        (429, "rate_limited"),
        "even the right one"
    );
    assert_eq!(accept(&app, acceptance(&token), "203.0.113.66").await.refusal(), (429, "rate_limited"));
    assert_eq!(look(&app, &token, "203.0.113.67").await.status, StatusCode::OK);
}

/// Spec: auth 27; users-teams-rbac 7
#[tokio::test]
async fn org_admin_invites_everybody_but_super_admins() {
    let (app, ada) = App::set_up().await;
    app.add_member("oa@example.com", &["org_admin"]).await;
    let admin = app.login("oa@example.com", PASSWORD, "203.0.113.4").await.browser();
    let roles = async |browser: &Browser, email: &str, role: &str| {
        invite(&app, browser, json!({ "email": email, "roles": [role] })).await
    };
    assert_eq!(roles(&admin, "a@example.com", "super_admin").await.refusal(), (403, "super_admin_required"));
    for (n, role) in ["org_admin", "engineer", "read_only"].into_iter().enumerate() {
        assert_eq!(
            roles(&admin, &format!("{n}@example.com"), role).await.status,
            StatusCode::CREATED,
            "{role}"
        );
    }
    let strong = roles(&ada, "sa@example.com", "super_admin").await;
    let id = strong.body["invitation"]["id"].as_str().unwrap();
    let resent = app.send(post(&format!("/invitations/{id}/resend"), json!({})).with(&admin)).await;
    assert_eq!(
        resent.refusal(),
        (403, "super_admin_required"),
        "nor is a link of one to be had by sending it again"
    );
    app.add_member("eve@example.com", &["engineer"]).await;
    let engineer = app.login("eve@example.com", PASSWORD, "203.0.113.5").await.browser();
    assert_eq!(roles(&engineer, "x@example.com", "read_only").await.refusal(), (403, "forbidden"));
    for bad in [json!({ "email": "x@y.z", "roles": [] }), json!({ "email": "x", "roles": ["engineer"] })] {
        assert_eq!(invite(&app, &ada, bad).await.refusal(), (422, "validation_failed"));
    }
}

/// Attack: an administrator who knows they will be removed leaves invitations behind.
#[tokio::test]
async fn invitation_of_somebody_removed_or_demoted_since_is_worth_nothing() {
    let (app, ada) = App::set_up().await;
    let mallory = app.add_member("mallory@example.com", &["org_admin"]).await;
    let browser = app.login("mallory@example.com", PASSWORD, "203.0.113.4").await.browser();
    let token =
        token_of(&invite(&app, &browser, json!({ "email": "m2@example.com", "roles": ["org_admin"] })).await);
    let demoted = json_call(Method::PATCH, &format!("/users/{mallory}"), json!({ "roles": ["engineer"] }));
    assert_eq!(app.send(demoted.with(&ada)).await.status, StatusCode::OK);
    assert_eq!(accept(&app, acceptance(&token), "203.0.113.6").await.refusal(), (409, "wrong_state"));
    app.send(delete(&format!("/users/{mallory}")).with(&ada)).await;
    assert_eq!(look(&app, &token, "203.0.113.6").await.refusal(), (409, "wrong_state"));
    assert_eq!(member(&app, "m2@example.com").await, None);
}

/// Spec: auth 27, 28
#[tokio::test]
async fn link_ends_after_seven_days_by_cancelling_and_by_a_newer_one() {
    let (app, ada) = App::set_up().await;
    let made = invite(&app, &ada, json!({ "email": "g@example.com", "roles": ["read_only"] })).await;
    let (first, id) = (token_of(&made), made.body["invitation"]["id"].as_str().unwrap().to_owned());
    let twice = invite(&app, &ada, json!({ "email": "G@example.com", "roles": ["engineer"] })).await;
    assert_eq!(twice.refusal(), (409, "already_exists"), "one live invitation per address");
    let second = token_of(&app.send(post(&format!("/invitations/{id}/resend"), json!({})).with(&ada)).await);
    assert_eq!(look(&app, &first, "203.0.113.1").await.fields(), [("token", "invalid_token")]);
    assert_eq!(look(&app, &second, "203.0.113.1").await.status, StatusCode::OK);
    app.clock.advance(TimeDelta::days(7));
    assert_eq!(look(&app, &second, "203.0.113.2").await.refusal(), (409, "wrong_state"));
    let ada = app.login(EMAIL, PASSWORD, "203.0.113.3").await.browser();
    let list = app.send(get("/invitations").with(&ada)).await;
    assert_eq!(list.body["items"][0]["state"], "expired");
    let again = invite(&app, &ada, json!({ "email": "g@example.com", "roles": ["read_only"] })).await;
    let third = token_of(&again);
    let id = again.body["invitation"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        app.send(delete(&format!("/invitations/{id}")).with(&ada)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(look(&app, &third, "203.0.113.2").await.refusal(), (409, "wrong_state"));
    assert_eq!(
        app.send(delete(&format!("/invitations/{id}")).with(&ada)).await.refusal(),
        (404, "not_found")
    );
    let foreign = app.send(delete(&format!("/invitations/{}", Uuid::nil())).with(&ada)).await;
    assert_eq!(foreign.refusal(), (404, "not_found"));
}

/// Spec: auth 28
#[tokio::test]
async fn inviting_a_removed_person_restores_them_and_members_are_not_invited() {
    let (app, ada) = App::set_up().await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let again =
        async || invite(&app, &ada, json!({ "email": "Bob@example.com", "roles": ["read_only"] })).await;
    assert_eq!(again().await.refusal(), (409, "already_exists"));
    app.send(delete(&format!("/users/{bob}")).with(&ada)).await;
    let back = again().await;
    assert_eq!((back.body["status"].as_str(), back.body["user_id"].clone()), (Some("restored"), json!(bob)));
    assert_eq!(member(&app, "bob@example.com").await.unwrap(), ("active".into(), vec!["read_only".into()]));
    assert_eq!(app.login("bob@example.com", PASSWORD, "203.0.113.4").await.status, StatusCode::OK);
}

/// Where several organisations share an installation, one administrator's word does not verify an address for all.
#[tokio::test]
async fn invited_address_is_verified_by_its_owner_where_there_are_several_organisations() {
    let (app, ada) = App::set_up().await;
    ctops_testkit::a_organisation(app.db.pool()).await;
    let token =
        token_of(&invite(&app, &ada, json!({ "email": "g@example.com", "roles": ["read_only"] })).await);
    let accepted = accept(&app, acceptance(&token), "203.0.113.1").await;
    assert_eq!(accepted.body, json!({ "status": "verify_email" }));
    assert!(!accepted.headers.contains_key("set-cookie"));
    assert_eq!(
        app.login("g@example.com", NEW_PASSWORD, "203.0.113.2").await.refusal(),
        (403, "email_not_verified")
    );
    let link = crate::letters::token(&app, "verify_email").await;
    let proved = app.send(post("/auth/verify-email", json!({ "token": link })).from("203.0.113.3")).await;
    assert_eq!(proved.body["me"]["roles"], json!(["read_only"]), "{}", proved.body);
}

/// Spec: auth 9
#[tokio::test]
async fn account_made_by_invitation_keeps_the_rules_of_names_and_passwords() {
    let (app, ada) = App::set_up().await;
    let token =
        token_of(&invite(&app, &ada, json!({ "email": "grace@example.com", "roles": ["read_only"] })).await);
    for (n, (name, password, again, field)) in [
        ("G", NEW_PASSWORD, NEW_PASSWORD, "name"),
        ("Grace", "too short", "too short", "password"),
        ("Grace", "grace@example.com", "grace@example.com", "password"),
        ("Grace", NEW_PASSWORD, "something else", "password_confirmation"),
    ]
    .into_iter()
    .enumerate()
    {
        let body =
            json!({ "token": token, "name": name, "password": password, "password_confirmation": again });
        let refused = accept(&app, body, &format!("198.51.100.{n}")).await;
        assert_eq!((refused.status.as_u16(), refused.fields()[0].0), (422, field));
    }
    assert_eq!(member(&app, "grace@example.com").await, None);
}
