//! Files from outside: what an import refuses, and what an export never holds.

use ctops_base::Role;
use serde_json::{Value, json};

use crate::support::App;

fn a_file(pages: &Value) -> Value {
    json!({ "document": { "format": "ct-ops-settings", "version": 1, "pages": pages }, "dry_run": false })
}

async fn rows(app: &App) -> i64 {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM settings) + (SELECT count(*) FROM setting_secrets) + (SELECT count(*) FROM settings_history)",
    )
    .fetch_one(app.pool())
    .await
    .unwrap()
}

/// Spec: settings 7
#[tokio::test]
async fn what_is_no_export_is_refused_as_such() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    for odd in [
        json!({}),
        json!({ "format": "ct-ops-settings" }),
        json!({ "format": "CT-OPS-SETTINGS", "version": 1, "pages": {} }),
        json!({ "format": "ct-ops-settings", "version": "1", "pages": {} }),
        json!({ "format": "ct-ops-settings", "version": 1.5, "pages": {} }),
        json!({ "format": "ct-ops-settings", "version": 0, "pages": {} }),
        json!({ "format": "ct-ops-settings", "version": 1 }),
        json!({ "format": "ct-ops-settings", "version": 1, "pages": [] }),
        json!({ "format": "ct-ops-settings", "version": 1, "pages": { "authentication": [] } }),
        json!({ "format": "ct-ops-settings", "version": 1, "pages": { "authentication": null } }),
        json!({ "format": ["ct-ops-settings"], "version": 1, "pages": {} }),
    ] {
        let refused = app.post(&admin, "/settings/import", json!({ "document": odd })).await;
        assert_eq!(refused.code(422), "not_an_export", "{odd}");
    }
    for odd in [json!({ "document": [] }), json!({ "document": null }), json!({ "document": "x" }), json!({})]
    {
        let refused = app.post(&admin, "/settings/import", odd.clone()).await;
        assert_eq!(refused.code(422), "validation_failed", "{odd}");
    }
    assert_eq!(rows(&app).await, 0);
}

/// Each of these is wrong in one place and right in another; the right part is not taken over.
///
/// Spec: settings 7
#[tokio::test]
async fn one_wrong_key_anywhere_keeps_the_whole_file_out() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    for (page, wrong, path) in [
        ("smtp-relay", json!({ "password": "hunter2-hunter2" }), "smtp-relay.password"),
        ("smtp-relay", json!({ "password": null }), "smtp-relay.password"),
        ("smtp-relay", json!({ "enabled": true }), "smtp-relay.host"),
        ("smtp-relay", json!({ "port": 65_536 }), "smtp-relay.port"),
        ("smtp-relay", json!({ "org_id": "x" }), "smtp-relay.org_id"),
        (
            "authentication",
            json!({ "session_max_days": 3, "session_idle_hours": 0 }),
            "authentication.session_idle_hours",
        ),
        ("authentication", json!({ "allowed_domains": ["Not A Domain"] }), "authentication.allowed_domains"),
        ("authentication", json!({ "require_email_verification": false }), "authentication"),
        ("__proto__", json!({ "sso_only": true }), "__proto__"),
        ("../authentication", json!({}), "../authentication"),
        ("", json!({}), ""),
    ] {
        let mut pages = json!({ "organisation": { "timezone": "Europe/Oslo" } });
        pages[page] = wrong;
        let refused = app.post(&admin, "/settings/import", a_file(&pages)).await.expect(422);
        assert_eq!(refused["fields"][0]["path"], path, "{pages}: {refused}");
        assert!(!refused.to_string().contains("hunter2"), "secrets are not repeated");
        assert_eq!(rows(&app).await, 0, "{pages}");
    }
}

/// Spec: settings 7
#[tokio::test]
async fn files_are_read_and_made_by_those_who_may_and_stay_in_their_organisation() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let neighbour = app.person_of(ctops_testkit::a_organisation(app.pool()).await, Role::OrgAdmin).await;
    let file = a_file(&json!({ "authentication": { "session_max_days": 3 } }));
    for role in [Role::Engineer, Role::ReadOnly] {
        let other = app.person(role).await;
        assert_eq!(app.get(&other, "/settings/export").await.code(403), "forbidden");
        assert_eq!(app.post(&other, "/settings/import", file.clone()).await.code(403), "forbidden");
    }
    app.post(&admin, "/settings/import", file).await.expect(200);
    let theirs = app.get(&neighbour, "/settings/export").await.expect(200);
    assert_eq!(theirs["pages"], json!({}));
    let ours = app.get(&admin, "/settings/export").await.expect(200);
    assert_eq!(ours["pages"], json!({ "authentication": { "session_max_days": 3 } }));
}

