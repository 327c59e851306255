//! Two people, two windows or two processes at the same moment: limits hold, names stay unique, nothing happens twice.

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, App, Browser, PASSWORD, delete, get, json_call, post};

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    statuses
}

fn no_faults(answers: &[Answer]) {
    for answer in answers {
        assert!(!answer.status.is_server_error(), "{} {}", answer.status, answer.body);
    }
}

async fn id_of(app: &App, browser: &Browser, path: &str, body: Value) -> String {
    let made = app.send(post(path, body).with(browser)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

/// A link of an invitation makes one account, however often it is used at once.
///
/// Spec: auth 28
#[tokio::test]
async fn an_invitation_accepted_by_several_at_once_makes_one_account() {
    let (app, ada) = App::set_up().await;
    let body = json!({ "email": "grace@example.com", "roles": ["engineer"] });
    let made = app.send(post("/invitations", body).with(&ada)).await;
    let token = made.body["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let accept = |number: usize| {
        let password = format!("compiler of 1952 no {number}");
        let body = json!({ "token": token, "name": "Grace", "password": password, "password_confirmation": password });
        app.send(post("/invitations/accept", body).from(&format!("203.0.113.{number}")))
    };
    let answers = join_all((1..=4).map(accept)).await;
    no_faults(&answers);
    assert_eq!(
        answers.iter().filter(|answer| answer.status == StatusCode::OK).count(),
        1,
        "{:?}",
        statuses(&answers)
    );
    assert_eq!(app.count("SELECT count(*) FROM users WHERE email = 'grace@example.com'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM memberships WHERE roles = '{engineer}'").await, 1);
    let accepted = app.audit().await.into_iter().filter(|action| action == "invitation.accepted").count();
    assert!(accepted <= 1);
}

/// Spec: users-teams-rbac 8
#[tokio::test]
async fn teams_roles_and_organisations_made_at_once_with_one_name_are_one() {
    let (app, ada) = App::set_up().await;
    for (path, body, count) in [
        ("/teams", json!({ "name": "Ops" }), "SELECT count(*) FROM teams WHERE name = 'Ops'"),
        (
            "/roles",
            json!({ "name": "Watch", "permissions": ["things.read"] }),
            "SELECT count(*) FROM custom_roles WHERE name = 'Watch'",
        ),
        (
            "/organisations",
            json!({ "name": "Northwind", "slug": "northwind" }),
            "SELECT count(*) FROM organisations WHERE slug = 'northwind'",
        ),
    ] {
        let calls = (0..4).map(|_| app.send(post(path, body.clone()).with(&ada)));
        let answers = join_all(calls).await;
        no_faults(&answers);
        assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count(), 1, "{path}");
        assert_eq!(app.count(count).await, 1, "{path}");
    }
}

/// Spec: users-teams-rbac 17
#[tokio::test]
async fn a_custom_role_changed_by_two_who_saw_the_same_version_keeps_one_change() {
    let (app, ada) = App::set_up().await;
    let role = id_of(&app, &ada, "/roles", json!({ "name": "Watch", "permissions": ["things.read"] })).await;
    let path = format!("/roles/{role}");
    let seen = app.send(get(&path).with(&ada)).await.headers["etag"].to_str().unwrap().to_owned();
    let change = |number: usize| {
        let body = json!({ "name": format!("Watch {number}"), "permissions": ["things.read"] });
        app.send(json_call(Method::PUT, &path, body).with(&ada).header("if-match", &seen))
    };
    let answers = join_all((1..=4).map(change)).await;
    assert_eq!(statuses(&answers), [200, 412, 412, 412]);
    let won = answers.iter().find(|answer| answer.status == StatusCode::OK).unwrap();
    let now = app.send(get(&path).with(&ada)).await;
    assert_eq!((&now.body["name"], &now.body["version"]), (&won.body["name"], &json!(2)));
}

/// Spec: users-teams-rbac 17
#[tokio::test]
async fn a_role_deleted_while_it_is_given_away_is_either_gone_or_held() {
    let (app, ada) = App::set_up().await;
    let grace = app.add_member("grace@example.com", &["engineer"]).await;
    for round in 0..4 {
        let body = json!({ "name": format!("Watch {round}"), "permissions": ["things.read"] });
        let role = id_of(&app, &ada, "/roles", body).await;
        let give = json!({ "role_id": role, "user_id": grace });
        let (given, deleted) = tokio::join!(
            app.send(post("/role-assignments", give).with(&ada)),
            app.send(delete(&format!("/roles/{role}")).with(&ada)),
        );
        let both = [given, deleted];
        no_faults(&both);
        let done = both.iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(done, 1, "round {round}: {:?}", statuses(&both));
    }
    let orphans = "SELECT count(*) FROM role_assignments a LEFT JOIN custom_roles r ON r.id = a.role_id WHERE r.id IS NULL";
    assert_eq!(app.count(orphans).await, 0);
}

/// Members who are added several times at once are in the team once, and the trail has one event for each that counts.
///
/// Spec: users-teams-rbac 8, 9
#[tokio::test]
async fn somebody_added_to_a_team_twice_at_once_is_in_it_once() {
    let (app, ada) = App::set_up().await;
    let grace = app.add_member("grace@example.com", &["engineer"]).await;
    let team = id_of(&app, &ada, "/teams", json!({ "name": "Ops" })).await;
    let add = || app.send(post(&format!("/teams/{team}/members"), json!({ "user_ids": [grace] })).with(&ada));
    let answers = join_all((0..4).map(|_| add())).await;
    no_faults(&answers);
    assert!(answers.iter().any(|answer| answer.status.is_success()), "{:?}", statuses(&answers));
    assert_eq!(app.count("SELECT count(*) FROM team_members").await, 1);
    let remove = || app.send(delete(&format!("/teams/{team}/members/{grace}")).with(&ada));
    let answers = join_all((0..4).map(|_| remove())).await;
    no_faults(&answers);
    assert_eq!(app.count("SELECT count(*) FROM team_members").await, 0);
}

/// Deactivating somebody while they sign in leaves them without a session that works, whichever came first.
///
/// Spec: users-teams-rbac 5
#[tokio::test]
async fn somebody_deactivated_while_signing_in_is_not_signed_in_afterwards() {
    let (app, ada) = App::set_up().await;
    let grace = app.add_member("grace@example.com", &["engineer"]).await;
    for round in 0..3 {
        let path = format!("/users/{grace}");
        let from = format!("203.0.113.{round}");
        let (signed_in, deactivated) = tokio::join!(
            app.login("grace@example.com", PASSWORD, &from),
            app.send(json_call(Method::PATCH, &path, json!({ "state": "deactivated" })).with(&ada)),
        );
        assert_eq!(deactivated.status, StatusCode::OK, "{}", deactivated.body);
        if signed_in.status == StatusCode::OK {
            let browser = signed_in.browser();
            assert_eq!(
                app.send(get("/me").with(&browser)).await.status,
                StatusCode::UNAUTHORIZED,
                "round {round}"
            );
        }
        let back = app.send(json_call(Method::PATCH, &path, json!({ "state": "active" })).with(&ada)).await;
        assert_eq!(back.status, StatusCode::OK, "{}", back.body);
    }
}

/// Spec: auth 21
#[tokio::test]
async fn a_key_revoked_while_it_is_used_answers_and_is_then_dead() {
    let (app, ada) = App::set_up().await;
    let body = json!({ "name": "Backup", "scopes": ["things.read"] });
    let made = app.send(post("/me/api-keys", body).with(&ada)).await;
    let secret = format!("Bearer {}", made.body["secret"].as_str().unwrap());
    let path = format!("/me/api-keys/{}", made.body["key"]["id"].as_str().unwrap());
    let ask = || app.send(get("/me").without("origin").header("authorization", &secret));
    let (answers, revoked) =
        tokio::join!(join_all((0..6).map(|_| ask())), app.send(delete(&path).with(&ada)));
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert!(statuses(&answers).iter().all(|status| [200, 401].contains(status)), "{:?}", statuses(&answers));
    assert_eq!(ask().await.status, StatusCode::UNAUTHORIZED);
}
