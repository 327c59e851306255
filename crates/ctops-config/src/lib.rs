//! Machinery for settings: each program declares a registry of [`Setting`]s; this crate reads them from the
//! environment, checks all of them at once, and exports the reference.
//!
//! Precedence: default in code, then the environment, then `<NAME>_FILE` for secrets. There is no other source.
//! An empty variable counts as unset, so that a commented example file can be used as it is.

pub mod reference;
mod secret;
mod value;

use std::collections::BTreeMap;

pub use secret::Secret;
pub use value::{Kind, Value};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the environment variable.
    pub env: &'static str,
    /// Older or documented other names; the first that is set counts when `env` is not.
    pub aliases: &'static [&'static str],
    /// Type and bounds.
    pub kind: Kind,
    /// Default as it would be written in the environment; `None` means unset.
    pub default: Option<&'static str>,
    /// Never shown; can also be given as a file through `<NAME>_FILE`.
    pub secret: bool,
    /// Release that brought it.
    pub since: &'static str,
    /// One paragraph for the reference: what it does, who would change it and when.
    pub about: &'static str,
}

/// Everything a program understands.
#[derive(Clone, Copy, Debug)]
pub struct Registry {
    /// Its settings.
    pub settings: &'static [Setting],
    /// Prefixes of variables that must be known: anything else that begins so is a mistake.
    pub prefixes: &'static [&'static str],
    /// Names that begin like ours but belong to another program or a later release; accepted without effect.
    pub reserved: &'static [&'static str],
}

/// One mistake in the environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{env}: {message}")]
pub struct Mistake {
    /// The variable.
    pub env: String,
    /// What is wrong and what would be right. Never holds the value of a secret.
    pub message: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The default in code.
    Default,
    /// The named variable.
    Environment(String),
    /// The file named by the variable.
    File(String),
}

/// Checked settings. The accessors panic on a name or type that the registry does not declare: a mistake in the
/// program, found by its first test.
#[derive(Debug)]
pub struct Values {
    registry: Registry,
    values: BTreeMap<&'static str, (Value, Origin)>,
    notes: Vec<String>,
}

