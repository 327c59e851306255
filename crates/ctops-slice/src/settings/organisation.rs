//! The page `organisation`: how dates are written, and what people read before they sign in.

use ctops_base::FieldProblem;
use serde::{Deserialize, Serialize};

use super::{KeyKind, Section, SettingKey, SettingsPage};

/// Habits of an organisation. Its name belongs to the record of the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganisationSettings {
    /// Time zone for reports and schedules (IANA).
    pub timezone: String,
    /// Language.
    pub locale: String,
    /// How dates are written.
    pub date_format: String,
    /// First day of the week.
    pub week_start: String,
    /// What people read before they sign in; shown as it is written, never as markup.
    pub legal_notice: String,
}

impl Default for OrganisationSettings {
    fn default() -> Self {
        Self {
            timezone: "UTC".to_owned(),
            locale: "en".to_owned(),
            date_format: "iso".to_owned(),
            week_start: "mon".to_owned(),
            legal_notice: String::new(),
        }
    }
}

impl SettingsPage for OrganisationSettings {
    const NAME: &'static str = "organisation";
    const TITLE: &'static str = "Organisation";
    const SECTION: Section = Section::Organisation;

    fn keys() -> &'static [SettingKey] {
        const KEYS: &[SettingKey] = &[
            SettingKey::new(
                "timezone",
                "Time zone",
                KeyKind::Text { least: 1, most: 60 },
                "Name from the IANA list, such as Europe/Berlin. Times are stored in UTC whatever this says.",
            ),
            SettingKey::new("locale", "Language", KeyKind::Choice(&["en"]), "Language of the pages."),
            SettingKey::new(
                "date_format",
                "Dates",
                KeyKind::Choice(&["iso", "european", "american"]),
                "iso: 2026-06-03. european: 03.06.2026. american: 06/03/2026.",
            ),
            SettingKey::new(
                "week_start",
                "First day of the week",
                KeyKind::Choice(&["mon", "sun", "sat"]),
                "Where calendars begin.",
            ),
            SettingKey::new(
                "legal_notice",
                "Legal notice",
                KeyKind::LongText { most: 10_000 },
                "Who may use this system. People read it before they sign in, as it is written here. With several organisations the text of the first one is shown.",
            ),
        ];
        KEYS
    }

    fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
        };
        if self.timezone.split('/').count() <= 3 && self.timezone.split('/').all(part) {
            return Ok(());
        }
        let message = "must be a name from the IANA list, such as Europe/Berlin".to_owned();
        Err(vec![FieldProblem { path: "timezone".to_owned(), code: "not_a_time_zone", message }])
    }
}
