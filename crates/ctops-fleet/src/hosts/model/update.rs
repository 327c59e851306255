//! What reports change about a host.

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_base::text::is_hostile;
use serde_json::Value;
use uuid::Uuid;

use super::HostStatus;

/// The figures of one heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::hosts) struct VitalsSample {
    /// When they were measured, by the agent's clock.
    pub(in crate::hosts) recorded_at: DateTime<Utc>,
    /// When they arrived.
    pub(in crate::hosts) received_at: DateTime<Utc>,
    /// CPU, hundredths of a percent.
    pub(in crate::hosts) cpu_centi: Option<i16>,
    /// Memory, hundredths of a percent.
    pub(in crate::hosts) memory_centi: Option<i16>,
    /// Root file system, hundredths of a percent.
    pub(in crate::hosts) disk_centi: Option<i16>,
    /// Seconds since the machine started.
    pub(in crate::hosts) uptime_seconds: Option<i64>,
    /// The agent's clock runs ahead, so that `recorded_at` is the moment of arrival.
    pub(in crate::hosts) clock_skewed: bool,
}

/// What several reports of one host come down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::hosts) struct VitalsChange {
    /// Host.
    pub(in crate::hosts) host_id: Uuid,
    /// When the last of them arrived.
    pub(in crate::hosts) seen_at: DateTime<Utc>,
    /// The newest figures among them, if they carried any.
    pub(in crate::hosts) newest: Option<VitalsSample>,
}

/// Facts a report carried; what is absent leaves the known value alone.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::hosts) struct FactsChange {
    /// Host.
    pub(in crate::hosts) host_id: Uuid,
    /// Version of the agent.
    pub(in crate::hosts) agent_version: Option<String>,
    /// Operating system.
    pub(in crate::hosts) os: Option<String>,
    /// Its version.
    pub(in crate::hosts) os_version: Option<String>,
    /// Architecture.
    pub(in crate::hosts) arch: Option<String>,
    /// Addresses to show and to search.
    pub(in crate::hosts) ip_addresses: Option<Vec<String>>,
    /// Mounted file systems, a list.
    pub(in crate::hosts) disks: Option<Value>,
    /// Network interfaces, a list.
    pub(in crate::hosts) interfaces: Option<Value>,
}

/// A status a host is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hosts) struct StatusUpdate {
    /// Host.
    pub(in crate::hosts) host_id: Uuid,
    /// Status.
    pub(in crate::hosts) status: HostStatus,
    /// Since when.
    pub(in crate::hosts) at: DateTime<Utc>,
}

/// Longest display name, characters.
const MAX_DISPLAY_NAME_CHARS: usize = 100;

/// Checks a display name, without the space around it; empty is none (hosts 33).
///
/// # Errors
/// `validation_failed` on `display_name`.
pub(in crate::hosts) fn parse_display_name(text: &str) -> Result<&str, Problem> {
    let name = text.trim();
    let chars = name.chars().count();
    if chars > MAX_DISPLAY_NAME_CHARS {
        let message = format!("has {chars} characters, at most {MAX_DISPLAY_NAME_CHARS}");
        return Err(Problem::invalid_field("display_name", "too_long", message));
    }
    if name.chars().any(is_hostile) {
        return Err(Problem::invalid_field("display_name", "invalid", "contains control characters"));
    }
    Ok(name)
}
