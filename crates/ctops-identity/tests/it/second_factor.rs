//! Authenticator apps, recovery codes, and the second step of sign-ins.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;
use tokio::time::Instant;
use totp_rs::{Builder, Secret};

use crate::support::{Answer, App, Browser, EMAIL, PASSWORD, delete, get, post};

/// Somebody's authenticator app.
pub(crate) struct Authenticator {
    secret: String,
    pub(crate) recovery_codes: Vec<String>,
}

impl Authenticator {
    /// Enrols an app for the person behind `browser`, who signed in just now.
    pub(crate) async fn enrol(app: &App, browser: &Browser) -> Self {
        let begun = app.send(post("/me/mfa/totp", json!({})).with(browser)).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
        let mut authenticator =
            Self { secret: begun.body["secret"].as_str().unwrap().to_owned(), recovery_codes: Vec::new() };
        let body = json!({ "code": authenticator.code(app) });
        let confirmed = app.send(post("/me/mfa/totp/confirm", body).with(browser)).await;
        assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.body);
        let codes = confirmed.body["recovery_codes"].as_array().unwrap();
        authenticator.recovery_codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        authenticator
    }

    /// What the app shows right now.
    pub(crate) fn code(&self, app: &App) -> String {
        let secret = Secret::try_from_base32(&self.secret).unwrap();
        let totp = Builder::new().with_secret(secret).build().unwrap();
        totp.generate(app.clock.now().timestamp().try_into().unwrap()).to_string()
    }

    /// What the app shows in the next step, which nobody has used yet.
    pub(crate) fn next_code(&self, app: &App) -> String {
        app.clock.advance(TimeDelta::seconds(30));
        self.code(app)
    }
}

/// The browser of an answer that waits for a second factor.
#[track_caller]
pub(crate) fn waiting(answer: &Answer) -> Browser {
    assert_eq!((answer.status, answer.body["status"].as_str()), (StatusCode::OK, Some("second_factor")));
    let cookie = answer.set_cookie().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-ctops_sign_in="), "{cookie}");
    Browser { cookie, session_id: uuid::Uuid::nil() }
}

async fn verify(app: &App, browser: &Browser, code: &str, ip: &str) -> Answer {
    app.send(post("/auth/mfa/verify", json!({ "code": code })).with(browser).from(ip)).await
}

