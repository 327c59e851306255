//! The first account.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use ctops_identity::passwords::Secret;
use ctops_identity::setup::{SetupCode, first_organisation, is_required, prepare};
use ctops_testkit::wait_until;
use serde_json::{Value, json};

use crate::support::{App, PASSWORD, an_installation, get, post, set_up_body};

fn with_code(code: &str) -> Value {
    with("setup_code", json!(code))
}

fn with(field: &str, value: Value) -> Value {
    let mut body = set_up_body();
    body[field] = value;
    body
}

async fn coded_app(code: &str) -> App {
    let app = App::unprepared(an_installation()).await;
    let shown = prepare(app.db.pool(), &app.clock, SetupCode::Preset(Secret::new(code))).await.unwrap();
    assert_eq!(shown.as_deref(), Some(code));
    app
}

/// Spec: auth 1
#[tokio::test]
async fn auth_methods_before_and_after_set_up_say_what_is_needed() {
    let app = App::unprepared(an_installation()).await;
    let needs = async || {
        let body = app.send(get("/auth/methods")).await.body;
        (body["setup_required"].as_bool().unwrap(), body["setup_code_required"].as_bool().unwrap())
    };
    assert_eq!(needs().await, (true, true), "not prepared: closed");
    prepare(app.db.pool(), &app.clock, SetupCode::Generate).await.unwrap();
    assert_eq!(needs().await, (true, true));
    prepare(app.db.pool(), &app.clock, SetupCode::Off).await.unwrap();
    assert_eq!(needs().await, (true, false));
    app.send(post("/setup", set_up_body())).await.browser();
    assert_eq!(needs().await, (false, false));
    let body = app.send(get("/auth/methods")).await.body;
    assert_eq!(body["methods"], json!([{ "kind": "password", "id": null, "name": null }]));
    assert_eq!(body["email_verification_required"], json!(true));
}

/// Spec: auth 1, 2, 3, 12
#[tokio::test]
async fn set_up_with_the_printed_code_makes_a_verified_super_admin_and_signs_in() {
    let app = App::unprepared(an_installation()).await;
    let code = prepare(app.db.pool(), &app.clock, SetupCode::Generate).await.unwrap().unwrap();
    let answer = app.send(post("/setup", with_code(&code))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.body["user"]["email"], "ada@example.com");
    assert_eq!(answer.body["user"]["email_verified"], true);
    assert_eq!(answer.body["organisation"]["name"], "Analytical Engines");
    assert_eq!(answer.body["roles"], json!(["super_admin"]));
    let permissions = answer.body["permissions"].as_array().unwrap();
    for held in ["sessions.own", "things.break", "things.read"] {
        assert!(permissions.contains(&json!(held)), "{held} in {permissions:?}");
    }
    let me = app.send(get("/me").with(&answer.browser())).await;
    assert_eq!((me.status, &me.body), (StatusCode::OK, &answer.body));
    assert_eq!(app.count("SELECT count(*) FROM setup_codes").await, 0, "the code is used up");
    assert_eq!(app.audit().await, ["organisation.created", "auth.setup.completed", "auth.login.succeeded"]);
    let login = app.login("ADA@example.com", PASSWORD, "192.0.2.9").await;
    assert_eq!(login.status, StatusCode::OK, "verified although no mail was ever sent");
}

/// Spec: auth 2
#[tokio::test]
async fn hosts_that_joined_before_set_up_belong_to_the_first_account() {
    let app = coded_app("right-code").await;
    let pool = app.db.pool();
    let waiting = first_organisation(pool, &app.clock).await.unwrap();
    assert_eq!(first_organisation(pool, &app.clock).await.unwrap(), waiting, "made once");
    assert!(is_required(pool).await.unwrap(), "an organisation alone is not a set-up");
    let answer = app.send(post("/setup", with_code("right-code"))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.body["organisation"]["id"], waiting.to_string());
    assert_eq!(answer.body["organisation"]["name"], "Analytical Engines");
    assert_eq!(app.count("SELECT count(*) FROM organisations").await, 1);
    assert!(!is_required(pool).await.unwrap());
}

