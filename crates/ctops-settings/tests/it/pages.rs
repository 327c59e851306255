//! Reading and saving pages.

use ctops_base::Role;
use ctops_testkit::a_organisation;
use serde_json::json;

use crate::support::App;

const PAGE: &str = "/settings/authentication";

/// Spec: settings 1, 3
#[tokio::test]
async fn pages_are_listed_with_keys_ranges_and_places() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let list = app.get(&admin, "/settings").await.expect(200);
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|page| page["name"].clone()).collect();
    assert_eq!(names, ["organisation", "authentication", "smtp-relay"], "in the order of the navigation");
    let keys = list["items"][1]["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["name"] == "session_max_days").unwrap();
    let seen = [&key["type"], &key["least"], &key["most"], &key["default"], &key["scope"], &key["env"]];
    let expected = [
        json!("integer"),
        json!(1),
        json!(30),
        json!(7),
        json!("organisation"),
        json!("CT_OPS_SESSION_LIFETIME"),
    ];
    assert_eq!(seen.map(Clone::clone), expected);
    for role in [Role::Engineer, Role::ReadOnly] {
        let other = app.person(role).await;
        assert_eq!(app.get(&other, "/settings").await.code(403), "forbidden");
        assert_eq!(app.get(&other, PAGE).await.code(403), "forbidden");
        assert_eq!(app.put(&other, PAGE, json!({})).await.code(403), "forbidden");
    }
}

/// Spec: settings 2, 4
#[tokio::test]
async fn page_when_saved_has_a_new_version_and_an_audit_event() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let before = app.get(&admin, PAGE).await;
    assert_eq!(before.tag(), "\"0\"");
    assert_eq!(before.body["values"]["password_min_length"], 12);
    assert_eq!(before.body["sources"]["password_min_length"], "default");
    let change = json!({ "password_min_length": 16, "allowed_domains": ["example.com"] });
    let saved = app.send(&admin, "PUT", PAGE, Some(change), Some(&before.tag())).await;
    assert_eq!(saved.tag(), "\"1\"");
    assert_eq!(saved.body["values"]["password_min_length"], 16);
    assert_eq!(saved.body["sources"]["password_min_length"], "stored");
    assert_eq!(saved.body["updated_by"]["name"].as_str().map(str::is_empty), Some(false));
    let audited = app.audited("authentication").await;
    assert_eq!(audited.len(), 1);
    assert_eq!(audited[0].0, "settings.authentication.changed");
    assert_eq!(audited[0].1.as_ref().unwrap()["allowed_domains"], json!([]));
    assert_eq!(audited[0].2.as_ref().unwrap()["allowed_domains"], json!(["example.com"]));
    let same = app.put(&admin, PAGE, json!({ "password_min_length": 16 })).await;
    assert_eq!(same.tag(), "\"1\"", "saving the same is not a change");
    assert_eq!(app.audited("authentication").await.len(), 1);
}

/// Spec: settings 2
#[tokio::test]
async fn save_when_another_came_first_is_refused_and_names_the_version() {
    let app = App::new().await;
    let (one, other) = (app.person(Role::OrgAdmin).await, app.person(Role::SuperAdmin).await);
    let seen = app.get(&one, PAGE).await.tag();
    let first = json!({ "sso_only": true });
    app.send(&other, "PUT", PAGE, Some(first), Some(&seen)).await.expect(200);
    let refused = app.send(&one, "PUT", PAGE, Some(json!({ "ldap_allow_plain": true })), Some(&seen)).await;
    let refused = refused.expect(412);
    assert_eq!(
        (refused["code"].as_str(), refused["version"].as_str()),
        (Some("version_conflict"), Some("1"))
    );
    let now = app.get(&one, PAGE).await.expect(200);
    assert_eq!(
        (&now["values"]["sso_only"], &now["values"]["ldap_allow_plain"]),
        (&json!(true), &json!(false))
    );
}

