//! Exports and their check without a server.

use chrono::TimeDelta;
use ctops_audit::exports::{Signature, verify_file};
use ctops_base::Role;
use ctops_slice::audit::{AuditEvent, By};
use ctops_testkit::a_organisation;
use serde_json::{Value, json};

use crate::support::{Answer, App};

async fn export(app: &App, who: &str, format: &str, filter: Value) -> (Value, Answer) {
    let asked = app.post(who, "/audit/exports", json!({"format": format, "filter": filter})).await;
    let made = asked.expect(201);
    let file = app.get(who, &format!("/audit/exports/{}/file", made["id"].as_str().unwrap())).await;
    assert_eq!(file.status, 200);
    app.clock.advance(TimeDelta::seconds(11));
    (made, file)
}

/// Spec: audit-log 14, 16
#[tokio::test]
async fn json_lines_are_verified_offline_with_signature_and_hashes() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    // More than one chunk.
    app.write_many(2_100).await;
    let (made, file) = export(&app, &admin, "jsonl", json!({})).await;
    assert_eq!((&made["events"], &made["status"]), (&json!(2_100), &json!("ready")));
    assert_eq!(file.headers["content-type"], "application/jsonl; charset=utf-8");
    let about: Value = serde_json::from_str(file.text.lines().next().unwrap()).unwrap();
    assert_eq!(about["about"]["first_hash"], made["first_hash"]);
    assert_eq!(about["about"]["last_hash"], made["last_hash"]);
    assert!(about["about"]["filter"].as_str().unwrap().contains("\"from\""));
    let path = format!("/audit/exports/{}", made["id"].as_str().unwrap());
    assert_eq!(app.get(&admin, &path).await.expect(200)["status"], "signed");
    let signature = app.get(&admin, &format!("{path}/signature")).await.expect(200);
    let signature: Signature = serde_json::from_value(signature).unwrap();
    let key = app.get(&admin, "/audit/settings").await.expect(200)["public_key"].as_str().unwrap().to_owned();
    let report = verify_file(file.text.as_bytes(), true, Some(&signature), Some(&key)).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.events, report.links, report.signed), (2_100, 2_099, Some(true)));
    app.write_many(1).await;
    let again = app.get(&admin, &format!("{path}/file")).await;
    assert_eq!(again.text, file.text, "fetched again it has the same bytes");
    let forged = file.text.replace("event 7\"", "event X\"");
    let report = verify_file(forged.as_bytes(), true, Some(&signature), Some(&key)).unwrap();
    assert!(report.signed == Some(false) && report.first_break.is_some());
    let audited = "SELECT count(*) FROM audit_events WHERE action = 'audit.exported'";
    assert_eq!(app.count(audited).await, 1);
}

/// Spec: audit-log 14
#[tokio::test]
async fn csv_and_cef_hold_the_filtered_events_and_guard_formulas() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(2).await;
    app.write(
        AuditEvent::by(By::System, Some(app.org), "check.created", "check").summary("=cmd|' /C calc'!A0"),
    )
    .await;
    let other = a_organisation(app.pool()).await;
    app.write(AuditEvent::by(By::System, Some(other), "check.created", "check").summary("foreign")).await;
    app.seal().await;
    let (made, csv) = export(&app, &admin, "csv", json!({"action": "check."})).await;
    assert_eq!(made["events"], 1);
    let lines: Vec<&str> = csv.text.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("# filter: ") && line.contains("check.")));
    assert!(lines.iter().any(|line| line.starts_with("seq,id,at,")));
    assert!(csv.text.contains("\"\t=cmd|' /C calc'!A0\"") && !csv.text.contains("foreign"), "{}", csv.text);
    assert!(csv.headers["content-disposition"].to_str().unwrap().ends_with(".csv\""));
    let (_, cef) = export(&app, &admin, "cef", json!({})).await;
    assert_eq!(cef.text.lines().filter(|line| line.starts_with("CEF:0|CT-Ops|ct-ops|")).count(), 3);
}

/// Spec: audit-log 14
#[tokio::test]
async fn export_without_events_is_a_file_with_its_head_only() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let (made, csv) = export(&app, &admin, "csv", json!({"action": "no.such"})).await;
    assert_eq!((&made["events"], &made["first_hash"]), (&json!(0), &json!(null)));
    assert!(csv.text.lines().last().unwrap().starts_with("seq,id,at,"));
}

/// Spec: audit-log 14
#[tokio::test]
async fn exports_are_limited_and_belong_to_who_asked() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(1).await;
    let ask = || app.post(&admin, "/audit/exports", json!({"format": "csv"}));
    let first = ask().await.expect(201);
    let path = format!("/audit/exports/{}", first["id"].as_str().unwrap());
    assert_eq!(app.get(&admin, &format!("{path}/signature")).await.code(409), "wrong_state");
    let colleague = app.person(Role::SuperAdmin).await;
    for part in ["", "/file", "/signature"] {
        assert_eq!(app.get(&colleague, &format!("{path}{part}")).await.code(404), "not_found");
    }
    ask().await.expect(201);
    ask().await.expect(201);
    let limited = ask().await;
    assert_eq!(limited.code(429), "rate_limited");
    assert!(limited.headers.contains_key("retry-after"));
    app.clock.advance(TimeDelta::seconds(11));
    let bad = |body| app.post(&admin, "/audit/exports", body);
    assert_eq!(bad(json!({"format": "pdf"})).await.code(422), "validation_failed");
    let early = app.clock.now() - TimeDelta::days(500);
    let long = json!({"format": "csv", "filter": {"from": early, "to": app.clock.now()}});
    assert_eq!(bad(long).await.code(422), "validation_failed");
    let engineer = app.person(Role::Engineer).await;
    app.post(&engineer, "/audit/exports", json!({"format": "csv"})).await.code(403);
}
