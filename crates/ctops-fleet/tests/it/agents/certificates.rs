//! Renewal and the list of revoked certificates (attack class: flaws of client certificates).

use chrono::TimeDelta;
use ctops_base::ProblemKind;
use ctops_fleet::agents::{RegisterOutcome, renew_certificate, revoked_serials, stream_identity};

use crate::support::{App, Key};

async fn enrolled(app: &App, hostname: &str) -> (Key, RegisterOutcome, String) {
    let secret = app.token(|new| (new.auto_approve, new.expires_in_days) = (true, None)).await;
    let key = Key::new();
    let outcome = app.register(&secret, &key, hostname).await.unwrap();
    let serial = outcome.certificate.as_ref().unwrap().serial.clone();
    (key, outcome, serial)
}

/// Spec: agents-enrolment 13
#[tokio::test]
async fn renew_when_asked_gives_a_new_certificate_and_the_same_again_when_the_answer_was_lost() {
    let app = App::new().await;
    let (key, first, old) = enrolled(&app, "web-1").await;
    app.clock.advance(TimeDelta::days(61));
    let renewed = renew_certificate(&app.deps, &first.agent_id, &old, &key.csr()).await.unwrap();
    assert_ne!(renewed.serial, old);
    assert_eq!(renewed.not_after, app.clock.now() + TimeDelta::days(90));
    let again = renew_certificate(&app.deps, &first.agent_id, &old, &key.csr()).await.unwrap();
    assert_eq!(again, renewed);
    let stored = stream_identity(app.pool(), &first.agent_id).await.unwrap().unwrap().certificate;
    assert_eq!(stored, Some(renewed.clone()));
    assert!(
        revoked_serials(app.pool(), None, app.clock.now()).await.unwrap().is_empty(),
        "the old one stays good"
    );
    let next = renew_certificate(&app.deps, &first.agent_id, &renewed.serial, &key.csr()).await.unwrap();
    assert_ne!(next.serial, renewed.serial, "asked with the newest, the agent wants another");
}

/// Trap 7 of the wire contract, appendix B.1.
///
/// Spec: agents-enrolment 13
#[tokio::test]
async fn renew_when_the_agent_is_offline_works() {
    let app = App::new().await;
    let (key, first, old) = enrolled(&app, "web-1").await;
    sqlx::query("UPDATE agents SET status = 'offline'").execute(app.pool()).await.unwrap();
    assert!(renew_certificate(&app.deps, &first.agent_id, &old, &key.csr()).await.is_ok());
}

/// Spec: security 19
#[tokio::test]
async fn renew_when_key_certificate_or_agent_are_not_right_is_refused() {
    let app = App::new().await;
    let (key, first, serial) = enrolled(&app, "web-1").await;
    let (_, other, _) = enrolled(&app, "web-2").await;
    let kind = async |agent: &str, serial: &str, csr: &[u8]| {
        renew_certificate(&app.deps, agent, serial, csr).await.unwrap_err().kind()
    };
    let id = first.agent_id.as_str();
    assert_eq!(
        kind(id, &serial, &Key::new().csr()).await,
        ProblemKind::Invalid,
        "a key that is not registered"
    );
    assert_eq!(
        kind(&other.agent_id, &serial, &key.csr()).await,
        ProblemKind::Invalid,
        "another agent's name"
    );
    assert_eq!(kind(id, &serial, &[]).await, ProblemKind::Invalid);
    assert_eq!(kind(id, &serial, b"junk").await, ProblemKind::Invalid);
    assert_eq!(kind("aaaaaaaaaaaaaaaaaaaaaaaa", &serial, &key.csr()).await, ProblemKind::NotFound);
    sqlx::query("INSERT INTO revoked_certificates (serial, reason, revoked_at) VALUES ($1, 'test', now())")
        .bind(&serial)
        .execute(app.pool())
        .await
        .unwrap();
    assert_eq!(
        kind(id, &serial, &key.csr()).await,
        ProblemKind::Forbidden,
        "a revoked certificate renews nothing"
    );
    for status in ["pending", "revoked"] {
        sqlx::query("UPDATE agents SET status = $1").bind(status).execute(app.pool()).await.unwrap();
        assert_eq!(kind(id, "00", &key.csr()).await, ProblemKind::Forbidden, "{status}");
    }
}

/// Trap 3 of the wire contract, appendix B.1.
#[tokio::test]
async fn register_when_the_stored_certificate_is_old_or_revoked_issues_another() {
    let app = App::new().await;
    let secret = app.token(|new| new.auto_approve = true).await;
    let key = Key::new();
    let leaf = async || app.register(&secret, &key, "web-1").await.unwrap().certificate.unwrap();
    let first = leaf().await;
    app.clock.advance(TimeDelta::days(60) - TimeDelta::seconds(1));
    assert_eq!(leaf().await, first, "more than a third is left");
    app.clock.advance(TimeDelta::seconds(1));
    let second = leaf().await;
    assert_ne!(second, first);
    sqlx::query("INSERT INTO revoked_certificates (serial, reason, revoked_at) VALUES ($1, 'test', now())")
        .bind(&second.serial)
        .execute(app.pool())
        .await
        .unwrap();
    let third = leaf().await;
    assert_ne!(third, second);
    app.clock.advance(TimeDelta::days(120));
    assert_ne!(leaf().await, third, "an expired one too");
}

/// Spec: agents-enrolment 16
#[tokio::test]
async fn revoked_serials_since_a_moment_include_late_commits_and_leave_out_what_ended() {
    let app = App::new().await;
    let now = app.clock.now();
    let rows = [("aa", -3600, Some(60)), ("bb", -50, None), ("cc", -50, Some(-1)), ("dd", 0, Some(60))];
    for (serial, revoked, ends) in rows {
        sqlx::query("INSERT INTO revoked_certificates (serial, reason, revoked_at, not_after) VALUES ($1, 'test', $2, $3)")
            .bind(serial)
            .bind(now + TimeDelta::seconds(revoked))
            .bind(ends.map(|seconds| now + TimeDelta::seconds(seconds)))
            .execute(app.pool())
            .await
            .unwrap();
    }
    let serials = async |since| -> Vec<String> {
        revoked_serials(app.pool(), since, now).await.unwrap().into_iter().map(|row| row.serial).collect()
    };
    assert_eq!(serials(None).await, ["aa", "bb", "dd"]);
    assert_eq!(serials(Some(now)).await, ["bb", "dd"]);
}
