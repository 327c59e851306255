//! Feature flags.

use ctops_base::Role;
use ctops_slice::flags::{self, CALENDAR};
use ctops_testkit::a_organisation;
use serde_json::{Value, json};

use crate::support::App;

fn value_of(list: &Value, key: &str) -> Value {
    list["items"].as_array().unwrap().iter().find(|flag| flag["key"] == key).unwrap()["value"].clone()
}

/// Spec: settings 13, 14, 16
#[tokio::test]
async fn flag_when_turned_acts_at_once_for_its_organisation_and_is_audited() {
    let app = App::new().await;
    let (admin, reader) = (app.person(Role::OrgAdmin).await, app.person(Role::ReadOnly).await);
    let neighbour = a_organisation(app.pool()).await;
    assert!(flags::is_on(app.pool(), app.org, &CALENDAR).await.unwrap());
    let turned =
        app.patch(&admin, "/feature-flags", json!({ "calendar": false, "acme": true })).await.expect(200);
    assert_eq!((value_of(&turned, "calendar"), value_of(&turned, "acme")), (json!(false), json!(true)));
    assert!(!flags::is_on(app.pool(), app.org, &CALENDAR).await.unwrap(), "nobody keeps the answer");
    assert!(flags::is_on(app.pool(), neighbour, &CALENDAR).await.unwrap());
    let refused = flags::demand(app.pool(), app.org, &CALENDAR).await.unwrap_err();
    assert_eq!(refused.code(), "not_found");
    let seen = app.get(&reader, "/feature-flags").await.expect(200);
    assert_eq!(value_of(&seen, "calendar"), json!(false), "everybody sees public flags");
    let audited = app.audited("acme").await;
    assert_eq!(audited[0].0, "feature_flag.changed");
    assert_eq!(audited[0].1, Some(json!({ "acme": false, "calendar": true })));
    let back = app.patch(&admin, "/feature-flags", json!({ "calendar": null })).await.expect(200);
    assert_eq!(value_of(&back, "calendar"), json!(true));
    assert_eq!(
        app.patch(&reader, "/feature-flags", json!({ "calendar": false })).await.code(403),
        "forbidden"
    );
}

/// Spec: settings 13, 15
#[tokio::test]
async fn flag_when_not_declared_is_off_and_listed() {
    let app = App::new().await;
    let (admin, reader) = (app.person(Role::OrgAdmin).await, app.person(Role::ReadOnly).await);
    let refused = app.patch(&admin, "/feature-flags", json!({ "percentage": true })).await;
    assert_eq!(refused.code(422), "unknown_field");
    sqlx::query(
        "INSERT INTO feature_flags (org_id, key, value, updated_at) VALUES ($1, 'old.thing', true, now())",
    )
    .bind(app.org)
    .execute(app.pool())
    .await
    .unwrap();
    let list = app.get(&admin, "/feature-flags").await.expect(200);
    assert_eq!((list["items"].as_array().unwrap().len(), &list["unknown"]), (6, &json!(["old.thing"])));
    assert_eq!(app.get(&reader, "/feature-flags").await.expect(200)["unknown"], json!([]));
    assert!(flags::by_key("old.thing").is_none());
}
