//! What can be chosen.

use std::collections::BTreeMap;

use ctops_base::{FieldProblem, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Largest document of one person, bytes of JSON.
const MAX_BYTES: usize = 32 * 1024;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Theme {
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// As the device says.
    #[default]
    System,
}

impl Theme {
    /// As the cookie and the API write it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
            Theme::System => "system",
        }
    }
}

/// What one person chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = Preferences)]
pub(super) struct Preferences {
    /// Light or dark.
    pub(super) theme: Theme,
    /// Language; `en`.
    pub(super) locale: String,
    /// Whether to be told about alerts inside the product.
    pub(super) notifications_enabled: bool,
    /// Size of letters in the terminal, 8 to 32.
    pub(super) terminal_font_size: u8,
    /// What the UI keeps per table, for example which columns are shown.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    pub(super) tables: BTreeMap<String, Value>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: Theme::System,
            locale: "en".to_owned(),
            notifications_enabled: true,
            terminal_font_size: 13,
            tables: BTreeMap::new(),
        }
    }
}

/// A change: what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PreferencesPatch)]
pub(super) struct PreferencesPatch {
    theme: Option<Theme>,
    locale: Option<String>,
    notifications_enabled: Option<bool>,
    terminal_font_size: Option<u8>,
    /// Merged table by table; null forgets one.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    tables: Option<BTreeMap<String, Value>>,
}

impl Preferences {
    /// What is stored; what a release does not understand counts as its default.
    pub(super) fn read(stored: Value) -> Self {
        let Value::Object(stored) = stored else { return Self::default() };
        let mut kept = serde_json::Map::new();
        for (name, value) in stored {
            let alone = Value::Object([(name.clone(), value.clone())].into_iter().collect());
            if serde_json::from_value::<Self>(alone).is_ok() {
                kept.insert(name, value);
            }
        }
        serde_json::from_value(Value::Object(kept)).unwrap_or_default()
    }

    /// The same with a change.
    ///
    /// # Errors
    /// `validation_failed` naming every field that is wrong.
    pub(super) fn with(mut self, patch: PreferencesPatch) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let mut refuse = |path: &str, code, message: &str| {
            wrong.push(FieldProblem { path: path.to_owned(), code, message: message.to_owned() });
        };
        if patch.locale.as_ref().is_some_and(|locale| locale != "en") {
            refuse("locale", "not_a_choice", "must be one of en");
        }
        if patch.terminal_font_size.is_some_and(|size| !(8..=32).contains(&size)) {
            refuse("terminal_font_size", "out_of_range", "must be from 8 to 32");
        }
        self.theme = patch.theme.unwrap_or(self.theme);
        self.locale = patch.locale.unwrap_or(self.locale);
        self.notifications_enabled = patch.notifications_enabled.unwrap_or(self.notifications_enabled);
        self.terminal_font_size = patch.terminal_font_size.unwrap_or(self.terminal_font_size);
        for (table, value) in patch.tables.unwrap_or_default() {
            match value {
                Value::Null => drop(self.tables.remove(&table)),
                value => drop(self.tables.insert(table, value)),
            }
        }
        let long_name = self.tables.keys().any(|table| table.len() > 60);
        if long_name || serde_json::to_vec(&self.tables).map_or(0, |text| text.len()) > MAX_BYTES {
            refuse("tables", "too_long", "must have names of at most 60 bytes and 32 KiB altogether");
        }
        if wrong.is_empty() { Ok(self) } else { Err(Problem::invalid(wrong)) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn patch(value: Value) -> PreferencesPatch {
        serde_json::from_value(value).unwrap()
    }

    /// Spec: settings 9
    #[test]
    fn what_is_absent_stays_and_bounds_are_kept() {
        let chosen = Preferences::default().with(patch(json!({ "theme": "dark", "terminal_font_size": 8 })));
        let chosen =
            chosen.unwrap().with(patch(json!({ "tables": { "hosts": { "hidden": ["os"] } } }))).unwrap();
        assert_eq!((chosen.theme, chosen.terminal_font_size), (Theme::Dark, 8));
        assert!(
            chosen.clone().with(patch(json!({ "tables": { "hosts": null } }))).unwrap().tables.is_empty()
        );
        for size in [7, 33] {
            let refused = chosen.clone().with(patch(json!({ "terminal_font_size": size, "locale": "xx" })));
            assert_eq!(refused.unwrap_err().fields().len(), 2, "{size}");
        }
        let much = json!({ "tables": { "hosts": "x".repeat(MAX_BYTES) } });
        assert!(chosen.with(patch(much)).is_err());
    }

    #[test]
    fn stored_preferences_when_odd_fall_back_alone() {
        let read = Preferences::read(json!({ "theme": "purple", "terminal_font_size": 20, "colour": 1 }));
        assert_eq!((read.theme, read.terminal_font_size), (Theme::System, 20));
        assert_eq!(Preferences::read(json!("odd")), Preferences::default());
    }
}