/// Spec: auth 1
#[tokio::test]
async fn five_wrong_codes_lock_set_up_for_fifteen_minutes() {
    let app = coded_app("right-code").await;
    assert_eq!(app.send(post("/setup", set_up_body())).await.fields(), [("setup_code", "required")]);
    for guess in 1..=5 {
        let call = post("/setup", with_code("wrong-code")).from(&format!("192.0.2.{guess}"));
        let answer = app.send(call).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "guess {guess}");
        assert_eq!(answer.fields(), [("setup_code", "invalid_setup_code")]);
    }
    let locked = app.send(post("/setup", with_code("right-code"))).await;
    assert_eq!(locked.refusal(), (429, "rate_limited"), "the right code does not open the lock");
    assert!((899..=901).contains(&locked.retry_after()), "{}", locked.retry_after());
    app.clock.advance(TimeDelta::minutes(15) - TimeDelta::seconds(1));
    assert_eq!(app.send(post("/setup", with_code("right-code"))).await.refusal().0, 429);
    app.clock.advance(TimeDelta::seconds(1));
    app.send(post("/setup", with_code("RIGHTCODE"))).await.browser();
    let audit = app.audit().await;
    assert_eq!(
        audit[..5],
        [
            "auth.setup.refused",
            "auth.setup.refused",
            "auth.setup.refused",
            "auth.setup.refused",
            "auth.setup.locked"
        ]
    );
}

/// Spec: auth 1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_wrong_codes_are_counted_one_by_one() {
    let app = coded_app("right-code").await;
    let guesses = (1..=9).map(|n| app.send(post("/setup", with_code("wrong")).from(&format!("192.0.2.{n}"))));
    let mut statuses = Vec::new();
    for answer in futures_of(guesses).await {
        statuses.push(answer.status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429, 429, 429]);
}

/// Runs all futures at the same time.
async fn futures_of<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pinned {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        let done = pinned.iter().all(|(_, output)| output.is_some());
        if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    pinned.into_iter().filter_map(|(_, output)| output).collect()
}

/// Spec: auth 2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_simultaneous_set_ups_create_exactly_one_installation() {
    let app = App::prepared_with(an_installation()).await;
    // Reading goes on, writing waits: both requests have found no user before either can create one.
    let mut gate = app.db.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE").execute(&mut *gate).await.unwrap();
    let set_up = |email: &str, ip: &str| app.send(post("/setup", with("email", json!(email))).from(ip));
    let open_gate = async {
        let both_wait = async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
            app.count(waiting).await == 2
        };
        wait_until(Duration::from_secs(30), both_wait).await;
        gate.commit().await.unwrap();
    };
    let (mine, theirs, ()) = tokio::join!(
        set_up("mine@example.com", "192.0.2.1"),
        set_up("theirs@example.com", "192.0.2.2"),
        open_gate
    );
    let mut statuses = [mine.status.as_u16(), theirs.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    for table in [
        "SELECT count(*) FROM users",
        "SELECT count(*) FROM organisations",
        "SELECT count(*) FROM memberships",
        "SELECT count(*) FROM sessions",
    ] {
        assert_eq!(app.count(table).await, 1, "{table}");
    }
}

#[tokio::test]
async fn organisation_that_hosts_joined_before_set_up_becomes_that_of_the_first_account() {
    let app = App::prepared_with(an_installation()).await;
    assert!(is_required(app.db.pool()).await.unwrap());
    let waiting = first_organisation(app.db.pool(), &app.clock).await.unwrap();
    assert_eq!(first_organisation(app.db.pool(), &app.clock).await.unwrap(), waiting);
    assert!(is_required(app.db.pool()).await.unwrap(), "an organisation is no account");
    let answer = app.send(post("/setup", set_up_body())).await;
    assert_eq!(answer.body["organisation"], json!({ "id": waiting, "name": "Analytical Engines" }));
    assert!(!is_required(app.db.pool()).await.unwrap());
    assert_eq!(first_organisation(app.db.pool(), &app.clock).await.unwrap(), waiting);
}

