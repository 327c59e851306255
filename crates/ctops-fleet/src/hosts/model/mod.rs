//! The nouns: states, vitals, identities and the shapes in which hosts are read.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use serde_json::Value;
use uuid::Uuid;

mod query;
#[cfg(test)]
mod tests;

pub use query::{HostFilter, HostListInput, HostQuery, PAGE_SIZES, Sort, SortKey, UNKNOWN};

/// A host is stale when it was last seen longer ago than this (hosts 5).
pub const STALE_AFTER: TimeDelta = TimeDelta::minutes(15);
/// A vital counts as hot from here on, hundredths of a percent (hosts 8).
pub const HOT_CENTI: i16 = 8000;
/// Samples one answer carries at most: one hour at the shortest heartbeat interval of 5 s.
pub const MAX_SAMPLES: i64 = 720;
/// Longest span of raw samples that can be asked for, minutes: one day.
pub const MAX_SAMPLE_MINUTES: i64 = 1440;

/// What a host is doing (hosts 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostStatus {
    /// Its agent holds a stream and its last heartbeat is young enough.
    Online,
    /// Its agent was heard from, but not lately.
    Offline,
    /// Its agent waits for approval.
    Pending,
    /// Its agent is approved and was never heard from.
    Unknown,
}

impl HostStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Online, Self::Offline, Self::Pending, Self::Unknown];

    /// The name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A text in the database that names no status.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a host status")]
pub struct UnknownStatus(String);

impl TryFrom<String> for HostStatus {
    type Error = UnknownStatus;

    fn try_from(text: String) -> Result<Self, UnknownStatus> {
        Self::parse(&text).ok_or(UnknownStatus(text))
    }
}

/// One of the three figures every heartbeat carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vital {
    /// CPU of all cores.
    Cpu,
    /// Memory in use.
    Memory,
    /// Root file system in use.
    Disk,
}

impl Vital {
    /// The vital of that name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "cpu" => Some(Self::Cpu),
            "memory" => Some(Self::Memory),
            "disk" => Some(Self::Disk),
            _ => None,
        }
    }
}

/// What an agent says about its machine when it registers; already validated and bounded by the caller.
#[derive(Clone, Debug, Default)]
pub struct HostIdentity {
    /// 1 to 253 characters.
    pub hostname: String,
    /// Operating system.
    pub os: Option<String>,
    /// Its version.
    pub os_version: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Id of the machine as its operating system knows it.
    pub machine_id: Option<String>,
    /// Addresses to show and to search.
    pub ip_addresses: Vec<String>,
    /// Addresses no other live host of the organisation may have (hosts 20, 21).
    pub identity_ips: Vec<String>,
    /// Version of the agent.
    pub agent_version: Option<String>,
}

/// A host about to appear.
#[derive(Clone, Debug)]
pub struct NewHost {
    /// Its id, made by the caller.
    pub id: Uuid,
    /// Organisation it belongs to.
    pub org_id: Uuid,
    /// What its agent said about it.
    pub identity: HostIdentity,
    /// `Pending` or `Unknown`: nothing was heard from it yet.
    pub status: HostStatus,
}

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
    /// Mounted file systems, as [`super::consume`] stores them.
    pub disks: Value,
    /// Network interfaces, as [`super::consume`] stores them.
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
pub struct HostVitals {
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
pub struct Sample {
    /// When it was measured, by the agent's clock.
    pub recorded_at: DateTime<Utc>,
    /// CPU, hundredths of a percent.
    pub cpu_centi: Option<i16>,
    /// Memory, hundredths of a percent.
    pub memory_centi: Option<i16>,
    /// Root file system, hundredths of a percent.
    pub disk_centi: Option<i16>,
}

/// The figures of the fleet overview (hosts 7, 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct FleetSummary {
    /// Hosts.
    pub total: i64,
    /// Hosts that are online.
    pub online: i64,
    /// Hosts that are offline.
    pub offline: i64,
    /// Hosts never heard from.
    pub unknown: i64,
    /// Hosts last seen never, or too long ago.
    pub stale: i64,
    /// Agents that wait for approval.
    pub pending_approval: i64,
    /// Online hosts whose CPU is hot.
    pub hot_cpu: i64,
    /// Online hosts whose memory is hot.
    pub hot_memory: i64,
    /// Online hosts whose root file system is hot.
    pub hot_disk: i64,
}

impl FleetSummary {
    /// Whole-number share of online hosts; none for an empty fleet (hosts 7).
    pub fn online_percent(&self) -> Option<i64> {
        share(self.online, self.total)
    }
}

/// How many hosts share one value; `None` is "not known".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetValue {
    /// The value.
    pub value: Option<String>,
    /// Hosts that have it.
    pub count: i64,
    /// Their whole-number share.
    pub percent: i64,
}

/// What the list can be narrowed by, largest groups first (hosts 9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Operating systems.
    pub os: Vec<FacetValue>,
    /// Architectures.
    pub arch: Vec<FacetValue>,
    /// Versions of the agent.
    pub agent_version: Vec<FacetValue>,
}

/// Whole-number share of `part` in `total`, halves rounded up; none when `total` is 0.
pub fn share(part: i64, total: i64) -> Option<i64> {
    (total > 0).then(|| (part * 200 + total) / (total * 2))
}

/// Percent with one decimal from hundredths of a percent, halves rounded up (hosts 11).
pub fn percent(centi: i16) -> f64 {
    f64::from((i32::from(centi) + 5) / 10) / 10.0
}

/// Whether a host last seen then is stale now (hosts 5).
pub fn is_stale(last_seen_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last_seen_at.is_none_or(|seen| seen < now - STALE_AFTER)
}

/// Checks the span of samples asked for, minutes.
///
/// # Errors
/// `validation_failed` on `minutes`.
pub fn parse_minutes(text: Option<&str>) -> Result<TimeDelta, Problem> {
    text.map_or(Ok(60), str::parse::<i64>)
        .ok()
        .filter(|minutes| (1..=MAX_SAMPLE_MINUTES).contains(minutes))
        .map(TimeDelta::minutes)
        .ok_or_else(|| {
            let message = format!("must be a whole number from 1 to {MAX_SAMPLE_MINUTES}");
            Problem::invalid_field("minutes", "invalid", message)
        })
}
