//! Host groups: making, changing, deleting, members, who is limited to them.

use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_slice::HostScope;
use ctops_testkit::{a_host, a_organisation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Person};

async fn a_group(app: &App, who: &Person, name: &str) -> String {
    let group = app.post(who, "/host-groups", Some(json!({"name": name}))).await.expect(201);
    group["id"].as_str().unwrap().to_owned()
}

async fn send(app: &App, who: &Person, method: &str, path: &str, body: Value) -> crate::support::Answer {
    let body = Some(body).filter(|body| !body.is_null());
    app.send(Some(who), method, path, body, [127, 0, 0, 1]).await
}

/// Spec: host-groups 1, 2
#[tokio::test]
async fn groups_are_made_renamed_and_listed_by_name_which_is_unique_among_live_ones() {
    let app = App::new().await;
    let engineer = app.person(Role::Engineer).await;
    let web = a_group(&app, &engineer, "Web").await;
    let db = a_group(&app, &engineer, "db").await;
    let taken = app.post(&engineer, "/host-groups", Some(json!({"name": "WEB"}))).await;
    assert_eq!(taken.code(409), "already_exists");
    let rename = send(&app, &engineer, "PATCH", &format!("/host-groups/{db}"), json!({"name": "weB"})).await;
    assert_eq!(rename.code(409), "already_exists");
    let described = json!({"description": "all of them"});
    let changed = send(&app, &engineer, "PATCH", &format!("/host-groups/{db}"), described).await.expect(200);
    assert_eq!(
        (changed["name"].as_str(), changed["description"].as_str()),
        (Some("db"), Some("all of them"))
    );
    let reader = app.person(Role::ReadOnly).await;
    let listed = app.get(&reader, "/host-groups").await.expect(200);
    let names: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!((names, listed["total"].as_i64()), (vec!["db", "Web"], Some(2)));
    assert_eq!(app.get(&reader, "/host-groups?search=%25").await.expect(200)["total"], 0, "% is literal");
    assert_eq!(app.get(&reader, "/host-groups?sort=id").await.code(422), "validation_failed");
    let refused = app.post(&reader, "/host-groups", Some(json!({"name": "x"}))).await;
    assert_eq!(refused.code(403), "forbidden");
    assert_eq!(app.audited(&web).await, ["host_group.created"]);
    assert_eq!(app.audited(&db).await, ["host_group.created", "host_group.changed"]);
}

