//! Questions and answers as JSON.

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::agents;
use crate::hosts::model::{
    FacetValue, Facets, FleetSummary, HostDetail, HostListInput, HostRow, HostVitals, Sample, is_stale,
    percent,
};

/// Which hosts, in which order, which page. Empty parameters count as absent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HostListParams {
    /// Part of the host name, display name or an address, at most 200 characters, whatever its case.
    search: Option<String>,
    /// `online`, `offline`, `pending` or `unknown`.
    status: Option<String>,
    /// Operating system; `unknown` for hosts that did not name one.
    os: Option<String>,
    /// Architecture; `unknown` for hosts that did not name one.
    arch: Option<String>,
    /// Version of the agent; `unknown` for hosts that did not name one.
    agent_version: Option<String>,
    /// `true` for hosts last seen never or more than 15 minutes ago.
    stale: Option<String>,
    /// `cpu`, `memory` or `disk`: online hosts that use at least 80 %.
    hot: Option<String>,
    /// `hostname` (default), `os`, `cpu`, `memory`, `disk`, `last_seen` or `status`; `-` before it for descending.
    sort: Option<String>,
    /// Page, from 1.
    page: Option<String>,
    /// 25, 50 (default), 100 or 200.
    page_size: Option<String>,
}

impl HostListParams {
    pub(crate) fn input(&self) -> HostListInput<'_> {
        HostListInput {
            search: self.search.as_deref(),
            status: self.status.as_deref(),
            os: self.os.as_deref(),
            arch: self.arch.as_deref(),
            agent_version: self.agent_version.as_deref(),
            stale: self.stale.as_deref(),
            hot: self.hot.as_deref(),
            sort: self.sort.as_deref(),
            page: self.page.as_deref(),
            page_size: self.page_size.as_deref(),
        }
    }
}

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::hosts) struct SampleParams {
    /// Minutes, 1 to 1440; 60 when absent.
    pub(super) minutes: Option<String>,
}

/// What to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::hosts) struct TopicParams {
    /// Comma list of topics; there is `fleet`.
    pub(super) topics: Option<String>,
}

/// What to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::hosts) struct HostChange {
    /// At most 100 characters; empty takes the name away.
    pub(super) display_name: String,
}

/// What the list and the page of a host both show.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HostBase {
    id: Uuid,
    hostname: String,
    /// Empty when nobody gave it a name.
    display_name: String,
    os: Option<String>,
    os_version: Option<String>,
    arch: Option<String>,
    ip_addresses: Vec<String>,
    /// `online`, `offline`, `pending` or `unknown`.
    status: &'static str,
    /// Last seen never or more than 15 minutes ago.
    stale: bool,
    /// One decimal, or null when it could not be read.
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    disk_percent: Option<f64>,
    last_seen_at: Option<Timestamp>,
}

impl HostBase {
    fn new(row: HostRow, now: DateTime<Utc>) -> Self {
        Self {
            id: row.id,
            hostname: row.hostname,
            display_name: row.display_name,
            os: row.os,
            os_version: row.os_version,
            arch: row.arch,
            ip_addresses: row.ip_addresses,
            status: row.status.as_str(),
            stale: is_stale(row.last_seen_at, now),
            cpu_percent: row.cpu_centi.map(percent),
            memory_percent: row.memory_centi.map(percent),
            disk_percent: row.disk_centi.map(percent),
            last_seen_at: row.last_seen_at.map(Timestamp),
        }
    }
}

/// One line of the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostItem {
    #[serde(flatten)]
    base: HostBase,
    agent: Option<HostItemAgent>,
}

/// The agent of a line.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HostItemAgent {
    id: String,
    version: Option<String>,
}

impl HostItem {
    pub(crate) fn new(mut row: HostRow, now: DateTime<Utc>) -> Self {
        let version = row.agent_version.take();
        let agent = row.agent_id.take().map(|id| HostItemAgent { id, version });
        Self { base: HostBase::new(row, now), agent }
    }
}

/// One host in full.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HostBody {
    #[serde(flatten)]
    base: HostBase,
    first_seen_at: Timestamp,
    uptime_seconds: Option<i64>,
    /// The agent's clock runs more than 5 minutes ahead.
    clock_skewed: bool,
    /// When the figures were measured, by the agent's clock.
    recorded_at: Option<Timestamp>,
    disks: Vec<DiskBody>,
    interfaces: Vec<InterfaceBody>,
    agent: Option<HostAgent>,
}

/// A mounted file system.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(in crate::hosts) struct DiskBody {
    mount_point: String,
    device: String,
    fs_type: String,
    total_bytes: u64,
    used_bytes: u64,
    free_bytes: u64,
    /// One decimal.
    percent_used: f64,
}

/// A network interface.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(in crate::hosts) struct InterfaceBody {
    name: String,
    ip_addresses: Vec<String>,
    mac_address: String,
    is_up: bool,
}

/// The agent of a host.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HostAgent {
    id: String,
    version: Option<String>,
    /// `pending`, `active`, `offline` or `revoked`.
    status: String,
    registered_at: Option<Timestamp>,
    approved_at: Option<Timestamp>,
    /// Null when nobody did, or when it was approved by its token.
    approved_by: Option<HostPerson>,
    key_fingerprint: String,
    certificate: Option<HostCertificate>,
    last_heartbeat_at: Option<Timestamp>,
    /// Null while the agent is not connected.
    heartbeat_interval_seconds: Option<i32>,
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HostPerson {
    id: Uuid,
    name: String,
}

