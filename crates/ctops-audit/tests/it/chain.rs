//! Sealing, checkpoints and verification.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_audit::chain::{Report, signing_key, verify, write_daily};
use ctops_base::Role;
use ctops_crypto::signing::SigningKey;
use ctops_slice::audit::{AuditEvent, By};
use ctops_testkit::{a_organisation, start_time};
use serde_json::json;

use crate::support::App;

async fn check(app: &App) -> Report {
    let key = signing_key(&app.deps.seal).public_key();
    let now = app.clock.now() + TimeDelta::hours(1);
    verify(app.pool(), app.org, (start_time(), now), &key, now).await.unwrap()
}

fn reason(report: &Report) -> Option<(i64, &'static str)> {
    report.first_break.as_ref().map(|found| (found.seq, found.reason))
}

/// Spec: audit-log 7
#[tokio::test]
async fn chain_of_each_organisation_is_its_own_and_intact() {
    let app = App::new().await;
    let other = a_organisation(app.pool()).await;
    app.write_many(5).await;
    app.write(AuditEvent::by(By::System, Some(other), "host.updated", "host")).await;
    app.write(AuditEvent::by(By::Anonymous, None, "auth.setup.refused", "installation")).await;
    assert_eq!(app.seal().await, 2);
    let chains: Vec<(i64, i64)> =
        sqlx::query_as("SELECT count(*), max(seq) FROM audit_chain GROUP BY chain_id ORDER BY 1")
            .fetch_all(app.pool())
            .await
            .unwrap();
    assert_eq!(chains, [(1, 1), (1, 1), (5, 5)]);
    let report = check(&app).await;
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.checked, report.range), (5, Some((1, 5))));
    assert_eq!(app.seal().await, 0, "nothing waits");
}

/// Spec: audit-log 7
#[tokio::test]
async fn verification_reports_the_first_break_of_every_sort() {
    for (statement, expected) in [
        (
            "UPDATE audit_events SET summary = 'x' WHERE summary IN ('event 2', 'event 4')",
            (3, "event_changed"),
        ),
        ("DELETE FROM audit_events WHERE summary = 'event 1'", (2, "event_missing")),
        ("DELETE FROM audit_chain WHERE seq = 3", (3, "link_missing")),
        ("UPDATE audit_chain SET prev_hash = sha256('x') WHERE seq = 4", (4, "link_changed")),
        (
            "DELETE FROM audit_events WHERE summary = 'event 0'; DELETE FROM audit_chain WHERE seq = 1",
            (2, "beginning_missing"),
        ),
        ("UPDATE audit_checkpoints SET hash = sha256('x')", (6, "checkpoint_forged")),
        (
            "DELETE FROM audit_events WHERE summary IN ('event 4', 'event 5');
             DELETE FROM audit_chain WHERE seq > 4",
            (5, "end_missing"),
        ),
    ] {
        let app = App::new().await;
        app.write_many(6).await;
        app.run("audit_checkpoints").await;
        let before = check(&app).await;
        assert!(before.is_intact() && before.checkpoints == 1, "{before:?}");
        app.tamper(statement).await;
        assert_eq!(reason(&check(&app).await), Some(expected), "{statement}");
    }
}

/// Spec: audit-log 7
#[tokio::test]
async fn chain_that_was_computed_anew_is_betrayed_by_its_checkpoint() {
    let app = App::new().await;
    app.write_many(3).await;
    app.run("audit_checkpoints").await;
    // Somebody with the whole database but without the install key changes an event and seals everything again.
    app.tamper(
        "UPDATE audit_events SET summary = 'harmless' WHERE summary = 'event 1';
         INSERT INTO audit_unsealed SELECT id, at FROM audit_events;
         DELETE FROM audit_chain",
    )
    .await;
    assert_eq!(app.seal().await, 3);
    assert_eq!(reason(&check(&app).await), Some((3, "checkpoint_mismatch")));
    // The same with a checkpoint of their own.
    app.tamper("DELETE FROM audit_checkpoints").await;
    write_daily(app.pool(), &SigningKey::generate(), app.clock.now()).await.unwrap();
    assert_eq!(reason(&check(&app).await), Some((3, "checkpoint_forged")));
}

/// Spec: audit-log 7
#[tokio::test]
async fn event_kept_out_of_the_chain_is_counted() {
    let app = App::new().await;
    app.write_many(1).await;
    app.write(AuditEvent::by(By::System, Some(app.org), "host.deleted", "host")).await;
    sqlx::query("DELETE FROM audit_unsealed").execute(app.pool()).await.unwrap();
    app.seal().await;
    let report = check(&app).await;
    assert_eq!((report.unsealed, report.is_intact()), (1, false));
}

/// Spec: audit-log 7
#[tokio::test]
async fn checkpoint_is_signed_once_a_day_for_chains_that_grew() {
    let app = App::new().await;
    app.write_many(2).await;
    let signed = || app.count("SELECT count(*) FROM audit_checkpoints WHERE kind = 'daily'");
    app.run("audit_checkpoints").await;
    app.write_many(1).await;
    app.run("audit_checkpoints").await;
    assert_eq!(signed().await, 1, "the same day");
    app.clock.advance(TimeDelta::seconds(86_400));
    app.run("audit_checkpoints").await;
    assert_eq!(signed().await, 2);
    app.clock.advance(TimeDelta::seconds(86_400));
    app.run("audit_checkpoints").await;
    assert_eq!(signed().await, 2, "nothing new");
}

/// Spec: audit-log 7
#[tokio::test]
async fn verification_over_the_api_answers_with_the_break_and_is_audited() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(3).await;
    let range = json!({"from": start_time(), "to": app.clock.now() + TimeDelta::seconds(1)});
    let fine = app.post(&admin, "/audit/verify", range.clone()).await.expect(200);
    assert_eq!((&fine["intact"], &fine["checked"]), (&json!(true), &json!(3)));
    assert_eq!(fine["public_key"].as_str().unwrap().len(), 64);
    app.tamper("UPDATE audit_events SET ip = '10.0.0.1' WHERE summary = 'event 1'").await;
    let broken = app.post(&admin, "/audit/verify", range).await.expect(200);
    assert_eq!(
        (&broken["first_break"]["seq"], &broken["first_break"]["reason"]),
        (&json!(2), &json!("event_changed"))
    );
    let audited = "SELECT count(*) FROM audit_events WHERE action = 'audit.verified' AND outcome = 'failed'";
    assert_eq!(app.count(audited).await, 1);
    let at = |day: i64| DateTime::<Utc>::from_timestamp(day * 86_400, 0).unwrap();
    for bad in [json!({"from": at(2), "to": at(1)}), json!({"from": at(1), "to": at(500)}), json!({})] {
        assert_eq!(app.post(&admin, "/audit/verify", bad).await.code(422), "validation_failed");
    }
    let engineer = app.person(Role::Engineer).await;
    app.post(&engineer, "/audit/verify", json!({"from": at(1), "to": at(2)})).await.code(403);
}
