//! Identity providers as administrators keep them.

use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_identity::passwords::{Passwords, Secret};
use ctops_slice::licence::Tier;
use ctops_testkit::{a_organisation, a_user};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, oidc_settings};

const SECRET: &str = "marker-4711-of-the-client";
const PASSWORD: &str = "difference engine no 2";

fn body() -> Value {
    json!({"name": "Corporate", "oidc": {"settings": oidc_settings(), "client_secret": SECRET}})
}

async fn make(app: &App, who: &str) -> String {
    let made = app.send(who, "POST", "/identity-providers", Some(body())).await.expect(201);
    format!("/identity-providers/{}", made["id"].as_str().unwrap())
}

async fn trail(app: &App) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT action, coalesce(before::text, '') || coalesce(after::text, '') FROM audit_events
         WHERE action LIKE 'identity_provider.%' ORDER BY id",
    )
    .fetch_all(app.db.pool())
    .await
    .unwrap()
}

/// Spec: auth 33, settings 5
#[tokio::test]
async fn provider_is_made_changed_and_deleted_and_its_secret_is_never_shown() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let path = make(&app, &admin).await;
    let shown = app.send(&admin, "GET", &path, None).await;
    let provider = shown.expect(200);
    assert_eq!((&provider["kind"], &provider["enabled"]), (&json!("oidc"), &json!(false)));
    assert_eq!((&provider["default_role"], &provider["licensed"]), (&json!("pending"), &json!(true)));
    assert!(provider["secret_set_at"].is_string());
    let change = json!({"name": "Other", "role_map": [{"group": "ops", "role": "engineer"}], "default_role": "read_only"});
    let changed = app.send(&admin, "PATCH", &path, Some(change)).await.expect(200);
    assert_eq!((&changed["version"], &changed["default_role"]), (&json!(2), &json!("read_only")));
    let list = app.send(&admin, "GET", "/identity-providers", None).await;
    assert_eq!(list.expect(200)["items"][0]["name"], "Other");
    app.send(&admin, "DELETE", &path, None).await.expect(204);
    app.send(&admin, "GET", &path, None).await.expect(404);
    let trail = trail(&app).await;
    let actions: Vec<_> = trail.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(
        actions,
        ["identity_provider.created", "identity_provider.changed", "identity_provider.deleted"]
    );
    let everything = format!("{}{}{trail:?}", shown.text, list.text);
    assert!(!everything.contains("4711"), "the secret shows");
    let stored: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT secret FROM identity_providers").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!(stored, None);
}

/// Spec: settings 2, 5
#[tokio::test]
async fn secret_must_be_given_again_when_it_would_go_elsewhere_and_the_issuer_is_fixed() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let path = make(&app, &admin).await;
    let change = |settings: Value| json!({"oidc": {"settings": settings}});
    let mut elsewhere = oidc_settings();
    elsewhere["endpoints"] = json!({
        "authorization": "https://idp.example.com/a", "token": "https://attacker.example/t",
        "jwks": "https://idp.example.com/k",
    });
    let refused = app.send(&admin, "PATCH", &path, Some(change(elsewhere))).await;
    assert_eq!(refused.body()["fields"][0]["path"], "oidc.client_secret");
    let mut other = oidc_settings();
    other["issuer"] = json!("https://other.example.com");
    let refused = app.send(&admin, "PATCH", &path, Some(change(other))).await;
    assert_eq!(refused.body()["fields"][0]["code"], "issuer_is_fixed");
    let mut harmless = oidc_settings();
    harmless["scopes"] = json!(["email"]);
    app.send(&admin, "PATCH", &path, Some(change(harmless))).await.expect(200);
    let kind = json!({"saml": {"metadata_xml": "<x/>"}});
    assert_eq!(app.send(&admin, "PATCH", &path, Some(kind)).await.status, 422);
}

/// Spec: auth 35, users-teams-rbac 7
#[tokio::test]
async fn no_map_grants_super_admin_and_unknown_fields_are_refused() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let mut with_rule = body();
    with_rule["role_map"] = json!([{"group": "gods", "role": "super_admin"}]);
    let refused = app.send(&admin, "POST", "/identity-providers", Some(with_rule)).await;
    assert_eq!(refused.body()["fields"][0]["path"], "role_map.0.role");
    let mut unknown = body();
    unknown["org_id"] = json!(new_id());
    let refused = app.send(&admin, "POST", "/identity-providers", Some(unknown)).await;
    assert_eq!(refused.refusal(), (422, "unknown_field".to_owned()));
    let mut without = body();
    without["oidc"]["client_secret"] = Value::Null;
    assert_eq!(app.send(&admin, "POST", "/identity-providers", Some(without)).await.status, 422);
    assert_eq!(app.send(&admin, "POST", "/identity-providers", Some(json!({"name": "x"}))).await.status, 422);
}

