//! The HTTP surface around the API: headers, errors, health, unknown paths.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use ctops_server::web::{Check, Health, InternalParts, internal_router};
use http_body_util::BodyExt;
use tower::ServiceExt;

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

/// Wire contract 12.1, and the order of a drain: first readiness goes, life and metrics stay.
#[tokio::test]
async fn internal_listener_shows_health_and_keys_and_nothing_else() {
    let app = App::new().await;
    let health = Health::new(vec![Check::Database(app.db.pool().clone())]);
    let metrics = ctops_telemetry::init_metrics().unwrap();
    let parts = InternalParts { health: health.clone(), metrics, jwks_json: "{\"keys\":[]}".into() };
    let router = internal_router(parts);
    let call = |method: &str, path: &str, peer: [u8; 4]| {
        let request = Request::builder().method(method).uri(path);
        let request =
            request.extension(ConnectInfo(SocketAddr::from((peer, 50_000)))).body(Body::empty()).unwrap();
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await.unwrap();
            let status = response.status();
            let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, kind.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
        }
    };
    let here = [127, 0, 0, 1];
    for method in ["GET", "POST", "DELETE"] {
        let (status, _, body) = call(method, "/healthz", here).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"), "{method}");
        let (status, kind, body) = call(method, "/.well-known/jwks.json", here).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{method}");
        assert_eq!(body, "{\"keys\":[]}");
    }
    for path in ["/", "/api/v1/me", "/ws/terminal/1", "/docs/"] {
        assert_eq!(call("GET", path, here).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(call("GET", "/metrics/internal", here).await.0, StatusCode::OK);
    assert_eq!(call("GET", "/metrics/internal", [192, 0, 2, 1]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(call("GET", "/readyz", here).await.0, StatusCode::OK);
    health.drain();
    let (status, _, body) = call("GET", "/readyz", here).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && body.contains("draining"), "{body}");
    assert_eq!(call("GET", "/healthz", here).await.0, StatusCode::OK);
}
