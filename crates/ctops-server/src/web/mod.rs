//! Everything the browser and the operator's tools reach over HTTP: the API, the UI, the documentation, health.

mod assets;
mod headers;
mod health;
mod internal;
mod listener;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use ctops_base::Problem;
use ctops_slice::http::{ApiError, MAX_BODY_BYTES};
use ctops_slice::{AppState, guard};
use ctops_telemetry::MetricsPage;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::timeout::TimeoutLayer;

pub use health::{Check, Health};
pub use internal::{InternalParts, internal_router};
pub use listener::{WebListener, serve};

/// A request that takes longer is given up (security 16). Event streams answer at once and then stay open.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// What the router needs besides the API.
pub struct WebParts {
    /// Readiness checks.
    pub health: Health,
    /// Metrics, when this process collects them.
    pub metrics: Option<MetricsPage>,
    /// Keys that agents' tokens are verified with.
    pub jwks_json: String,
    /// The OpenAPI document.
    pub document_json: String,
}

/// The whole HTTP surface around the API's routes.
pub fn router(api: Router<AppState>, state: AppState, parts: WebParts) -> Router {
    let document = parts.document_json;
    let api = api
        .route(
            "/openapi.json",
            get(move || async move { ([(header::CONTENT_TYPE, "application/json")], document) }),
        )
        .fallback(|| async { ApiError::from(Problem::not_found("operation")) })
        .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| {
            ApiError::from(Problem::internal(panic_text(&panic))).into_response()
        }))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_LIMIT))
        .layer(from_fn_with_state(state.clone(), guard::guard));
    let jwks = parts.jwks_json;
    let is_https = state.installation.is_https();
    let streams_stay_unbuffered = DefaultPredicate::new().and(NotForContentType::new("text/event-stream"));
    // The address of the original product for the one call that its load tester makes (deployment 20).
    let bulk_delete = MapRequest::new(api.clone().with_state(state.clone()), |mut request: Request| {
        *request.uri_mut() = Uri::from_static("/admin/hosts/bulk-delete");
        request
    });
    Router::new()
        .nest("/api/v1", api)
        .with_state(state)
        .route_service("/api/admin/hosts/bulk-delete", bulk_delete)
        .merge(health::router(parts.health, parts.metrics))
        .route(
            "/.well-known/jwks.json",
            get(move || async move { ([(header::CONTENT_TYPE, "application/json")], jwks) }),
        )
        .merge(assets::router())
        .layer(from_fn(move |request, next| headers::secure(is_https, request, next)))
        .layer(CompressionLayer::new().compress_when(streams_stay_unbuffered))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a request handler panicked: {}", text.unwrap_or_default())
}
