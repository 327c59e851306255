//! Ids of another organisation, in addresses and in bodies, sent with bodies that would do something were they ours.

use axum::http::StatusCode;
use ctops_base::Role;
use ctops_testkit::a_organisation;
use serde_json::{Value, json};

use super::bodies::Bodies;
use super::contents::{changed, contents};
use super::somebody::{BEGINNINGS, Belongings};
use super::{read, writes};
use crate::app::App;
use crate::objects::{Things, object_of};

/// Operations that say no for another reason before they look for the thing: what the request says or lacks.
const OTHER_REFUSALS: [&str; 6] = [
    "bad_query",
    "malformed_json",
    "malformed_query",
    "not_available",
    "reauthentication_required",
    "validation_failed",
];

struct Scene {
    app: App,
    bodies: Bodies,
    things: Things,
    belongings: Belongings,
    stranger: String,
    neighbour: String,
}

impl Scene {
    async fn new() -> Self {
        let app = App::new().await;
        let pool = app.db.pool();
        let (ours, theirs) = (a_organisation(pool).await, a_organisation(pool).await);
        let things = Things::new(pool, ours).await;
        let belongings = Belongings::new(pool, ours, things.user, things.role).await;
        let stranger = app.session(theirs, Role::SuperAdmin).await;
        let neighbour = app.session(ours, Role::SuperAdmin).await;
        let bodies = Bodies::new(&app.document);
        Self { app, bodies, things, belongings, stranger, neighbour }
    }

    /// The address with one of our things in it.
    fn address(&self, path: &str) -> Option<String> {
        if let Some((address, _)) = self.belongings.address(path) {
            return Some(address);
        }
        self.things.address(path, object_of(path)?)
    }
}

