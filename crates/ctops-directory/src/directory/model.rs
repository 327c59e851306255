//! What somebody may ask, and the page of settings.

use ctops_base::FieldProblem;
use ctops_slice::settings::{KeyKind, Section, SettingKey, SettingsPage};
use serde::{Deserialize, Serialize};

/// Shortest and longest query, characters.
pub(super) const QUERY_CHARS: std::ops::RangeInclusive<usize> = 2..=128;
/// Matches that are shown.
pub(super) const SHOWN: usize = 10;

/// How people are looked up in the organisation's directories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LookupSettings {
    /// Full names and addresses are searched as well.
    pub(crate) match_names: bool,
    /// Engineers see all attributes.
    pub(crate) raw_for_engineers: bool,
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self { match_names: true, raw_for_engineers: true }
    }
}

const KEYS: &[SettingKey] = &[
    SettingKey::new(
        "match_names",
        "Search names and addresses",
        KeyKind::Flag,
        "A search in a directory finds people by the beginning of their full name and e-mail address too.",
    ),
    SettingKey::new(
        "raw_for_engineers",
        "All attributes for engineers",
        KeyKind::Flag,
        "Engineers see every attribute of a record, not only its summary and groups.",
    ),
];

impl SettingsPage for LookupSettings {
    const NAME: &'static str = "directory-lookup";
    const TITLE: &'static str = "Directory lookup";
    const SECTION: Section = Section::Authentication;

    fn keys() -> &'static [SettingKey] {
        KEYS
    }

    fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        Ok(())
    }
}

/// One match of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) dn: String,
    pub(super) display_name: String,
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
}

impl Match {
    fn is_exactly(&self, query: &str) -> bool {
        let same = |text: &str| text.to_lowercase() == query.to_lowercase();
        same(&self.display_name)
            || self.username.as_deref().is_some_and(same)
            || self.email.as_deref().is_some_and(same)
    }
}

/// Exact matches first, then by full name; as many as are shown, and whether there are more.
pub(super) fn best(mut matches: Vec<Match>, query: &str, more: bool) -> (Vec<Match>, bool) {
    matches.sort_by_cached_key(|found| {
        (!found.is_exactly(query), found.display_name.to_lowercase(), found.dn.clone())
    });
    let more = more || matches.len() > SHOWN;
    matches.truncate(SHOWN);
    (matches, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(username: &str, name: &str) -> Match {
        Match {
            dn: format!("uid={username}"),
            display_name: name.into(),
            username: Some(username.into()),
            email: None,
        }
    }

    /// Spec: ldap-directory-lookup 3
    #[test]
    fn exact_matches_come_first_and_ten_are_shown() {
        let mut all: Vec<Match> =
            (0..12).map(|n| found(&format!("ada{n:02}"), &format!("Ada {:02}", 20 - n))).collect();
        all.push(found("ada", "Zuse, Ada"));
        let (best_ten, more) = best(all, "ADA", false);
        assert_eq!((best_ten.len(), more), (10, true));
        assert_eq!(best_ten[0].username.as_deref(), Some("ada"));
        assert_eq!(best_ten[1].display_name, "Ada 09");
        let (few, more) = best(vec![found("a", "A")], "a", true);
        assert_eq!((few.len(), more), (1, true), "the directory has more than it gave");
    }
}
