//! Questions at their limits: pages, windows, cursors and filters that somebody made by hand.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use ctops_base::Role;
use ctops_slice::audit::{AuditEvent, By};
use serde_json::Value;

use crate::support::App;

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Spec: audit-log 9
#[tokio::test]
async fn pages_of_any_size_hold_every_event_once_and_in_order() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(7).await;
    // All of one moment: the time alone does not order them.
    for n in 0..6 {
        app.write(AuditEvent::by(By::System, Some(app.org), "host.updated", "host").on(n)).await;
    }
    let all = ids(&app.get(&admin, "/audit/events?limit=200").await.expect(200));
    assert_eq!(all.len(), 13);
    for limit in [1, 2, 3, 6, 12, 13, 14, 200] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = app.get(&admin, &format!("/audit/events?limit={limit}{cursor}")).await.expect(200);
            let items = ids(&page);
            assert!(items.len() <= limit);
            seen.extend(items);
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all, "limit {limit}");
        assert_eq!(pages, 13_usize.div_ceil(limit).max(1), "no empty page at the end of limit {limit}");
    }
}

/// Cursors are no secret and no proof: whoever makes one sees what the filter would show, and never breaks the server.
#[tokio::test]
async fn cursors_made_by_hand_show_nothing_else_and_break_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(3).await;
    let other = ctops_testkit::a_organisation(app.pool()).await;
    app.write(AuditEvent::by(By::System, Some(other), "host.updated", "host").summary("foreign")).await;
    for micros in [
        i64::MIN,
        -8_000_000_000_000_000_000,
        -1,
        0,
        4_000_000_000_000_000,
        8_000_000_000_000_000_000,
        i64::MAX,
    ] {
        for id in [[0_u8; 16], [0xff; 16]] {
            let mut bytes = micros.to_be_bytes().to_vec();
            bytes.extend_from_slice(&id);
            let cursor = URL_SAFE_NO_PAD.encode(&bytes);
            let answer = app.get(&admin, &format!("/audit/events?cursor={cursor}")).await;
            assert!(!answer.status.is_server_error(), "{micros}: {} {}", answer.status, answer.text);
            assert!(!answer.text.contains("foreign"));
        }
    }
    for odd in ["", "%20", "AAAA", "====", "%00", &"A".repeat(32), &"A".repeat(10_000)] {
        let answer = app.get(&admin, &format!("/audit/events?cursor={odd}")).await;
        assert!(answer.status.is_client_error() || answer.status == 200, "{odd:.20}: {}", answer.status);
    }
}

/// Spec: audit-log 9
#[tokio::test]
async fn moments_at_the_ends_of_the_calendar_are_refused_or_find_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(1).await;
    for moment in [
        "0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "-4800-01-01T00:00:00Z",
        "-262143-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "%2B10000-01-01T00:00:00Z",
        "%2B262142-12-31T00:00:00Z",
        "2026-06-03T12:00:00%2B23:59",
        "2026-06-03T23:59:60Z",
        "2026-02-30T00:00:00Z",
    ] {
        for name in ["from", "to"] {
            let answer = app.get(&admin, &format!("/audit/events?{name}={moment}")).await;
            let what = format!("{name}={moment}: {} {}", answer.status, answer.text);
            assert!(answer.status.is_client_error() || answer.status == 200, "{what}");
        }
    }
}

/// Text of a filter is compared, never executed and never a pattern.
///
/// Spec: audit-log 9
/// Spec: api-conventions 12
#[tokio::test]
async fn hostile_filters_find_nothing_and_break_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(3).await;
    for name in
        ["actor_id", "action", "target_type", "target_id", "request_id", "q", "ip", "actor_type", "outcome"]
    {
        for value in [
            "%25",
            "_",
            "%5C",
            "%5C%25",
            "'",
            "'%20OR%20'1'='1",
            "%22%3B%20DROP%20TABLE%20audit_events%3B--",
            "%00",
            "event%00",
            "%F0%9F%92%A9",
            "%E2%80%AE",
            "*",
        ] {
            let answer = app.get(&admin, &format!("/audit/events?{name}={value}")).await;
            let what = format!("{name}={value}: {} {}", answer.status, answer.text);
            assert!(answer.status.is_client_error() || answer.status == 200, "{what}");
            if answer.status == 200 {
                assert_eq!(ids(&answer.expect(200)), [""; 0], "{what}");
            }
        }
        let long = "x".repeat(201);
        let answer = app.get(&admin, &format!("/audit/events?{name}={long}")).await;
        assert_eq!(answer.code(422), "validation_failed", "{name}");
    }
    assert_eq!(app.count("SELECT count(*) FROM audit_events WHERE action = 'host.updated'").await, 3);
}

/// Spec: audit-log 9
#[tokio::test]
async fn a_window_has_four_hundred_days_at_most_and_its_end_is_outside() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(2).await;
    let now = app.clock.now();
    let at = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let ask = |from, to| format!("/audit/events?from={}&to={}", at(from), at(to));
    let fits = app.get(&admin, &ask(now - TimeDelta::days(400), now)).await.expect(200);
    assert_eq!(ids(&fits).len(), 1, "the event of this very moment lies outside");
    let more = now - TimeDelta::days(400) - TimeDelta::microseconds(1);
    assert_eq!(app.get(&admin, &ask(more, now)).await.code(422), "validation_failed");
    assert_eq!(ids(&app.get(&admin, &ask(now, now)).await.expect(200)), [""; 0]);
    let both = app
        .get(&admin, &ask(now - TimeDelta::seconds(1), now + TimeDelta::microseconds(1)))
        .await
        .expect(200);
    assert_eq!(ids(&both).len(), 2);
}

/// Spec: audit-log 9
#[tokio::test]
async fn every_filter_narrows_and_none_reaches_another_organisation() {
    let app = App::new().await;
    let other = ctops_testkit::a_organisation(app.pool()).await;
    let (admin, stranger) = (app.person(Role::OrgAdmin).await, app.somebody(other, Role::SuperAdmin).await.0);
    let (_, ada) = app.somebody(app.org, Role::Engineer).await;
    app.write(
        AuditEvent::by(By::User(ada), Some(app.org), "host.deleted", "host")
            .on("h1")
            .summary("gone")
            .failed("busy"),
    )
    .await;
    app.write_many(2).await;
    let all: BTreeSet<String> =
        ids(&app.get(&admin, "/audit/events").await.expect(200)).into_iter().collect();
    for filter in [
        format!("actor_id={ada}"),
        "actor_type=user".into(),
        "action=host.deleted".into(),
        "target_type=host".into(),
        "target_id=h1".into(),
        "outcome=failed".into(),
        "q=gone".into(),
        "q=GONE".into(),
    ] {
        let path = format!("/audit/events?{filter}");
        let found = ids(&app.get(&admin, &path).await.expect(200));
        assert!(!found.is_empty() && found.iter().all(|id| all.contains(id)), "{filter}");
        assert_eq!(ids(&app.get(&stranger, &path).await.expect(200)), [""; 0], "{filter}");
    }
    for id in &all {
        assert_eq!(app.get(&stranger, &format!("/audit/events/{id}")).await.code(404), "not_found");
    }
}
