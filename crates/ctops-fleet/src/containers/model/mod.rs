//! The nouns: containers, samples, events, settings. What agents send is bounded here.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem};
use ctops_proto::agent::DockerTelemetryConfig;
use uuid::Uuid;

mod event;
mod item;
mod labels;
mod query;
mod rows;
mod sample;

pub(super) use event::{Event, Known, transitions};
pub(super) use item::{Item, is_running};
pub(super) use labels::LabelPolicy;
pub(super) use query::{ContainerQuery, ContainerQueryInput, ContainerSort, ContainerSortKey};
pub(super) use rows::{ContainerRow, EventRow, RuntimeRow, SampleRow};
pub(super) use sample::{Counters, Rates, Sample, rates};

/// Largest batch, bytes, as it says and as it is (wire contract 9.2).
pub const MAX_BATCH_BYTES: usize = 5 * 1024 * 1024;
/// Samples in one batch.
pub const MAX_BATCH_SAMPLES: usize = 5_000;
/// Containers in one batch.
pub const MAX_BATCH_ITEMS: usize = 1_000;
/// Labels of one container.
pub const MAX_LABELS: usize = 128;
/// Labels of one container, bytes of keys and values together (containers 12).
pub(super) const MAX_LABEL_BYTES: usize = 16 * 1024;
/// Longest id of a batch or an inventory, bytes.
pub(super) const MAX_BATCH_ID_BYTES: usize = 256;
/// How long ids of batches are remembered (containers 12).
pub(super) const BATCHES_KEPT: TimeDelta = TimeDelta::days(7);
/// Containers that are gone for longer are forgotten (containers 16).
pub(super) const ABSENT_KEPT: TimeDelta = TimeDelta::days(30);
/// Events are kept for a year (containers, data).
pub(super) const EVENTS_KEPT: TimeDelta = TimeDelta::days(365);
/// Samples are taken from this long ago (containers 14).
pub(super) const MAX_SAMPLE_AGE: TimeDelta = TimeDelta::days(35);
/// Clocks of agents may be this far ahead (containers 14).
pub(super) const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);
/// Samples further apart than this say nothing about the rate between them.
pub(super) const MAX_RATE_GAP: TimeDelta = TimeDelta::minutes(15);
/// Days for which samples are kept unless settings say otherwise (containers 24).
pub(super) const DEFAULT_RETENTION_DAYS: i32 = 30;
/// Longest text of an error, bytes when stored and characters when shown (containers 2).
pub(super) const MAX_ERROR_BYTES: usize = 512;
pub(super) const MAX_SHOWN_ERROR_CHARS: usize = 160;
/// Raw samples that one answer carries at most.
pub(super) const MAX_SAMPLES: i64 = 1_440;

/// Whose telemetry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelemetrySource {
    /// The host.
    pub host_id: Uuid,
    /// Its organisation.
    pub org_id: Uuid,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchOutcome {
    /// It was stored before, so nothing was stored now.
    pub repeated: bool,
    /// Containers taken from it.
    pub items: u32,
    /// Samples taken from it.
    pub samples: u32,
}

/// The runtimes that are known (containers 4).
pub(super) fn runtime_name(text: &str) -> Option<&'static str> {
    match text {
        "" | "docker" => Some("docker"),
        "podman" => Some("podman"),
        _ => None,
    }
}

/// An organisation's choices (containers 6, 11, 24).
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ContainerSettings {
    /// The organisation flag `docker.telemetry`.
    pub enabled: bool,
    /// Seconds between two samples, 2 to 300.
    pub sample_interval_seconds: i32,
    /// Seconds between two inventories, 30 to 3600.
    pub inventory_interval_seconds: i32,
    /// Days for which samples are kept, 1 to 365.
    pub retention_days: i32,
    /// Beginnings of label keys that are collected besides the usual ones, at most 64.
    pub label_prefixes: Vec<String>,
}

impl Default for ContainerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            sample_interval_seconds: 10,
            inventory_interval_seconds: 30,
            retention_days: DEFAULT_RETENTION_DAYS,
            label_prefixes: Vec::new(),
        }
    }
}

