//! The address of the original product for bulk deletion, `/api/admin/hosts/bulk-delete`: the operation of the API, with
//! its guards and headers.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use ctops_testkit::{a_host, a_organisation};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::app::{App, BULK_DELETE_KEY};

const ALIAS: &str = "/api/admin/hosts/bulk-delete";

/// One request as the load tester sends it: no browser, so neither origin nor cookie.
async fn call(app: &App, method: &str, path: &str, key: &str, body: &str) -> Response<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
        .body(Body::from(body.to_owned()))
        .unwrap();
    app.router.clone().oneshot(request).await.unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn app_with(hostnames: &[&str]) -> App {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    for hostname in hostnames {
        a_host(org_id).named(hostname).insert(app.db.pool()).await;
    }
    app
}

async fn left(app: &App) -> Vec<String> {
    sqlx::query_scalar("SELECT hostname FROM hosts ORDER BY hostname").fetch_all(app.db.pool()).await.unwrap()
}

/// Spec: deployment 20
#[tokio::test]
async fn alias_deletes_the_hosts_of_the_prefix_as_the_address_of_the_api_does() {
    let app = app_with(&["loadtest-a-1", "loadtest-a-2", "loadtest-b-1", "web-1"]).await;
    let answer = call(&app, "POST", ALIAS, BULK_DELETE_KEY, r#"{"hostnamePrefix":"loadtest-a-"}"#).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(json_of(answer).await, json!({"deleted": 2, "failed": []}));
    assert_eq!(left(&app).await, ["loadtest-b-1", "web-1"]);
    let path = "/api/v1/admin/hosts/bulk-delete";
    let answer = call(&app, "POST", path, BULK_DELETE_KEY, r#"{"hostname_prefix":"loadtest-b-"}"#).await;
    assert_eq!(json_of(answer).await, json!({"deleted": 1, "failed": []}));
    assert_eq!(left(&app).await, ["web-1"]);
}

/// Spec: deployment 20
#[tokio::test]
async fn alias_refuses_what_the_address_of_the_api_refuses() {
    let app = app_with(&["loadtest-a-1", "web-1"]).await;
    let body = r#"{"hostname_prefix":"loadtest-"}"#;
    let refused = call(&app, "POST", ALIAS, "wrong", body).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(json_of(refused).await["code"], "unauthenticated");
    let real = call(&app, "POST", ALIAS, BULK_DELETE_KEY, r#"{"hostname_prefix":"web-"}"#).await;
    assert_eq!(real.status(), StatusCode::UNPROCESSABLE_ENTITY);
    for method in ["GET", "DELETE"] {
        let other = call(&app, method, ALIAS, BULK_DELETE_KEY, body).await;
        assert_eq!(other.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(left(&app).await, ["loadtest-a-1", "web-1"]);
}
