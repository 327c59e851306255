//! What is known of a deleted host, and how long.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, PageRequest, Problem};
use ctops_slice::settings::{KeyKind, Section, SettingKey, SettingsPage};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest search, characters (api-conventions 12).
const MAX_SEARCH_CHARS: usize = 200;
/// Shortest and longest time that deleted hosts are kept, days (hosts 32).
pub(super) const DAYS: (i64, i64) = (30, 3650);

/// A deleted host.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct DeletedHost {
    pub(super) id: Uuid,
    pub(super) hostname: String,
    pub(super) display_name: String,
    pub(super) os: Option<String>,
    pub(super) arch: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) deleted_at: DateTime<Utc>,
    pub(super) deleted_by_id: Option<Uuid>,
    pub(super) deleted_by_name: Option<String>,
}

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeletedQuery {
    /// Part of a name.
    pub(super) search: Option<String>,
    /// Page.
    pub(super) page: PageRequest,
}

impl DeletedQuery {
    /// Checks the search; an empty one is none.
    pub(super) fn check(search: Option<&str>, page: PageRequest) -> Result<Self, Problem> {
        let search = search.map(str::trim).filter(|text| !text.is_empty());
        let chars = search.map_or(0, |text| text.chars().count());
        if chars > MAX_SEARCH_CHARS {
            let message = format!("has {chars} characters, at most {MAX_SEARCH_CHARS}");
            return Err(Problem::invalid_field("search", "too_long", message));
        }
        Ok(Self { search: search.map(str::to_owned), page })
    }
}

/// The page `deleted-hosts` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DeletedHostSettings {
    /// Days after which a deleted host is removed for good.
    pub(super) purge_after_days: i64,
}

impl DeletedHostSettings {
    /// The same as a span of time.
    pub(super) fn purge_after(&self) -> TimeDelta {
        TimeDelta::days(self.purge_after_days.clamp(DAYS.0, DAYS.1))
    }
}

impl Default for DeletedHostSettings {
    fn default() -> Self {
        Self { purge_after_days: 90 }
    }
}

impl SettingsPage for DeletedHostSettings {
    const NAME: &'static str = "deleted-hosts";
    const TITLE: &'static str = "Deleted hosts";
    const SECTION: Section = Section::Agents;

    fn keys() -> &'static [SettingKey] {
        const KEYS: &[SettingKey] = &[SettingKey::new(
            "purge_after_days",
            "Purge after",
            KeyKind::Integer { least: DAYS.0, most: DAYS.1 },
            "Days after which a deleted host and its history are removed for good.",
        )];
        KEYS
    }

    fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const FIRST: PageRequest = PageRequest { page: 1, page_size: 50 };

    #[test]
    fn search_when_blank_then_none_and_when_too_long_then_refused() {
        assert_eq!(DeletedQuery::check(Some("  "), FIRST).unwrap().search, None);
        assert_eq!(DeletedQuery::check(Some(" web "), FIRST).unwrap().search.as_deref(), Some("web"));
        assert!(DeletedQuery::check(Some(&"ä".repeat(200)), FIRST).is_ok());
        let problem = DeletedQuery::check(Some(&"ä".repeat(201)), FIRST).unwrap_err();
        assert_eq!(problem.code(), "validation_failed");
    }

    /// Spec: hosts 32
    #[test]
    fn purge_after_is_90_days_and_stays_within_its_range_whatever_is_stored() {
        assert_eq!(DeletedHostSettings::default().purge_after(), TimeDelta::days(90));
        for (stored, kept) in [(-1, 30), (30, 30), (3650, 3650), (i64::MAX, 3650)] {
            let settings = DeletedHostSettings { purge_after_days: stored };
            assert_eq!(settings.purge_after(), TimeDelta::days(kept), "{stored}");
        }
    }
}
