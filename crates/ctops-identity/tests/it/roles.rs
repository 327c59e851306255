//! Custom roles: who may make and hold them, what they give, and why somebody may do something.

use axum::http::{Method, StatusCode};
use ctops_base::id::new_id;
use ctops_slice::licence::Entitlement;
use ctops_testkit::{a_host, a_organisation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Browser, PASSWORD, delete, get, json_call, post};

async fn org_of(app: &App) -> Uuid {
    sqlx::query_scalar("SELECT id FROM organisations ORDER BY created_at LIMIT 1")
        .fetch_one(app.db.pool())
        .await
        .unwrap()
}

async fn a_group(app: &App, org: Uuid, hosts: &[Uuid]) -> Uuid {
    let group = new_id();
    sqlx::query("INSERT INTO host_groups (id, org_id, name, created_at, updated_at) VALUES ($1, $2, $3, now(), now())")
        .bind(group)
        .bind(org)
        .bind(format!("group {group}"))
        .execute(app.db.pool())
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO host_group_members (group_id, host_id, added_at) SELECT $1, id, now() FROM UNNEST($2::uuid[]) AS h (id)",
    )
    .bind(group)
    .bind(hosts)
    .execute(app.db.pool())
    .await
    .unwrap();
    group
}

async fn member(app: &App, email: &str, roles: &[&str]) -> (Uuid, Browser) {
    let id = app.add_member(email, roles).await;
    (id, app.login(email, PASSWORD, "192.0.2.77").await.browser())
}

fn a_role(name: &str, permissions: &[&str], selector: &Value) -> Value {
    json!({"name": name, "permissions": permissions, "selector": selector})
}

