//! Hostile text everywhere text goes: query parameters, ids in addresses, every field of every body. Whatever it is, it is
//! refused or stored as text; it is never a fault of the server, and no answer tells how the server works.

use axum::http::StatusCode;
use ctops_base::Role;
use ctops_testkit::a_organisation;
use serde_json::{Value, json};

use super::bodies::Bodies;
use super::somebody::Belongings;
use super::writes;
use crate::app::App;
use crate::matrix::filled;
use crate::objects::{Things, object_of};
use http_body_util::BodyExt;

/// Text as it stands in a query, percent-encoded.
const QUERIES: [&str; 7] = [
    "a%00b",
    "%27%20OR%20%271%27%3D%271",
    "%25%5C_%FF%FE",
    "-1",
    "99999999999999999999",
    "-262143-01-01T00%3A00%3A00Z",
    "%F0%9F%92%A9%E2%80%AE",
];

/// Text for fields of bodies.
fn texts() -> [String; 4] {
    [
        "a\0b".into(),
        "'; DROP TABLE users; --".into(),
        "\u{202e}\u{7f}\u{1b}[2J=cmd|' /C calc'!A0".into(),
        "x".repeat(20_000),
    ]
}

/// Signs of the inside that no answer shows.
const INSIDE: [&str; 9] = [
    "sqlx",
    "postgres",
    "syntax error",
    "relation \"",
    "invalid byte sequence",
    "panicked",
    "src/",
    "stack backtrace",
    "/root/",
];

/// What is wrong with an answer, if anything.
async fn fault(app: &App, (method, path): (&str, &str), session: &str, body: &str) -> Option<String> {
    let response = app.call(method, path, Some(session), body).await;
    let status = response.status();
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return None;
    }
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    // Without an address to fetch it from, the revocation list cannot be refreshed.
    let bad = status.is_server_error()
        && status != StatusCode::SERVICE_UNAVAILABLE
        && status != StatusCode::BAD_GATEWAY;
    let tells = !status.is_success() && INSIDE.iter().any(|sign| text.contains(sign));
    (bad || tells).then(|| format!("{method} {path:.120} with {body:.120}: {status} {text:.300}"))
}

/// Spec: security 6
/// Spec: security 7
#[tokio::test]
async fn no_query_is_a_fault_of_the_server() {
    let app = App::new().await;
    let pool = app.db.pool();
    let org = a_organisation(pool).await;
    let things = Things::new(pool, org).await;
    let belongings = Belongings::new(pool, org, things.user, things.role).await;
    let session = app.session(org, Role::SuperAdmin).await;
    let document: Value = serde_json::from_str(&app.document).unwrap();
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for operation in app.operations.iter().filter(|o| o.method == "GET") {
        let address = belongings
            .address(&operation.path)
            .map(|(address, _)| address)
            .or_else(|| things.address(&operation.path, object_of(&operation.path)?))
            .unwrap_or_else(|| filled(&operation.path));
        let parameters = document["paths"][&operation.path]["get"]["parameters"].as_array();
        for parameter in parameters.into_iter().flatten().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            for value in QUERIES {
                let question = format!("{address}?{name}={value}");
                wrong.extend(fault(&app, ("GET", &question), &session, "").await);
                tried += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 400, "only {tried} questions were asked");
}

#[tokio::test]
async fn no_id_in_an_address_is_a_fault_of_the_server() {
    let app = App::new().await;
    let org = a_organisation(app.db.pool()).await;
    let session = app.session(org, Role::SuperAdmin).await;
    let mut wrong = Vec::new();
    for operation in app.operations.iter().filter(|o| o.path.contains('{')) {
        for id in ["%00", "a%00b", "%27", "..%2F..", "%FF", "%F0%9F%92%A9", "0", "-1", "%2A", "null"] {
            let parts = operation.path.split('/').map(|part| if part.starts_with('{') { id } else { part });
            let address = format!("/api/v1{}", parts.collect::<Vec<_>>().join("/"));
            wrong.extend(fault(&app, (&operation.method, &address), &session, "{}").await);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each text in every text field at once, and one in each field of the body alone.
///
/// Spec: security 6
/// Spec: security 7
#[tokio::test]
async fn no_text_in_a_body_is_a_fault_of_the_server() {
    let app = App::new().await;
    let pool = app.db.pool();
    let org = a_organisation(pool).await;
    let things = Things::new(pool, org).await;
    let bodies = Bodies::new(&app.document);
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for operation in app.operations.iter().filter(|o| writes(&o.method)) {
        let Some(schema) = bodies.schema(operation) else { continue };
        let session = app.session(org, Role::SuperAdmin).await;
        let address = object_of(&operation.path).and_then(|object| things.address(&operation.path, object));
        let address = address.unwrap_or_else(|| filled(&operation.path));
        let plausible = bodies.body(schema, true, &|_| None);
        let mut attempts: Vec<Value> = texts().iter().map(|text| with_text(&plausible, text)).collect();
        for name in plausible.as_object().into_iter().flatten().map(|(name, _)| name) {
            let mut alone = plausible.clone();
            alone[name] = with_text(&plausible[name], "'\u{202e}\u{1b}[2J");
            attempts.push(alone);
        }
        for body in attempts {
            wrong.extend(fault(&app, (&operation.method, &address), &session, &body.to_string()).await);
            tried += 1;
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {tried}: {wrong:#?}", wrong.len());
    assert!(tried > 400, "only {tried} bodies were sent");
}

/// The value with every text in it replaced.
fn with_text(value: &Value, text: &str) -> Value {
    match value {
        Value::String(_) => json!(text),
        Value::Array(items) => items.iter().map(|item| with_text(item, text)).collect(),
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, member)| (name.clone(), with_text(member, text))).collect(),
        ),
        other => other.clone(),
    }
}
