//! The plain HTTP listener of processes without a web server (wire contract 12.1): health, keys, metrics, nothing else.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::any;
use ctops_telemetry::MetricsPage;

use super::health::{self, Health};

/// What the internal listener shows.
pub struct InternalParts {
    /// Readiness of the process.
    pub health: Health,
    /// Metrics of the process.
    pub metrics: MetricsPage,
    /// Keys that agents' tokens are verified with.
    pub jwks_json: String,
}

/// The routes.
pub fn internal_router(parts: InternalParts) -> Router {
    let jwks = parts.jwks_json;
    Router::new()
        .merge(health::router(parts.health, Some(parts.metrics)))
        .route(
            "/.well-known/jwks.json",
            any(move || async move { ([(header::CONTENT_TYPE, "application/json")], jwks) }),
        )
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found") })
}