/// Spec: host-groups 3, 4
#[tokio::test]
async fn members_are_added_and_removed_in_bulk_and_counted() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let group = a_group(&app, &admin, "web").await;
    let one = a_host(app.org).named("one").with_status("online").insert(app.pool()).await;
    let two = a_host(app.org).named("two").with_status("offline").insert(app.pool()).await;
    let path = format!("/host-groups/{group}/members");
    let added = app.post(&admin, &path, Some(json!({"host_ids": [one.id]}))).await.expect(200);
    assert_eq!(added, json!({"added": 1, "already_member": 0}));
    let added =
        app.post(&admin, &path, Some(json!({"host_ids": [two.id, one.id, one.id]}))).await.expect(200);
    assert_eq!(added, json!({"added": 1, "already_member": 1}));
    let shown = app.get(&admin, &format!("/host-groups/{group}")).await.expect(200);
    assert_eq!(
        (&shown["member_count"], &shown["online"], &shown["offline"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let members = app.get(&admin, &format!("{path}?status=online")).await.expect(200);
    assert_eq!((members["total"].as_i64(), members["items"][0]["hostname"].as_str()), (Some(1), Some("one")));
    let of_host = app.get(&admin, &format!("/hosts/{}/groups", two.id)).await.expect(200);
    assert_eq!(of_host["items"][0]["name"], "web");
    let removed = send(&app, &admin, "DELETE", &path, json!({"host_ids": [two.id]})).await.expect(200);
    assert_eq!(removed, json!({"removed": 1, "not_member": 0}));
    let removed =
        send(&app, &admin, "DELETE", &path, json!({"host_ids": [two.id, one.id]})).await.expect(200);
    assert_eq!(removed, json!({"removed": 1, "not_member": 1}));
    app.post(&admin, &path, Some(json!({"host_ids": [two.id]}))).await.expect(200);
    assert_eq!(app.get(&admin, &path).await.expect(200)["total"], 1, "who was removed can come back");
}

/// Spec: host-groups 4
#[tokio::test]
async fn a_bulk_call_with_an_unknown_or_foreign_host_changes_nothing_and_names_it() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let group = a_group(&app, &admin, "web").await;
    let ours = a_host(app.org).insert(app.pool()).await;
    let other = a_organisation(app.pool()).await;
    let theirs = a_host(other).insert(app.pool()).await;
    let path = format!("/host-groups/{group}/members");
    for bad in [new_id(), theirs.id] {
        let answer = app.post(&admin, &path, Some(json!({"host_ids": [ours.id, bad]}))).await.expect(422);
        assert!(answer["fields"][0]["message"].as_str().unwrap().contains(&bad.to_string()), "{answer}");
        assert_eq!(app.get(&admin, &path).await.expect(200)["total"], 0);
    }
    for body in [json!({"host_ids": []}), json!({"host_ids": vec![ours.id; 1001]})] {
        assert_eq!(app.post(&admin, &path, Some(body)).await.code(422), "validation_failed");
    }
}

/// Spec: host-groups 9, 10
#[tokio::test]
async fn a_deleted_group_is_gone_and_comes_back_with_its_members_within_thirty_days() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let group = a_group(&app, &admin, "web").await;
    let host = a_host(app.org).insert(app.pool()).await;
    let members = format!("/host-groups/{group}/members");
    app.post(&admin, &members, Some(json!({"host_ids": [host.id]}))).await.expect(200);
    let path = format!("/host-groups/{group}");
    assert_eq!(send(&app, &admin, "DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(app.get(&admin, &path).await.code(404), "not_found");
    assert_eq!(app.get(&admin, &members).await.code(404), "not_found");
    assert!(
        app.get(&admin, &format!("/hosts/{}/groups", host.id)).await.expect(200)["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let usurper = a_group(&app, &admin, "WEB").await;
    let restore = format!("{path}/restore");
    assert_eq!(app.post(&admin, &restore, None).await.code(409), "already_exists");
    send(&app, &admin, "DELETE", &format!("/host-groups/{usurper}"), Value::Null).await;
    let back = app.post(&admin, &restore, None).await.expect(200);
    assert_eq!(back["member_count"], 1);
    assert_eq!(app.post(&admin, &restore, None).await.code(409), "wrong_state");
    send(&app, &admin, "DELETE", &path, Value::Null).await;
    app.clock.advance(chrono::TimeDelta::days(31));
    assert_eq!(app.post(&admin, &restore, None).await.code(404), "not_found");
}

/// Spec: host-groups 10
#[tokio::test]
async fn deleted_groups_are_listed_apart_as_long_as_they_can_be_restored() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let (web, db) = (a_group(&app, &admin, "web").await, a_group(&app, &admin, "db").await);
    let host = a_host(app.org).insert(app.pool()).await;
    let members = format!("/host-groups/{web}/members");
    app.post(&admin, &members, Some(json!({"host_ids": [host.id]}))).await.expect(200);
    let names = async |query: &str| {
        let list = app.get(&admin, &format!("/host-groups{query}")).await.expect(200);
        let items = list["items"].as_array().unwrap().clone();
        assert_eq!(list["total"], items.len(), "{query}");
        items.iter().map(|g| (g["name"].clone(), g["deleted_at"].is_null())).collect::<Vec<_>>()
    };
    assert!(names("?deleted=true").await.is_empty());
    send(&app, &admin, "DELETE", &format!("/host-groups/{web}"), Value::Null).await;
    assert_eq!(names("").await, [(json!("db"), true)]);
    assert_eq!(names("?deleted=true").await, [(json!("web"), false)]);
    assert!(names("?deleted=true&search=db").await.is_empty(), "{db} is not deleted");
    let other = a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::SuperAdmin).await;
    assert_eq!(app.get(&stranger, "/host-groups?deleted=true").await.expect(200)["total"], 0);
    app.clock.advance(chrono::TimeDelta::days(31));
    assert!(names("?deleted=true").await.is_empty(), "too late to restore");
}

/// Spec: host-groups 15, 19
/// Spec: users-teams-rbac 10, 12
#[tokio::test]
async fn what_somebody_is_limited_to_names_the_teams_and_counts_the_hosts() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let engineer = app.person(Role::Engineer).await;
    let mut groups = Vec::new();
    for name in ["own", "of the team"] {
        let group = a_group(&app, &admin, name).await;
        let host = a_host(app.org).insert(app.pool()).await;
        let members = format!("/host-groups/{group}/members");
        app.post(&admin, &members, Some(json!({"host_ids": [host.id]}))).await.expect(200);
        groups.push(group.parse::<Uuid>().unwrap());
    }
    a_host(app.org).insert(app.pool()).await;
    let path = |who: &Person| format!("/users/{}/host-scope", who.actor.user_id);
    let shown = async |who: &Person| app.get(&admin, &path(who)).await.expect(200);
    let before = shown(&engineer).await;
    assert_eq!((&before["sees_all"], &before["host_count"]), (&json!(true), &json!(3)));
    let set = json!({"group_ids": [groups[0]]});
    let own = send(&app, &admin, "PUT", &path(&engineer), set).await.expect(200);
    assert_eq!((&own["sees_all"], &own["host_count"]), (&json!(false), &json!(1)));
    let team = new_id();
    sqlx::query(
        "INSERT INTO teams (id, org_id, name, created_at, updated_at) VALUES ($1, $2, 'ops', now(), now())",
    )
    .bind(team)
    .bind(app.org)
    .execute(app.pool())
    .await
    .unwrap();
    for (who, group) in [(&engineer, groups[1]), (&admin, groups[0])] {
        sqlx::query(
            "WITH joined AS (INSERT INTO team_members (team_id, user_id, added_at) VALUES ($1, $2, now()))
             INSERT INTO team_host_groups (team_id, group_id, added_at) VALUES ($1, $3, now())",
        )
        .bind(team)
        .bind(who.actor.user_id)
        .bind(group)
        .execute(app.pool())
        .await
        .unwrap();
    }
    assert_eq!(shown(&engineer).await["host_count"], 1, "a team that does not scope adds nothing");
    sqlx::query("UPDATE teams SET scoping = true").execute(app.pool()).await.unwrap();
    let scope = shown(&engineer).await;
    assert_eq!(scope["host_count"], 2);
    assert_eq!(scope["groups"], json!([{"id": groups[0], "name": "own"}]));
    let team = json!({"id": team, "name": "ops"});
    assert_eq!(
        scope["team_groups"],
        json!([
            {"id": groups[1], "name": "of the team", "team": team},
            {"id": groups[0], "name": "own", "team": team},
        ])
    );
    let administrator = shown(&admin).await;
    assert_eq!((&administrator["sees_all"], &administrator["host_count"]), (&json!(true), &json!(3)));
}

/// Spec: host-groups 9, 15
#[tokio::test]
async fn a_group_that_is_all_somebody_is_limited_to_cannot_be_deleted() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let engineer = app.person(Role::Engineer).await;
    let (web, db) = (a_group(&app, &admin, "web").await, a_group(&app, &admin, "db").await);
    let scope = format!("/users/{}/host-scope", engineer.actor.user_id);
    let set = async |groups: Value| {
        send(&app, &admin, "PUT", &scope, json!({"group_ids": groups})).await.expect(200)
    };
    set(json!([web])).await;
    let path = format!("/host-groups/{web}");
    let references = app.get(&admin, &format!("{path}/references")).await.expect(200);
    let first = &references["items"][0];
    assert_eq!((&first["kind"], &first["blocks_deletion"]), (&json!("user"), &json!(true)));
    assert_eq!(send(&app, &admin, "DELETE", &path, Value::Null).await.code(409), "conflict");
    set(json!([web, db])).await;
    assert_eq!(send(&app, &admin, "DELETE", &path, Value::Null).await.status, 204);
    let left = app.get(&admin, &scope).await.expect(200);
    assert_eq!(left["groups"].as_array().unwrap().len(), 1);
    app.post(&admin, &format!("{path}/restore"), None).await.expect(200);
    let left = app.get(&admin, &scope).await.expect(200);
    assert_eq!(left["groups"].as_array().unwrap().len(), 1, "restoring puts nobody under it again");
}

