//! Mass assignment: fields that the caller may not set, in every body at every depth.

use axum::http::StatusCode;
use ctops_base::Role;
use ctops_testkit::a_organisation;
use serde_json::{Value, json};

use super::bodies::{Bodies, at};
use super::contents::{changed, contents};
use super::{read, writes};
use crate::app::App;
use crate::matrix::filled;

/// Fields that would give power, move a thing to somebody else or forge its history.
const PRIVILEGED: [&str; 16] = [
    "org_id",
    "organisation_id",
    "id",
    "user_id",
    "owner_id",
    "created_by",
    "created_at",
    "is_super_admin",
    "roles",
    "role",
    "permissions",
    "state",
    "email_verified",
    "password_hash",
    "deleted_at",
    "__proto__",
];

/// Objects whose fields are not ours to name, each with its reason. Everything else says which fields there are.
const OPEN: [(&str, &str, &str); 11] = [
    ("POST /hosts/{id}/checks", "config", "checked against the type of the check"),
    ("PATCH /checks/{id}", "config", "checked against the type of the check"),
    ("POST /me/passkeys", "credential", "what the browser's authenticator says, verified by its signature"),
    ("POST /auth/passkey", "credential", "the same"),
    ("POST /auth/mfa/passkey", "credential", "the same"),
    ("POST /me/reauthenticate/passkey", "credential", "the same"),
    ("PATCH /me/preferences", "tables", "names of tables, bounded; the owner's alone"),
    ("PATCH /feature-flags", "", "names of flags, checked against the declared ones"),
    ("PUT /settings/{page}", "", "keys of the page, checked against the declared ones"),
    ("POST /settings/import", "document", "keys of pages, checked against the declared ones"),
    ("POST /settings/smtp-relay/test", "settings", "keys of the page, checked against the declared ones"),
];

fn is_open(operation: &str, way: &[String]) -> bool {
    OPEN.iter().any(|(open, place, _)| *open == operation && *place == way.join("."))
}

/// Spec: security 24
#[tokio::test]
async fn every_object_in_a_body_says_which_fields_it_has() {
    let app = App::new().await;
    let bodies = Bodies::new(&app.document);
    let mut wrong = Vec::new();
    for operation in &app.operations {
        let Some(schema) = bodies.schema(operation) else { continue };
        let name = format!("{} {}", operation.method, operation.path);
        for place in bodies.places(schema) {
            if !place.closed && !is_open(&name, &place.way) {
                wrong.push(format!("{name} at {:?}", place.way));
            }
        }
    }
    assert!(wrong.is_empty(), "objects that take any field: {wrong:#?}");
}

/// A strict parser stops at the first field it does not know, so the hostile field stands first.
///
/// Spec: api-conventions 8
#[tokio::test]
async fn every_body_is_refused_for_a_field_it_does_not_know_at_every_depth() {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    let session = app.session(org_id, Role::SuperAdmin).await;
    let bodies = Bodies::new(&app.document);
    let before = contents(app.db.pool()).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for operation in app.operations.iter().filter(|o| writes(&o.method)) {
        let Some(schema) = bodies.schema(operation) else { continue };
        let name = format!("{} {}", operation.method, operation.path);
        for place in bodies.places(schema) {
            if is_open(&name, &place.way) {
                continue;
            }
            // Every field in the body itself; deeper, two are enough to know that the object is closed.
            let fields = if place.way.is_empty() { &PRIVILEGED[..] } else { &PRIVILEGED[..2] };
            for field in fields.iter().filter(|field| !place.known.iter().any(|known| known == *field)) {
                let body = at(&place.way, json!({ *field: hostile(field) }));
                let response = app
                    .call(&operation.method, &filled(&operation.path), Some(&session), &body.to_string())
                    .await;
                let (status, answer) = read(response).await;
                tried += 1;
                if status != StatusCode::UNPROCESSABLE_ENTITY {
                    wrong.push(format!("{name} with {body}: {status} {answer}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 700, "only {tried} bodies were sent");
    assert_eq!(changed(&before, &contents(app.db.pool()).await), [""; 0]);
}

fn hostile(field: &str) -> Value {
    match field {
        "roles" | "permissions" => json!(["super_admin"]),
        "is_super_admin" | "email_verified" => json!(true),
        "__proto__" => json!({ "isAdmin": true }),
        _ => json!("019a0000-0000-7000-8000-000000000000"),
    }
}

/// The maps that take any key of a kind: keys that nobody declared are refused there as well.
#[tokio::test]
async fn maps_of_declared_keys_refuse_all_others() {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    let session = app.session(org_id, Role::SuperAdmin).await;
    let before = contents(app.db.pool()).await;
    let pages: Vec<String> = {
        let (_, answer) = read(app.call("GET", "/api/v1/settings", Some(&session), "").await).await;
        let pages = answer["pages"].as_array().or(answer["items"].as_array()).unwrap();
        pages.iter().map(|page| page["name"].as_str().or(page["page"].as_str()).unwrap().to_owned()).collect()
    };
    assert!(pages.len() >= 2, "{pages:?}");
    let mut wrong = Vec::new();
    for field in PRIVILEGED {
        let mut attempts = vec![
            ("PATCH", "/api/v1/feature-flags".to_owned(), json!({ field: true })),
            ("POST", "/api/v1/settings/import".to_owned(), json!({ "document": { field: { "a": 1 } } })),
        ];
        for page in &pages {
            attempts.push(("PUT", format!("/api/v1/settings/{page}"), json!({ field: hostile(field) })));
        }
        for (method, path, body) in attempts {
            let (status, answer) =
                read(app.call(method, &path, Some(&session), &body.to_string()).await).await;
            if !status.is_client_error() {
                wrong.push(format!("{method} {path} with {body}: {status} {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(changed(&before, &contents(app.db.pool()).await), [""; 0]);
}