async fn create(app: &App, by: &Browser, role: Value) -> Uuid {
    let answer = app.send(post("/roles", role).with(by)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.body["id"].as_str().unwrap().parse().unwrap()
}

async fn assign(app: &App, by: &Browser, role: Uuid, subject: (&str, Uuid)) -> (u16, Value) {
    let answer =
        app.send(post("/role-assignments", json!({"role_id": role, subject.0: subject.1})).with(by)).await;
    (answer.status.as_u16(), answer.body)
}

/// Spec: users-teams-rbac 17, 18
#[tokio::test]
async fn a_custom_role_gives_its_permissions_and_changes_with_its_version() {
    let (app, admin) = App::set_up().await;
    let (bob, browser) = member(&app, "bob@example.com", &["read_only"]).await;
    assert_eq!(app.send(get("/roles").with(&browser)).await.refusal(), (403, "forbidden"));
    let role = create(&app, &admin, a_role("Access manager", &["rbac.manage"], &json!([]))).await;
    assert_eq!(assign(&app, &admin, role, ("user_id", bob)).await.0, 201);
    assert_eq!(assign(&app, &admin, role, ("user_id", bob)).await.1["code"], "already_exists");
    assert_eq!(app.send(get("/roles").with(&browser)).await.status, StatusCode::OK, "with the next request");
    let held = app.send(get("/me/permissions").with(&browser)).await.body;
    assert!(
        held["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["name"] == "rbac.manage" && p["all_hosts"] == true)
    );
    let path = format!("/roles/{role}");
    let changed = a_role("Reader", &["things.read"], &json!([]));
    let put = |tag: &'static str| {
        json_call(Method::PUT, &path, changed.clone()).header("if-match", tag).with(&admin)
    };
    assert_eq!(app.send(put("\"7\"")).await.refusal(), (412, "version_conflict"));
    let answer = app.send(put("\"1\"")).await;
    assert_eq!((answer.status.as_u16(), &answer.body["version"]), (200, &json!(2)));
    assert_eq!(app.send(get("/roles").with(&browser)).await.refusal(), (403, "forbidden"));
    assert_eq!(app.send(delete(&path).with(&admin)).await.refusal(), (409, "conflict"), "somebody holds it");
    let assignments = app.send(get("/role-assignments").with(&admin)).await.body;
    let id = assignments["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        app.send(delete(&format!("/role-assignments/{id}")).with(&admin)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.send(delete(&path).with(&admin)).await.status, StatusCode::NO_CONTENT);
    let audit = app.audit().await;
    let roles: Vec<_> = audit.iter().filter(|action| action.starts_with("role")).collect();
    assert_eq!(
        roles,
        [
            "role.created",
            "role_assignment.created",
            "role.changed",
            "role_assignment.deleted",
            "role.deleted"
        ]
    );
}

/// Spec: users-teams-rbac 17
#[tokio::test]
async fn nobody_gains_more_through_custom_roles_than_they_may_give() {
    let (app, admin) = App::set_up().await;
    let (bob, manager) = member(&app, "bob@example.com", &["read_only"]).await;
    let (eve, _) = member(&app, "eve@example.com", &["read_only"]).await;
    let refused =
        async |by: &Browser, role: Value| app.send(post("/roles", role).with(by)).await.body["code"].clone();
    assert_eq!(
        refused(&admin, a_role("x", &["things.break"], &json!([]))).await,
        "validation_failed",
        "beyond org_admin"
    );
    assert_eq!(refused(&admin, a_role("x", &["no.such"], &json!([]))).await, "validation_failed");
    let mut extra = a_role("x", &["things.read"], &json!([]));
    extra["org_id"] = json!(new_id());
    assert_eq!(refused(&admin, extra).await, "unknown_field");
    let strong = create(&app, &admin, a_role("Strong", &["users.manage"], &json!([]))).await;
    let roles = create(&app, &admin, a_role("Roles", &["rbac.manage"], &json!([]))).await;
    assert_eq!(assign(&app, &admin, roles, ("user_id", bob)).await.0, 201);
    assert_eq!(refused(&manager, a_role("y", &["users.manage"], &json!([]))).await, "validation_failed");
    assert_eq!(assign(&app, &manager, strong, ("user_id", bob)).await.1["code"], "cannot_change_self");
    assert_eq!(assign(&app, &manager, strong, ("user_id", eve)).await.1["code"], "validation_failed");
    assert_eq!(
        refused(&manager, a_role("z", &["things.read"], &json!([]))).await,
        Value::Null,
        "what they hold"
    );
}

/// Spec: users-teams-rbac 18, 19, 21
#[tokio::test]
async fn selectors_decide_by_host_groups_and_are_previewed_and_explained() {
    let (app, admin) = App::set_up().await;
    let org = org_of(&app).await;
    let (bob, _) = member(&app, "bob@example.com", &[]).await;
    let hosts = [a_host(org).insert(app.db.pool()).await.id, a_host(org).insert(app.db.pool()).await.id];
    let (both, first) = (a_group(&app, org, &hosts).await, a_group(&app, org, &hosts[..1]).await);
    let count = async |selector: Value| {
        app.send(post("/roles/preview", json!({"selector": selector})).with(&admin)).await.body
    };
    let only = |group: Uuid, negated: bool| json!({"host_groups": [group], "negated": negated});
    assert_eq!(count(json!([only(both, false)])).await["hosts"], 2);
    assert_eq!(count(json!([only(both, false), only(first, true)])).await["hosts"], 1);
    let nothing = count(json!([only(first, false), only(first, true)])).await;
    assert_eq!(nothing, json!({"hosts": 0, "warnings": ["matches_nothing"]}));
    let selector = json!([only(both, false), only(first, true)]);
    let role = create(&app, &admin, a_role("Second only", &["things.read"], &selector)).await;
    let of_role = async |id: Uuid, body: Value| {
        app.send(post(&format!("/roles/{id}/preview"), body).with(&admin)).await
    };
    assert_eq!(of_role(role, json!({})).await.body, json!({"hosts": 1, "warnings": []}), "its own selector");
    let wider = json!({"selector": [only(both, false)]});
    assert_eq!(of_role(role, wider).await.body["hosts"], 2, "before it is saved");
    assert_eq!(of_role(role, json!({})).await.body["hosts"], 1, "nothing was saved");
    assert_eq!(of_role(new_id(), json!({})).await.refusal(), (404, "not_found"));
    assert_eq!(assign(&app, &admin, role, ("user_id", bob)).await.0, 201);
    let explain = async |host: Uuid| {
        let path = format!("/permissions/explain?user={bob}&permission=things.read&resource={host}");
        app.send(get(&path).with(&admin)).await.body
    };
    let (outside, inside) = (explain(hosts[0]).await, explain(hosts[1]).await);
    assert_eq!((&outside["allowed"], &inside["allowed"]), (&json!(false), &json!(true)));
    assert_eq!(
        (&inside["reasons"][0]["kind"], &inside["reasons"][0]["role"]),
        (&json!("custom"), &json!("Second only"))
    );
    let unknown = format!("/permissions/explain?user={bob}&permission=no.such");
    assert_eq!(app.send(get(&unknown).with(&admin)).await.refusal(), (422, "validation_failed"));
}

/// Spec: users-teams-rbac 1
#[tokio::test]
async fn another_organisations_groups_people_and_hosts_are_unknown_to_roles() {
    let (app, admin) = App::set_up().await;
    let other = a_organisation(app.db.pool()).await;
    let theirs = a_host(other).insert(app.db.pool()).await.id;
    let group = a_group(&app, other, &[theirs]).await;
    let stranger = ctops_testkit::a_user(app.db.pool(), other, &[ctops_base::Role::Engineer]).await;
    let selector = json!([{"host_groups": [group]}]);
    let refused = app.send(post("/roles", a_role("x", &["things.read"], &selector)).with(&admin)).await;
    assert_eq!(refused.refusal(), (422, "validation_failed"));
    let previewed = app.send(post("/roles/preview", json!({"selector": selector})).with(&admin)).await;
    assert_eq!(previewed.body["hosts"], 0);
    let role = create(&app, &admin, a_role("x", &["things.read"], &json!([]))).await;
    assert_eq!(assign(&app, &admin, role, ("user_id", stranger)).await.1["code"], "not_found");
    assert_eq!(assign(&app, &admin, role, ("team_id", new_id())).await.1["code"], "not_found");
    let explain = format!("/permissions/explain?user={stranger}&permission=things.read");
    assert_eq!(app.send(get(&explain).with(&admin)).await.refusal(), (404, "not_found"));
}

/// Spec: users-teams-rbac 22
#[tokio::test]
async fn without_the_licence_roles_keep_working_and_nothing_about_them_changes() {
    let (app, admin) = App::set_up().await;
    let (bob, browser) = member(&app, "bob@example.com", &["read_only"]).await;
    let role = create(&app, &admin, a_role("Roles", &["rbac.manage"], &json!([]))).await;
    assert_eq!(assign(&app, &admin, role, ("user_id", bob)).await.0, 201);
    app.licence.set(Entitlement::community());
    assert_eq!(
        app.send(get("/roles").with(&browser)).await.status,
        StatusCode::OK,
        "it still gives what it gave"
    );
    let path = format!("/roles/{role}");
    for call in [
        post("/roles", a_role("y", &["things.read"], &json!([]))),
        json_call(Method::PUT, &path, a_role("y", &["things.read"], &json!([]))),
        delete(&path),
        post("/role-assignments", json!({"role_id": role, "user_id": bob})),
        delete(&format!("/role-assignments/{}", new_id())),
    ] {
        assert_eq!(app.send(call.with(&admin)).await.refusal(), (403, "feature_not_licensed"));
    }
}
