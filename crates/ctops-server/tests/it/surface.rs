//! The HTTP surface around the API: headers, errors, health, unknown paths.

use axum::http::StatusCode;
use http_body_util::BodyExt;

use crate::app::App;

async fn json(response: axum::http::Response<axum::body::Body>) -> serde_json::Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

/// Spec: security 1, 4
#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = App::new().await;
    for path in ["/", "/api/v1/me", "/api/v1/nothing", "/docs/index.html", "/healthz", "/assets/none.js"] {
        let response = app.call("GET", path, None, "").await;
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(header("x-frame-options").as_deref(), Some("DENY"), "{path}");
        assert!(header("content-security-policy").unwrap().contains("script-src 'self'"), "{path}");
        assert!(header("strict-transport-security").is_some(), "{path}");
        assert_eq!(response.headers().get_all("content-security-policy").iter().count(), 1, "{path}");
        if path.starts_with("/api/") {
            assert_eq!(header("cache-control").as_deref(), Some("no-store"), "{path}");
        }
    }
}

/// Spec: security 5, 6
#[tokio::test]
async fn errors_are_problems_with_the_request_id() {
    let app = App::new().await;
    let response = app.call("GET", "/api/v1/nothing", None, "").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body = json(response).await;
    assert_eq!((body["code"].as_str(), body["request_id"].as_str()), (Some("not_found"), Some(id.as_str())));
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let app = App::new().await;
    let body = format!("{{\"email\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let response = app.call("POST", "/api/v1/auth/login", None, &body).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json(response).await["code"], "payload_too_large");
}

#[tokio::test]
async fn health_tells_life_from_readiness() {
    let app = App::new().await;
    assert_eq!(app.call("GET", "/healthz", None, "").await.status(), StatusCode::OK);
    assert_eq!(app.call("GET", "/readyz", None, "").await.status(), StatusCode::OK);
    app.db.pool().close().await;
    let response = app.call("GET", "/readyz", None, "").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json(response).await["failing"][0], "database");
    assert_eq!(app.call("GET", "/healthz", None, "").await.status(), StatusCode::OK);
}
