//! One key of a settings page: type, range, scope, restart need (settings 3).

use serde::Serialize;
use serde_json::Value;

/// Type and range of a key.
#[derive(Clone, Copy, Debug)]
pub enum KeyKind {
    /// On or off.
    Flag,
    /// A whole number, both bounds included.
    Integer {
        /// Smallest.
        least: i64,
        /// Largest.
        most: i64,
    },
    /// One line of text, length in characters.
    Text {
        /// Fewest characters.
        least: usize,
        /// Most characters.
        most: usize,
    },
    /// Several lines of text.
    LongText {
        /// Most characters.
        most: usize,
    },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Any of a few words, each at most once.
    Choices(&'static [&'static str]),
    /// Lines of text.
    List {
        /// Most entries.
        items: usize,
        /// Most characters of one entry.
        chars: usize,
    },
    /// Whole numbers, both bounds included.
    Integers {
        /// Most entries.
        items: usize,
        /// Smallest.
        least: i64,
        /// Largest.
        most: i64,
    },
    /// The same, or null.
    Optional(&'static KeyKind),
    /// Text that is written and never read back; it is kept sealed beside the document.
    Secret {
        /// Most bytes.
        most: usize,
    },
}

/// How far a key reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// The whole installation.
    Install,
    /// One organisation.
    Organisation,
    /// A default that teams may differ from.
    Team,
    /// A default that hosts may differ from.
    Host,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct SettingKey {
    /// Name of the field in the page's document.
    pub name: &'static str,
    /// Label.
    pub title: &'static str,
    /// What it does, in a sentence or two.
    pub about: &'static str,
    /// Type and range.
    pub kind: KeyKind,
    /// How far it reaches.
    pub scope: KeyScope,
    /// Whether a change acts only after a restart.
    pub restart: bool,
    /// Variable of the environment that fixes it.
    pub env: Option<&'static str>,
    /// It can only be set by that variable.
    pub env_only: bool,
}

impl SettingKey {
    /// A key of the organisation that acts at once.
    pub const fn new(name: &'static str, title: &'static str, kind: KeyKind, about: &'static str) -> Self {
        Self {
            name,
            title,
            about,
            kind,
            scope: KeyScope::Organisation,
            restart: false,
            env: None,
            env_only: false,
        }
    }

    /// The same key; a variable of the environment wins when it is set.
    #[must_use]
    pub const fn or_env(self, env: &'static str) -> Self {
        Self { env: Some(env), ..self }
    }

    /// The same key for the whole installation, to be set by a variable of the environment only.
    #[must_use]
    pub const fn env_only(self, env: &'static str) -> Self {
        Self { env: Some(env), env_only: true, scope: KeyScope::Install, restart: true, ..self }
    }

    /// The same key with another reach.
    #[must_use]
    pub const fn scoped(self, scope: KeyScope) -> Self {
        Self { scope, ..self }
    }

    /// Whether it is kept sealed instead of in the document.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, KeyKind::Secret { .. })
    }
}

/// Why a value does not fit a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Stable code: `out_of_range`, `too_long`, `too_short`, `not_a_choice` or `wrong_type`.
    pub code: &'static str,
    /// What would fit.
    pub message: String,
}

fn misfit(code: &'static str, message: impl Into<String>) -> Result<(), Misfit> {
    Err(Misfit { code, message: message.into() })
}

impl KeyKind {
    /// Name of the type in the API.
    pub fn name(&self) -> &'static str {
        match self {
            KeyKind::Flag => "flag",
            KeyKind::Integer { .. } => "integer",
            KeyKind::Text { .. } => "text",
            KeyKind::LongText { .. } => "long_text",
            KeyKind::Choice(_) => "choice",
            KeyKind::Choices(_) => "choices",
            KeyKind::List { .. } => "list",
            KeyKind::Integers { .. } => "integers",
            KeyKind::Optional(inner) => inner.name(),
            KeyKind::Secret { .. } => "secret",
        }
    }

    /// Checks type and range. The message never repeats the value.
    ///
    /// # Errors
    /// What would have fitted.
    pub fn check(&self, value: &Value) -> Result<(), Misfit> {
        match (self, value) {
            (KeyKind::Optional(_), Value::Null) | (KeyKind::Flag, Value::Bool(_)) => Ok(()),
            (KeyKind::Optional(inner), value) => inner.check(value),
            (KeyKind::Flag, _) => misfit("wrong_type", "must be true or false"),
            (KeyKind::Integer { least, most }, value) => check_integer(*least, *most, value),
            (KeyKind::Text { least, most }, Value::String(text)) => check_line(*least, *most, text),
            (KeyKind::LongText { most }, Value::String(text)) => check_length(0, *most, text),
            (KeyKind::Text { .. } | KeyKind::LongText { .. }, _) => misfit("wrong_type", "must be text"),
            (KeyKind::Choice(words), Value::String(word)) if words.contains(&word.as_str()) => Ok(()),
            (KeyKind::Choice(words), _) => {
                misfit("not_a_choice", format!("must be one of {}", words.join(", ")))
            }
            (KeyKind::Choices(words), Value::Array(items)) => check_choices(words, items),
            (KeyKind::List { items, chars }, Value::Array(values)) => {
                check_count(*items, values)?;
                values.iter().try_for_each(|value| KeyKind::Text { least: 1, most: *chars }.check(value))
            }
            (KeyKind::Integers { items, least, most }, Value::Array(values)) => {
                check_count(*items, values)?;
                values.iter().try_for_each(|value| check_integer(*least, *most, value))
            }
            (KeyKind::Choices(_) | KeyKind::List { .. } | KeyKind::Integers { .. }, _) => {
                misfit("wrong_type", "must be a list")
            }
            (KeyKind::Secret { most }, Value::String(text)) if text.is_empty() || text.len() > *most => {
                misfit("out_of_range", format!("must have from 1 to {most} bytes; null clears it"))
            }
            (KeyKind::Secret { .. }, Value::String(_)) => Ok(()),
            (KeyKind::Secret { .. }, _) => misfit("wrong_type", "must be text; null clears it"),
        }
    }
}