/// Spec: host-groups 15, 19
#[tokio::test]
async fn scopes_are_given_by_administrators_to_others_who_are_none() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let (engineer, second) = (app.person(Role::Engineer).await, app.person(Role::SuperAdmin).await);
    let web = a_group(&app, &admin, "web").await;
    let path = |who: &Person| format!("/users/{}/host-scope", who.actor.user_id);
    let wanted = json!({"group_ids": [web]});
    let set = async |by: &Person, of: &Person, body: Value| send(&app, by, "PUT", &path(of), body).await;
    assert_eq!(
        set(&admin, &second, wanted.clone()).await.expect(422)["fields"][0]["code"],
        "role_not_scopable"
    );
    assert_eq!(set(&engineer, &engineer, json!({"group_ids": []})).await.code(403), "forbidden");
    assert_eq!(set(&admin, &admin, json!({"group_ids": []})).await.code(409), "cannot_change_self");
    assert_eq!(set(&admin, &engineer, json!({"group_ids": [new_id()]})).await.code(422), "validation_failed");
    assert_eq!(
        set(&admin, &engineer, json!({"group_ids": [], "org_id": new_id()})).await.code(422),
        "unknown_field"
    );
    set(&admin, &engineer, wanted.clone()).await.expect(200);
    assert_eq!(app.audited(&engineer.actor.user_id.to_string()).await, ["user.scope_changed"]);
    let other = a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::Engineer).await;
    assert_eq!(set(&admin, &stranger, wanted).await.code(404), "not_found");
    let foreign = app.person_of(other, Role::SuperAdmin).await;
    let theirs = a_group(&app, &foreign, "theirs").await;
    assert_eq!(set(&admin, &engineer, json!({"group_ids": [theirs]})).await.code(422), "validation_failed");
}

