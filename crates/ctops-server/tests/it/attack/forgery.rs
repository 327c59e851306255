//! Cross-site request forgery: what the browser of a signed-in person sends on behalf of another site.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use ctops_base::Role;
use ctops_slice::Access;
use ctops_testkit::a_organisation;
use tower::ServiceExt;

use super::bodies::Bodies;
use super::contents::{changed, contents};
use super::{read, writes};
use crate::app::{App, ORIGIN};
use crate::matrix::filled;

/// The one write that comes from other sites by design: its signed content speaks for it, and no cookie does.
const FROM_ELSEWHERE: &str = "/auth/saml/{id}/acs";

/// What pages of other sites can make a browser send. `x-ctops-request` is among it to show that each guard holds alone.
const FORGED: [(&str, &[(&str, &str)]); 12] = [
    ("another site", &[("origin", "https://evil.example"), ("x-ctops-request", "1")]),
    ("a name below ours", &[("origin", "https://evil.ops.example.com"), ("x-ctops-request", "1")]),
    (
        "a name that begins like ours",
        &[("origin", "https://ops.example.com.evil.example"), ("x-ctops-request", "1")],
    ),
    ("a name that ends like ours", &[("origin", "https://evilops.example.com"), ("x-ctops-request", "1")]),
    ("our name without TLS", &[("origin", "http://ops.example.com"), ("x-ctops-request", "1")]),
    ("our name on another port", &[("origin", "https://ops.example.com:8443"), ("x-ctops-request", "1")]),
    ("a page without an origin", &[("origin", "null"), ("x-ctops-request", "1")]),
    ("an empty origin", &[("origin", ""), ("x-ctops-request", "1")]),
    ("another site by its referrer", &[("referer", "https://evil.example/page"), ("x-ctops-request", "1")]),
    (
        "our name in the path of a referrer",
        &[("referer", "https://evil.example/https://ops.example.com"), ("x-ctops-request", "1")],
    ),
    ("nothing that says where it is from", &[("x-ctops-request", "1")]),
    ("a form of our own pages", &[("origin", ORIGIN)]),
];

async fn send(
    app: &App,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, serde_json::Value) {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
        .body(Body::from(body.to_owned()))
        .unwrap();
    read(app.router.clone().oneshot(request).await.unwrap()).await
}

/// Spec: auth 25
/// Spec: api-conventions 3
#[tokio::test]
async fn every_write_is_refused_when_another_site_sends_it_with_somebodys_cookie() {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    let token = app.session(org_id, Role::SuperAdmin).await;
    let cookie = format!("__Host-ctops_session={token}");
    let bodies = Bodies::new(&app.document);
    let before = contents(app.db.pool()).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for operation in app.operations.iter().filter(|o| writes(&o.method) && o.path != FROM_ELSEWHERE) {
        let path = filled(&operation.path);
        let body = bodies.schema(operation).map(|schema| bodies.body(schema, true, &|_| None).to_string());
        for (site, headers) in FORGED {
            let mut headers = headers.to_vec();
            headers.push(("cookie", &cookie));
            let (status, answer) =
                send(&app, (&operation.method, &path), &headers, body.as_deref().unwrap_or("")).await;
            tried += 1;
            if (status, answer["code"].as_str()) != (StatusCode::FORBIDDEN, Some("untrusted_origin")) {
                wrong.push(format!("{} {} from {site}: {status} {answer}", operation.method, operation.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 1_000, "only {tried} requests were sent");
    assert_eq!(changed(&before, &contents(app.db.pool()).await), [""; 0]);
}

/// Login forgery: another site signs the browser in as somebody of its own choice. No cookie speaks yet, so the origin
/// alone decides.
///
/// Spec: auth 25
#[tokio::test]
async fn every_public_write_is_refused_when_another_site_sends_it_without_a_cookie() {
    let app = App::new().await;
    let bodies = Bodies::new(&app.document);
    let public = |access| matches!(access, Access::Public);
    let mut tried = 0;
    for operation in app.operations.iter().filter(|o| public(o.access) && writes(&o.method)) {
        if operation.path == FROM_ELSEWHERE {
            continue;
        }
        let path = filled(&operation.path);
        let body = bodies.schema(operation).map(|schema| bodies.body(schema, true, &|_| None).to_string());
        for (site, headers) in &FORGED[..10] {
            let (status, answer) =
                send(&app, (&operation.method, &path), headers, body.as_deref().unwrap_or("")).await;
            tried += 1;
            assert_eq!(
                (status, answer["code"].as_str()),
                (StatusCode::FORBIDDEN, Some("untrusted_origin")),
                "{} from {site}",
                operation.path
            );
        }
    }
    assert!(tried >= 100, "only {tried} requests were sent");
}

/// A form can send text, but no JSON that says so: without the type of the content nothing is read.
#[tokio::test]
async fn every_body_is_refused_when_it_does_not_say_that_it_is_json() {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    let bodies = Bodies::new(&app.document);
    let before = contents(app.db.pool()).await;
    let session = app.session(org_id, Role::SuperAdmin).await;
    let cookie = format!("__Host-ctops_session={session}");
    let mut wrong = Vec::new();
    for operation in app.operations.iter().filter(|o| writes(&o.method)) {
        let Some(schema) = bodies.schema(operation) else { continue };
        let body = bodies.body(schema, true, &|_| None).to_string();
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let request = Request::builder()
                .method(operation.method.as_str())
                .uri(filled(&operation.path))
                .header("origin", ORIGIN)
                .header("x-ctops-request", "1")
                .header("cookie", &cookie)
                .header("content-type", kind)
                .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
                .body(Body::from(body.clone()))
                .unwrap();
            let (status, answer) = read(app.router.clone().oneshot(request).await.unwrap()).await;
            if !status.is_client_error() {
                wrong.push(format!("{} {} as {kind}: {status} {answer}", operation.method, operation.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut after = contents(app.db.pool()).await;
    after.insert("sessions".into(), before["sessions"].clone());
    let changed: Vec<String> = changed(&before, &after);
    assert!(changed.iter().all(|table| ["users", "memberships"].contains(&table.as_str())), "{changed:?}");
}

/// No answer lets other sites read or send more: there is no sharing of resources between origins.
#[tokio::test]
async fn no_answer_lets_another_site_in() {
    let app = App::new().await;
    for (method, path) in
        [("OPTIONS", "/api/v1/auth/login"), ("GET", "/api/v1/auth/methods"), ("GET", "/openapi.json")]
    {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "x-ctops-request")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
            .body(Body::empty())
            .unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        for (name, _) in response.headers() {
            assert!(!name.as_str().starts_with("access-control-"), "{method} {path} says {name}");
        }
    }
}
