//! Questions and answers as JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_slice::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::containers::model::{
    ContainerHostSettings, ContainerQueryInput, ContainerRow, ContainerSettings, EventRow,
    MAX_SHOWN_ERROR_CHARS, RuntimeRow, SampleRow,
};

/// Heartbeat intervals after which the state of a runtime is stale (containers 3).
const STALE_INTERVALS: i32 = 3;
/// Interval assumed of agents that are not connected, seconds.
const USUAL_INTERVAL: i32 = 30;
/// Ingest repeats an unchanged state this often only.
const REPEATED_EVERY: TimeDelta = TimeDelta::minutes(5);

/// Which containers, in which order, which page. Empty parameters count as absent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::containers) struct ContainerParams {
    /// Part of name, image or id, at most 200 characters, whatever its case.
    search: Option<String>,
    /// `running`, `exited`, `created`, `paused`, `restarting`, `removing` or `dead`.
    state: Option<String>,
    /// Image reference.
    image: Option<String>,
    /// Compose project.
    project: Option<String>,
    /// `true` for containers that are there, `false` for those that are gone.
    present: Option<String>,
    /// `name`, `image`, `state`, `started`, `restarts` or `last_seen`, `-` before it for descending. When absent: present
    /// ones, then last seen, then by name.
    sort: Option<String>,
    /// Page, from 1.
    page: Option<String>,
    /// 25, 50 (default), 100 or 200.
    page_size: Option<String>,
}

impl ContainerParams {
    pub(super) fn input(&self) -> ContainerQueryInput<'_> {
        ContainerQueryInput {
            search: self.search.as_deref(),
            state: self.state.as_deref(),
            image: self.image.as_deref(),
            project: self.project.as_deref(),
            present: self.present.as_deref(),
            sort: self.sort.as_deref(),
            page: self.page.as_deref(),
            page_size: self.page_size.as_deref(),
        }
    }
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::containers) struct EventParams {
    /// `next_cursor` of the answer before.
    pub(super) cursor: Option<String>,
}

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::containers) struct SampleParams {
    /// Minutes, 1 to 1440; 60 when absent.
    pub(super) minutes: Option<String>,
}

/// A container.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Container)]
pub(in crate::containers) struct ContainerBody {
    id: Uuid,
    host_id: Uuid,
    /// `docker` or `podman`.
    runtime: String,
    /// The engine's id.
    container_id: String,
    name: String,
    names: Vec<String>,
    image: String,
    image_id: String,
    labels: BTreeMap<String, String>,
    /// Compose project.
    project: Option<String>,
    /// As the engine names it, for example `running`.
    state: String,
    status: String,
    /// `healthy`, `unhealthy` or `starting`; null without a health check.
    health: Option<String>,
    /// Of the last run that ended.
    exit_code: Option<i32>,
    restart_count: i32,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    first_seen_at: Timestamp,
    last_seen_at: Timestamp,
    /// The last complete inventory had it.
    is_present: bool,
}

impl From<ContainerRow> for ContainerBody {
    fn from(row: ContainerRow) -> Self {
        Self {
            id: row.id,
            host_id: row.host_id,
            runtime: row.runtime,
            container_id: row.container_id,
            name: row.primary_name,
            names: row.names,
            image: row.image,
            image_id: row.image_id,
            labels: row.labels.0,
            project: row.project,
            state: row.state,
            status: row.status,
            health: row.health,
            exit_code: row.exit_code,
            restart_count: row.restart_count,
            created_at: row.created_at_source.map(Timestamp),
            started_at: row.started_at_source.map(Timestamp),
            finished_at: row.finished_at_source.map(Timestamp),
            first_seen_at: row.first_seen_at.into(),
            last_seen_at: row.last_seen_at.into(),
            is_present: row.is_present,
        }
    }
}

/// The container runtimes of a host.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::containers) struct ContainerRuntimes {
    items: Vec<ContainerRuntime>,
}

/// A container runtime.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::containers) struct ContainerRuntime {
    /// `docker` or `podman`.
    runtime: String,
    /// `not_installed`, `installed`, `permission_denied`, `unreachable`, `error`, or `unknown` when nothing was reported.
    status: String,
    version: Option<String>,
    api_version: Option<String>,
    /// At most 160 characters, without paths.
    error: Option<String>,
    checked_at: Option<Timestamp>,
    /// The state is old.
    stale: bool,
    /// When the last complete inventory arrived.
    last_inventory_at: Option<Timestamp>,
    /// Samples that the agent had to drop.
    lost_samples: i64,
    /// Samples that the server did not take: impossible times or values, or of unknown containers.
    rejected_samples: i64,
}

impl ContainerRuntimes {
    pub(super) fn new(rows: Vec<RuntimeRow>, now: DateTime<Utc>) -> Self {
        Self { items: rows.into_iter().map(|row| ContainerRuntime::new(row, now)).collect() }
    }
}

impl ContainerRuntime {
    fn new(row: RuntimeRow, now: DateTime<Utc>) -> Self {
        let interval = row.interval_seconds.unwrap_or(USUAL_INTERVAL);
        let young = TimeDelta::seconds(i64::from(STALE_INTERVALS * interval)) + REPEATED_EVERY;
        Self {
            stale: row.checked_at.is_none_or(|at| at < now - young),
            runtime: row.runtime,
            status: row.status,
            version: row.version,
            api_version: row.api_version,
            error: row.error.as_deref().map(shown_error),
            checked_at: row.checked_at.map(Timestamp),
            last_inventory_at: row.last_complete_at.map(Timestamp),
            lost_samples: row.lost_samples,
            rejected_samples: row.rejected_samples,
        }
    }
}

