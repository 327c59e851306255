//! The nouns: packages, scans, uploads, settings, and what lists can be asked for.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

mod package;
mod query;

pub use package::{Package, source_name};
pub use query::{PackageQuery, PackageQueryInput, PackageSort, PackageSortKey};

/// Most packages that one scan may have; a machine with every package of its distribution has about 80,000.
pub const MAX_PACKAGES: u64 = 250_000;
/// No packages from a source that had more than this is a failure of the source (software-inventory 6).
pub(super) const SUSPICIOUS_LOSS: i64 = 10;
/// Scans kept per host (software-inventory, data).
pub(super) const KEPT_SCANS: i64 = 100;
/// Days for which packages that are gone are kept (software-inventory, data).
pub(super) const KEPT_REMOVED_DAYS: i64 = 400;
/// Scans that begin per minute and organisation (software-inventory 8).
pub(super) const SCANS_PER_MINUTE: i64 = 50;
/// Pause after the first failed scan; it doubles with each further one (software-inventory 8).
pub(super) const FIRST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// The longest pause.
pub(super) const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(24);
/// A scan that no agent has begun after this long has failed. Tasks for absent agents end after an hour.
pub(super) const PENDING_LIMIT: TimeDelta = TimeDelta::hours(2);
/// A scan whose upload has not ended after this long has failed; ingest ends uploads long before.
pub(super) const RUNNING_LIMIT: TimeDelta = TimeDelta::hours(1);
/// Longest reason kept of a failed scan, characters.
pub(super) const MAX_ERROR_CHARS: usize = 500;

/// State of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanStatus {
    /// Asked for, the agent has not begun.
    Pending,
    /// Packages arrive.
    Running,
    /// Complete.
    Success,
    /// Some sources failed, or it was cut short.
    Partial,
    /// Nothing of it counts.
    Failed,
}

impl ScanStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Success, Self::Partial, Self::Failed];

    /// The name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// A scan whose packages arrive on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// This stream's own id: only the newest stream of a scan may finish it.
    pub upload_id: Uuid,
    /// The scan.
    pub scan_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// Its organisation.
    pub org_id: Uuid,
}

/// What became of one source of packages in a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceOutcome {
    /// Its name.
    pub source: String,
    /// Packages that arrived from it, each counted once.
    pub count: i64,
    /// Its packages were brought up to date.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a scan changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanCounts {
    /// Packages that arrived, each counted once.
    pub packages: i64,
    /// Packages that were not there before.
    pub added: i64,
    /// Packages that are gone.
    pub removed: i64,
}

/// A scan as people see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ScanRow {
    pub(super) id: Uuid,
    pub(super) run_id: Option<Uuid>,
    pub(super) origin: String,
    pub(super) status: String,
    pub(super) error: Option<String>,
    pub(super) sources: sqlx::types::Json<Vec<SourceOutcome>>,
    pub(super) package_count: i32,
    pub(super) added: i32,
    pub(super) removed: i32,
    pub(super) unchanged: i32,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
}

/// A package of a host as people see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PackageRow {
    pub(super) source: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) architecture: String,
    pub(super) publisher: Option<String>,
    pub(super) install_date: Option<DateTime<Utc>>,
    pub(super) source_name: Option<String>,
    pub(super) source_version: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) first_seen_at: DateTime<Utc>,
    pub(super) last_seen_at: DateTime<Utc>,
    pub(super) removed_at: Option<DateTime<Utc>>,
    pub(super) replaced_by_version: Option<String>,
}

/// An organisation's choices (software-inventory 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SoftwareSettings {
    /// Hosts are scanned automatically.
    pub enabled: bool,
    /// Hours between two scans of a host, 1 to 720.
    pub interval_hours: i32,
    /// Also read snaps.
    pub include_snap: bool,
    /// Also read flatpaks.
    pub include_flatpak: bool,
    /// Also read apps of the Windows Store.
    pub include_windows_store: bool,
    /// Also read packages of language managers: pip, npm, cargo, gem.
    pub include_language_managers: bool,
}

impl Default for SoftwareSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            interval_hours: 24,
            include_snap: false,
            include_flatpak: false,
            include_windows_store: false,
            include_language_managers: false,
        }
    }
}

impl SoftwareSettings {
    /// The acceptable ones.
    ///
    /// # Errors
    /// `validation_failed` on `interval_hours`.
    pub fn check(self) -> Result<Self, Problem> {
        if (1..=720).contains(&self.interval_hours) {
            Ok(self)
        } else {
            Err(Problem::invalid_field("interval_hours", "out_of_range", "must be from 1 to 720"))
        }
    }

    /// The configuration of a scan task: which optional sources the agent is to read.
    pub fn task_config(&self) -> Value {
        json!({
            "include_snap": self.include_snap,
            "include_flatpak": self.include_flatpak,
            "include_windows_store": self.include_windows_store,
            "include_language_managers": self.include_language_managers,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: software-inventory 3
    #[test]
    fn settings_are_off_by_default_and_travel_in_the_task() {
        let settings = SoftwareSettings::default();
        assert!(!settings.enabled && settings.interval_hours == 24);
        let config = SoftwareSettings { include_flatpak: true, ..settings }.task_config();
        assert_eq!(config["include_flatpak"], true);
        assert_eq!(config["include_snap"], false);
        for (hours, good) in [(0, false), (1, true), (720, true), (721, false), (-5, false)] {
            let checked = SoftwareSettings { interval_hours: hours, ..settings }.check();
            assert_eq!(checked.is_ok(), good, "{hours}");
        }
    }
}
