//! People: lists, roles, states, and what nobody may do.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, App, Browser, PASSWORD, delete, get, json_call, post};

/// A member with this role, signed in.
async fn member(app: &App, email: &str, roles: &[&str]) -> (Uuid, Browser) {
    let id = app.add_member(email, roles).await;
    let last: u8 = id.as_bytes()[15];
    let browser = app.login(email, PASSWORD, &format!("198.51.100.{last}")).await.browser();
    (id, browser)
}

async fn patch(app: &App, browser: &Browser, id: Uuid, body: Value) -> Answer {
    app.send(json_call(Method::PATCH, &format!("/users/{id}"), body).with(browser)).await
}

async fn me_id(app: &App, browser: &Browser) -> Uuid {
    let me = app.send(get("/me").with(browser)).await;
    me.body["user"]["id"].as_str().unwrap().parse().unwrap()
}

async fn status_of_me(app: &App, browser: &Browser) -> u16 {
    app.send(get("/me").with(browser)).await.status.as_u16()
}

fn names(answer: &Answer) -> Vec<&str> {
    let items = answer.body["items"].as_array().unwrap();
    items.iter().map(|item| item["email"].as_str().unwrap()).collect()
}

/// Spec: users-teams-rbac 4, 5
#[tokio::test]
async fn people_are_listed_searched_and_filtered_by_state_and_role() {
    let (app, admin) = App::set_up().await;
    app.add_member("bob@example.com", &["engineer", "read_only"]).await;
    app.add_member("carol@example.com", &["read_only"]).await;
    app.add_member("50%_off@example.com", &["read_only"]).await;
    app.execute("UPDATE memberships SET state = 'deactivated' FROM users u WHERE u.id = user_id AND u.email LIKE 'carol%'")
        .await;
    let list = async |query: &str| app.send(get(&format!("/users{query}")).with(&admin)).await;
    let all = list("").await;
    assert_eq!((all.body["total"].clone(), all.body["page_size"].clone()), (json!(4), json!(50)));
    assert_eq!(names(&list("?search=BOB").await), ["bob@example.com"]);
    assert_eq!(names(&list("?search=%25_").await), ["50%_off@example.com"], "wildcards are plain text");
    assert_eq!(names(&list("?state=deactivated").await), ["carol@example.com"]);
    let engineers = list("?role=engineer").await;
    let bob = &engineers.body["items"][0];
    assert_eq!(bob["roles"], json!(["read_only", "engineer"]));
    assert_eq!(bob["displayed_role"], "engineer");
    app.execute("UPDATE memberships SET state = 'removed' WHERE state = 'deactivated'").await;
    assert_eq!(list("").await.body["total"], 3, "removed people are asked for");
    assert_eq!(names(&list("?state=removed").await), ["carol@example.com"]);
    for bad in ["?state=gone", "?role=god", "?page=0", &format!("?search={}", "x".repeat(201))] {
        assert_eq!(list(bad).await.refusal(), (422, "validation_failed"), "{bad}");
    }
    assert_eq!(list("?org_id=1").await.refusal(), (422, "unknown_field"));
}

/// Spec: users-teams-rbac 6
#[tokio::test]
async fn nobody_changes_themselves() {
    let (app, ada) = App::set_up().await;
    let (_, admin) = member(&app, "oa@example.com", &["org_admin"]).await;
    for browser in [&ada, &admin] {
        let own = me_id(&app, browser).await;
        for body in [
            json!({ "roles": ["super_admin"] }),
            json!({ "state": "deactivated" }),
            json!({ "roles": ["read_only"] }),
        ] {
            assert_eq!(patch(&app, browser, own, body).await.refusal(), (409, "cannot_change_self"));
        }
        let removal = app.send(delete(&format!("/users/{own}")).with(browser)).await;
        assert_eq!(removal.refusal(), (409, "cannot_change_self"));
        assert_eq!(status_of_me(&app, browser).await, 200);
    }
}

/// Spec: users-teams-rbac 7
#[tokio::test]
async fn org_admin_neither_grants_nor_takes_super_admin() {
    let (app, ada) = App::set_up().await;
    let ada_id = me_id(&app, &ada).await;
    let (_, admin) = member(&app, "oa@example.com", &["org_admin"]).await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let escalation = patch(&app, &admin, bob, json!({ "roles": ["engineer", "super_admin"] })).await;
    assert_eq!(escalation.refusal(), (403, "super_admin_required"));
    for body in [json!({ "roles": ["read_only"] }), json!({ "state": "deactivated" })] {
        assert_eq!(patch(&app, &admin, ada_id, body).await.refusal(), (403, "super_admin_required"));
    }
    let removal = app.send(delete(&format!("/users/{ada_id}")).with(&admin)).await;
    assert_eq!(removal.refusal(), (403, "super_admin_required"));
    for role in ["org_admin", "engineer", "read_only"] {
        assert_eq!(
            patch(&app, &admin, bob, json!({ "roles": [role] })).await.status,
            StatusCode::OK,
            "{role}"
        );
    }
    assert_eq!(patch(&app, &ada, bob, json!({ "roles": ["super_admin"] })).await.status, StatusCode::OK);
    assert_eq!(app.count("SELECT count(*) FROM memberships WHERE 'super_admin' = ANY(roles)").await, 2);
}