/// Spec: users-teams-rbac 1
/// Spec: security 24
#[tokio::test]
async fn every_address_with_an_id_of_another_organisation_is_not_found_whatever_is_sent() {
    let scene = Scene::new().await;
    let before = contents(scene.app.db.pool()).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for operation in &scene.app.operations {
        let Some(address) = scene.address(&operation.path) else { continue };
        let schema = scene.bodies.schema(operation);
        for full in [false, true] {
            let body = schema.map(|schema| scene.bodies.body(schema, full, &|_| None).to_string());
            let response = scene
                .app
                .call(&operation.method, &address, Some(&scene.stranger), body.as_deref().unwrap_or(""))
                .await;
            let (status, answer) = read(response).await;
            tried += 1;
            let code = answer["code"].as_str().unwrap_or_default();
            let hidden = status == StatusCode::NOT_FOUND;
            let refused = status.is_client_error() && OTHER_REFUSALS.contains(&code);
            if !hidden && !refused {
                wrong.push(format!("{} {}: {status} {answer}", operation.method, operation.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 150, "only {tried} requests were sent");
    assert_eq!(changed(&before, &contents(scene.app.db.pool()).await), [""; 0]);
}

/// Each of our things is there for our own people, so that "not found" above says something.
#[tokio::test]
async fn the_same_addresses_are_found_by_our_own_administrator() {
    let scene = Scene::new().await;
    let mut wrong = Vec::new();
    for operation in scene.app.operations.iter().filter(|o| o.method == "GET") {
        let Some(address) = scene.address(&operation.path) else { continue };
        let status = scene.app.status("GET", &address, Some(&scene.neighbour)).await;
        if status == StatusCode::NOT_FOUND || status == StatusCode::FORBIDDEN {
            wrong.push(format!("{address}: {status}"));
        }
    }
    // An export of somebody else is not there even for colleagues, and by-dn asks a directory that does not answer.
    wrong.retain(|address| !address.contains("/audit/exports/"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What belongs to one person is out of reach of a colleague, whatever their role.
///
/// Spec: auth 14
#[tokio::test]
async fn what_somebody_owns_is_not_found_by_an_administrator_of_the_same_organisation() {
    let scene = Scene::new().await;
    let before = contents(scene.app.db.pool()).await;
    let mut tried = 0;
    for operation in scene.app.operations.iter().filter(|o| o.path.starts_with("/me/")) {
        let Some((address, _)) = scene.belongings.address(&operation.path) else { continue };
        let body = scene.bodies.schema(operation).map(|schema| scene.bodies.body(schema, true, &|_| None));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let response = scene.app.call(&operation.method, &address, Some(&scene.neighbour), &body).await;
        let (status, answer) = read(response).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{} {}: {answer}", operation.method, operation.path);
        tried += 1;
    }
    assert!(tried >= 4, "only {tried} operations were tried");
    assert_eq!(changed(&before, &contents(scene.app.db.pool()).await), [""; 0]);
}

/// Bodies that name things: our host, group, team, role, person or directory, in a write of the stranger's own.
///
/// Spec: users-teams-rbac 1
#[tokio::test]
async fn no_body_reaches_a_thing_of_another_organisation() {
    let scene = Scene::new().await;
    let pool = scene.app.db.pool();
    let theirs: uuid::Uuid =
        sqlx::query_scalar("SELECT org_id FROM sessions WHERE token_hash = sha256(convert_to($1, 'UTF8'))")
            .bind(&scene.stranger)
            .fetch_one(pool)
            .await
            .unwrap();
    let own = Things::new(pool, theirs).await;
    let given = |name: &str| {
        let things = &scene.things;
        Some(match name {
            "host_ids" => json!([things.host]),
            "group_ids" | "host_groups" | "host_group_ids" => json!([things.group]),
            "team_ids" => json!([things.team]),
            "user_ids" => json!([things.user]),
            "role_id" => json!(things.role),
            "team_id" => json!(things.team),
            "user_id" | "lead_id" => json!(things.user),
            "directory_id" => json!(scene.belongings.address("/directory/{id}").unwrap().1),
            _ => return None,
        })
    };
    let mut tried = Vec::new();
    for operation in scene.app.operations.iter().filter(|o| writes(&o.method)) {
        let Some(schema) = scene.bodies.schema(operation) else { continue };
        let body = scene.bodies.body(schema, true, &given);
        let names_a_thing =
            |body: &Value| body.as_object().is_some_and(|b| b.keys().any(|k| given(k).is_some()));
        if !names_a_thing(&body) {
            continue;
        }
        let object = object_of(&operation.path);
        let address = object.and_then(|object| own.address(&operation.path, object));
        let address = address.unwrap_or_else(|| crate::matrix::filled(&operation.path));
        // Either alone as well: a role goes to a person or to a team, never to both.
        let mut bodies = vec![body.clone()];
        for left_out in ["team_id", "user_id"] {
            let mut fewer = body.clone();
            fewer.as_object_mut().unwrap().remove(left_out);
            bodies.push(fewer);
        }
        for body in bodies {
            scene.app.call(&operation.method, &address, Some(&scene.stranger), &body.to_string()).await;
        }
        tried.push(operation.path.clone());
    }
    assert!(tried.len() >= 10, "{tried:?}");
    for (table, column, ours) in [
        ("host_group_members", "host_id", scene.things.host),
        ("team_members", "user_id", scene.things.user),
        ("team_members", "team_id", scene.things.team),
        ("team_host_groups", "group_id", scene.things.group),
        ("user_host_scopes", "group_id", scene.things.group),
        ("user_host_scopes", "user_id", scene.things.user),
        ("teams", "lead_id", scene.things.user),
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} = $1");
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(ours).fetch_one(pool).await.unwrap();
        assert_eq!(count, 0, "{table}.{column}");
    }
    let mixed: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM role_assignments a JOIN custom_roles r ON r.id = a.role_id WHERE r.org_id <> a.org_id)
              + (SELECT count(*) FROM invitations i, unnest(i.team_ids) t JOIN teams ON teams.id = t
                 WHERE teams.org_id <> i.org_id)
              + (SELECT count(*) FROM invitations i, unnest(i.host_group_ids) g JOIN host_groups h ON h.id = g
                 WHERE h.org_id <> i.org_id)
              + (SELECT count(*) FROM api_keys k, unnest(k.host_groups) g JOIN host_groups h ON h.id = g
                 WHERE h.org_id <> k.org_id)
              + (SELECT count(*) FROM custom_role_terms t JOIN custom_roles r ON r.id = t.role_id
                 JOIN host_groups h ON h.id = ANY(t.group_ids) WHERE h.org_id <> r.org_id)
              + (SELECT count(*) FROM memberships m WHERE m.org_id = $1 AND m.user_id = $2)",
    )
    .bind(theirs)
    .bind(scene.things.user)
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(mixed, 0, "something of one organisation hangs off something of another");
}

/// A thing that no address names any more makes the proofs above smaller without anybody noticing.
#[tokio::test]
async fn everything_that_belongs_to_somebody_is_named_by_an_address() {
    let app = App::new().await;
    for beginning in BEGINNINGS {
        assert!(app.operations.iter().any(|o| o.path.starts_with(beginning)), "{beginning}");
    }
}