fn check_integer(least: i64, most: i64, value: &Value) -> Result<(), Misfit> {
    match value.as_i64() {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        Some(_) => misfit("out_of_range", format!("must be from {least} to {most}")),
        None => misfit("wrong_type", format!("must be a whole number from {least} to {most}")),
    }
}

fn check_line(least: usize, most: usize, text: &str) -> Result<(), Misfit> {
    if text.chars().any(char::is_control) {
        return misfit("wrong_type", "must be one line without control characters");
    }
    check_length(least, most, text)
}

fn check_length(least: usize, most: usize, text: &str) -> Result<(), Misfit> {
    match text.chars().count() {
        count if count < least => misfit("too_short", format!("must have from {least} to {most} characters")),
        count if count > most => misfit("too_long", format!("must have from {least} to {most} characters")),
        _ => Ok(()),
    }
}

fn check_count(most: usize, values: &[Value]) -> Result<(), Misfit> {
    if values.len() > most { misfit("too_long", format!("must have at most {most} entries")) } else { Ok(()) }
}

fn check_choices(words: &[&str], items: &[Value]) -> Result<(), Misfit> {
    let known = |item: &Value| item.as_str().is_some_and(|word| words.contains(&word));
    let distinct = items.iter().enumerate().all(|(at, item)| !items[..at].contains(item));
    if items.iter().all(known) && distinct {
        return Ok(());
    }
    misfit("not_a_choice", format!("must hold each at most once of {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(kind: KeyKind, value: &Value) -> Option<&'static str> {
        kind.check(value).err().map(|misfit| misfit.code)
    }

    /// Spec: settings 3
    #[test]
    fn values_are_checked_by_type_and_range() {
        let days = KeyKind::Integer { least: 1, most: 30 };
        assert_eq!(code(days, &json!(1)), None);
        assert_eq!(code(days, &json!(30)), None);
        for (bad, why) in
            [(json!(0), "out_of_range"), (json!(31), "out_of_range"), (json!(1.5), "wrong_type")]
        {
            assert_eq!(code(days, &bad), Some(why), "{bad}");
        }
        assert_eq!(days.check(&json!(31)).map_err(|m| m.message), Err("must be from 1 to 30".into()));
        assert_eq!(code(KeyKind::Flag, &json!("true")), Some("wrong_type"));
        let name = KeyKind::Text { least: 2, most: 4 };
        for (bad, why) in
            [(json!("a"), "too_short"), (json!("abcde"), "too_long"), (json!("a\nb"), "wrong_type")]
        {
            assert_eq!(code(name, &bad), Some(why), "{bad}");
        }
        assert_eq!(code(name, &json!("äöüß")), None, "characters count, not bytes");
        assert_eq!(code(KeyKind::LongText { most: 5 }, &json!("a\nb")), None);
        assert_eq!(code(KeyKind::Choice(&["a", "b"]), &json!("c")), Some("not_a_choice"));
        assert_eq!(code(KeyKind::Choices(&["a", "b"]), &json!(["b", "a"])), None);
        assert_eq!(code(KeyKind::Choices(&["a", "b"]), &json!(["a", "a"])), Some("not_a_choice"));
        let lines = KeyKind::List { items: 2, chars: 3 };
        assert_eq!(code(lines, &json!(["a", "abc"])), None);
        assert_eq!(code(lines, &json!(["a", "b", "c"])), Some("too_long"));
        assert_eq!(code(lines, &json!(["abcd"])), Some("too_long"));
        let steps = KeyKind::Integers { items: 3, least: 0, most: 60 };
        assert_eq!(code(steps, &json!([60, 0])), None);
        assert_eq!(code(steps, &json!([61])), Some("out_of_range"));
        assert_eq!(code(KeyKind::Optional(&KeyKind::Flag), &Value::Null), None);
        assert_eq!(code(KeyKind::Optional(&KeyKind::Flag), &json!(1)), Some("wrong_type"));
        assert_eq!(
            code(KeyKind::Secret { most: 8 }, &json!("")),
            Some("out_of_range"),
            "clearing is explicit"
        );
    }
}
