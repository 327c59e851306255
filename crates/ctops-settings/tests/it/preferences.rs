//! Preferences.

use ctops_base::Role;
use serde_json::json;

use crate::support::App;

/// Spec: settings 9
#[tokio::test]
async fn preferences_are_everybodys_own_and_the_theme_is_a_cookie_for_a_year() {
    let app = App::new().await;
    let (one, other) = (app.person(Role::ReadOnly).await, app.person(Role::Engineer).await);
    let path = "/me/preferences";
    let first = app.get(&one, path).await.expect(200);
    assert_eq!((&first["theme"], &first["terminal_font_size"]), (&json!("system"), &json!(13)));
    let changed = app.patch(&one, path, json!({ "theme": "dark", "tables": { "hosts": ["os"] } })).await;
    let cookie = changed.headers["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!(cookie, "ctops_theme=dark; Path=/; Max-Age=31536000; SameSite=Lax; Secure");
    app.patch(&one, path, json!({ "terminal_font_size": 32 })).await.expect(200);
    let now = app.get(&one, path).await.expect(200);
    assert_eq!((&now["theme"], &now["terminal_font_size"]), (&json!("dark"), &json!(32)));
    assert_eq!(now["tables"], json!({ "hosts": ["os"] }));
    assert_eq!(app.get(&other, path).await.expect(200), first);
    assert_eq!(
        app.patch(&one, path, json!({ "terminal_font_size": 33 })).await.code(422),
        "validation_failed"
    );
    assert_eq!(app.patch(&one, path, json!({ "role": "super_admin" })).await.code(422), "unknown_field");
    assert_eq!(app.patch(&one, path, json!({ "theme": "purple" })).await.code(422), "validation_failed");
}
