//! Role escalation: everybody below super administrator tries on every write to become one, or to make one.

use std::collections::BTreeSet;

use ctops_base::Role;
use ctops_pg::Pool;
use ctops_slice::Permission;
use ctops_testkit::a_organisation;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bodies::Bodies;
use super::somebody::Belongings;
use super::writes;
use crate::app::App;
use crate::matrix::filled;
use crate::objects::{Things, object_of};

/// Who may do what, wherever the database says so.
#[derive(Debug, PartialEq, Eq)]
struct Power {
    members: BTreeSet<(Uuid, String)>,
    granted: BTreeSet<(&'static str, String)>,
}

async fn power(pool: &Pool) -> Power {
    let members: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT user_id, unnest(roles) FROM memberships").fetch_all(pool).await.unwrap();
    let mut granted = BTreeSet::new();
    for (what, sql) in [
        ("custom role", "SELECT unnest(permissions) FROM custom_roles"),
        ("key", "SELECT unnest(scopes) FROM api_keys"),
        ("invitation", "SELECT unnest(roles) FROM invitations"),
        ("default role", "SELECT default_role FROM identity_providers WHERE default_role IS NOT NULL"),
        ("role map", "SELECT role_map::text FROM identity_providers"),
        ("directory", "SELECT settings::text FROM ldap_configurations"),
        ("settings", "SELECT document::text FROM settings"),
    ] {
        let values: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
        granted.extend(values.into_iter().map(|value| (what, value)));
    }
    Power { members: members.into_iter().collect(), granted }
}

fn unheld(app: &App, role: Role) -> Vec<&'static Permission> {
    let roles = BTreeSet::from([role]);
    app.permissions.iter().copied().filter(|permission| !permission.held_by(&roles)).collect()
}

/// A body that asks for `role` and `permission` wherever a field is about either.
fn greedy(bodies: &Bodies, schema: &Value, person: Uuid, role: &str, permission: &str) -> Value {
    let given = |name: &str| {
        Some(match name {
            "roles" => json!([role]),
            "role" | "default_role" | "base" => json!(role),
            "permissions" | "scopes" => json!([permission]),
            "user_id" | "lead_id" => json!(person),
            "user_ids" => json!([person]),
            "role_map" | "group_roles" => json!([{ "group": "everybody", "role": role }]),
            "expires_in_days" => json!(30),
            "allowed_networks" | "host_groups" | "host_group_ids" | "team_ids" | "selector" => json!([]),
            _ => return None,
        })
    };
    bodies.body(schema, true, &given)
}

struct Climber {
    token: String,
    user: Uuid,
}

async fn a_climber(app: &App, org: Uuid, role: Role) -> Climber {
    let token = app.session(org, role).await;
    let user =
        sqlx::query_scalar("SELECT user_id FROM sessions WHERE token_hash = sha256(convert_to($1, 'UTF8'))")
            .bind(&token)
            .fetch_one(app.db.pool())
            .await
            .unwrap();
    Climber { token, user }
}

/// Spec: users-teams-rbac 4, 6
/// Spec: security 24
#[tokio::test]
async fn nobody_below_super_administrator_gains_or_gives_more_than_they_have_on_any_write() {
    let app = App::new().await;
    let pool = app.db.pool();
    let org = a_organisation(pool).await;
    let things = Things::new(pool, org).await;
    let belongings = Belongings::new(pool, org, things.user, things.role).await;
    let bodies = Bodies::new(&app.document);
    for role in [Role::OrgAdmin, Role::Engineer, Role::ReadOnly] {
        let climber = a_climber(&app, org, role).await;
        let wanted = unheld(&app, role);
        assert!(!wanted.is_empty());
        let before = power(pool).await;
        let mut tried = 0;
        for operation in app.operations.iter().filter(|o| writes(&o.method) && o.method != "DELETE") {
            let Some(schema) = bodies.schema(operation) else { continue };
            let addresses = addresses(&operation.path, &things, &belongings, climber.user);
            for address in addresses {
                let body = greedy(&bodies, schema, climber.user, "super_admin", wanted[0].name);
                app.call(&operation.method, &address, Some(&climber.token), &body.to_string()).await;
                tried += 1;
            }
        }
        assert!(tried > 60, "only {tried} writes were tried");
        let after = power(pool).await;
        assert_eq!(
            after.members, before.members,
            "somebody's roles changed when {role:?} asked for super_admin"
        );
        let new: Vec<_> = after.granted.difference(&before.granted).collect();
        let lifted: Vec<_> = new
            .iter()
            .filter(|(_, value)| value.contains("super_admin") || wanted.iter().any(|p| value == p.name))
            .collect();
        assert!(lifted.is_empty(), "{role:?} made {lifted:?}");
    }
}

