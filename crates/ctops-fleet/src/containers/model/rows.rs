//! The shapes in which the slice is read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

/// A container.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::containers) struct ContainerRow {
    pub(in crate::containers) id: Uuid,
    pub(in crate::containers) host_id: Uuid,
    pub(in crate::containers) runtime: String,
    pub(in crate::containers) container_id: String,
    pub(in crate::containers) primary_name: String,
    pub(in crate::containers) names: Vec<String>,
    pub(in crate::containers) image: String,
    pub(in crate::containers) image_id: String,
    pub(in crate::containers) labels: Json<BTreeMap<String, String>>,
    pub(in crate::containers) project: Option<String>,
    pub(in crate::containers) state: String,
    pub(in crate::containers) status: String,
    pub(in crate::containers) health: Option<String>,
    pub(in crate::containers) exit_code: Option<i32>,
    pub(in crate::containers) restart_count: i32,
    pub(in crate::containers) created_at_source: Option<DateTime<Utc>>,
    pub(in crate::containers) started_at_source: Option<DateTime<Utc>>,
    pub(in crate::containers) finished_at_source: Option<DateTime<Utc>>,
    pub(in crate::containers) first_seen_at: DateTime<Utc>,
    pub(in crate::containers) last_seen_at: DateTime<Utc>,
    pub(in crate::containers) is_present: bool,
}

/// An event of a container.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::containers) struct EventRow {
    pub(in crate::containers) id: i64,
    pub(in crate::containers) kind: String,
    pub(in crate::containers) occurred_at: DateTime<Utc>,
    pub(in crate::containers) state: String,
    pub(in crate::containers) health: Option<String>,
    pub(in crate::containers) restart_count: i32,
    pub(in crate::containers) exit_code: Option<i32>,
}

/// A sample of a container.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::containers) struct SampleRow {
    pub(in crate::containers) recorded_at: DateTime<Utc>,
    pub(in crate::containers) cpu_percent: f32,
    pub(in crate::containers) cpu_cores: Option<f32>,
    pub(in crate::containers) memory_used: i64,
    pub(in crate::containers) memory_limit: Option<i64>,
    pub(in crate::containers) memory_percent: f32,
    pub(in crate::containers) rx_bps: Option<f32>,
    pub(in crate::containers) tx_bps: Option<f32>,
    pub(in crate::containers) block_read_bps: Option<f32>,
    pub(in crate::containers) block_write_bps: Option<f32>,
    pub(in crate::containers) pids: i32,
}

/// The runtime of a host.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::containers) struct RuntimeRow {
    pub(in crate::containers) runtime: String,
    pub(in crate::containers) status: String,
    pub(in crate::containers) version: Option<String>,
    pub(in crate::containers) api_version: Option<String>,
    pub(in crate::containers) error: Option<String>,
    pub(in crate::containers) checked_at: Option<DateTime<Utc>>,
    pub(in crate::containers) last_complete_at: Option<DateTime<Utc>>,
    pub(in crate::containers) lost_samples: i64,
    pub(in crate::containers) rejected_samples: i64,
    /// Seconds between the heartbeats of the connected agent.
    pub(in crate::containers) interval_seconds: Option<i32>,
}