/// Whoever names the keys of a provider can sign in as everybody who comes through it.
#[tokio::test]
async fn provider_of_a_super_admin_is_changed_by_a_super_admin_only() {
    let app = App::new().await;
    let (admin, root) = (app.person(Role::OrgAdmin).await, app.person(Role::SuperAdmin).await);
    let path = make(&app, &admin).await;
    let id: Uuid = path.rsplit('/').next().unwrap().parse().unwrap();
    let boss = a_user(app.db.pool(), app.org, &[Role::SuperAdmin]).await;
    sqlx::query(
        "INSERT INTO external_identities (id, org_id, user_id, provider, provider_id, subject, name, linked_at, last_used_at)
         VALUES ($1, $2, $3, 'oidc', $4, 'boss', 'Boss', now(), now())",
    )
    .bind(new_id())
    .bind(app.org)
    .bind(boss)
    .bind(id)
    .execute(app.db.pool())
    .await
    .unwrap();
    let change = json!({"trust_email": true});
    let refused = app.send(&admin, "PATCH", &path, Some(change.clone())).await;
    assert_eq!(refused.refusal(), (403, "super_admin_required".to_owned()));
    assert_eq!(app.send(&admin, "DELETE", &path, None).await.status, 403);
    app.send(&root, "PATCH", &path, Some(change)).await.expect(200);
    app.send(&root, "DELETE", &path, None).await.expect(204);
}

/// Spec: auth 33, 34, licensing 15
#[tokio::test]
async fn each_protocol_needs_its_licence_and_switching_off_needs_none() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let path = make(&app, &admin).await;
    app.licensed(Tier::Community);
    let refused = app.send(&admin, "POST", "/identity-providers", Some(body())).await;
    assert_eq!(refused.refusal(), (403, "feature_not_licensed".to_owned()));
    assert_eq!(refused.body()["feature"], "ssoOidc");
    assert_eq!(app.send(&admin, "PATCH", &path, Some(json!({"name": "x"}))).await.status, 403);
    assert_eq!(app.send(&admin, "POST", &format!("{path}/test"), None).await.status, 403);
    app.send(&admin, "PATCH", &path, Some(json!({"enabled": false}))).await.expect(200);
    app.send(&admin, "DELETE", &path, None).await.expect(204);
    app.licensed(Tier::Pro);
    let saml = json!({"name": "x", "saml": {"metadata_xml": crate::saml_provider::metadata_of_nobody()}});
    let refused = app.send(&admin, "POST", "/identity-providers", Some(saml)).await;
    assert_eq!(refused.body()["feature"], "ssoSaml", "{}", refused.text);
}

/// Spec: security 8
#[tokio::test]
async fn a_test_that_is_refused_names_what_an_internal_target_would_open() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let issuer = "https://10.255.255.1/realms/main";
    let manual = json!({
        "authorization": "https://8.8.8.8/a", "token": "https://8.8.8.8/t", "jwks": "https://10.255.255.2/k",
    });
    for (issuer, endpoints, step, host) in [
        (issuer, Value::Null, "discovery", json!("10.255.255.1")),
        (issuer, manual, "keys", json!("10.255.255.2")),
        ("https://169.254.169.254", Value::Null, "discovery", Value::Null),
    ] {
        let mut settings = oidc_settings();
        (settings["issuer"], settings["endpoints"]) = (json!(issuer), endpoints);
        let body = json!({"name": "x", "oidc": {"settings": settings, "client_secret": SECRET}});
        let made = app.send(&admin, "POST", "/identity-providers", Some(body)).await.expect(201);
        let path = format!("/identity-providers/{}/test", made["id"].as_str().unwrap());
        let tested = app.send(&admin, "POST", &path, None).await.expect(200);
        let last = tested["steps"].as_array().unwrap().last().unwrap();
        assert_eq!((&tested["passed"], &last["name"]), (&json!(false), &json!(step)), "{tested}");
        assert_eq!(tested["needs_target"], host, "{issuer}");
    }
}

