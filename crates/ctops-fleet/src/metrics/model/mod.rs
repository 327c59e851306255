//! The nouns: samples, what is measured, windows of time, series, retention.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

mod catalogue;
mod retention;
mod series;
#[cfg(test)]
mod tests;
mod window;
#[cfg(test)]
mod window_tests;

pub(super) use catalogue::{Family, HOST, Level, METRICS, Metric, families};
pub(super) use retention::{DEFAULT_DAYS, Kept, LIMIT_DAYS, NewRetention, Retention, Storage, StoredAmount};
pub use series::{Chart, Gap, GapChart, OfflinePeriod, Point, Series};
pub(super) use series::{Row, gaps_by_bucket, offline_periods, series_of};
pub use window::{ChartInput, MAX_POINTS};
pub(super) use window::{ChartQuery, Plan, Source, floor};

/// What one report, or one late sample, measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSample {
    /// Host.
    pub host_id: Uuid,
    /// When it was measured, by the agent's clock.
    pub recorded_at: DateTime<Utc>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// It was measured before the stream and may have been delivered before.
    pub late: bool,
    /// CPU, hundredths of a percent.
    pub cpu_centi: Option<i16>,
    /// Memory, hundredths of a percent.
    pub memory_centi: Option<i16>,
    /// Root file system, hundredths of a percent.
    pub disk_centi: Option<i16>,
    /// Seconds since the machine started.
    pub uptime_seconds: Option<i64>,
    /// Swap, hundredths of a percent.
    pub swap_centi: Option<i16>,
    /// Load averages of 1, 5 and 15 minutes, hundredths.
    pub load_centi: [Option<i32>; 3],
    /// Processes.
    pub process_count: Option<i32>,
    /// Space used, by mount point.
    pub disks: Vec<NewDisk>,
    /// Traffic, by interface.
    pub network: Vec<NewRate>,
}

/// Space used on one mount point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDisk {
    /// Mount point, 1 to 255 characters.
    pub mount_point: String,
    /// Bytes in all.
    pub total_bytes: i64,
    /// Bytes used.
    pub used_bytes: i64,
    /// Hundredths of a percent.
    pub used_centi: i16,
}

/// Traffic of one interface per second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRate {
    /// Interface, 1 to 255 characters.
    pub interface: String,
    /// Bytes received.
    pub receive_bytes: i64,
    /// Bytes sent.
    pub transmit_bytes: i64,
    /// Errors while receiving, hundredths.
    pub receive_errors_centi: i32,
    /// Errors while sending, hundredths.
    pub transmit_errors_centi: i32,
}

/// How the history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// Plain PostgreSQL: day partitions, aggregates made by us.
    Partitions,
    /// TimescaleDB under the Apache licence: hypertables, aggregates made by us.
    Hypertables,
    /// TimescaleDB under the Timescale licence: hypertables and continuous aggregates.
    Continuous,
}

impl Engine {
    /// Its name in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Partitions => "partitions",
            Self::Hypertables => "hypertables",
            Self::Continuous => "continuous",
        }
    }
}

/// A text in the database that names no engine.
#[derive(Debug)]
pub(super) struct UnknownEngine(String);

impl fmt::Display for UnknownEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no way to keep metrics", self.0)
    }
}

impl std::error::Error for UnknownEngine {}

impl TryFrom<String> for Engine {
    type Error = UnknownEngine;

    fn try_from(text: String) -> Result<Self, UnknownEngine> {
        [Self::Partitions, Self::Hypertables, Self::Continuous]
            .into_iter()
            .find(|engine| engine.as_str() == text)
            .ok_or(UnknownEngine(text))
    }
}

/// How far the aggregates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Progress {
    /// How the history is kept.
    #[sqlx(try_from = "String")]
    pub(super) storage: Engine,
    /// Samples from before this moment are noted by whoever writes them.
    pub(super) closed_until: DateTime<Utc>,
    /// Aggregates of one minute exist up to here.
    pub(super) minutes_until: DateTime<Utc>,
    /// Those of one hour.
    pub(super) hours_until: DateTime<Utc>,
    /// Those of one day.
    pub(super) days_until: DateTime<Utc>,
}

impl Progress {
    /// How far the aggregates of this level are.
    pub(super) fn until(&self, level: Level) -> DateTime<Utc> {
        match level {
            Level::Minute => self.minutes_until,
            Level::Hour => self.hours_until,
            Level::Day => self.days_until,
        }
    }
}
