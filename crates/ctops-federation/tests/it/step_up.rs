//! Confirming a session at the identity provider: credentials must have been given anew, and it is the provider's word
//! that says when.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_testkit::a_clock;
use serde_json::json;

use crate::oidc::Journey;
use crate::openid_provider::Setup;
use crate::saml_provider::{Document, Trust};
use crate::support::{Answer, App};

const HOUR_S: u32 = 3600;

/// Until when a session counts as confirmed.
async fn confirmed_until(app: &App, session: &str) -> DateTime<Utc> {
    let body = app.send(session, "GET", "/me/reauthentication", None).await.expect(200);
    body["confirmed_until"].as_str().unwrap().parse().unwrap()
}

/// Whether a session may begin to enrol an authenticator app, which needs a fresh confirmation.
async fn may_enrol(app: &App, session: &str) -> (u16, String) {
    app.send(session, "POST", "/me/mfa/totp", Some(json!({}))).await.refusal()
}

fn session(answer: &Answer) -> String {
    answer.cookie("__Host-ctops_session")
}

fn unconfirmed() -> (u16, String) {
    (403, "reauthentication_required".to_owned())
}

/// A provider that still knows the browser lets it in without a password; that is no confirmation.
/// Spec: auth 17
#[tokio::test]
async fn sign_in_with_credentials_given_long_ago_at_the_openid_provider_confirms_nothing() {
    let long_ago = || Setup { seconds_ago: HOUR_S, ..Setup::default() };
    let mut journey = Journey::new(long_ago(), json!({"default_role": "read_only"})).await;
    let before = session(&journey.complete().await);
    let until = confirmed_until(&journey.app, &before).await;
    let age = journey.app.clock.now() - until;
    assert!(age > TimeDelta::minutes(50) && age < TimeDelta::minutes(60), "{age}");
    assert_eq!(may_enrol(&journey.app, &before).await, unconfirmed());

    let (cookie, path) = journey.to_the_door(&before, "?confirm=true").await;
    let stale = journey.app.visit(&format!("{cookie}; {before}"), &path).await;
    assert_eq!(stale.refusal(), (401, "sso_failed".to_owned()), "asked with max_age=0, answered with old");
    let (_, reason) = journey.app.refusals().await.pop().unwrap();
    assert!(reason.contains("did not ask for credentials again"), "{reason}");
    assert_eq!(may_enrol(&journey.app, &before).await, unconfirmed());

    journey.provider.know(&Setup::default());
    let (cookie, path) = journey.to_the_door(&before, "?confirm=true&return_to=/account/security").await;
    let fresh = journey.app.visit(&format!("{cookie}; {before}"), &path).await;
    assert_eq!(fresh.location(), "/account/security");
    assert_eq!(may_enrol(&journey.app, &session(&fresh)).await.0, 200);
    let ended = journey.app.send(&before, "GET", "/me", None).await;
    assert_eq!(ended.status, 401, "the session that was confirmed has a new secret");
}

/// Spec: auth 17
#[tokio::test]
async fn sign_in_with_credentials_given_just_now_confirms() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "read_only"})).await;
    let fresh = session(&journey.complete().await);
    assert!(confirmed_until(&journey.app, &fresh).await > journey.app.clock.now());
    assert_eq!(may_enrol(&journey.app, &fresh).await.0, 200);
}

/// A provider whose clock is ahead does not confirm anything for the future.
/// Spec: auth 17
#[tokio::test]
async fn sign_in_in_the_future_of_the_saml_provider_confirms_from_now_on_only() {
    let trust = Trust::new(App::with_clock(a_clock()).await, json!({"default_role": "read_only"})).await;
    let (cookie, request) = trust.start("", "").await;
    let ahead =
        Document { issued: trust.app.clock.now() + TimeDelta::seconds(50), ..trust.document(Some(&request)) };
    let place = trust.post(&ahead.signed(&trust.idp), "").await.location();
    let session = session(&trust.app.visit(&cookie, &place).await);
    assert_eq!(confirmed_until(&trust.app, &session).await, trust.app.clock.now() + TimeDelta::minutes(5));
}

/// Spec: auth 17
#[tokio::test]
async fn confirmation_at_a_saml_provider_forces_authentication_and_counts_from_its_instant() {
    let trust = Trust::new(App::with_clock(a_clock()).await, json!({"default_role": "read_only"})).await;
    let (cookie, xml) = trust.depart("", "").await;
    assert!(!xml.contains("ForceAuthn=\"true\""), "an ordinary sign-in may be silent: {xml}");
    let request = xml.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap();
    let morning = trust.app.clock.now() - TimeDelta::hours(4);
    let silent = Document { issued: morning, ..trust.document(Some(request)) };
    let place = trust.post(&silent.signed(&trust.idp), "").await.location();
    let before = session(&trust.app.visit(&cookie, &place).await);
    assert_eq!(confirmed_until(&trust.app, &before).await, morning + TimeDelta::minutes(5));
    assert_eq!(may_enrol(&trust.app, &before).await, unconfirmed());

    let (cookie, xml) = trust.depart(&before, "?confirm=true").await;
    assert!(xml.contains("ForceAuthn=\"true\""), "{xml}");
    let request = xml.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap();
    let still_silent = Document { issued: morning, ..trust.document(Some(request)) };
    let refused = trust.post(&still_silent.signed(&trust.idp), "").await;
    assert_eq!(refused.refusal(), (401, "sso_failed".to_owned()));
    let place = trust.post(&trust.document(Some(request)).signed(&trust.idp), "").await.location();
    let fresh = session(&trust.app.visit(&format!("{cookie}; {before}"), &place).await);
    assert_eq!(may_enrol(&trust.app, &fresh).await.0, 200);
}

/// Whoever sits at an unlocked screen cannot confirm with an account of their own.
/// Spec: auth 17
#[tokio::test]
async fn credentials_of_another_person_confirm_nothing() {
    let trust = Trust::new(App::with_clock(a_clock()).await, json!({"default_role": "read_only"})).await;
    let victim = session(&trust.sign_in().await);
    let (cookie, request) = trust.start(&victim, "?confirm=true").await;
    let other = Document { name_id: "mallory-1".to_owned(), ..trust.document(Some(&request)) };
    let place = trust.post(&other.signed(&trust.idp), "").await.location();
    let refused = trust.app.visit(&format!("{cookie}; {victim}"), &place).await;
    assert_eq!(refused.refusal(), (403, "sso_refused".to_owned()));
    trust.app.me(&victim).await;
}