/// The agent's client certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HostCertificate {
    /// Lower-case hex.
    serial: String,
    not_after: Timestamp,
}

impl HostBody {
    /// # Errors
    /// `internal` when the record holds something else than what the consumer writes.
    pub(super) fn new(mut host: HostDetail, now: DateTime<Utc>) -> Result<Self, Problem> {
        let agent = HostAgent::of(&mut host);
        Ok(Self {
            first_seen_at: host.first_seen_at.into(),
            uptime_seconds: host.uptime_seconds,
            clock_skewed: host.clock_skewed,
            recorded_at: host.recorded_at.map(Timestamp),
            disks: serde_json::from_value(host.disks).map_err(Problem::internal)?,
            interfaces: serde_json::from_value(host.interfaces).map_err(Problem::internal)?,
            agent,
            base: HostBase::new(host.row, now),
        })
    }
}

impl HostAgent {
    fn of(host: &mut HostDetail) -> Option<Self> {
        let person = host.approver_id.zip(host.approver_name.take());
        let certificate = host.certificate_serial.take().zip(host.certificate_not_after);
        Some(Self {
            id: host.row.agent_id.take()?,
            version: host.row.agent_version.take(),
            status: host.agent_status.take()?,
            registered_at: host.agent_registered_at.map(Timestamp),
            approved_at: host.agent_approved_at.map(Timestamp),
            approved_by: person.map(|(id, name)| HostPerson { id, name }),
            key_fingerprint: agents::key_fingerprint(host.agent_key_sha256.as_deref().unwrap_or_default()),
            certificate: certificate
                .map(|(serial, not_after)| HostCertificate { serial, not_after: not_after.into() }),
            last_heartbeat_at: host.row.last_seen_at.map(Timestamp),
            heartbeat_interval_seconds: host.heartbeat_interval_seconds,
        })
    }
}

/// The figures of the overview.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct SummaryBody {
    total: i64,
    online: i64,
    /// Whole number; null when there are no hosts.
    online_percent: Option<i64>,
    offline: i64,
    unknown: i64,
    stale: i64,
    pending_approval: i64,
    hotspots: HotspotsBody,
}

/// Online hosts that use at least 80 %.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HotspotsBody {
    cpu: i64,
    memory: i64,
    disk: i64,
}

impl From<FleetSummary> for SummaryBody {
    fn from(summary: FleetSummary) -> Self {
        Self {
            total: summary.total,
            online: summary.online,
            online_percent: summary.online_percent(),
            offline: summary.offline,
            unknown: summary.unknown,
            stale: summary.stale,
            pending_approval: summary.pending_approval,
            hotspots: HotspotsBody {
                cpu: summary.hot_cpu,
                memory: summary.hot_memory,
                disk: summary.hot_disk,
            },
        }
    }
}

/// What the list can be narrowed by, the largest groups first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct FacetsBody {
    os: Vec<FacetBody>,
    arch: Vec<FacetBody>,
    agent_version: Vec<FacetBody>,
}

/// Hosts that share a value.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct FacetBody {
    /// Null when it is not known; the filter's value is then `unknown`.
    value: Option<String>,
    count: i64,
    /// Whole number.
    percent: i64,
}

impl From<Facets> for FacetsBody {
    fn from(facets: Facets) -> Self {
        let list = |values: Vec<FacetValue>| {
            let body = |value: FacetValue| FacetBody {
                value: value.value,
                count: value.count,
                percent: value.percent,
            };
            values.into_iter().map(body).collect()
        };
        Self { os: list(facets.os), arch: list(facets.arch), agent_version: list(facets.agent_version) }
    }
}

/// Raw samples, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct SamplesBody {
    items: Vec<SampleBody>,
}

/// One sample.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct SampleBody {
    /// By the agent's clock.
    at: Timestamp,
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    disk_percent: Option<f64>,
}

impl From<Vec<Sample>> for SamplesBody {
    fn from(samples: Vec<Sample>) -> Self {
        let body = |sample: Sample| SampleBody {
            at: sample.recorded_at.into(),
            cpu_percent: sample.cpu_centi.map(percent),
            memory_percent: sample.memory_centi.map(percent),
            disk_percent: sample.disk_centi.map(percent),
        };
        Self { items: samples.into_iter().map(body).collect() }
    }
}

/// Data of the event `host.updated`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::hosts) struct HostUpdated {
    id: Uuid,
    status: &'static str,
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    disk_percent: Option<f64>,
    uptime_seconds: Option<i64>,
    last_seen_at: Option<Timestamp>,
    recorded_at: Option<Timestamp>,
}

impl From<&HostVitals> for HostUpdated {
    fn from(vitals: &HostVitals) -> Self {
        Self {
            id: vitals.host_id,
            status: vitals.status.as_str(),
            cpu_percent: vitals.cpu_centi.map(percent),
            memory_percent: vitals.memory_centi.map(percent),
            disk_percent: vitals.disk_centi.map(percent),
            uptime_seconds: vitals.uptime_seconds,
            last_seen_at: vitals.last_seen_at.map(Timestamp),
            recorded_at: vitals.recorded_at.map(Timestamp),
        }
    }
}
