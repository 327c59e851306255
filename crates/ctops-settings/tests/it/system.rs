//! Health and the support bundle.

use std::time::Duration;

use ctops_base::{Problem, Role};
use ctops_settings::system::RunLog;
use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn health_shows_everything_and_what_to_look_at() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.store("authentication", json!({ "session_max_days": 9000 })).await;
    app.mail(Some(app.org), "ada@example.com", None).await;
    let runs = RunLog::new(app.pool().clone(), app.clock.clone(), "ops-1".into());
    let (every, took) = (Duration::from_secs(5), Duration::from_millis(40));
    runs.ended("sweep", every, took, &Ok(())).await;
    for _ in 0..3 {
        let failed = Err(Problem::unavailable("the directory does not answer"));
        runs.ended("sync", every, took, &failed).await;
    }
    let health = app.get(&admin, "/system/health").await.expect(200);
    let codes: Vec<_> = health["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["code"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "setting_unusable",
        "certificate_ends",
        "disk_full",
        "job_fails",
        "mail_waits",
        "no_ingest",
        "configuration",
    ];
    assert_eq!(codes, expected);
    assert_eq!((&health["version"], &health["tier"]), (&json!("9.9.9"), &json!("community")));
    assert!(health["database"]["size_bytes"].as_i64().unwrap() > 0);
    let sync = &health["jobs"][1];
    assert_eq!(
        (&sync["name"], &sync["failures"], &sync["succeeded"]),
        (&json!("sync"), &json!(3), &json!(false))
    );
    assert_eq!((&health["jobs"][0]["duration_ms"], &health["pending_mail"]), (&json!(40), &json!(1)));
    runs.ended("sync", every, took, &Ok(())).await;
    let health = app.get(&admin, "/system/health").await.expect(200);
    assert_eq!(health["jobs"][1]["failures"], 0);
    for role in [Role::Engineer, Role::ReadOnly] {
        let other = app.person(role).await;
        assert_eq!(app.get(&other, "/system/health").await.code(403), "forbidden");
        assert_eq!(app.post(&other, "/system/support-bundle", json!({})).await.code(403), "forbidden");
    }
}

/// Spec: settings 5
#[tokio::test]
async fn support_bundle_holds_none_of_the_secrets_that_were_put_everywhere() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let canary = "canary-7f3a";
    let relay = json!({ "host": "mail.example.com", "username": "ops", "password": canary, "ca_pem": format!(
        "-----BEGIN CERTIFICATE-----{canary}") });
    app.put(&admin, "/settings/smtp-relay", relay).await.expect(200);
    app.put(&admin, "/settings/organisation", json!({ "legal_notice": format!("the password is {canary}") }))
        .await
        .expect(200);
    app.mail(
        Some(app.org),
        "ada@example.com",
        Some(&format!("https://ops.example.com/reset?token={canary}")),
    )
    .await;
    let runs = RunLog::new(app.pool().clone(), app.clock.clone(), "ops-1".into());
    let failed = Err(Problem::internal(format!("postgres://ctops:{canary}@db/ctops")));
    runs.ended("sync", Duration::from_secs(5), Duration::ZERO, &failed).await;
    let answer = app.post(&admin, "/system/support-bundle", json!({})).await;
    assert!(answer.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let bundle = answer.expect(200);
    let text = bundle.to_string();
    assert!(!text.contains(canary), "{text}");
    assert_eq!(bundle["settings"]["smtp-relay"]["host"], "mail.example.com", "what is not secret is there");
    assert_eq!(bundle["settings"]["authentication"]["password_min_length"], 12);
    assert_eq!(bundle["feature_flags"]["calendar"], true);
    assert_eq!(bundle["health"]["version"], "9.9.9");
    assert_eq!(bundle["configuration"][1], "DATABASE_URL=******** (from DATABASE_URL)");
}
