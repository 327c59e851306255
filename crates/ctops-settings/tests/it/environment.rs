//! What the environment fixes.

use ctops_base::Role;
use ctops_slice::settings::Overrides;
use serde_json::json;

use crate::support::{App, Wishes};

/// Spec: settings 3
#[tokio::test]
async fn key_when_fixed_by_the_environment_wins_and_is_locked() {
    let overrides =
        Overrides::default().with("authentication", "session_max_days", "CT_OPS_SESSION_LIFETIME", 2);
    let app = App::with(Wishes { overrides, ..Wishes::default() }).await;
    let admin = app.person(Role::SuperAdmin).await;
    app.store("authentication", json!({ "session_max_days": 30 })).await;
    let path = "/settings/authentication";
    let page = app.get(&admin, path).await.expect(200);
    assert_eq!(page["values"]["session_max_days"], 2);
    assert_eq!(page["sources"]["session_max_days"], "environment");
    let refused = app.put(&admin, path, json!({ "session_max_days": 5 })).await.expect(409);
    assert_eq!(refused["code"], "set_by_environment");
    assert_eq!(refused["env"], "CT_OPS_SESSION_LIFETIME", "the variable is named");
    app.put(&admin, path, json!({ "session_max_days": 2, "sso_only": true })).await.expect(200);
    let refused = app.put(&admin, path, json!({ "require_email_verification": false })).await.expect(409);
    assert_eq!(refused["env"], "REQUIRE_EMAIL_VERIFICATION", "only the environment can set it");
}