/// An error without paths of the host, cut (containers 2).
fn shown_error(error: &str) -> String {
    let word = |word: &str| {
        if word.contains('/') || word.contains('\\') { "…".to_owned() } else { word.to_owned() }
    };
    let words: Vec<String> = error.split_whitespace().map(word).collect();
    words.join(" ").chars().take(MAX_SHOWN_ERROR_CHARS).collect()
}

/// Events of a container.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::containers) struct ContainerEvents {
    /// Newest first.
    items: Vec<ContainerEvent>,
    /// Continues the list; null at its end.
    next_cursor: Option<String>,
}

/// Something that happened to a container.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::containers) struct ContainerEvent {
    /// `started`, `stopped`, `restarted`, `appeared`, `disappeared` or `health_changed`.
    kind: String,
    at: Timestamp,
    state: String,
    health: Option<String>,
    restart_count: i32,
    exit_code: Option<i32>,
}

impl ContainerEvents {
    pub(super) fn new(rows: Vec<EventRow>, next_cursor: Option<String>) -> Self {
        let event = |row: EventRow| ContainerEvent {
            kind: row.kind,
            at: row.occurred_at.into(),
            state: row.state,
            health: row.health,
            restart_count: row.restart_count,
            exit_code: row.exit_code,
        };
        Self { items: rows.into_iter().map(event).collect(), next_cursor }
    }
}

/// Raw samples, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::containers) struct ContainerSamples {
    items: Vec<ContainerSample>,
}

/// One sample.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::containers) struct ContainerSample {
    /// By the agent's clock.
    at: Timestamp,
    /// Per cent of one core; several cores give more than 100.
    cpu_percent: f32,
    /// Cores the container may use; null when not known.
    cpu_cores: Option<f32>,
    memory_used_bytes: i64,
    /// Null without a limit.
    memory_limit_bytes: Option<i64>,
    memory_percent: f32,
    /// Bytes per second since the sample before; null after a restart or a gap.
    receive_bps: Option<f32>,
    transmit_bps: Option<f32>,
    block_read_bps: Option<f32>,
    block_write_bps: Option<f32>,
    pids: i32,
}

impl From<Vec<SampleRow>> for ContainerSamples {
    fn from(rows: Vec<SampleRow>) -> Self {
        let sample = |row: SampleRow| ContainerSample {
            at: row.recorded_at.into(),
            cpu_percent: row.cpu_percent,
            cpu_cores: row.cpu_cores,
            memory_used_bytes: row.memory_used,
            memory_limit_bytes: row.memory_limit,
            memory_percent: row.memory_percent,
            receive_bps: row.rx_bps,
            transmit_bps: row.tx_bps,
            block_read_bps: row.block_read_bps,
            block_write_bps: row.block_write_bps,
            pids: row.pids,
        };
        Self { items: rows.into_iter().map(sample).collect() }
    }
}

/// How containers are watched in the organisation.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContainerTelemetrySettings)]
pub(in crate::containers) struct SettingsBody {
    /// Containers are watched at all.
    enabled: bool,
    /// Seconds between two samples, 2 to 300.
    sample_interval_seconds: i32,
    /// Seconds between two inventories, 30 to 3600.
    inventory_interval_seconds: i32,
    /// Days for which samples are kept, 1 to 365.
    retention_days: i32,
    /// Beginnings of label keys to keep besides `com.docker.compose.` and `org.opencontainers.image.`, at most 64.
    label_prefixes: Vec<String>,
}

impl From<ContainerSettings> for SettingsBody {
    fn from(settings: ContainerSettings) -> Self {
        Self {
            enabled: settings.enabled,
            sample_interval_seconds: settings.sample_interval_seconds,
            inventory_interval_seconds: settings.inventory_interval_seconds,
            retention_days: settings.retention_days,
            label_prefixes: settings.label_prefixes,
        }
    }
}

impl From<SettingsBody> for ContainerSettings {
    fn from(body: SettingsBody) -> Self {
        Self {
            enabled: body.enabled,
            sample_interval_seconds: body.sample_interval_seconds,
            inventory_interval_seconds: body.inventory_interval_seconds,
            retention_days: body.retention_days,
            label_prefixes: body.label_prefixes,
        }
    }
}

/// How the containers of a host are watched; null means as the organisation.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HostContainerSettings)]
pub(in crate::containers) struct HostSettingsBody {
    /// False to leave the containers of this host alone; true does not override the organisation's choice.
    enabled: Option<bool>,
    /// Days for which samples are kept, 1 to 365.
    retention_days: Option<i32>,
}

impl From<ContainerHostSettings> for HostSettingsBody {
    fn from(settings: ContainerHostSettings) -> Self {
        Self { enabled: settings.enabled, retention_days: settings.retention_days }
    }
}

impl From<HostSettingsBody> for ContainerHostSettings {
    fn from(body: HostSettingsBody) -> Self {
        Self { enabled: body.enabled, retention_days: body.retention_days }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: containers 2
    #[test]
    fn shown_error_has_no_paths_and_at_most_160_characters() {
        let error = "dial unix /var/run/docker.sock: connect: permission denied";
        assert_eq!(shown_error(error), "dial unix … connect: permission denied");
        assert_eq!(shown_error(&"x ".repeat(500)).chars().count(), 160);
    }
}
