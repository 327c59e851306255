//! Journeys that must not end signed in.

use chrono::TimeDelta;
use ctops_base::{Clock, Role};
use ctops_testkit::a_user;
use serde_json::json;
use url::Url;

use crate::oidc::Journey;
use crate::openid_provider::Setup;
use crate::support::{App, SITE, oidc_settings};

fn replayed() -> (u16, String) {
    (401, "sign_in_replayed".to_owned())
}

fn failed() -> (u16, String) {
    (401, "sso_failed".to_owned())
}

/// The path with one parameter of its query changed.
fn with(path: &str, name: &str, value: Option<&str>) -> String {
    let url = Url::parse(&format!("{SITE}{path}")).unwrap();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let kept = url.query_pairs().filter(|(known, _)| known != name);
    query.extend_pairs(kept);
    if let Some(value) = value {
        query.append_pair(name, value);
    }
    format!("{}?{}", url.path(), query.finish())
}

/// Attack class 13: an answer that is used twice, or by another browser.
/// Spec: auth 33
#[tokio::test]
async fn state_that_is_replayed_or_of_another_browser_is_refused() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "read_only"})).await;
    let (cookie, path) = journey.to_the_door("", "").await;
    let (other_cookie, other_path) = journey.to_the_door("", "").await;
    assert_eq!(journey.app.visit("", &path).await.refusal(), replayed(), "no cookie");
    assert_eq!(
        journey.app.visit(&other_cookie, &path).await.refusal(),
        replayed(),
        "another browser's cookie"
    );
    assert_eq!(journey.app.visit("__Host-ctops_sso=short", &path).await.refusal(), replayed());
    for state in [None, Some(""), Some("x"), Some("é")] {
        assert_eq!(
            journey.app.visit(&cookie, &with(&path, "state", state)).await.refusal(),
            replayed(),
            "{state:?}"
        );
    }
    assert_eq!(journey.app.visit(&cookie, &path).await.location(), "/");
    assert_eq!(journey.app.visit(&cookie, &path).await.refusal(), replayed(), "the second time");
    assert_eq!(journey.app.visit(&other_cookie, &other_path).await.location(), "/");
}

/// Spec: auth 33
#[tokio::test]
async fn answer_that_comes_after_ten_minutes_is_refused() {
    let journey = Journey::new(Setup::default(), json!({})).await;
    let (cookie, path) = journey.to_the_door("", "").await;
    sqlx::query("UPDATE sso_attempts SET expires_at = created_at")
        .execute(journey.app.db.pool())
        .await
        .unwrap();
    assert_eq!(journey.app.visit(&cookie, &path).await.refusal(), replayed());
}

/// Spec: auth 33
#[tokio::test]
async fn code_that_was_changed_stolen_or_refused_signs_nobody_in() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "read_only"})).await;
    for (name, value) in [
        ("code", Some("made-up")),
        ("code", None),
        ("iss", Some("https://attacker.example")),
        ("error", Some("access_denied")),
    ] {
        let (cookie, path) = journey.to_the_door("", "").await;
        let answer = journey.app.visit(&cookie, &with(&path, name, value)).await;
        assert_eq!(answer.refusal(), failed(), "{name} {value:?}");
    }
    // A code from one browser in the journey of another: nonce and verifier do not fit.
    let (_, stolen) = journey.to_the_door("", "").await;
    let stolen = Url::parse(&format!("{SITE}{stolen}")).unwrap();
    let code = stolen.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let (cookie, path) = journey.to_the_door("", "").await;
    assert_eq!(journey.app.visit(&cookie, &with(&path, "code", Some(&code))).await.refusal(), failed());
    let refusals = journey.app.refusals().await;
    assert_eq!(refusals.len(), 5, "each is in the audit trail");
    assert!(refusals.iter().all(|(code, _)| code == "sso_failed"));
}

/// The provider itself refuses a code without the verifier of the browser that asked.
/// Spec: auth 33
#[tokio::test]
async fn code_without_the_browsers_verifier_is_worth_nothing() {
    let journey = Journey::new(Setup::default(), json!({})).await;
    let (_, path) = journey.to_the_door("", "").await;
    let url = Url::parse(&format!("{SITE}{path}")).unwrap();
    let code = url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let redirect = format!("{SITE}{}", url.path());
    assert_eq!(journey.provider.exchange(&code, &redirect, &"v".repeat(43)).await, 400);
}