/// Whatever is stored beside the keys of a page, an export holds nothing of it.
///
/// Spec: settings 7, 8
#[tokio::test]
async fn an_export_holds_neither_secrets_nor_what_this_release_does_not_know() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let relay = json!({ "host": "mail.example.com", "username": "ops", "password": "canary-of-the-relay" });
    app.put(&admin, "/settings/smtp-relay", relay).await.expect(200);
    app.store(
        "authentication",
        json!({ "session_max_days": 400, "old_key": "canary-of-an-old-release", "sso_only": true }),
    )
    .await;
    app.store("vanished-page", json!({ "a": "canary-of-a-page" })).await;
    let export = app.get(&admin, "/settings/export").await.expect(200);
    assert!(!export.to_string().contains("canary"), "{export}");
    assert_eq!(export["pages"]["authentication"], json!({ "sso_only": true }), "what counts, and only that");
    let back = app
        .post(&admin, "/settings/import", json!({ "document": export, "dry_run": true }))
        .await
        .expect(200);
    assert_eq!(
        (&back["changes"], &back["faults"]),
        (&json!([]), &json!([])),
        "an export fits where it came from"
    );
}

/// Text of people goes through export, import and history as it is, and into the trail as data.
#[tokio::test]
async fn hostile_text_survives_the_way_round_unchanged() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    for host in [
        "mail.example.com",
        "münchen.example",
        "<script>alert(1)</script>",
        "'; DROP TABLE settings; --",
        "=cmd|'/C calc'!A0",
        "a\u{202e}b",
    ] {
        let saved = app.put(&admin, "/settings/smtp-relay", json!({ "host": host })).await;
        if saved.status != 200 {
            assert_eq!(saved.status, 422, "{host}: {}", saved.body);
            continue;
        }
        let export = app.get(&admin, "/settings/export").await.expect(200);
        assert_eq!(export["pages"]["smtp-relay"]["host"], host);
        app.put(&admin, "/settings/smtp-relay", json!({ "host": null })).await.expect(200);
        app.post(&admin, "/settings/import", json!({ "document": export, "dry_run": false }))
            .await
            .expect(200);
        let now = app.get(&admin, "/settings/smtp-relay").await.expect(200);
        assert_eq!(now["values"]["host"], host);
        let last = app.audited("smtp-relay").await.pop().unwrap();
        assert_eq!(last.2.unwrap()["host"], host);
    }
}

/// Spec: settings 2
#[tokio::test]
async fn tags_that_were_never_given_out_match_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let save = |tag: &'static str, days: i32| {
        let body = json!({ "session_max_days": days });
        app.send(&admin, "PUT", "/settings/authentication", Some(body), Some(tag))
    };
    for odd in
        ["\"1\"", "\"-1\"", "\"abc\"", "", "\"0\", \"1\"", "W/\"0\"", "\"00x\"", "\"9223372036854775808\""]
    {
        let refused = save(odd, 3).await;
        assert_eq!(
            (refused.status.as_u16(), refused.body["code"].as_str()),
            (412, Some("version_conflict")),
            "{odd:?}"
        );
    }
    save("\"0\"", 3).await.expect(200);
    save("*", 4).await.expect(200);
    assert_eq!(save("\"0\"", 5).await.code(412), "version_conflict");
    assert_eq!(rows(&app).await, 3, "the page and two saves");
}

/// Spec: settings 4
#[tokio::test]
async fn histories_and_versions_of_others_are_not_there() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let neighbour = app.person_of(ctops_testkit::a_organisation(app.pool()).await, Role::SuperAdmin).await;
    app.put(&admin, "/settings/authentication", json!({ "session_max_days": 3 })).await.expect(200);
    let theirs = app.get(&neighbour, "/settings/authentication/history").await.expect(200);
    assert_eq!(theirs["items"], json!([]));
    let restore = json!({ "version": 1 });
    assert_eq!(
        app.post(&neighbour, "/settings/authentication/restore", restore).await.code(404),
        "not_found"
    );
    for version in [json!(0), json!(-1), json!(99), json!(i64::MAX)] {
        let body = json!({ "version": version });
        assert_eq!(
            app.post(&admin, "/settings/authentication/restore", body).await.code(404),
            "not_found",
            "{version}"
        );
    }
    for page in ["nothing", "..%2Fauthentication", "Authentication"] {
        for path in [format!("/settings/{page}"), format!("/settings/{page}/history")] {
            assert_eq!(app.get(&admin, &path).await.status.as_u16(), 404, "{path}");
        }
    }
}