#[tokio::test]
async fn other_organisations_and_lesser_roles_see_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let path = make(&app, &admin).await;
    for role in [Role::Engineer, Role::ReadOnly] {
        assert_eq!(app.send(&app.person(role).await, "GET", &path, None).await.status, 403);
    }
    let other = a_organisation(app.db.pool()).await;
    sqlx::query("UPDATE identity_providers SET org_id = $1")
        .bind(other)
        .execute(app.db.pool())
        .await
        .unwrap();
    for (method, path) in [
        ("GET", path.clone()),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/test")),
    ] {
        let body = (method == "PATCH").then(|| json!({}));
        assert_eq!(app.send(&admin, method, &path, body).await.status, 404, "{method}");
    }
    let presets = app.send(&admin, "GET", "/identity-providers/presets", None).await.expect(200);
    assert_eq!(presets[0]["key"], "google");
}

/// Spec: settings 2
#[tokio::test]
async fn stale_change_is_refused() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let path = make(&app, &admin).await;
    let change = |tag: &str| {
        axum::http::Request::builder()
            .method("PATCH")
            .uri(&path)
            .header("cookie", &admin)
            .header("origin", crate::support::SITE)
            .header("x-ctops-request", "1")
            .header("content-type", "application/json")
            .header("if-match", tag)
            .body(axum::body::Body::from(r#"{"trust_email":true}"#))
            .unwrap()
    };
    assert_eq!(app.answer(change("\"1\"")).await.status, 200);
    assert_eq!(app.answer(change("\"1\"")).await.status, 412);
}

/// Spec: auth 35
#[tokio::test]
async fn sign_in_page_offers_providers_that_are_switched_on_and_licensed() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let path = make(&app, &admin).await;
    let offered = || async { app.visit("", "/auth/methods").await.expect(200)["methods"].clone() };
    assert_eq!(offered().await.as_array().unwrap().len(), 1, "switched off");
    app.send(&admin, "PATCH", &path, Some(json!({"enabled": true}))).await.expect(200);
    let methods = offered().await;
    assert_eq!((&methods[1]["kind"], &methods[1]["name"]), (&json!("oidc"), &json!("Corporate")));
    assert!(path.ends_with(methods[1]["id"].as_str().unwrap()));
    app.licensed(Tier::Community);
    assert_eq!(offered().await.as_array().unwrap().len(), 1, "the licence ended");
}

async fn with_password(app: &App, email: &str, role: Role) {
    let user = a_user(app.db.pool(), app.org, &[role]).await;
    let hash = Passwords::new().turn().await.unwrap().hash(Secret::new(PASSWORD)).await.unwrap();
    sqlx::query("UPDATE users SET email = $2, password_hash = $3 WHERE id = $1")
        .bind(user)
        .bind(email)
        .bind(hash)
        .execute(app.db.pool())
        .await
        .unwrap();
}

/// Spec: auth 35
#[tokio::test]
async fn with_providers_only_one_super_admin_keeps_a_password_and_nobody_is_locked_out() {
    let app = App::new().await;
    with_password(&app, "root@example.com", Role::SuperAdmin).await;
    with_password(&app, "second@example.com", Role::SuperAdmin).await;
    with_password(&app, "grace@example.com", Role::Engineer).await;
    sqlx::query(
        "INSERT INTO settings (org_id, page, version, document, updated_at)
         VALUES ($1, 'authentication', 1, '{\"sso_only\": true}', now())",
    )
    .bind(app.org)
    .execute(app.db.pool())
    .await
    .unwrap();
    let login = |email: &'static str| {
        let body = json!({"email": email, "password": PASSWORD});
        let app = &app;
        async move { app.send("", "POST", "/auth/login", Some(body)).await.refusal() }
    };
    let (open, closed) = ((200, String::new()), (403, "sso_only".to_owned()));
    assert_eq!(login("grace@example.com").await, open, "no provider could take the place of passwords");
    let admin = app.person(Role::OrgAdmin).await;
    let path = make(&app, &admin).await;
    app.send(&admin, "PATCH", &path, Some(json!({"enabled": true}))).await.expect(200);
    assert_eq!(login("grace@example.com").await, closed);
    assert_eq!(login("second@example.com").await, closed);
    assert_eq!(login("root@example.com").await, open, "the one who joined first");
    app.licensed(Tier::Community);
    assert_eq!(login("grace@example.com").await, open, "the licence ended");
}