/// Attack class 13: the address of an account that exists.
/// Spec: auth 33, 35
#[tokio::test]
async fn address_of_an_existing_account_never_takes_that_account_over() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "org_admin"})).await;
    let victim = a_user(journey.app.db.pool(), journey.app.org, &[Role::SuperAdmin]).await;
    sqlx::query("UPDATE users SET email = 'alice@example.com' WHERE id = $1")
        .bind(victim)
        .execute(journey.app.db.pool())
        .await
        .unwrap();
    let answer = journey.complete().await;
    assert!(answer.location().starts_with("/link-account#link_"), "its own sign-in must confirm");
    assert!(answer.cookies().is_empty(), "nobody is signed in");
    let linked: i64 = sqlx::query_scalar("SELECT count(*) FROM external_identities")
        .fetch_one(journey.app.db.pool())
        .await
        .unwrap();
    assert_eq!(linked, 0);
}

/// Spec: auth 35
#[tokio::test]
async fn people_of_other_domains_are_refused_before_they_have_an_account() {
    let journey = Journey::new(Setup::default(), json!({"allowed_domains": ["example.org"]})).await;
    assert_eq!(journey.complete().await.refusal(), (403, "sso_refused".to_owned()));
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE email = 'alice@example.com'")
        .fetch_one(journey.app.db.pool())
        .await
        .unwrap();
    assert_eq!(accounts, 0);
    assert!(journey.app.refusals().await[0].1.contains("domain_not_allowed"));
}

/// Spec: auth 33
#[tokio::test]
async fn failed_journeys_lead_browsers_to_the_sign_in_page() {
    let app = App::new().await;
    let request = axum::http::Request::builder()
        .uri("/auth/oidc/019a0000-0000-7000-8000-000000000000/callback?state=x")
        .header("accept", "text/html,application/xhtml+xml")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = app.answer(request).await;
    assert_eq!(answer.status, 401);
    assert!(answer.text.contains("/login?sso_error=sign_in_replayed"), "{}", answer.text);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"));
}

/// Spec: auth 22
#[tokio::test]
async fn answers_of_providers_are_throttled_with_all_other_credentials() {
    let app = App::new().await;
    let mut last = 0;
    for _ in 0..11 {
        let mut request = axum::http::Request::builder()
            .uri("/auth/oidc/019a0000-0000-7000-8000-000000000000/callback?state=x")
            .header("x-test", "1")
            .body(axum::body::Body::empty())
            .unwrap();
        let peer = std::net::SocketAddr::from(([192, 0, 2, 7], 1));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        last = app.answer_from(request).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

/// Spec: security 7, 8
#[tokio::test]
async fn provider_at_a_forbidden_address_is_not_asked() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for (issuer, code) in [
        ("https://169.254.169.254/latest", "egress_refused"),
        ("https://10.1.2.3/realms/main", "egress_needs_target"),
        ("https://[::ffff:169.254.169.254]/", "egress_refused"),
    ] {
        let mut settings = oidc_settings();
        settings["issuer"] = json!(issuer);
        let body =
            json!({"name": "x", "enabled": true, "oidc": {"settings": settings, "client_secret": "s"}});
        let made = app.send(&admin, "POST", "/identity-providers", Some(body)).await.expect(201);
        let answer = app.visit("", &format!("/auth/oidc/{}/start", made["id"].as_str().unwrap())).await;
        assert_eq!(answer.refusal(), (422, code.to_owned()), "{issuer}");
    }
}

/// Attempts go once they are over.
#[tokio::test]
async fn attempts_are_removed_a_day_after_their_end() {
    let clock = ctops_testkit::a_clock();
    let journey = Journey::new(Setup::default(), json!({})).await;
    journey.start("", "").await;
    let job = journey.app.jobs.iter().find(|job| job.name() == "purge_sso_attempts").unwrap();
    let count = || async {
        let rows =
            sqlx::query_scalar("SELECT count(*) FROM sso_attempts").fetch_one(journey.app.db.pool()).await;
        rows.unwrap_or(-1_i64)
    };
    job.run().await.unwrap();
    assert_eq!(count().await, 1);
    let long_ago: Clock = clock;
    sqlx::query("UPDATE sso_attempts SET expires_at = $1")
        .bind(long_ago.now() - TimeDelta::days(2))
        .execute(journey.app.db.pool())
        .await
        .unwrap();
    job.run().await.unwrap();
    assert_eq!(count().await, 0);
}
