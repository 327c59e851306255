//! Settings and holds.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use uuid::Uuid;

/// Days that may be chosen (audit-log 17).
pub const RETENTION_DAYS: RangeInclusive<i32> = 30..=3650;
/// Days when nothing was chosen.
pub const DEFAULT_DAYS: i32 = 365;
/// Days without a licence for the audit log.
pub const COMMUNITY_DAYS: i32 = 90;
/// Characters of a reason for a hold.
const REASON: RangeInclusive<usize> = 3..=500;

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Hold {
    pub(super) id: Uuid,
    pub(super) reason: String,
    pub(super) set_by_name: String,
    pub(super) set_at: DateTime<Utc>,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) retention_days: i32,
    /// The reason of a hold; none for no hold.
    pub(super) hold: Option<String>,
}

impl Wanted {
    /// # Errors
    /// `validation_failed`.
    pub(super) fn check(mut self) -> Result<Self, Problem> {
        if !RETENTION_DAYS.contains(&self.retention_days) {
            let message = format!("must be from {} to {}", RETENTION_DAYS.start(), RETENTION_DAYS.end());
            return Err(Problem::invalid_field("retention_days", "out_of_range", message));
        }
        self.hold = self.hold.map(|reason| ctops_base::text::clean(&reason, usize::MAX));
        if self.hold.as_ref().is_some_and(|reason| !REASON.contains(&reason.chars().count())) {
            let message = format!("must have {} to {} characters", REASON.start(), REASON.end());
            return Err(Problem::invalid_field("legal_hold.reason", "invalid", message));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: audit-log 17, 18
    #[test]
    fn settings_outside_30_to_3650_days_and_holds_without_a_reason_are_refused() {
        let check = |retention_days, hold: Option<&str>| {
            Wanted { retention_days, hold: hold.map(str::to_owned) }.check().is_ok()
        };
        for (days, fine) in [(29, false), (30, true), (365, true), (3650, true), (3651, false), (-1, false)] {
            assert_eq!(check(days, None), fine, "{days}");
        }
        assert!(check(30, Some("case 17")));
        assert!(!check(30, Some(" \n ")) && !check(30, Some(&"x".repeat(501))));
    }
}
