//! The test of the relay.

use chrono::TimeDelta;
use ctops_base::Role;
use serde_json::{Value, json};

use crate::mail::{app_with_loopback, page};
use crate::relay::{Manners, Relay};
use crate::support::App;

const PATH: &str = "/settings/smtp-relay/test";

fn steps(report: &Value) -> Vec<(String, bool)> {
    let step = |step: &Value| (step["step"].as_str().unwrap().to_owned(), step["ok"].as_bool().unwrap());
    report["steps"].as_array().unwrap().iter().map(step).collect()
}

/// Spec: settings 10
#[tokio::test]
async fn test_of_the_relay_logs_every_step_without_secrets() {
    let account = Some(("ops", "hunter2-hunter2"));
    let relay = Relay::start(Manners { starttls: true, account, ..Manners::default() }).await;
    let app = app_with_loopback().await;
    let admin = app.person(Role::OrgAdmin).await;
    let mut settings = page(&relay, "starttls");
    settings["username"] = json!("ops");
    let wish = json!({ "recipient": "ada@example.com", "settings": settings, "password": "hunter2-hunter2" });
    let report = app.post(&admin, PATH, wish.clone()).await.expect(200);
    let good: Vec<_> =
        ["resolve", "connect", "tls", "auth", "accepted"].map(|step| (step.to_owned(), true)).into();
    assert_eq!((steps(&report), &report["succeeded"]), (good, &json!(true)));
    let tls = report["steps"][2]["detail"].as_str().unwrap();
    assert!(tls.starts_with("TLSv1_3, certificate of"), "{tls}");
    assert_eq!(report["steps"][4]["detail"], "queued as 42");
    assert!(!report.to_string().contains("hunter2"));
    assert_eq!(relay.taken()[0].to, ["ada@example.com"]);
    let page = app.get(&admin, "/settings/smtp-relay").await.expect(200);
    assert_eq!((&page["version"], &page["secrets"]), (&json!(0), &json!({})), "a test saves nothing");

    let mut wrong = wish;
    wrong["password"] = json!("hunter3-hunter3");
    let report = app.post(&admin, PATH, wrong).await.expect(200);
    assert_eq!(steps(&report).last().unwrap(), &("auth".to_owned(), false));
    let detail = report["steps"][3]["detail"].as_str().unwrap();
    assert!(detail.contains("535") && !detail.contains("hunter3"), "{detail}");
    let audited = app.audited("smtp-relay").await;
    assert_eq!(audited.len(), 2);
    assert!(audited.iter().all(|(action, ..)| action == "smtp.tested"));
}

/// Spec: settings 5
#[tokio::test]
async fn test_uses_the_stored_password_only_with_the_stored_host_and_port() {
    let account = Some(("ops", "hunter2-hunter2"));
    let relay = Relay::start(Manners { account, ..Manners::default() }).await;
    let thief = Relay::start(Manners { account, ..Manners::default() }).await;
    let app = app_with_loopback().await;
    let admin = app.person(Role::OrgAdmin).await;
    let mut stored = page(&relay, "none");
    stored["username"] = json!("ops");
    stored["password"] = json!("hunter2-hunter2");
    app.put(&admin, "/settings/smtp-relay", stored).await.expect(200);
    let same = json!({ "recipient": "ada@example.com", "settings": { "from_name": "Operations" } });
    assert_eq!(app.post(&admin, PATH, same).await.expect(200)["succeeded"], true);
    for changed in [json!({ "port": thief.port }), json!({ "host": "localhost" })] {
        let wish = json!({ "recipient": "ada@example.com", "settings": changed });
        let refused = app.post(&admin, PATH, wish).await.expect(422);
        assert_eq!(
            (&refused["fields"][0]["path"], &refused["fields"][0]["code"]),
            (&json!("password"), &json!("required"))
        );
    }
    assert!(thief.heard().is_empty(), "nothing was sent to the other host");
}

/// Spec: settings 10
#[tokio::test]
async fn test_is_refused_without_a_recipient_and_after_five_in_a_minute() {
    let app = App::new().await;
    let (admin, engineer) = (app.person(Role::OrgAdmin).await, app.person(Role::Engineer).await);
    let wish = |recipient| {
        json!({ "recipient": recipient, "settings":
            { "host": "127.0.0.1", "port": 2525, "from_address": "ops@example.com" } })
    };
    assert_eq!(app.post(&admin, PATH, wish("")).await.code(422), "validation_failed");
    assert_eq!(app.post(&admin, PATH, json!({})).await.code(422), "validation_failed");
    for _ in 0..5 {
        let report = app.post(&admin, PATH, wish("ada@example.com")).await.expect(200);
        assert_eq!(steps(&report), [("resolve".to_owned(), false)], "loopback is never reached");
        assert_eq!(report["needs_target"], Value::Null);
    }
    let limited = app.post(&admin, PATH, wish("ada@example.com")).await;
    assert!(limited.headers.contains_key("retry-after"));
    assert_eq!(limited.code(429), "rate_limited");
    app.clock.advance(TimeDelta::seconds(61));
    app.post(&admin, PATH, wish("ada@example.com")).await.expect(200);
    assert_eq!(app.post(&engineer, PATH, wish("ada@example.com")).await.code(403), "forbidden");
}

/// Spec: settings 10
#[tokio::test]
async fn test_of_a_private_relay_names_the_missing_internal_target() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let settings = json!({ "host": "10.255.255.1", "port": 25, "from_address": "ops@example.com" });
    let wish = json!({ "recipient": "ada@example.com", "settings": settings });
    let report = app.post(&admin, PATH, wish).await.expect(200);
    assert_eq!(report["needs_target"], "10.255.255.1");
    assert_eq!(steps(&report), [("resolve".to_owned(), false)]);
}