/// Spec: auth 16, 17
#[tokio::test]
async fn enrolment_shows_seed_and_picture_once_and_needs_a_valid_code() {
    let (app, browser) = App::set_up().await;
    let begun = app.send(post("/me/mfa/totp", json!({})).with(&browser)).await;
    let secret = begun.body["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32, "160 bits in base 32");
    assert!(begun.body["link"].as_str().unwrap().contains(&format!("secret={secret}")));
    assert!(begun.body["qr_svg"].as_str().unwrap().starts_with("<svg "));
    let stored: String =
        sqlx::query_scalar("SELECT totp_seeds::text FROM totp_seeds").fetch_one(app.db.pool()).await.unwrap();
    assert!(!stored.contains(secret));
    let wrong = app.send(post("/me/mfa/totp/confirm", json!({ "code": "000000" })).with(&browser)).await;
    assert_eq!(wrong.refusal(), (422, "invalid_code"));
    let login = app.login(EMAIL, PASSWORD, "192.0.2.9").await;
    assert_eq!(login.body["status"], "signed_in", "not in use before its first code");
    let authenticator = Authenticator::enrol(&app, &browser).await;
    assert_eq!(authenticator.recovery_codes.len(), 10);
    assert!(authenticator.recovery_codes.iter().all(|code| code.len() == 10));
    let rows: Vec<String> = sqlx::query_scalar("SELECT recovery_codes::text FROM recovery_codes")
        .fetch_all(app.db.pool())
        .await
        .unwrap();
    assert!(rows.iter().all(|row| !authenticator.recovery_codes.iter().any(|code| row.contains(code))));
    let again = app.send(post("/me/mfa/totp", json!({})).with(&browser)).await;
    assert_eq!(again.refusal(), (409, "wrong_state"));
    let mfa = app.send(get("/me/mfa").with(&browser)).await.body;
    assert_eq!((&mfa["recovery_codes_left"], &mfa["required"]), (&json!(10), &json!(false)));
    assert_eq!(app.audit().await.last().unwrap(), "auth.mfa.enrolled");
}

/// Spec: auth 16, 19
#[tokio::test]
async fn sign_in_with_a_second_factor_takes_two_steps_and_a_token_of_its_own() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let first = app.login(EMAIL, PASSWORD, "192.0.2.9").await;
    assert_eq!(first.body["methods"], json!(["totp", "recovery_code"]));
    assert!(first.body.get("me").is_none());
    let step = waiting(&first);
    assert!(first.set_cookie().contains("HttpOnly") && first.set_cookie().contains("Secure"));
    let as_session = Browser { cookie: step.cookie.replace("sign_in", "session"), ..step.clone() };
    assert_eq!(app.send(get("/me").with(&as_session)).await.refusal().0, 401, "half a sign-in is none");
    let seen = app.send(get("/auth/mfa").with(&step)).await;
    assert_eq!(seen.body["methods"], json!(["totp", "recovery_code"]));
    let done = verify(&app, &step, &authenticator.next_code(&app), "192.0.2.9").await;
    assert_eq!(done.body["status"], "signed_in");
    let signed_in = done.browser();
    assert!(signed_in.cookie.starts_with("__Host-ctops_session=") && signed_in.token() != step.token());
    assert_eq!(app.send(get("/me").with(&signed_in)).await.status, StatusCode::OK);
    let sessions = app.send(get("/me/sessions").with(&signed_in)).await.body;
    assert_eq!(
        (&sessions["items"][0]["current"], &sessions["items"][0]["second_factor"]),
        (&json!(true), &json!(true))
    );
    assert!(
        done.cookies()[1].starts_with("__Host-ctops_sign_in=; ") && done.cookies()[1].contains("Max-Age=0")
    );
    let late = verify(&app, &step, &authenticator.next_code(&app), "192.0.2.9").await;
    assert_eq!(late.refusal(), (401, "sign_in_expired"), "a sign-in ends with its session");
}

/// Spec: auth 16
#[tokio::test]
async fn a_code_is_accepted_once_even_in_another_sign_in() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let enrolled_with = authenticator.code(&app);
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    let replayed = verify(&app, &step, &enrolled_with, "192.0.2.9").await;
    assert_eq!(replayed.refusal(), (401, "invalid_code"), "the code of the enrolment");
    let code = authenticator.next_code(&app);
    assert_eq!(verify(&app, &step, &code, "192.0.2.9").await.status, StatusCode::OK);
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    assert_eq!(verify(&app, &step, &code, "192.0.2.9").await.refusal(), (401, "invalid_code"), "replayed");
    assert_eq!(verify(&app, &step, &authenticator.next_code(&app), "192.0.2.9").await.status, StatusCode::OK);
}

/// Spec: auth 16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_code_shown_by_two_at_once_signs_one_in() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let one = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    let two = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.10").await);
    let code = authenticator.next_code(&app);
    let (first, second) =
        tokio::join!(verify(&app, &one, &code, "192.0.2.9"), verify(&app, &two, &code, "192.0.2.10"));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

/// Spec: auth 16
#[tokio::test]
async fn a_recovery_code_works_once_in_any_spelling_and_is_audited() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let code = &authenticator.recovery_codes[3];
    let typed = format!(" {}-{} ", code[..5].to_uppercase(), &code[5..]);
    for (n, expected) in [(1, 200), (2, 401)] {
        let step = waiting(&app.login(EMAIL, PASSWORD, &format!("192.0.2.{n}")).await);
        let body = json!({ "recovery_code": typed });
        let answer = app.send(post("/auth/mfa/verify", body).with(&step)).await;
        assert_eq!(answer.status.as_u16(), expected, "{}", answer.body);
    }
    assert!(app.audit().await.contains(&"auth.mfa.recovery_used".to_owned()));
    let mfa = app.send(get("/me/mfa").with(&browser)).await.body;
    assert_eq!(mfa["recovery_codes_left"], 9);
}

