//! History and restoring.

use ctops_base::Role;
use serde_json::json;

use crate::support::App;

const PAGE: &str = "/settings/authentication";

/// Spec: settings 4
#[tokio::test]
async fn history_lists_changes_and_one_can_be_restored() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for days in [3, 4, 5] {
        app.put(&admin, PAGE, json!({ "session_max_days": days, "sso_only": days == 3 })).await.expect(200);
    }
    let history = app.get(&admin, &format!("{PAGE}/history")).await.expect(200);
    let versions: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|save| save["version"].clone()).collect();
    assert_eq!(versions, [3, 2, 1]);
    let second = &history["items"][1];
    assert_eq!(
        second["changes"],
        json!([
            { "key": "session_max_days", "before": 3, "after": 4 },
            { "key": "sso_only", "before": true, "after": false },
        ])
    );
    assert!(second["by"]["name"].is_string() && second["at"].is_string());
    let restored = app.post(&admin, &format!("{PAGE}/restore"), json!({ "version": 1 })).await.expect(200);
    assert_eq!((&restored["version"], &restored["values"]["session_max_days"]), (&json!(4), &json!(3)));
    assert_eq!(restored["values"]["sso_only"], true);
    let audited = app.audited("authentication").await;
    assert_eq!(audited.last().unwrap().0, "settings.authentication.changed");
    let missing = app.post(&admin, &format!("{PAGE}/restore"), json!({ "version": 99 })).await;
    assert_eq!(missing.code(404), "not_found");
    let body = Some(json!({ "version": 2 }));
    let stale = app.send(&admin, "POST", &format!("{PAGE}/restore"), body, Some("\"1\"")).await;
    assert_eq!(stale.code(412), "version_conflict");
}

#[tokio::test]
async fn history_comes_in_parts() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for save in 0..25 {
        app.put(&admin, PAGE, json!({ "api_keys_max_days": 1 + save })).await.expect(200);
    }
    let first = app.get(&admin, &format!("{PAGE}/history")).await.expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 20);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app.get(&admin, &format!("{PAGE}/history?cursor={cursor}")).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (5, &json!(null)));
    assert_eq!(rest["items"][4]["changes"][0]["before"], 90, "the first save is compared with the defaults");
    let odd = app.get(&admin, &format!("{PAGE}/history?cursor=x")).await;
    assert_eq!(odd.code(422), "validation_failed");
}
