//! Routes of the system's health.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use ctops_slice::{Actor, ApiResult, AppState, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::service::{self, Health};
use super::{bundle, store};
use crate::Deps;
use crate::settings::Pages;

/// The health of the system.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemHealth)]
pub(super) struct HealthBody {
    /// When the picture was taken.
    checked_at: Timestamp,
    /// Version of the program that answers.
    version: &'static str,
    /// Node that answers.
    node: String,
    /// Tier of the organisation: `community`, `pro` or `enterprise`.
    tier: &'static str,
    /// What to look at.
    warnings: Vec<WarningBody>,
    /// The database.
    database: DatabaseBody,
    /// The queue.
    queue: QueueBody,
    /// Nodes that accept agents, of the last 24 h.
    ingest_nodes: Vec<NodeBody>,
    /// Agents of the organisation by version.
    agents_by_version: Vec<VersionBody>,
    /// Periodic jobs.
    jobs: Vec<JobBody>,
    /// Certificates of the listeners.
    certificates: Vec<CertificateBody>,
    /// File systems that hold data.
    volumes: Vec<VolumeBody>,
    /// Mails that could not be sent yet.
    pending_mail: i64,
}

/// Something to look at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemWarning)]
struct WarningBody {
    /// Stable code.
    code: &'static str,
    /// For people.
    message: String,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemDatabase)]
struct DatabaseBody {
    /// Version of the server.
    version: String,
    /// Size on disk.
    size_bytes: i64,
    /// How far the slowest replica is behind, if one is seen.
    replica_lag_seconds: Option<f64>,
}

/// The queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemQueue)]
struct QueueBody {
    /// `embedded` or `brokers`.
    kind: &'static str,
    /// Consumers.
    consumers: Vec<ConsumerBody>,
    /// Records that could not be applied.
    dead_letters: i64,
}

/// A consumer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemConsumer)]
struct ConsumerBody {
    group: String,
    topic: String,
    /// Records that wait; null when another process consumes.
    waiting: Option<u64>,
    /// When it last applied something.
    applied_at: Timestamp,
}

/// A node that accepts agents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemNode)]
struct NodeBody {
    id: Uuid,
    name: String,
    /// Whether its lease is valid.
    alive: bool,
    started_at: Timestamp,
    lease_until: Timestamp,
}

/// Agents with one version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemAgentVersion)]
struct VersionBody {
    /// Empty when the agent never said.
    version: String,
    count: i64,
}

/// A periodic job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemJob)]
struct JobBody {
    name: String,
    /// Where it last ran.
    node: String,
    /// Its rhythm.
    every_seconds: f64,
    last_run_at: Timestamp,
    duration_ms: i64,
    succeeded: bool,
    error: Option<String>,
    /// Runs that failed since the last that worked.
    failures: i64,
    last_success_at: Option<Timestamp>,
}

/// A certificate of a listener.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemCertificate)]
struct CertificateBody {
    /// `web` or `ingest`.
    name: &'static str,
    not_after: Timestamp,
}

/// A file system.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemVolume)]
struct VolumeBody {
    name: &'static str,
    total_bytes: u64,
    free_bytes: u64,
}

impl From<Health> for HealthBody {
    fn from(health: Health) -> Self {
        let waiting = health.facts.waiting;
        let consumer = |progress: store::Progress| ConsumerBody {
            waiting: waiting
                .iter()
                .find(|fact| fact.group == progress.group_name && fact.topic == progress.topic)
                .map(|fact| fact.waiting),
            group: progress.group_name,
            topic: progress.topic,
            applied_at: progress.applied_at.into(),
        };
        let at = health.at;
        let node = |node: store::IngestNode| NodeBody {
            id: node.id,
            name: node.name,
            alive: node.lease_until >= at,
            started_at: node.started_at.into(),
            lease_until: node.lease_until.into(),
        };
        let warning =
            |warning: service::Warning| WarningBody { code: warning.code, message: warning.message };
        Self {
            checked_at: health.at.into(),
            version: health.facts.version,
            node: health.facts.node,
            tier: health.tier.as_str(),
            warnings: health.warnings.into_iter().map(warning).collect(),
            database: DatabaseBody {
                version: health.database.version,
                size_bytes: health.database.size_bytes,
                replica_lag_seconds: health.database.replica_lag_seconds,
            },
            queue: QueueBody {
                kind: health.facts.queue,
                consumers: health.progress.into_iter().map(consumer).collect(),
                dead_letters: health.dead_letters,
            },
            ingest_nodes: health.nodes.into_iter().map(node).collect(),
            agents_by_version: health
                .agents
                .into_iter()
                .map(|(version, count)| VersionBody { version, count })
                .collect(),
            jobs: health.runs.into_iter().map(JobBody::from).collect(),
            certificates: health
                .facts
                .certificates
                .iter()
                .map(|fact| CertificateBody { name: fact.name, not_after: fact.not_after.into() })
                .collect(),
            volumes: health
                .facts
                .volumes
                .iter()
                .map(|fact| VolumeBody {
                    name: fact.name,
                    total_bytes: fact.total_bytes,
                    free_bytes: fact.free_bytes,
                })
                .collect(),
            pending_mail: health.pending_mail,
        }
    }
}

impl From<store::LastRun> for JobBody {
    fn from(run: store::LastRun) -> Self {
        Self {
            name: run.job,
            node: run.node,
            every_seconds: run.every_seconds,
            last_run_at: run.started_at.into(),
            duration_ms: run.duration_ms,
            succeeded: run.succeeded,
            error: run.error,
            failures: run.failures,
            last_success_at: run.succeeded_at.map(Timestamp),
        }
    }
}

/// Shows the health of the system, with what to look at first.
#[utoipa::path(get, path = "/system/health", tag = "system", responses((status = 200, body = HealthBody)))]
pub(super) async fn get_system_health(
    State(state): State<AppState>,
    Extension(deps): Extension<Deps>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
) -> ApiResult<Json<HealthBody>> {
    Ok(Json(service::health(&state, &deps, &pages, &actor).await?.into()))
}

/// Makes a document for support: health, configuration and settings, without secrets and free text.
#[utoipa::path(post, path = "/system/support-bundle", tag = "system",
    responses((status = 200, body = std::collections::HashMap<String, serde_json::Value>)))]
pub(super) async fn make_support_bundle(
    State(state): State<AppState>,
    Extension(deps): Extension<Deps>,
    Extension(pages): Extension<Pages>,
    actor: Actor,
) -> ApiResult<impl IntoResponse> {
    let bundle = bundle::make(&state, &deps, &pages, &actor).await?;
    let disposition = HeaderValue::from_static("attachment; filename=\"ct-ops-support-bundle.json\"");
    Ok(([(header::CONTENT_DISPOSITION, disposition)], Json(bundle)))
}