/// Spec: auth 19
#[tokio::test]
async fn five_wrong_codes_end_the_sign_in_and_ten_lock_the_second_step_of_the_account() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    for round in 0..2 {
        let ip = format!("198.51.100.{round}");
        let step = waiting(&app.login(EMAIL, PASSWORD, &ip).await);
        for n in 0..4 {
            assert_eq!(verify(&app, &step, "000000", &ip).await.refusal(), (401, "invalid_code"), "{n}");
        }
        assert_eq!(verify(&app, &step, "000000", &ip).await.refusal(), (401, "sign_in_expired"), "the fifth");
        let right = verify(&app, &step, &authenticator.next_code(&app), &ip).await;
        assert_eq!(right.refusal(), (401, "sign_in_expired"), "nor does the right one help then");
    }
    let step = waiting(&app.login(EMAIL, PASSWORD, "203.0.113.1").await);
    let locked = verify(&app, &step, &authenticator.next_code(&app), "203.0.113.1").await;
    assert_eq!(locked.refusal(), (429, "rate_limited"), "beginning anew is no way to go on guessing");
    let audit = app.audit().await;
    assert_eq!(audit.iter().filter(|action| *action == "auth.login.failed").count(), 10);
    assert!(audit.contains(&"auth.login.locked".to_owned()));
}

/// Spec: auth 19
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_guesses_get_five_answers_at_most() {
    let (app, browser) = App::set_up().await;
    Authenticator::enrol(&app, &browser).await;
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    let app = std::sync::Arc::new(app);
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..12 {
        let (app, step) = (app.clone(), step.clone());
        guesses.spawn(async move {
            let answer = verify(&app, &step, "000000", &format!("203.0.113.{n}")).await;
            answer.refusal().1.to_owned()
        });
    }
    let codes = guesses.join_all().await;
    assert_eq!(codes.iter().filter(|code| *code == "invalid_code").count(), 4, "{codes:?}");
    let failures = app.count("SELECT count(*) FROM audit_events WHERE action = 'auth.login.failed'").await;
    assert_eq!(failures, 5);
}

/// Spec: auth 19
#[tokio::test]
async fn the_second_step_lives_ten_minutes_and_is_throttled_per_address() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    app.clock.advance(TimeDelta::seconds(599));
    assert_eq!(app.send(get("/auth/mfa").with(&step)).await.status, StatusCode::OK);
    app.clock.advance(TimeDelta::seconds(1));
    let late = verify(&app, &step, &authenticator.code(&app), "192.0.2.9").await;
    assert_eq!(late.refusal(), (401, "sign_in_expired"));
    assert_eq!(app.send(get("/auth/mfa").with(&step)).await.refusal(), (401, "sign_in_expired"));
    let nobody = Browser { cookie: "__Host-ctops_sign_in=made-up".into(), ..step };
    for _ in 0..10 {
        assert_eq!(verify(&app, &nobody, "000000", "203.0.113.9").await.refusal().0, 401);
    }
    assert_eq!(verify(&app, &nobody, "000000", "203.0.113.9").await.refusal(), (429, "rate_limited"));
}

/// Spec: auth 23
#[tokio::test]
async fn wrong_codes_and_made_up_sign_ins_take_equally_long() {
    let (app, browser) = App::set_up().await;
    Authenticator::enrol(&app, &browser).await;
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    let made_up = Browser { cookie: "__Host-ctops_sign_in=made-up".into(), ..step.clone() };
    for browser in [step, made_up] {
        let began = Instant::now();
        assert_eq!(verify(&app, &browser, "000000", "192.0.2.9").await.refusal().0, 401);
        assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    }
}

/// Spec: auth 25
#[tokio::test]
async fn a_forged_second_step_is_refused_before_it_counts() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    let code = authenticator.next_code(&app);
    let call = || post("/auth/mfa/verify", json!({ "code": code })).with(&step);
    for forged in [call().header("origin", "https://evil.example.net"), call().without("x-ctops-request")] {
        assert_eq!(app.send(forged).await.refusal(), (403, "untrusted_origin"));
    }
    let both = json!({ "code": "000000", "recovery_code": "0000000000" });
    for body in [json!({}), both, json!({ "code": "000000", "user_id": "x" })] {
        assert_eq!(app.send(post("/auth/mfa/verify", body).with(&step)).await.refusal().0, 422);
    }
    assert_eq!(app.send(call()).await.status, StatusCode::OK);
}

