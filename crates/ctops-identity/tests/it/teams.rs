//! Teams: members, host groups, and that nobody sees more without a word.

use axum::http::{Method, StatusCode};
use ctops_base::id::new_id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, App, Browser, PASSWORD, delete, get, json_call, post};

async fn org_of(app: &App) -> Uuid {
    sqlx::query_scalar("SELECT id FROM organisations ORDER BY created_at LIMIT 1")
        .fetch_one(app.db.pool())
        .await
        .unwrap()
}

/// A host group of `org` with so many hosts of its own.
async fn a_group(app: &App, org: Uuid, name: &str, hosts: usize) -> Uuid {
    let id = new_id();
    sqlx::query(
        "INSERT INTO host_groups (id, org_id, name, created_at, updated_at) VALUES ($1, $2, $3, now(), now())",
    )
    .bind(id)
    .bind(org)
    .bind(name)
    .execute(app.db.pool())
    .await
    .unwrap();
    for _ in 0..hosts {
        let host = ctops_testkit::a_host(org).insert(app.db.pool()).await;
        sqlx::query("INSERT INTO host_group_members (group_id, host_id, added_at) VALUES ($1, $2, now())")
            .bind(id)
            .bind(host.id)
            .execute(app.db.pool())
            .await
            .unwrap();
    }
    id
}

async fn give_scope(app: &App, user_id: Uuid, group_id: Uuid) {
    sqlx::query("INSERT INTO user_host_scopes (user_id, group_id) VALUES ($1, $2)")
        .bind(user_id)
        .bind(group_id)
        .execute(app.db.pool())
        .await
        .unwrap();
}