/// Spec: host-groups 15, 17
/// Spec: users-teams-rbac 1
#[tokio::test]
async fn whoever_is_limited_sees_their_groups_and_changes_none_and_strangers_see_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let (ours, others) = (a_group(&app, &admin, "ours").await, a_group(&app, &admin, "others").await);
    let scope = HostScope::limited([ours.parse::<Uuid>().unwrap()]);
    let limited = app.person_limited_to(Role::Engineer, scope).await;
    assert_eq!(app.get(&limited, "/host-groups").await.expect(200)["total"], 1);
    app.get(&limited, &format!("/host-groups/{ours}")).await.expect(200);
    assert_eq!(app.get(&limited, &format!("/host-groups/{others}")).await.code(404), "not_found");
    let named = json!({"name": "mine"});
    assert_eq!(app.post(&limited, "/host-groups", Some(named.clone())).await.code(403), "out_of_scope");
    let other = a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::SuperAdmin).await;
    let ids = json!({"host_ids": [new_id()]});
    for (method, suffix, body) in [
        ("GET", "", Value::Null),
        ("PATCH", "", named),
        ("DELETE", "", Value::Null),
        ("POST", "/restore", Value::Null),
        ("GET", "/references", Value::Null),
        ("GET", "/members", Value::Null),
        ("POST", "/members", ids.clone()),
        ("DELETE", "/members", ids),
    ] {
        let answer = send(&app, &stranger, method, &format!("/host-groups/{ours}{suffix}"), body).await;
        assert_eq!(answer.code(404), "not_found", "{method} {suffix}");
    }
}