#[tokio::test]
async fn set_up_after_set_up_is_refused_even_when_the_account_was_removed() {
    let (app, _) = App::set_up().await;
    let again = async || {
        let answer = app.send(post("/setup", with("email", json!("eve@example.com")))).await;
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(again().await, (409, "wrong_state".into()));
    app.execute("UPDATE users SET active = false, deleted_at = now()").await;
    assert_eq!(again().await, (409, "wrong_state".into()));
    assert_eq!(prepare(app.db.pool(), &app.clock, SetupCode::Generate).await.unwrap(), None);
    assert_eq!(prepare(app.db.pool(), &app.clock, SetupCode::Off).await.unwrap(), None);
    assert_eq!(again().await, (409, "wrong_state".into()), "switching the code off opens nothing");
    assert_eq!(app.count("SELECT count(*) FROM setup_codes").await, 0);
}

#[tokio::test]
async fn set_up_of_an_installation_that_was_not_prepared_is_refused() {
    let app = App::unprepared(an_installation()).await;
    assert_eq!(app.send(post("/setup", set_up_body())).await.refusal(), (503, "unavailable"));
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
}

/// Spec: auth 1
#[tokio::test]
async fn prepare_again_replaces_the_code_and_keeps_only_its_hash() {
    let app = App::unprepared(an_installation()).await;
    let first = prepare(app.db.pool(), &app.clock, SetupCode::Generate).await.unwrap().unwrap();
    let second = prepare(app.db.pool(), &app.clock, SetupCode::Generate).await.unwrap().unwrap();
    assert_ne!(first, second);
    let stored: String = sqlx::query_scalar("SELECT setup_codes::text FROM setup_codes")
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert!(!stored.contains(&second));
    assert_eq!(
        app.send(post("/setup", with_code(&first))).await.fields(),
        [("setup_code", "invalid_setup_code")]
    );
    app.send(post("/setup", with_code(&second))).await.browser();
}

#[tokio::test]
async fn fields_the_caller_may_not_set_are_refused() {
    let app = App::prepared_with(an_installation()).await;
    for (field, value) in [
        ("role", json!("super_admin")),
        ("roles", json!(["super_admin"])),
        ("email_verified", json!(true)),
        ("org_id", json!("0")),
        ("id", json!("0")),
    ] {
        let answer = app.send(post("/setup", with(field, value)).from("192.0.2.3")).await;
        assert_eq!(
            (answer.refusal(), answer.fields()),
            ((422, "unknown_field"), vec![(field, "unknown_field")])
        );
    }
}

/// Spec: auth 1, 9
#[tokio::test]
async fn every_field_that_is_wrong_is_named_and_nothing_is_created() {
    let app = App::prepared_with(an_installation()).await;
    let body = json!({
        "organisation_name": "A", "name": " ", "email": "ada", "password": "short", "password_confirmation": "other",
    });
    let answer = app.send(post("/setup", body)).await;
    let expected = [
        ("organisation_name", "too_short"),
        ("name", "too_short"),
        ("email", "invalid"),
        ("password", "too_short"),
        ("password_confirmation", "mismatch"),
    ];
    assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), expected.to_vec()));
    for password in ["analytical engines", "ada@example.com", "1qaz2wsx3edc"] {
        let mut body = set_up_body();
        body["password"] = json!(password);
        body["password_confirmation"] = json!(password);
        let answer = app.send(post("/setup", body)).await;
        assert_eq!(answer.fields()[0].0, "password", "{password}");
    }
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
}

/// Spec: auth 9
#[tokio::test]
async fn over_long_password_is_refused_before_hashing() {
    let app = App::prepared_with(an_installation()).await;
    let _busy = (app.passwords.turn().await.unwrap(), app.passwords.turn().await.unwrap());
    let long = "x".repeat(129);
    let mut body = set_up_body();
    body["password"] = json!(long);
    body["password_confirmation"] = json!(long);
    let answer = tokio::time::timeout(Duration::from_secs(10), app.send(post("/setup", body))).await;
    assert_eq!(
        answer.unwrap().fields(),
        [("password", "too_long")],
        "answered although no hash can be computed"
    );
}

/// Spec: auth 25
#[tokio::test]
async fn set_up_from_a_foreign_page_is_refused() {
    let app = App::prepared_with(an_installation()).await;
    let answer = app.send(post("/setup", set_up_body()).header("origin", "https://evil.example.net")).await;
    assert_eq!(answer.refusal(), (403, "untrusted_origin"));
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
}