async fn a_team(app: &App, ada: &Browser, name: &str, scoping: bool, groups: &[Uuid]) -> String {
    let made = app.send(post("/teams", json!({ "name": name, "scoping": scoping })).with(ada)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["id"].as_str().unwrap().to_owned();
    let set = put_groups(app, ada, &id, json!({ "group_ids": groups })).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    id
}

async fn put_groups(app: &App, browser: &Browser, team: &str, body: Value) -> Answer {
    app.send(json_call(Method::PUT, &format!("/teams/{team}/host-groups"), body).with(browser)).await
}

async fn join(app: &App, browser: &Browser, team: &str, user_id: Uuid, confirm: bool) -> Answer {
    let body = json!({ "user_ids": [user_id], "confirm_widening": confirm });
    app.send(post(&format!("/teams/{team}/members"), body).with(browser)).await
}

async fn preview(app: &App, ada: &Browser, team: &str, user_id: Uuid, joins: bool) -> Value {
    let body = json!({ "user_id": user_id, "joins": joins });
    app.send(post(&format!("/teams/{team}/members/preview"), body).with(ada)).await.body
}

/// Spec: users-teams-rbac 9
#[tokio::test]
async fn team_has_a_unique_name_members_a_lead_and_host_groups() {
    let (app, ada) = App::set_up().await;
    let org = org_of(&app).await;
    let group = a_group(&app, org, "Web", 1).await;
    let team = a_team(&app, &ada, "Operations", false, &[group]).await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let patch = async |body: Value| {
        app.send(json_call(Method::PATCH, &format!("/teams/{team}"), body).with(&ada)).await
    };
    assert_eq!(patch(json!({ "lead_id": bob })).await.fields(), [("lead_id", "invalid")], "not in the team");
    let joined = join(&app, &ada, &team, bob, false).await;
    assert_eq!(joined.body["members"][0]["id"], json!(bob));
    let led = patch(json!({ "lead_id": bob, "description": "On call" })).await;
    assert_eq!(
        (led.body["lead"]["id"].clone(), led.body["description"].as_str()),
        (json!(bob), Some("On call"))
    );
    assert_eq!(led.body["host_groups"][0]["name"], "Web");
    let taken = app.send(post("/teams", json!({ "name": "OPERATIONS" })).with(&ada)).await;
    assert_eq!(taken.refusal(), (409, "already_exists"));
    a_team(&app, &ada, "Network", false, &[]).await;
    assert_eq!(patch(json!({ "name": "network" })).await.refusal(), (409, "already_exists"));
    let found = app.send(get("/teams?search=oper").with(&ada)).await;
    assert_eq!(
        (found.body["total"].clone(), found.body["items"][0]["member_count"].clone()),
        (json!(1), json!(1))
    );
    let left = app.send(delete(&format!("/teams/{team}/members/{bob}")).with(&ada)).await;
    assert_eq!(left.status, StatusCode::NO_CONTENT);
    let after = app.send(get(&format!("/teams/{team}")).with(&ada)).await;
    assert_eq!((after.body["lead"].clone(), after.body["members"].clone()), (json!(null), json!([])));
    assert_eq!(app.send(delete(&format!("/teams/{team}")).with(&ada)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(get(&format!("/teams/{team}")).with(&ada)).await.refusal(), (404, "not_found"));
}

/// Spec: users-teams-rbac 10, 12, 13
#[tokio::test]
async fn joining_a_scoping_team_widens_a_narrower_person_only_when_confirmed() {
    let (app, ada) = App::set_up().await;
    let org = org_of(&app).await;
    let (narrow, wide) = (a_group(&app, org, "Narrow", 1).await, a_group(&app, org, "Wide", 3).await);
    let team = a_team(&app, &ada, "Scoping", true, &[wide]).await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    give_scope(&app, bob, narrow).await;
    let shown = preview(&app, &ada, &team, bob, true).await;
    assert_eq!(
        shown,
        json!({ "scoped": true, "sees_all_before": false, "sees_all_after": false, "hosts_gained": 3,
                "hosts_lost": 0, "widens": true })
    );
    assert_eq!(app.count("SELECT count(*) FROM team_members").await, 0, "a preview changes nothing");
    assert_eq!(join(&app, &ada, &team, bob, false).await.refusal(), (409, "scope_widens"));
    assert_eq!(app.count("SELECT count(*) FROM team_members").await, 0);
    assert_eq!(join(&app, &ada, &team, bob, true).await.status, StatusCode::OK);
    let carol = app.add_member("carol@example.com", &["read_only"]).await;
    let shown = preview(&app, &ada, &team, carol, true).await;
    assert_eq!((shown["sees_all_before"].clone(), shown["hosts_lost"].clone()), (json!(true), json!(1)));
    assert_eq!(join(&app, &ada, &team, carol, false).await.status, StatusCode::OK, "narrower needs no word");
    let leaving = app.send(delete(&format!("/teams/{team}/members/{carol}")).with(&ada)).await;
    assert_eq!(leaving.refusal(), (409, "scope_widens"), "she would see everything again");
}

/// Spec: users-teams-rbac 10, 16
#[tokio::test]
async fn administrators_and_teams_without_scoping_change_nobodys_view() {
    let (app, ada) = App::set_up().await;
    let org = org_of(&app).await;
    let group = a_group(&app, org, "Web", 2).await;
    let plain = a_team(&app, &ada, "Plain", false, &[group]).await;
    let scoping = a_team(&app, &ada, "Scoping", true, &[group]).await;
    let admin = app.add_member("oa@example.com", &["org_admin", "engineer"]).await;
    assert_eq!(preview(&app, &ada, &scoping, admin, true).await["scoped"], false);
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let shown = preview(&app, &ada, &plain, bob, true).await;
    assert_eq!((shown["hosts_gained"].clone(), shown["hosts_lost"].clone()), (json!(0), json!(0)));
}

/// Spec: users-teams-rbac 13
#[tokio::test]
async fn new_groups_scoping_switched_off_and_deletion_are_widenings_as_well() {
    let (app, ada) = App::set_up().await;
    let org = org_of(&app).await;
    let (one, two) = (a_group(&app, org, "One", 1).await, a_group(&app, org, "Two", 1).await);
    let team = a_team(&app, &ada, "Scoping", true, &[one]).await;
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    join(&app, &ada, &team, bob, false).await;
    let more = json!({ "group_ids": [one, two] });
    assert_eq!(put_groups(&app, &ada, &team, more).await.refusal(), (409, "scope_widens"));
    let off = json_call(Method::PATCH, &format!("/teams/{team}"), json!({ "scoping": false }));
    assert_eq!(app.send(off.with(&ada)).await.refusal(), (409, "scope_widens"));
    assert_eq!(app.send(delete(&format!("/teams/{team}")).with(&ada)).await.refusal(), (409, "scope_widens"));
    let confirmed = json!({ "group_ids": [one, two], "confirm_widening": true });
    assert_eq!(put_groups(&app, &ada, &team, confirmed).await.status, StatusCode::OK);
    let foreign = ctops_testkit::a_organisation(app.db.pool()).await;
    let theirs = a_group(&app, foreign, "Theirs", 0).await;
    let stolen = put_groups(&app, &ada, &team, json!({ "group_ids": [theirs] })).await;
    assert_eq!(stolen.fields(), [("group_ids", "unknown")]);
}

/// Attack: teams and people of another organisation, and members without the permission.
#[tokio::test]
async fn foreign_teams_and_people_are_not_found_and_engineers_only_look() {
    let (app, ada) = App::set_up().await;
    let foreign = ctops_testkit::a_organisation(app.db.pool()).await;
    let stranger = ctops_testkit::a_user(app.db.pool(), foreign, &[ctops_base::Role::Engineer]).await;
    let team = a_team(&app, &ada, "Ours", true, &[]).await;
    assert_eq!(join(&app, &ada, &team, stranger, true).await.fields(), [("user_ids", "unknown")]);
    let theirs = new_id();
    sqlx::query("INSERT INTO teams (id, org_id, name, created_at, updated_at) VALUES ($1, $2, 'Theirs', now(), now())")
        .bind(theirs)
        .bind(foreign)
        .execute(app.db.pool())
        .await
        .unwrap();
    let eve = app.add_member("eve@example.com", &["engineer"]).await;
    let engineer = app.login("eve@example.com", PASSWORD, "203.0.113.5").await.browser();
    let calls = |team: &str| {
        vec![
            json_call(Method::PATCH, &format!("/teams/{team}"), json!({ "scoping": false })),
            delete(&format!("/teams/{team}")),
            post(&format!("/teams/{team}/members"), json!({ "user_ids": [eve] })),
            delete(&format!("/teams/{team}/members/{eve}")),
            post(&format!("/teams/{team}/members/preview"), json!({ "user_id": eve, "joins": true })),
            json_call(Method::PUT, &format!("/teams/{team}/host-groups"), json!({ "group_ids": [] })),
        ]
    };
    for call in calls(&theirs.to_string()) {
        assert_eq!(app.send(call.with(&ada)).await.refusal(), (404, "not_found"));
    }
    for call in calls(&team) {
        assert_eq!(app.send(call.with(&engineer)).await.refusal(), (403, "forbidden"));
    }
    assert_eq!(
        app.send(get(&format!("/teams/{theirs}")).with(&engineer)).await.refusal(),
        (404, "not_found")
    );
    assert_eq!(app.send(get("/teams").with(&engineer)).await.body["total"], 1);
}
