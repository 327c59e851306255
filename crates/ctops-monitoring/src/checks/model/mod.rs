//! Checks and their results.

#[cfg(test)]
mod bounds_tests;
mod config;
mod secrets;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem};
use serde_json::Value;
use uuid::Uuid;

pub(super) use config::{CheckConfig, Dialect, for_agent};
pub(super) use secrets::Secrets;

/// Checks of one host, so that all of them fit into one message to its agent.
pub(super) const MAX_CHECKS_PER_HOST: i64 = 200;
/// Parameters of one check as JSON, bytes.
pub(super) const MAX_CONFIG_BYTES: usize = 20_000;
/// Name, characters.
const MAX_NAME_CHARS: usize = 100;
/// Seconds between two runs (monitoring 17).
const INTERVALS: std::ops::RangeInclusive<i32> = 10..=3600;
/// Interval when nothing is said, seconds.
pub(super) const DEFAULT_INTERVAL: i32 = 60;
/// Results are kept for so long, and so many per check, but never fewer than the latest (monitoring 16).
pub(super) const KEEP_RESULTS: TimeDelta = TimeDelta::days(30);
pub(super) const MAX_RESULTS: i64 = 10_000;
pub(super) const LATEST_RESULTS: i64 = 100;
/// Deleted checks are kept for so long: agents of the original product that come back are cleared of them.
pub(super) const KEEP_DELETED: TimeDelta = TimeDelta::days(90);

/// A check as people see it. `config` is without secrets.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Check {
    pub(super) id: Uuid,
    pub(super) host_id: Uuid,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) config: Value,
    pub(super) secrets: Option<Vec<u8>>,
    pub(super) interval_seconds: i32,
    pub(super) enabled: bool,
    pub(super) version: i32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct CheckResult {
    pub(super) check_id: Uuid,
    pub(super) ran_at: DateTime<Utc>,
    pub(super) status: String,
    pub(super) duration_ms: i64,
    pub(super) output: String,
}

/// What is written of a check: checked, its secrets apart.
#[derive(Debug)]
pub(super) struct CheckedInput {
    pub(super) name: String,
    pub(super) config: Value,
    pub(super) secrets: Secrets,
    pub(super) interval_seconds: i32,
    pub(super) enabled: bool,
}

/// A check as somebody wants it to be.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) interval_seconds: i32,
    pub(super) enabled: bool,
    /// All parameters, secrets included.
    pub(super) config: Value,
}

impl Wanted {
    /// Checks everything for a check of `kind`.
    ///
    /// # Errors
    /// `validation_failed` or `unknown_field`, naming every field that is not acceptable.
    pub(super) fn check(self, kind: &str) -> Result<CheckedInput, Problem> {
        let mut fields = Vec::new();
        let name = self.name.trim().to_owned();
        let named = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
        if !named || name.chars().any(ctops_base::text::is_hostile) {
            fields.push(field("name", format!("must have 1 to {MAX_NAME_CHARS} printable characters")));
        }
        if !INTERVALS.contains(&self.interval_seconds) {
            let (from, to) = (INTERVALS.start(), INTERVALS.end());
            fields.push(field("interval_seconds", format!("must be {from} to {to}")));
        }
        let config = CheckConfig::parse(kind, &self.config)?;
        config.check(&mut fields);
        if !fields.is_empty() {
            return Err(Problem::invalid(fields));
        }
        let mut config = config.into_value();
        if config.to_string().len() > MAX_CONFIG_BYTES {
            return Err(Problem::invalid_field(
                "config",
                "too_long",
                format!("has more than {MAX_CONFIG_BYTES} bytes"),
            ));
        }
        let secrets = Secrets::take_from(&mut config);
        let (interval_seconds, enabled) = (self.interval_seconds, self.enabled);
        Ok(CheckedInput { name, config, secrets, interval_seconds, enabled })
    }
}

fn field(path: &str, message: impl Into<String>) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code: "invalid", message: message.into() }
}