/// The address as it is, with things in it, and with the caller in place of the person.
fn addresses(path: &str, things: &Things, belongings: &Belongings, caller: Uuid) -> Vec<String> {
    let mut addresses = Vec::new();
    if let Some((address, _)) = belongings.address(path) {
        addresses.push(address);
    } else if let Some(address) = object_of(path).and_then(|object| things.address(path, object)) {
        addresses.push(address.replace(&things.user.to_string(), &caller.to_string()));
        addresses.push(address);
    } else {
        addresses.push(filled(path));
    }
    addresses
}

/// Each permission alone: a custom role, a personal key and a service key are asked for it by somebody who lacks it.
///
/// Spec: users-teams-rbac 17
/// Spec: auth 20
#[tokio::test]
async fn no_role_and_no_key_gets_a_permission_its_maker_lacks_one_by_one() {
    let app = App::new().await;
    let pool = app.db.pool();
    let org = a_organisation(pool).await;
    for role in [Role::OrgAdmin, Role::Engineer, Role::ReadOnly] {
        let climber = a_climber(&app, org, role).await;
        for permission in unheld(&app, role) {
            for (path, body) in [
                ("/api/v1/roles", json!({ "name": "mine", "permissions": [permission.name] })),
                ("/api/v1/me/api-keys", json!({ "name": "mine", "scopes": [permission.name] })),
                (
                    "/api/v1/api-keys",
                    json!({ "name": "mine", "role": role.as_str(), "scopes": [permission.name] }),
                ),
                (
                    "/api/v1/api-keys",
                    json!({ "name": "mine", "role": "org_admin", "scopes": [permission.name] }),
                ),
            ] {
                let status = app.call("POST", path, Some(&climber.token), &body.to_string()).await.status();
                assert!(status.is_client_error(), "{role:?} at {path} with {}: {status}", permission.name);
            }
        }
    }
    let made: i64 =
        sqlx::query_scalar("SELECT (SELECT count(*) FROM custom_roles) + (SELECT count(*) FROM api_keys)")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(made, 0);
}

/// The way round: what an administrator may give to others, nobody takes for themselves.
///
/// Spec: users-teams-rbac 6
#[tokio::test]
async fn nobody_changes_their_own_roles_state_or_scope_even_to_what_they_may_give() {
    let app = App::new().await;
    let pool = app.db.pool();
    let org = a_organisation(pool).await;
    for role in Role::ALL {
        let climber = a_climber(&app, org, role).await;
        let before = power(pool).await;
        let user = climber.user;
        for (method, path, body) in [
            ("PATCH", format!("/api/v1/users/{user}"), json!({ "roles": ["org_admin"] })),
            ("PATCH", format!("/api/v1/users/{user}"), json!({ "roles": ["engineer", "super_admin"] })),
            ("PATCH", format!("/api/v1/users/{user}"), json!({ "state": "deactivated" })),
            ("PUT", format!("/api/v1/users/{user}/host-scope"), json!({ "group_ids": [] })),
            ("DELETE", format!("/api/v1/users/{user}"), json!({})),
            ("POST", format!("/api/v1/users/{user}/restore"), json!({ "roles": ["super_admin"] })),
            ("DELETE", format!("/api/v1/users/{user}/mfa"), json!({})),
        ] {
            let status = app.call(method, &path, Some(&climber.token), &body.to_string()).await.status();
            assert!(status.is_client_error(), "{role:?}: {method} {path} with {body}: {status}");
        }
        assert_eq!(power(pool).await, before, "{role:?}");
    }
}
