//! The nouns: states, vitals, identities and the shapes in which hosts are read.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use uuid::Uuid;

mod fleet;
mod query;
mod rows;
#[cfg(test)]
mod tests;
mod update;

pub(super) use fleet::FacetGroup;
pub use fleet::{FacetValue, Facets, FleetSummary};
pub(super) use query::UNKNOWN;
pub use query::{HostFilter, HostListInput, HostQuery, Sort, SortKey};
pub use rows::{HostDetail, HostRow};
pub(super) use rows::{HostVitals, Sample};
pub(super) use update::{FactsChange, StatusUpdate, VitalsChange, VitalsSample, parse_display_name};

/// A host is stale when it was last seen longer ago than this (hosts 5).
pub(super) const STALE_AFTER: TimeDelta = TimeDelta::minutes(15);
/// A vital counts as hot from here on, hundredths of a percent (hosts 8).
pub(super) const HOT_CENTI: i16 = 8000;
/// Samples one answer carries at most: one hour at the shortest heartbeat interval of 5 s.
pub(super) const MAX_SAMPLES: i64 = 720;
/// Longest span of raw samples that can be asked for, minutes: one day.
const MAX_SAMPLE_MINUTES: i64 = 1440;

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

/// Percent with one decimal from hundredths of a percent, halves rounded up (hosts 11).
pub(super) fn percent(centi: i16) -> f64 {
    f64::from((i32::from(centi) + 5) / 10) / 10.0
}

/// Whether a host last seen then is stale now (hosts 5).
pub(super) fn is_stale(last_seen_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last_seen_at.is_none_or(|seen| seen < now - STALE_AFTER)
}

/// Checks the span of samples asked for, minutes.
///
/// # Errors
/// `validation_failed` on `minutes`.
pub(super) fn parse_minutes(text: Option<&str>) -> Result<TimeDelta, Problem> {
    text.map_or(Ok(60), str::parse::<i64>)
        .ok()
        .filter(|minutes| (1..=MAX_SAMPLE_MINUTES).contains(minutes))
        .map(TimeDelta::minutes)
        .ok_or_else(|| {
            let message = format!("must be a whole number from 1 to {MAX_SAMPLE_MINUTES}");
            Problem::invalid_field("minutes", "invalid", message)
        })
}
