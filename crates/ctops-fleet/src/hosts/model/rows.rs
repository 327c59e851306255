//! The shapes in which hosts are read.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::HostStatus;

/// One line of the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct HostRow {
    /// Id.
    pub id: Uuid,
    /// Name the machine gives itself.
    pub hostname: String,
    /// Name people gave it; may be empty.
    pub display_name: String,
    /// Operating system.
    pub os: Option<String>,
    /// Its version.
    pub os_version: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Addresses.
    pub ip_addresses: Vec<String>,
    /// Status.
    #[sqlx(try_from = "String")]
    pub status: HostStatus,
    /// Newest CPU figure, hundredths of a percent.
    pub cpu_centi: Option<i16>,
    /// Newest memory figure, hundredths of a percent.
    pub memory_centi: Option<i16>,
    /// Newest figure of the root file system, hundredths of a percent.
    pub disk_centi: Option<i16>,
    /// When something was last received from it.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// Its agent.
    pub agent_id: Option<String>,
    /// Version of that agent.
    pub agent_version: Option<String>,
}

/// One host in full.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct HostDetail {
    /// What the list shows too.
    #[sqlx(flatten)]
    pub row: HostRow,
    /// When the record was made.
    pub first_seen_at: DateTime<Utc>,
    /// Seconds since the machine started.
    pub uptime_seconds: Option<i64>,
    /// The agent's clock runs more than 5 min ahead.
    pub clock_skewed: bool,
    /// When the newest figures were measured, by the agent's clock.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Mounted file systems, a JSON list in the form of the API.
    pub disks: Value,
    /// Network interfaces, a JSON list in the form of the API.
    pub interfaces: Value,
    /// `pending`, `active`, `offline` or `revoked`.
    pub agent_status: Option<String>,
    /// When the agent registered.
    pub agent_registered_at: Option<DateTime<Utc>>,
    /// When it was approved.
    pub agent_approved_at: Option<DateTime<Utc>>,
    /// Who approved it.
    pub approver_id: Option<Uuid>,
    /// Name of who approved it.
    pub approver_name: Option<String>,
    /// SHA-256 of the agent's public key.
    pub agent_key_sha256: Option<Vec<u8>>,
    /// Serial of its client certificate, lower-case hex.
    pub certificate_serial: Option<String>,
    /// End of that certificate.
    pub certificate_not_after: Option<DateTime<Utc>>,
    /// Heartbeat interval of the connected agent, seconds.
    pub heartbeat_interval_seconds: Option<i32>,
}

/// What changes with every heartbeat; what a watching browser gets.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::hosts) struct HostVitals {
    /// Host.
    pub host_id: Uuid,
    /// Organisation.
    pub org_id: Uuid,
    /// Status.
    #[sqlx(try_from = "String")]
    pub status: HostStatus,
    /// CPU, hundredths of a percent.
    pub cpu_centi: Option<i16>,
    /// Memory, hundredths of a percent.
    pub memory_centi: Option<i16>,
    /// Root file system, hundredths of a percent.
    pub disk_centi: Option<i16>,
    /// Seconds since the machine started.
    pub uptime_seconds: Option<i64>,
    /// When something was last received.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When the figures were measured, by the agent's clock.
    pub recorded_at: Option<DateTime<Utc>>,
}

/// One raw sample.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::hosts) struct Sample {
    /// When it was measured, by the agent's clock.
    pub recorded_at: DateTime<Utc>,
    /// CPU, hundredths of a percent.
    pub cpu_centi: Option<i16>,
    /// Memory, hundredths of a percent.
    pub memory_centi: Option<i16>,
    /// Root file system, hundredths of a percent.
    pub disk_centi: Option<i16>,
}