/// Spec: settings 2
#[tokio::test]
async fn save_of_one_page_leaves_others_and_other_organisations_alone() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let neighbour = app.person_of(a_organisation(app.pool()).await, Role::OrgAdmin).await;
    let relay = json!({ "host": "mail.example.com", "password": "hunter2-hunter2" });
    app.put(&admin, "/settings/smtp-relay", relay).await.expect(200);
    app.put(&admin, PAGE, json!({ "sso_only": true })).await.expect(200);
    app.put(&admin, "/settings/organisation", json!({ "timezone": "Europe/Berlin" })).await.expect(200);
    let relay = app.get(&admin, "/settings/smtp-relay").await.expect(200);
    assert_eq!(relay["values"]["host"], "mail.example.com");
    assert!(relay["secrets"]["password"]["set_at"].is_string());
    let theirs = app.get(&neighbour, PAGE).await.expect(200);
    assert_eq!((&theirs["values"]["sso_only"], &theirs["version"]), (&json!(false), &json!(0)));
    let theirs = app.get(&neighbour, "/settings/smtp-relay").await.expect(200);
    assert_eq!((&theirs["values"]["host"], &theirs["secrets"]), (&json!(""), &json!({})));
}

/// Spec: settings 3
#[tokio::test]
async fn save_of_unknown_or_unfitting_keys_is_refused_as_a_whole() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let body = json!({ "sso_only": true, "session.max_days": 3 });
    let refused = app.put(&admin, PAGE, body).await.expect(422);
    assert_eq!(
        (&refused["code"], &refused["fields"][0]["path"]),
        (&json!("unknown_field"), &json!("session.max_days"))
    );
    let refused =
        app.put(&admin, PAGE, json!({ "sso_only": true, "session_max_days": 31 })).await.expect(422);
    assert_eq!(refused["fields"][0]["message"], "must be from 1 to 30");
    let refused = app.put(&admin, "/settings/smtp-relay", json!({ "enabled": true })).await.expect(422);
    let paths: Vec<_> = refused["fields"].as_array().unwrap().iter().map(|f| f["path"].clone()).collect();
    assert_eq!(paths, ["host", "from_address"]);
    let large = json!({ "legal_notice": "x".repeat(10_001) });
    assert_eq!(app.put(&admin, "/settings/organisation", large).await.code(422), "validation_failed");
    assert_eq!(app.get(&admin, PAGE).await.expect(200)["version"], 0);
    assert_eq!(app.get(&admin, "/settings/colours").await.code(404), "not_found");
    assert_eq!(app.put(&admin, "/settings/colours", json!({})).await.code(404), "not_found");
}

/// Spec: settings 5
#[tokio::test]
async fn secret_when_set_is_shown_as_a_mark_and_cleared_only_explicitly() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let path = "/settings/smtp-relay";
    let set = app.put(&admin, path, json!({ "password": "hunter2-hunter2" })).await.expect(200);
    assert!(set["secrets"]["password"]["set_by"].is_string());
    app.put(&admin, path, json!({ "host": "mail.example.com" })).await.expect(200);
    for path in [path, "/settings/smtp-relay/history", "/settings/export", "/settings"] {
        let text = app.get(&admin, path).await.expect(200).to_string();
        assert!(!text.contains("hunter2"), "{path}: {text}");
    }
    let sealed: Vec<u8> =
        sqlx::query_scalar("SELECT sealed FROM setting_secrets").fetch_one(app.pool()).await.unwrap();
    assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
    for (action, before, after) in app.audited("smtp-relay").await {
        assert!(!format!("{action} {before:?} {after:?}").contains("hunter2"));
    }
    let kept = app.get(&admin, path).await.expect(200);
    assert!(kept["secrets"]["password"].is_object(), "a save without the key keeps it");
    let cleared = app.put(&admin, path, json!({ "password": null })).await.expect(200);
    assert_eq!(cleared["secrets"], json!({}));
}

/// Spec: settings 8
#[tokio::test]
async fn stored_value_when_invalid_counts_as_default_and_survives_other_saves() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.store("authentication", json!({ "session_max_days": 9000, "from_the_future": true })).await;
    let page = app.get(&admin, PAGE).await.expect(200);
    assert_eq!(
        (&page["values"]["session_max_days"], &page["faults"].as_array().unwrap().len()),
        (&json!(7), &2)
    );
    app.put(&admin, PAGE, json!({ "sso_only": true })).await.expect(200);
    let stored: serde_json::Value =
        sqlx::query_scalar("SELECT document FROM settings").fetch_one(app.pool()).await.unwrap();
    assert_eq!(stored, json!({ "session_max_days": 9000, "from_the_future": true, "sso_only": true }));
    app.put(&admin, PAGE, json!({ "session_max_days": 3 })).await.expect(200);
    assert_eq!(app.get(&admin, PAGE).await.expect(200)["values"]["session_max_days"], 3);
}
