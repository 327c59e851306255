//! Organisations: making, changing, deleting them, and going from one to another.

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, App, Browser, PASSWORD, delete, get, json_call, post};

async fn create(app: &App, browser: &Browser, body: Value) -> Answer {
    app.send(post("/organisations", body).with(browser)).await
}

async fn switch(app: &App, browser: &Browser, id: &str) -> Answer {
    app.send(post("/me/organisation", json!({ "organisation_id": id })).with(browser)).await
}

async fn current(app: &App, browser: &Browser) -> String {
    let me = app.send(get("/me").with(browser)).await;
    me.body["organisation"]["id"].as_str().unwrap_or_default().to_owned()
}

fn id_of(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

/// Spec: users-teams-rbac 2
#[tokio::test]
async fn person_of_two_organisations_switches_with_separate_roles_in_each() {
    let (app, ada) = App::set_up().await;
    let first = current(&app, &ada).await;
    let second = id_of(&create(&app, &ada, json!({ "name": "Northwind", "time_zone": "Europe/Oslo" })).await);
    assert_eq!(current(&app, &ada).await, first, "making one does not move the session");
    app.execute("UPDATE memberships m SET roles = '{read_only}' FROM organisations o WHERE o.id = m.org_id AND o.slug = 'northwind'")
        .await;
    assert_eq!(switch(&app, &ada, &second).await.status, StatusCode::NO_CONTENT);
    let me = app.send(get("/me").with(&ada)).await;
    assert_eq!(
        (me.body["organisation"]["name"].as_str(), me.body["roles"].clone()),
        (Some("Northwind"), json!(["read_only"]))
    );
    assert_eq!(
        app.send(get("/users").with(&ada)).await.refusal(),
        (403, "forbidden"),
        "the roles of this one"
    );
    let list = app.send(get("/organisations").with(&ada)).await;
    let items = list.body["items"].as_array().unwrap();
    let shown: Vec<_> =
        items.iter().map(|o| (o["name"].as_str().unwrap(), o["current"].as_bool().unwrap())).collect();
    assert_eq!(shown, [("Analytical Engines", false), ("Northwind", true)]);
    assert_eq!(switch(&app, &ada, &first).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(get("/users").with(&ada)).await.status, StatusCode::OK);
    assert!(app.audit().await.iter().any(|action| action == "auth.session.switched"));
}

/// Attack: an organisation somebody does not belong to, or no longer belongs to.
#[tokio::test]
async fn nobody_switches_to_a_foreign_organisation_or_one_that_shut_them_out() {
    let (app, ada) = App::set_up().await;
    let foreign = ctops_testkit::a_organisation(app.db.pool()).await;
    for id in [foreign.to_string(), uuid::Uuid::nil().to_string()] {
        assert_eq!(switch(&app, &ada, &id).await.refusal(), (404, "not_found"));
        for call in [get(&format!("/organisations/{id}")), delete(&format!("/organisations/{id}?name=x"))] {
            assert_eq!(app.send(call.with(&ada)).await.refusal(), (404, "not_found"));
        }
    }
    let second = id_of(&create(&app, &ada, json!({ "name": "Northwind" })).await);
    for state in ["deactivated", "removed"] {
        sqlx::query("UPDATE memberships SET state = $1 WHERE org_id = $2::uuid")
            .bind(state)
            .bind(&second)
            .execute(app.db.pool())
            .await
            .unwrap();
        assert_eq!(switch(&app, &ada, &second).await.refusal(), (404, "not_found"), "{state}");
    }
    let foreign_patch =
        json_call(Method::PATCH, &format!("/organisations/{second}"), json!({ "name": "Mine" }));
    assert_eq!(app.send(foreign_patch.with(&ada)).await.refusal(), (404, "not_found"), "not the active one");
}

/// Spec: users-teams-rbac 3
#[tokio::test]
async fn organisation_has_a_unique_address_name_a_time_zone_and_a_logo() {
    let (app, ada) = App::set_up().await;
    let id = current(&app, &ada).await;
    let patch = async |body: Value| {
        app.send(json_call(Method::PATCH, &format!("/organisations/{id}"), body).with(&ada)).await
    };
    let png = STANDARD.encode(b"\x89PNG\r\n\x1a\nrest");
    let changed =
        patch(json!({ "name": "Engines", "slug": "engines", "time_zone": "Asia/Tokyo", "logo": png })).await;
    assert_eq!(changed.body["slug"], "engines", "{}", changed.body);
    assert_eq!(
        (changed.body["time_zone"].as_str(), changed.body["has_logo"].as_bool()),
        (Some("Asia/Tokyo"), Some(true))
    );
    for (body, field) in [
        (json!({ "name": "x" }), "name"),
        (json!({ "slug": "No Spaces" }), "slug"),
        (json!({ "time_zone": "Mars/Olympus" }), "time_zone"),
        (json!({ "logo": STANDARD.encode("<svg onload=alert(1)>") }), "logo"),
    ] {
        let refused = patch(body).await;
        assert_eq!((refused.status.as_u16(), refused.fields()[0].0), (422, field), "{}", refused.body);
    }
    assert_eq!(patch(json!({ "created_at": "x" })).await.refusal(), (422, "unknown_field"));
    let taken = create(&app, &ada, json!({ "name": "Another", "slug": "engines" })).await;
    assert_eq!(taken.refusal(), (409, "already_exists"));
    let made_up = create(&app, &ada, json!({ "name": "Engines" })).await;
    assert!(made_up.body["slug"].as_str().unwrap().starts_with("engines-"), "{}", made_up.body);
    assert_eq!(patch(json!({ "logo": null })).await.body["has_logo"], false);
}

/// Spec: users-teams-rbac 3
#[tokio::test]
async fn deleting_needs_the_typed_name_no_approved_hosts_and_another_organisation() {
    let (app, ada) = App::set_up().await;
    let first = current(&app, &ada).await;
    let remove = async |id: &str, name: &str| {
        app.send(delete(&format!("/organisations/{id}?name={name}")).with(&ada)).await
    };
    assert_eq!(remove(&first, "Analytical%20Engines").await.refusal(), (409, "last_organisation"));
    let second = id_of(&create(&app, &ada, json!({ "name": "Northwind" })).await);
    switch(&app, &ada, &second).await;
    for wrong in ["", "northwind", "Northwind%20"] {
        assert_eq!(remove(&second, wrong).await.fields(), [("name", "mismatch")], "{wrong:?}");
    }
    let org: uuid::Uuid = second.parse().unwrap();
    ctops_testkit::a_host(org).insert(app.db.pool()).await;
    assert_eq!(remove(&second, "Northwind").await.refusal(), (409, "wrong_state"));
    app.execute("UPDATE agents SET status = 'revoked'").await;
    assert_eq!(remove(&second, "Northwind").await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(get("/me").with(&ada)).await.status.as_u16(), 401, "the session ended with it");
}

/// Spec: users-teams-rbac 3
#[tokio::test]
async fn deleted_organisation_lets_nobody_in_and_can_be_restored_for_thirty_days() {
    let (app, ada) = App::set_up().await;
    let second = id_of(&create(&app, &ada, json!({ "name": "Northwind" })).await);
    switch(&app, &ada, &second).await;
    app.send(delete(&format!("/organisations/{second}?name=Northwind")).with(&ada)).await;
    let ada = app.login(crate::support::EMAIL, PASSWORD, "203.0.113.9").await.browser();
    assert_ne!(current(&app, &ada).await, second);
    assert_eq!(switch(&app, &ada, &second).await.refusal(), (404, "not_found"));
    let deleted = app.send(get("/organisations?deleted=true").with(&ada)).await;
    assert_eq!(deleted.body["items"][0]["id"], json!(second));
    let restore = async |browser: &Browser| {
        app.send(post(&format!("/organisations/{second}/restore"), json!({})).with(browser)).await
    };
    app.add_member("eve@example.com", &["super_admin"]).await;
    app.execute("DELETE FROM memberships m USING users u, organisations o WHERE u.id = m.user_id AND o.id = m.org_id AND u.email LIKE 'eve%' AND o.deleted_at IS NOT NULL").await;
    let eve = app.login("eve@example.com", PASSWORD, "203.0.113.10").await.browser();
    assert_eq!(restore(&eve).await.refusal(), (404, "not_found"), "no super_admin of that one");
    assert_eq!(restore(&ada).await.status, StatusCode::OK);
    assert_eq!(switch(&app, &ada, &second).await.status, StatusCode::NO_CONTENT);
    app.send(delete(&format!("/organisations/{second}?name=Northwind")).with(&ada)).await;
    app.clock.advance(TimeDelta::days(30));
    let ada = app.login(crate::support::EMAIL, PASSWORD, "203.0.113.11").await.browser();
    assert_eq!(restore(&ada).await.refusal(), (404, "not_found"));
}

/// Attack: only super_admins make organisations, and a logo is no way to make a browser run something.
#[tokio::test]
async fn org_admin_changes_but_does_not_make_or_delete_organisations() {
    let (app, ada) = App::set_up().await;
    let id = current(&app, &ada).await;
    app.add_member("oa@example.com", &["org_admin"]).await;
    let admin = app.login("oa@example.com", PASSWORD, "203.0.113.12").await.browser();
    assert_eq!(create(&app, &admin, json!({ "name": "Shadow" })).await.refusal(), (403, "forbidden"));
    let removal =
        app.send(delete(&format!("/organisations/{id}?name=Analytical%20Engines")).with(&admin)).await;
    assert_eq!(removal.refusal(), (403, "forbidden"));
    let renamed = json_call(Method::PATCH, &format!("/organisations/{id}"), json!({ "name": "Engines" }));
    assert_eq!(app.send(renamed.with(&admin)).await.status, StatusCode::OK);
}