/// Attack: people without the permission, and fields that are not theirs to set.
#[tokio::test]
async fn engineers_change_nobody_and_unknown_fields_are_refused() {
    let (app, ada) = App::set_up().await;
    let (engineer_id, engineer) = member(&app, "eve@example.com", &["engineer"]).await;
    let bob = app.add_member("bob@example.com", &["read_only"]).await;
    for call in [
        get("/users"),
        get(&format!("/users/{bob}")),
        get(&format!("/users/{bob}/history")),
        delete(&format!("/users/{bob}")),
        json_call(Method::PATCH, &format!("/users/{engineer_id}"), json!({ "roles": ["super_admin"] })),
        post(&format!("/users/{bob}/restore"), json!({})),
    ] {
        assert_eq!(app.send(call.with(&engineer)).await.refusal(), (403, "forbidden"));
    }
    for body in
        [json!({ "org_id": Uuid::nil() }), json!({ "email": "x@y.z" }), json!({ "password_hash": "x" })]
    {
        assert_eq!(patch(&app, &ada, bob, body).await.refusal(), (422, "unknown_field"));
    }
    for roles in [json!([]), json!(["god"]), json!(["SUPER_ADMIN"])] {
        let answer = patch(&app, &ada, bob, json!({ "roles": roles })).await;
        assert_eq!(answer.refusal(), (422, "validation_failed"));
    }
    assert_eq!(app.count("SELECT count(*) FROM membership_changes").await, 0);
}

/// Spec: users-teams-rbac 1
#[tokio::test]
async fn people_of_another_organisation_are_not_found() {
    let (app, ada) = App::set_up().await;
    let other = ctops_testkit::a_organisation(app.db.pool()).await;
    let stranger = ctops_testkit::a_user(app.db.pool(), other, &[ctops_base::Role::Engineer]).await;
    for call in [
        get(&format!("/users/{stranger}")),
        get(&format!("/users/{stranger}/history")),
        delete(&format!("/users/{stranger}")),
        json_call(Method::PATCH, &format!("/users/{stranger}"), json!({ "state": "deactivated" })),
        post(&format!("/users/{stranger}/restore"), json!({})),
    ] {
        assert_eq!(app.send(call.with(&ada)).await.refusal(), (404, "not_found"));
    }
    let list = app.send(get("/users").with(&ada)).await;
    assert_eq!(list.body["total"], 1);
}

/// Spec: users-teams-rbac 5; auth 14
#[tokio::test]
async fn deactivation_removal_and_lesser_roles_end_sessions_at_once() {
    let (app, ada) = App::set_up().await;
    for (n, body) in [
        Some(json!({ "state": "deactivated" })),
        Some(json!({ "roles": ["read_only"] })),
        Some(json!({ "roles": ["org_admin"] })),
        None,
    ]
    .into_iter()
    .enumerate()
    {
        let (id, browser) = member(&app, &format!("m{n}@example.com"), &["engineer", "read_only"]).await;
        assert_eq!(status_of_me(&app, &browser).await, 200);
        let changed = match body {
            Some(body) => patch(&app, &ada, id, body).await.status,
            None => app.send(delete(&format!("/users/{id}?reason=left")).with(&ada)).await.status,
        };
        assert!(changed.is_success(), "{n}: {changed}");
        assert_eq!(status_of_me(&app, &browser).await, 401, "{n}");
    }
    let (id, browser) = member(&app, "grows@example.com", &["engineer"]).await;
    patch(&app, &ada, id, json!({ "roles": ["engineer", "org_admin"] })).await;
    assert_eq!(status_of_me(&app, &browser).await, 200, "who gains rights stays signed in");
}