/// Spec: auth 17
#[tokio::test]
async fn changing_the_second_factor_needs_a_confirmation_of_the_last_five_minutes() {
    let (app, browser) = App::set_up().await;
    Authenticator::enrol(&app, &browser).await;
    app.clock.advance(TimeDelta::seconds(301));
    let disable = || delete("/me/mfa/totp").with(&browser);
    let renew = || post("/me/mfa/recovery-codes", json!({})).with(&browser);
    let begin = || post("/me/mfa/totp", json!({})).with(&browser);
    let confirm = || post("/me/mfa/totp/confirm", json!({ "code": "000000" })).with(&browser);
    for call in [disable(), renew(), begin(), confirm()] {
        assert_eq!(app.send(call).await.refusal(), (403, "reauthentication_required"));
    }
    let again = json!({ "password": PASSWORD });
    let confirmed = app.send(post("/me/reauthenticate", again).with(&browser)).await;
    assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{}", confirmed.body);
    let renewed = app.send(renew()).await;
    assert_eq!(renewed.body["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(app.count("SELECT count(*) FROM recovery_codes").await, 10, "the old ones are gone");
    assert_eq!(app.send(disable()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.count("SELECT count(*) FROM recovery_codes").await, 0);
    assert_eq!(app.send(renew()).await.refusal(), (409, "wrong_state"));
    assert_eq!(app.send(disable()).await.refusal(), (409, "wrong_state"));
    assert_eq!(app.login(EMAIL, PASSWORD, "192.0.2.9").await.body["status"], "signed_in");
}

/// Spec: auth 18
#[tokio::test]
async fn whoever_lacks_a_demanded_second_factor_reaches_nothing_but_enrolment() {
    let (app, browser) = App::set_up().await;
    app.demand_second_factor().await;
    assert_eq!(app.send(get("/me").with(&browser)).await.body["standing"], "must_enrol");
    for call in [get("/me/sessions").with(&browser), get("/me/api-keys").with(&browser)] {
        assert_eq!(app.send(call).await.refusal(), (403, "mfa_enrolment_required"));
    }
    assert_eq!(app.send(get("/me/mfa").with(&browser)).await.body["required"], true);
    Authenticator::enrol(&app, &browser).await;
    assert_eq!(app.send(get("/me").with(&browser)).await.body["standing"], "active");
    assert_eq!(app.send(get("/me/sessions").with(&browser)).await.status, StatusCode::OK);
}

/// Spec: auth 19
#[tokio::test]
async fn a_super_admin_resets_the_second_factor_of_others_with_mail_and_trail() {
    let (app, admin) = App::set_up().await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let bobs = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    let authenticator = Authenticator::enrol(&app, &bobs).await;
    let reset = |browser: &Browser, id: &str| delete(&format!("/users/{id}/mfa")).with(browser);
    assert_eq!(app.send(reset(&bobs, &bob.to_string())).await.refusal(), (403, "forbidden"));
    let stranger = uuid::Uuid::now_v7().to_string();
    assert_eq!(app.send(reset(&admin, &stranger)).await.refusal(), (404, "not_found"));
    assert_eq!(app.send(reset(&admin, &bob.to_string())).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(get("/me").with(&bobs)).await.refusal().0, 401, "sessions end");
    let answer = app.login("bob@example.com", PASSWORD, "192.0.2.77").await;
    assert_eq!(answer.body["status"], "signed_in");
    assert!(app.audit().await.contains(&"auth.mfa.reset".to_owned()));
    let mails = app.count("SELECT count(*) FROM mail_outbox WHERE kind = 'mfa_reset'").await;
    assert_eq!(mails, 1);
    assert_eq!(authenticator.recovery_codes.len(), 10);
    app.execute("UPDATE users SET kind = 'service' WHERE email = 'bob@example.com'").await;
    assert_eq!(app.send(reset(&admin, &bob.to_string())).await.refusal().0, 404, "services have none");
}

/// Spec: auth 16, 14
#[tokio::test]
async fn a_deactivated_person_does_not_get_through_the_second_step() {
    let (app, browser) = App::set_up().await;
    let authenticator = Authenticator::enrol(&app, &browser).await;
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    app.execute("UPDATE users SET active = false").await;
    let answer = verify(&app, &step, &authenticator.next_code(&app), "192.0.2.9").await;
    assert_eq!(answer.refusal(), (401, "sign_in_expired"));
}
