//! How long metrics are kept (monitoring 13, 14).

use chrono::{DateTime, Utc};
use ctops_base::{Problem, ProblemKind};

use super::{Level, Source};

/// Days without a setting (monitoring 13).
pub(in crate::metrics) const DEFAULT_DAYS: i32 = 30;
/// Days every installation may keep; more needs the feature `metricRetentionExtended`, which comes with licensing.
pub(in crate::metrics) const LIMIT_DAYS: i32 = 180;
/// Days that can be kept at all.
const MAX_DAYS: i32 = 365;
/// Samples and minutes are kept no longer than this, days (monitoring 14).
const FINE_DAYS: i32 = 30;
/// Hours are kept no shorter than this, days (monitoring 14).
const HOUR_DAYS: i32 = 90;

/// What one organisation keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::metrics) struct Retention {
    /// Its setting, days.
    pub(in crate::metrics) days: i32,
}

impl Retention {
    /// Of a setting in the database; one that was allowed by a licence is held to what is allowed now.
    pub(in crate::metrics) fn of(days: i32) -> Self {
        Self { days: days.clamp(1, LIMIT_DAYS) }
    }

    /// Days that a resolution is kept (monitoring 14).
    pub(in crate::metrics) fn kept_days(&self, source: Source) -> i32 {
        match source {
            Source::Samples | Source::Aggregates(Level::Minute) => self.days.min(FINE_DAYS),
            Source::Aggregates(Level::Hour) => self.days.clamp(HOUR_DAYS, LIMIT_DAYS),
            Source::Aggregates(Level::Day) => LIMIT_DAYS,
        }
    }
}

/// A setting somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::metrics) struct NewRetention {
    pub(in crate::metrics) days: i32,
}

impl NewRetention {
    /// # Errors
    /// `validation_failed` outside of 1 to 365; `feature_not_licensed` above 180 (monitoring 13).
    pub(in crate::metrics) fn check(days: i64) -> Result<Self, Problem> {
        let days =
            i32::try_from(days).ok().filter(|days| (1..=MAX_DAYS).contains(days)).ok_or_else(|| {
                let message = format!("must be a whole number from 1 to {MAX_DAYS}");
                Problem::invalid_field("metric_retention_days", "invalid", message)
            })?;
        if days > LIMIT_DAYS {
            return Err(Problem::new(
                ProblemKind::Forbidden,
                "feature_not_licensed",
                format!("more than {LIMIT_DAYS} days need the feature metricRetentionExtended"),
            ));
        }
        Ok(Self { days })
    }
}

/// What is kept of one resolution, over the whole installation.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::metrics) struct StoredAmount {
    /// `raw`, `1m`, `1h` or `1d`.
    pub(in crate::metrics) resolution: String,
    /// Rows; an estimate once there are many.
    pub(in crate::metrics) rows: i64,
    /// Bytes with indexes.
    pub(in crate::metrics) bytes: i64,
    /// Time of the oldest.
    pub(in crate::metrics) oldest_at: Option<DateTime<Utc>>,
    /// When this was counted.
    pub(in crate::metrics) measured_at: DateTime<Utc>,
}

/// One resolution on the settings page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::metrics) struct Kept {
    pub(in crate::metrics) source: Source,
    /// Days it is kept for the organisation.
    pub(in crate::metrics) days: i32,
    /// What there is; none before the first count.
    pub(in crate::metrics) amount: Option<StoredAmount>,
}

/// The settings page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::metrics) struct Storage {
    pub(in crate::metrics) retention: Retention,
    pub(in crate::metrics) kept: Vec<Kept>,
}