/// Spec: users-teams-rbac 5
#[tokio::test]
async fn deactivated_and_removed_people_cannot_sign_in_and_come_back_with_their_history() {
    let (app, ada) = App::set_up().await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let login = async || app.login("bob@example.com", PASSWORD, "203.0.113.4").await.status.as_u16();
    let off = patch(&app, &ada, bob, json!({ "state": "deactivated", "reason": "on leave" })).await;
    assert_eq!(off.body["state"], "deactivated");
    assert_eq!(login().await, 401);
    assert_eq!(patch(&app, &ada, bob, json!({ "state": "active" })).await.body["state"], "active");
    assert_eq!(app.send(delete(&format!("/users/{bob}")).with(&ada)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(login().await, 401);
    assert_eq!(app.send(delete(&format!("/users/{bob}")).with(&ada)).await.refusal(), (404, "not_found"));
    assert_eq!(patch(&app, &ada, bob, json!({ "state": "active" })).await.refusal(), (409, "wrong_state"));
    let back = app.send(post(&format!("/users/{bob}/restore"), json!({})).with(&ada)).await;
    assert_eq!(
        (back.body["state"].clone(), back.body["roles"].clone()),
        (json!("active"), json!(["engineer"]))
    );
    app.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(login().await, 200);
    let history = app.send(get(&format!("/users/{bob}/history")).with(&ada)).await;
    let items = history.body["items"].as_array().unwrap();
    let changes: Vec<&str> = items.iter().map(|item| item["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["restored", "removed", "reactivated", "deactivated"]);
    assert_eq!(
        (items[3]["reason"].as_str(), items[3]["actor"]["name"].as_str()),
        (Some("on leave"), Some("Ada Lovelace"))
    );
    let audit = app.audit().await;
    for action in ["user.deactivated", "user.reactivated", "user.removed", "user.restored"] {
        assert!(audit.iter().any(|name| name == action), "{action} in {audit:?}");
    }
}

/// Spec: auth 5; users-teams-rbac 5
#[tokio::test]
async fn pending_person_sees_only_their_account_until_an_administrator_approves() {
    let (app, ada) = App::set_up().await;
    let (bob, browser) = member(&app, "bob@example.com", &["read_only"]).await;
    app.execute("UPDATE memberships SET state = 'pending', roles = '{}' WHERE 'read_only' = ANY(roles)")
        .await;
    assert_eq!(app.send(get("/teams").with(&browser)).await.refusal(), (403, "membership_pending"));
    assert_eq!(status_of_me(&app, &browser).await, 200);
    let bare = patch(&app, &ada, bob, json!({ "state": "active" })).await;
    assert_eq!(bare.fields(), [("roles", "required")]);
    let approved = patch(&app, &ada, bob, json!({ "state": "active", "roles": ["engineer"] })).await;
    assert_eq!(approved.body["state"], "active");
    assert_eq!(app.send(get("/teams").with(&browser)).await.status, StatusCode::OK);
}

/// Spec: users-teams-rbac 6
#[tokio::test]
async fn two_super_admins_who_remove_each_other_at_once_leave_one() {
    let (app, ada) = App::set_up().await;
    let ada_id = me_id(&app, &ada).await;
    let (bob_id, bob) = member(&app, "bob@example.com", &["super_admin"]).await;
    let remove =
        async |browser: &Browser, id: Uuid| app.send(delete(&format!("/users/{id}")).with(browser)).await;
    let (first, second) = tokio::join!(remove(&ada, bob_id), remove(&bob, ada_id));
    let done = [&first, &second].into_iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(done, 1, "{first:?} {second:?}");
    let active = "SELECT count(*) FROM memberships WHERE state = 'active' AND 'super_admin' = ANY(roles)";
    assert_eq!(app.count(active).await, 1);
}

/// Spec: users-teams-rbac 6
#[tokio::test]
async fn last_active_super_admin_is_kept() {
    let (app, ada) = App::set_up().await;
    let ada_id = me_id(&app, &ada).await;
    let (_, bob) = member(&app, "bob@example.com", &["super_admin"]).await;
    // Bob's account was shut out altogether, after his request was let in.
    let removal = patch(&app, &bob, ada_id, json!({ "roles": ["engineer"] })).await;
    assert_eq!(removal.status, StatusCode::OK, "there is Bob");
    let carol = app.add_member("carol@example.com", &["super_admin"]).await;
    app.execute("UPDATE users SET active = false WHERE email LIKE 'bob%'").await;
    app.execute("UPDATE users SET active = true WHERE email LIKE 'bob%'").await;
    assert_eq!(patch(&app, &bob, carol, json!({ "state": "deactivated" })).await.status, StatusCode::OK);
    let only = "SELECT count(*) FROM memberships WHERE state = 'active' AND 'super_admin' = ANY(roles)";
    assert_eq!(app.count(only).await, 1, "Bob, who cannot change himself");
}