impl ContainerSettings {
    /// The acceptable ones, prefixes trimmed and each once.
    ///
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable.
    pub fn check(mut self) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        range("sample_interval_seconds", self.sample_interval_seconds, 2, 300, &mut wrong);
        range("inventory_interval_seconds", self.inventory_interval_seconds, 30, 3600, &mut wrong);
        range("retention_days", self.retention_days, 1, 365, &mut wrong);
        for prefix in &mut self.label_prefixes {
            *prefix = prefix.trim().to_owned();
        }
        self.label_prefixes.sort_unstable();
        self.label_prefixes.dedup();
        let usable = |prefix: &String| {
            (1..=128).contains(&prefix.len()) && !prefix.chars().any(ctops_base::text::is_hostile)
        };
        if self.label_prefixes.len() > 64 || !self.label_prefixes.iter().all(usable) {
            wrong.push(FieldProblem {
                path: "label_prefixes".into(),
                code: "invalid",
                message: "must be at most 64 texts of 1 to 128 bytes without control characters".into(),
            });
        }
        if wrong.is_empty() { Ok(self) } else { Err(Problem::invalid(wrong)) }
    }

    /// What agents are told; `enabled` is that of the host.
    pub(super) fn config(&self, enabled: bool) -> DockerTelemetryConfig {
        DockerTelemetryConfig {
            enabled: enabled && self.enabled,
            sample_interval_seconds: self.sample_interval_seconds,
            max_batch_bytes: narrow(MAX_BATCH_BYTES),
            max_samples_per_batch: narrow(MAX_BATCH_SAMPLES),
            max_inventory_items_per_batch: narrow(MAX_BATCH_ITEMS),
            max_label_bytes_per_container: narrow(MAX_LABEL_BYTES),
            inventory_interval_seconds: self.inventory_interval_seconds,
            label_prefixes: self.label_prefixes.clone(),
        }
    }
}

fn narrow(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

/// A host's own choices; none means as the organisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct ContainerHostSettings {
    /// Containers are watched; only counts while the organisation wants it.
    pub enabled: Option<bool>,
    /// Days for which samples are kept, 1 to 365.
    pub retention_days: Option<i32>,
}

impl ContainerHostSettings {
    /// The acceptable ones.
    ///
    /// # Errors
    /// `validation_failed` on `retention_days`.
    pub fn check(self) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        if let Some(days) = self.retention_days {
            range("retention_days", days, 1, 365, &mut wrong);
        }
        if wrong.is_empty() { Ok(self) } else { Err(Problem::invalid(wrong)) }
    }
}

fn range(path: &str, value: i32, from: i32, to: i32, wrong: &mut Vec<FieldProblem>) {
    if !(from..=to).contains(&value) {
        let message = format!("must be from {from} to {to}");
        wrong.push(FieldProblem { path: path.to_owned(), code: "out_of_range", message });
    }
}

/// Clean text of at most `max` bytes, cut between characters.
pub(super) fn bounded(text: &str, max: usize) -> String {
    let mut cleaned = ctops_base::text::clean(text, max);
    cleaned.truncate(cleaned.floor_char_boundary(max));
    cleaned
}

/// A moment of an engine or an agent; none when it is missing or cannot be right.
pub(super) fn moment(unix_seconds: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = Some(unix_seconds).filter(|seconds| *seconds > 0);
    at.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).filter(|at| *at <= now + MAX_AHEAD)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: containers 6, 24
    #[test]
    fn settings_outside_their_ranges_are_named_each() {
        let bad = ContainerSettings {
            sample_interval_seconds: 1,
            inventory_interval_seconds: 29,
            retention_days: 366,
            label_prefixes: vec!["  ".into()],
            ..ContainerSettings::default()
        };
        let problem = bad.check().unwrap_err();
        let paths: Vec<_> = problem.fields().iter().map(|field| field.path.as_str()).collect();
        let all =
            ["sample_interval_seconds", "inventory_interval_seconds", "retention_days", "label_prefixes"];
        assert_eq!(paths, all);
        assert!(ContainerHostSettings { retention_days: Some(0), enabled: None }.check().is_err());
        let prefixes = vec!["b.".into(), " a. ".into(), "b.".into()];
        let good =
            ContainerSettings { label_prefixes: prefixes, ..ContainerSettings::default() }.check().unwrap();
        assert_eq!(good.label_prefixes, ["a.", "b."]);
    }

    /// Spec: containers 5, 6
    #[test]
    fn config_of_a_host_is_enabled_only_when_the_organisation_wants_it_too() {
        let on = ContainerSettings::default();
        let off = ContainerSettings { enabled: false, ..on.clone() };
        let enabled = |settings: &ContainerSettings, host| settings.config(host).enabled;
        assert!(enabled(&on, true) && !enabled(&on, false) && !enabled(&off, true));
        let config = on.config(true);
        assert_eq!((config.sample_interval_seconds, config.inventory_interval_seconds), (10, 30));
        assert_eq!((config.max_batch_bytes, config.max_samples_per_batch), (5 * 1024 * 1024, 5000));
    }

    #[test]
    fn moment_that_is_missing_or_far_ahead_is_none() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        for seconds in [0, -1, i64::MIN, 1_000_301, i64::MAX] {
            assert_eq!(moment(seconds, now), None, "{seconds}");
        }
        assert_eq!(moment(1_000_300, now).map(|at| at.timestamp()), Some(1_000_300));
    }
}