impl Registry {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// All mistakes at once, in the order of the registry.
    pub fn load(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Values, Vec<Mistake>> {
        let (values, mistakes) = self.examine(environment);
        if mistakes.is_empty() { Ok(values) } else { Err(mistakes) }
    }

    /// Like [`Self::load`], for programs with checks of their own: what is in order, and all mistakes. A value that is
    /// wrong counts as its default.
    pub fn examine(&self, environment: impl IntoIterator<Item = (String, String)>) -> (Values, Vec<Mistake>) {
        let environment: BTreeMap<String, String> =
            environment.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
        let mut mistakes = Vec::new();
        let mut values = BTreeMap::new();
        for setting in self.settings {
            match self.read(setting, &environment) {
                Ok(Some(found)) => {
                    values.insert(setting.env, found);
                }
                Ok(None) => {}
                Err(mistake) => {
                    mistakes.push(mistake);
                    if let Ok(Some(found)) = self.read(setting, &BTreeMap::new()) {
                        values.insert(setting.env, found);
                    }
                }
            }
        }
        mistakes.extend(environment.keys().filter_map(|name| self.unknown(name)));
        let notes = environment
            .keys()
            .filter(|name| self.reserved.contains(&name.as_str()))
            .map(|name| format!("{name} is set but has no effect in this release"))
            .collect();
        (Values { registry: *self, values, notes }, mistakes)
    }

    fn read(
        &self,
        setting: &Setting,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<(Value, Origin)>, Mistake> {
        let mistake = |env: &str, message: String| Mistake { env: env.to_owned(), message };
        for name in std::iter::once(&setting.env).chain(setting.aliases) {
            let file_name = format!("{name}_FILE");
            let (text, origin) = match (environment.get(*name), environment.get(&file_name)) {
                (Some(_), Some(_)) if setting.secret => {
                    return Err(mistake(name, format!("is set both directly and by {file_name}; keep one")));
                }
                (Some(text), _) => (text.clone(), Origin::Environment((*name).to_owned())),
                (None, Some(path)) if setting.secret => {
                    let text = std::fs::read_to_string(path)
                        .map_err(|error| mistake(&file_name, format!("cannot be read: {error}")))?;
                    (text.trim_end_matches(['\r', '\n']).to_owned(), Origin::File(file_name))
                }
                _ => continue,
            };
            let value = setting.kind.parse(&text).map_err(|message| mistake(name, message))?;
            return Ok(Some((value, origin)));
        }
        match setting.default {
            None => Ok(None),
            Some(text) => setting
                .kind
                .parse(text)
                .map(|value| Some((value, Origin::Default)))
                .map_err(|message| mistake(setting.env, message)),
        }
    }

    fn unknown(&self, name: &str) -> Option<Mistake> {
        let ours = self.prefixes.iter().any(|prefix| name.starts_with(prefix));
        let known = self.reserved.contains(&name)
            || self.settings.iter().any(|s| {
                std::iter::once(&s.env)
                    .chain(s.aliases)
                    .any(|env| *env == name || (s.secret && name.strip_suffix("_FILE") == Some(env)))
            });
        if !ours || known {
            return None;
        }
        let nearest = self.settings.iter().map(|s| s.env).min_by_key(|env| distance(env, name));
        let hint = nearest.map(|env| format!(", did you mean {env}?")).unwrap_or_default();
        Some(Mistake { env: name.to_owned(), message: format!("is not a setting of this program{hint}") })
    }
}

impl Values {
    fn value(&self, env: &'static str) -> Option<&Value> {
        assert!(self.registry.settings.iter().any(|s| s.env == env), "{env} is not in the registry");
        self.values.get(env).map(|(value, _)| value)
    }

    /// Whether somebody set it, so that it is not merely the default.
    pub fn is_given(&self, env: &'static str) -> bool {
        self.value(env).is_some() && !matches!(self.values.get(env), Some((_, Origin::Default)))
    }

    /// Text, choices, addresses and URLs; `None` when unset.
    pub fn text(&self, env: &'static str) -> Option<&str> {
        match self.value(env) {
            Some(Value::Text(text)) => Some(text),
            None => None,
            Some(other) => unreachable!("{env} is {other:?}, not text"),
        }
    }

    /// A switch; `false` when unset.
    pub fn flag(&self, env: &'static str) -> bool {
        match self.value(env) {
            Some(Value::Flag(on)) => *on,
            None => false,
            Some(other) => unreachable!("{env} is {other:?}, not a switch"),
        }
    }

    /// A whole number, a size in bytes or a duration in seconds; 0 when unset.
    pub fn number(&self, env: &'static str) -> u64 {
        match self.value(env) {
            Some(Value::Number(number)) => *number,
            None => 0,
            Some(other) => unreachable!("{env} is {other:?}, not a number"),
        }
    }

    /// A list; empty when unset.
    pub fn list(&self, env: &'static str) -> &[String] {
        match self.value(env) {
            Some(Value::List(items)) => items,
            None => &[],
            Some(other) => unreachable!("{env} is {other:?}, not a list"),
        }
    }

    /// A secret; `None` when unset.
    pub fn secret(&self, env: &'static str) -> Option<Secret> {
        self.text(env).map(Secret::new)
    }

    /// Remarks for the log: reserved names that are set.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// `NAME=value (origin)` per setting, secrets masked.
    pub fn print(&self) -> Vec<String> {
        self.registry
            .settings
            .iter()
            .map(|setting| match self.values.get(setting.env) {
                None => format!("{} is unset", setting.env),
                Some((value, origin)) => {
                    let shown = if setting.secret { "********".to_owned() } else { value.to_string() };
                    let from = match origin {
                        Origin::Default => "default".to_owned(),
                        Origin::Environment(name) | Origin::File(name) => format!("from {name}"),
                    };
                    format!("{}={shown} ({from})", setting.env)
                }
            })
            .collect()
    }
}

/// Edit distance (Levenshtein), to name the nearest known setting.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
