//! Session fixation: a token is made by the server at the moment of sign-in, and whatever a browser brought along is worth
//! nothing afterwards.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::json;

use crate::second_factor::{Authenticator, waiting};
use crate::support::{App, Browser, EMAIL, PASSWORD, get, post, set_up_body};

fn holding(cookie: &str) -> Browser {
    Browser { cookie: cookie.to_owned(), session_id: uuid::Uuid::nil() }
}

async fn is_signed_in(app: &App, cookie: &str) -> bool {
    app.send(get("/me").with(&holding(cookie))).await.status == StatusCode::OK
}

/// Attack: a neighbouring site, or somebody with the machine for a minute, puts a cookie into the browser and waits for its
/// owner to sign in.
///
/// Spec: auth 13
#[tokio::test]
async fn a_token_planted_before_sign_in_is_never_a_session() {
    let (app, _) = App::set_up().await;
    let foreign = app.login(EMAIL, PASSWORD, "192.0.2.50").await.browser();
    for (number, planted) in [
        "__Host-ctops_session=chosen-by-the-attacker",
        "__Host-ctops_session=",
        "__Host-ctops_session=00000000000000000000000000000000000000000000",
        "ctops_session=chosen-by-the-attacker",
        foreign.cookie.as_str(),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let call = post("/auth/login", body).with(&holding(planted)).from(&format!("198.51.100.{number}"));
        let victim = app.send(call).await.browser();
        assert_ne!(victim.cookie, planted);
        assert!(is_signed_in(&app, &victim.cookie).await);
        assert!(!is_signed_in(&app, planted).await, "{planted} is somebody after the sign-in");
    }
}

/// Spec: auth 13
#[tokio::test]
async fn set_up_does_not_take_over_a_token_either() {
    let app = App::prepared_with(crate::support::an_installation()).await;
    let planted = "__Host-ctops_session=chosen-by-the-attacker";
    let owner = app.send(post("/setup", set_up_body()).with(&holding(planted))).await.browser();
    assert_ne!(owner.cookie, planted);
    assert!(is_signed_in(&app, &owner.cookie).await && !is_signed_in(&app, planted).await);
}

/// The cookie between the two steps names a sign-in that waits, and neither becomes nor opens a session.
///
/// Spec: auth 16
#[tokio::test]
async fn the_token_of_the_second_step_is_no_session_and_dies_with_it() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let first = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.60").await);
    let as_session = format!("__Host-ctops_session={}", first.token());
    assert!(!is_signed_in(&app, &first.cookie).await && !is_signed_in(&app, &as_session).await);
    let as_step = holding(&format!("__Host-ctops_sign_in={}", browser.token()));
    let code = authenticator.next_code(&app);
    let body = json!({ "code": code });
    let refused = app.send(post("/auth/mfa/verify", body.clone()).with(&as_step).from("192.0.2.61")).await;
    assert!(refused.status.is_client_error(), "a session is no sign-in that waits");
    let done = app.send(post("/auth/mfa/verify", body).with(&first).from("192.0.2.62")).await;
    let tokens: BTreeSet<&str> = done
        .cookies()
        .into_iter()
        .filter_map(|c| c.split(';').next()?.split_once('='))
        .map(|(_, t)| t)
        .collect();
    let session =
        done.cookies().into_iter().find(|cookie| cookie.starts_with("__Host-ctops_session=")).unwrap();
    let session = session.split(';').next().unwrap().to_owned();
    assert!(!tokens.contains(first.token()), "the second step does not lend its token");
    assert!(is_signed_in(&app, &session).await);
    assert!(!is_signed_in(&app, &as_session).await);
    let again = json!({ "code": authenticator.next_code(&app) });
    let again = app.send(post("/auth/mfa/verify", again).with(&first).from("192.0.2.63")).await;
    assert!(again.status.is_client_error(), "it is over");
}

/// Spec: auth 13
#[tokio::test]
async fn every_sign_in_has_a_token_of_its_own_and_ends_the_one_in_its_browser_only() {
    let (app, elsewhere) = App::set_up().await;
    let mut seen = BTreeSet::from([elsewhere.token().to_owned()]);
    let mut browser = app.login(EMAIL, PASSWORD, "203.0.113.0").await.browser();
    for number in 1..6 {
        assert!(seen.insert(browser.token().to_owned()), "a token came twice");
        assert_eq!(browser.token().len(), 43, "256 bits, base64url");
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let call = post("/auth/login", body).with(&browser).from(&format!("203.0.113.{number}"));
        let next = app.send(call).await.browser();
        assert!(!is_signed_in(&app, &browser.cookie).await, "the old token is dead");
        browser = next;
    }
    assert!(is_signed_in(&app, &elsewhere.cookie).await, "other browsers are not touched");
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 2);
    let kept: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT token_hash FROM sessions").fetch_all(app.db.pool()).await.unwrap();
    assert!(
        kept.iter()
            .all(|hash| hash.len() == 32 && !seen.iter().any(|token| token.as_bytes() == hash.as_slice()))
    );
}
