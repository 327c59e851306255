//! Export and import.

use ctops_base::Role;
use serde_json::json;

use crate::support::App;

/// Spec: settings 7
#[tokio::test]
async fn export_goes_into_another_installation_after_a_dry_run() {
    let (staging, production) = (App::new().await, App::new().await);
    let (one, other) = (staging.person(Role::OrgAdmin).await, production.person(Role::OrgAdmin).await);
    staging.put(&one, "/settings/authentication", json!({ "session_max_days": 3 })).await.expect(200);
    let relay = json!({ "host": "mail.example.com", "password": "hunter2-hunter2" });
    staging.put(&one, "/settings/smtp-relay", relay).await.expect(200);
    let export = staging.get(&one, "/settings/export").await.expect(200);
    assert_eq!(
        export["pages"],
        json!({ "authentication": { "session_max_days": 3 }, "smtp-relay": { "host": "mail.example.com" } }),
        "what was chosen, without secrets"
    );
    let wish = |dry_run| json!({ "document": export, "dry_run": dry_run });
    let looked = production.post(&other, "/settings/import", wish(true)).await.expect(200);
    assert_eq!(
        looked["changes"],
        json!([
            { "page": "authentication", "key": "session_max_days", "before": 7, "after": 3 },
            { "page": "smtp-relay", "key": "host", "before": "", "after": "mail.example.com" },
        ])
    );
    assert_eq!(looked["applied"], false);
    let page = production.get(&other, "/settings/authentication").await.expect(200);
    assert_eq!(page["version"], 0, "a dry run changes nothing");
    let done = production.post(&other, "/settings/import", wish(false)).await.expect(200);
    assert_eq!(done["applied"], true);
    let page = production.get(&other, "/settings/authentication").await.expect(200);
    assert_eq!(page["values"]["session_max_days"], 3);
    assert_eq!(production.audited("smtp-relay").await.len(), 1);
    let again = production.post(&other, "/settings/import", wish(true)).await.expect(200);
    assert_eq!(again["changes"], json!([]));
}

/// Spec: settings 7
#[tokio::test]
async fn import_when_one_key_is_wrong_changes_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let pages = json!({
        "authentication": { "session_max_days": 3 },
        "smtp-relay": { "port": 0, "password": "hunter2-hunter2" },
        "colours": {},
    });
    let document = json!({ "format": "ct-ops-settings", "version": 1, "pages": pages });
    let wish = |dry_run| json!({ "document": document, "dry_run": dry_run });
    let looked = app.post(&admin, "/settings/import", wish(true)).await.expect(200);
    let keys: Vec<_> =
        looked["faults"].as_array().unwrap().iter().map(|fault| fault["key"].clone()).collect();
    assert_eq!(keys, ["colours", "smtp-relay.password"]);
    assert_eq!(app.post(&admin, "/settings/import", wish(false)).await.code(422), "validation_failed");
    assert_eq!(app.get(&admin, "/settings/authentication").await.expect(200)["version"], 0);
    for odd in [json!({}), json!({ "format": "ct-ops-settings", "version": 2, "pages": {} })] {
        let refused = app.post(&admin, "/settings/import", json!({ "document": odd })).await;
        assert_eq!(refused.code(422), "not_an_export");
    }
}
