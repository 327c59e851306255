//! `/healthz` (the process lives), `/readyz` (it may receive traffic) and `/metrics/internal` (this machine only).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use ctops_pg::Pool;
use ctops_queue::Queue;
use ctops_telemetry::MetricsPage;
use serde_json::json;

/// How long the database may take to answer.
const DATABASE_LIMIT: Duration = Duration::from_secs(2);

/// What readiness depends on.
#[derive(Clone)]
pub struct Health {
    checks: Arc<Vec<Check>>,
    draining: Arc<AtomicBool>,
}

/// One thing that must work.
pub enum Check {
    /// The database answers.
    Database(Pool),
    /// The queue takes records, or is only full for the moment.
    Queue(Arc<dyn Queue>),
}

impl Health {
    /// Readiness that depends on these.
    pub fn new(checks: Vec<Check>) -> Self {
        Self { checks: Arc::new(checks), draining: Arc::default() }
    }

    /// From now on this process wants no more traffic.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    async fn failures(&self) -> Vec<&'static str> {
        if self.draining.load(Ordering::Acquire) {
            return vec!["draining"];
        }
        let mut failures = Vec::new();
        for check in self.checks.iter() {
            match check {
                Check::Database(pool) => {
                    let answer = tokio::time::timeout(DATABASE_LIMIT, ctops_pg::ping(pool)).await;
                    if !matches!(answer, Ok(Ok(()))) {
                        failures.push("database");
                    }
                }
                Check::Queue(queue) => {
                    if queue.health() == ctops_queue::Health::Unavailable {
                        failures.push("queue");
                    }
                }
            }
        }
        failures
    }
}

/// The routes.
pub(super) fn router(health: Health, metrics: Option<MetricsPage>) -> Router {
    Router::new()
        .route("/healthz", any(|| async { "ok" }))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics/internal", get(metrics_page).with_state(metrics))
}

async fn ready(State(health): State<Health>) -> Response {
    let failures = health.failures().await;
    let status = if failures.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": failures.is_empty(), "failing": failures }))).into_response()
}

async fn metrics_page(
    State(metrics): State<Option<MetricsPage>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
) -> Response {
    match metrics {
        Some(page) if peer.ip().to_canonical().is_loopback() => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page.render()).into_response()
        }
        _ => (StatusCode::NOT_FOUND, "not found").into_response(),
    }
}
