//! Sessions: how long they live, who sees them, how they end.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use crate::support::{App, Browser, EMAIL, PASSWORD, call, delete, get, post};

async fn status_of_me(app: &App, browser: &Browser) -> u16 {
    app.send(get("/me").with(browser)).await.status.as_u16()
}

async fn listed(app: &App, browser: &Browser) -> Vec<(Uuid, bool)> {
    let answer = app.send(get("/me/sessions").with(browser)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let items = answer.body["items"].as_array().unwrap();
    items
        .iter()
        .map(|s| (s["id"].as_str().unwrap().parse().unwrap(), s["current"].as_bool().unwrap()))
        .collect()
}

/// Spec: auth 13
#[tokio::test]
async fn session_ends_after_a_day_without_use() {
    let (app, browser) = App::set_up().await;
    app.clock.advance(TimeDelta::hours(23));
    assert_eq!(status_of_me(&app, &browser).await, 200);
    app.clock.advance(TimeDelta::hours(23));
    assert_eq!(status_of_me(&app, &browser).await, 200, "use has kept it alive");
    app.clock.advance(TimeDelta::hours(24));
    assert_eq!(status_of_me(&app, &browser).await, 401);
}

/// Spec: auth 13
#[tokio::test]
async fn session_ends_after_seven_days_however_much_it_is_used() {
    let (app, browser) = App::set_up().await;
    for _ in 0..13 {
        app.clock.advance(TimeDelta::hours(12));
        assert_eq!(status_of_me(&app, &browser).await, 200);
    }
    app.clock.advance(TimeDelta::hours(12) - TimeDelta::seconds(1));
    assert_eq!(status_of_me(&app, &browser).await, 200);
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(status_of_me(&app, &browser).await, 401);
}

/// Spec: auth 13
#[tokio::test]
async fn use_of_a_session_is_written_down_every_five_minutes_at_most() {
    let (app, browser) = App::set_up().await;
    let last_used = async || {
        let answer = app.send(get("/me/sessions").with(&browser)).await;
        answer.body["items"][0]["last_used_at"].as_str().unwrap().to_owned()
    };
    app.clock.advance(TimeDelta::seconds(299));
    assert_eq!(last_used().await, "2026-06-03T12:00:00.000Z");
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(last_used().await, "2026-06-03T12:05:00.000Z");
    app.clock.advance(TimeDelta::seconds(299));
    assert_eq!(last_used().await, "2026-06-03T12:05:00.000Z");
}

/// Spec: auth 15
#[tokio::test]
async fn unknown_and_malformed_sessions_are_not_signed_in() {
    let (app, browser) = App::set_up().await;
    let cookies = [
        String::new(),
        "__Host-ctops_session=".to_owned(),
        format!("__Host-ctops_session={}x", browser.token()),
        format!("__Host-ctops_session={}", &browser.token()[..42]),
        format!("ctops_session={}", browser.token()),
        format!("__Host-ctops_session={}", "A".repeat(4096)),
        "__Host-ctops_session=' OR 1=1 --".to_owned(),
    ];
    for cookie in cookies {
        for path in ["/me", "/me/sessions"] {
            let answer = app.send(get(path).header("cookie", &cookie)).await;
            assert_eq!(answer.refusal(), (401, "unauthenticated"), "{path} with {cookie:?}");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
        }
    }
    for method in ["DELETE", "POST"] {
        let path = if method == "POST" { "/auth/logout" } else { "/me/sessions" };
        let answer = app.send(call(method.parse().unwrap(), path)).await;
        assert_eq!(answer.refusal(), (401, "unauthenticated"));
    }
}

/// Spec: auth 14
#[tokio::test]
async fn person_sees_device_address_use_and_method_of_own_sessions_only() {
    let (app, browser) = App::set_up().await;
    app.add_member("bob@example.com", &["read_only"]).await;
    let bob = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let agent = format!("Mozilla/5.0 {}", "x".repeat(400));
    app.clock.advance(TimeDelta::minutes(1));
    let second =
        app.send(post("/auth/login", body).from("192.0.2.8").header("user-agent", &agent)).await.browser();
    let answer = app.send(get("/me/sessions").with(&second)).await;
    let newest = &answer.body["items"][0];
    assert_eq!(newest["id"], json!(second.session_id));
    assert_eq!((&newest["ip"], &newest["method"]), (&json!("192.0.2.8"), &json!("password")));
    let shown = newest["user_agent"].as_str().unwrap();
    assert!(shown.starts_with("Mozilla/5.0") && shown.len() == 256);
    assert_eq!(newest["created_at"], "2026-06-03T12:01:00.000Z");
    assert_eq!(listed(&app, &second).await, [(second.session_id, true), (browser.session_id, false)]);
    assert_eq!(listed(&app, &bob).await, [(bob.session_id, true)]);
}

/// Spec: auth 14
#[tokio::test]
async fn person_ends_one_or_all_other_sessions_and_never_those_of_others() {
    let (app, browser) = App::set_up().await;
    app.add_member("bob@example.com", &["super_admin"]).await;
    let bob = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    let mut others = Vec::new();
    for n in 1..=3 {
        others.push(app.login(EMAIL, PASSWORD, &format!("198.51.100.{n}")).await.browser());
    }
    let end = |id: &str| delete(&format!("/me/sessions/{id}")).with(&browser);
    assert_eq!(app.send(end(&bob.session_id.to_string())).await.refusal(), (404, "not_found"));
    for nonsense in ["0", "not-an-id", &Uuid::nil().to_string()] {
        assert_eq!(app.send(end(nonsense)).await.refusal(), (404, "not_found"), "{nonsense}");
    }
    assert_eq!(app.send(end(&others[0].session_id.to_string())).await.status, StatusCode::NO_CONTENT);
    assert_eq!(status_of_me(&app, &others[0]).await, 401);
    assert_eq!(app.send(delete("/me/sessions").with(&browser)).await.status, StatusCode::NO_CONTENT);
    for ended in &others {
        assert_eq!(status_of_me(&app, ended).await, 401);
    }
    assert_eq!((status_of_me(&app, &browser).await, status_of_me(&app, &bob).await), (200, 200));
    let audit = app.audit().await;
    assert_eq!(audit[audit.len() - 2..], ["auth.session.revoked", "auth.session.revoked"]);
    let own = app.send(end(&browser.session_id.to_string())).await;
    assert!(own.set_cookie().contains("Max-Age=0"), "ending the session in use signs out");
    assert_eq!(status_of_me(&app, &browser).await, 401);
}

/// Spec: auth 14
#[tokio::test]
async fn deactivation_removal_and_loss_of_membership_end_sessions_at_once() {
    for change in
        ["UPDATE users SET active = false", "UPDATE users SET deleted_at = now()", "DELETE FROM memberships"]
    {
        let (app, browser) = App::set_up().await;
        let ip = std::net::IpAddr::from([192, 0, 2, 1]);
        let token = browser.cookie.split_once('=').unwrap().1;
        let actor = app.state.authenticator.by_session(token, ip).await.unwrap().unwrap();
        assert!(app.state.authenticator.is_alive(&actor).await.unwrap());
        app.execute(change).await;
        assert_eq!(status_of_me(&app, &browser).await, 401, "{change}");
        assert!(!app.state.authenticator.is_alive(&actor).await.unwrap(), "{change}: streams");
    }
}

#[tokio::test]
async fn roles_taken_away_are_gone_with_the_next_request() {
    let (app, browser) = App::set_up().await;
    app.execute("UPDATE memberships SET roles = '{read_only,engineer}'").await;
    let me = app.send(get("/me").with(&browser)).await.body;
    assert_eq!(me["roles"], json!(["read_only", "engineer"]));
    let permissions = me["permissions"].as_array().unwrap();
    assert!(permissions.contains(&json!("things.read")) && !permissions.contains(&json!("things.break")));
    app.execute("UPDATE memberships SET roles = '{}'").await;
    let me = app.send(get("/me").with(&browser)).await.body;
    assert_eq!(me["permissions"], json!([]));
    assert_eq!(me["standing"], "pending");
    assert_eq!(app.send(get("/me/sessions").with(&browser)).await.refusal(), (403, "membership_pending"));
}

#[tokio::test]
async fn hourly_job_deletes_ended_sessions_and_old_counters() {
    let (app, _) = App::set_up().await;
    app.login(EMAIL, "not the password", "192.0.2.9").await;
    app.clock.advance(TimeDelta::hours(7 * 24 - 1));
    let browser = app.login(EMAIL, PASSWORD, "192.0.2.10").await.browser();
    app.clock.advance(TimeDelta::hours(2));
    let job = app.jobs.iter().find(|job| job.name() == "purge_sessions").unwrap();
    assert_eq!(job.every().as_secs(), 3600);
    job.run().await.unwrap();
    job.run().await.unwrap();
    assert_eq!(listed(&app, &browser).await, [(browser.session_id, true)]);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM throttles").await, 1, "only the counter of the last sign-in");
}
