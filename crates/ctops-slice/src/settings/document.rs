//! From what is stored to what counts: environment first, then stored values that are valid, then defaults
//! (settings 3, 8).

use std::collections::BTreeMap;

use ctops_base::FieldProblem;
use serde::Serialize;
use serde_json::{Map, Value};

use super::environment::Overrides;
use super::{PageInfo, SettingKey};

/// A page's document, by key.
pub type Document = Map<String, Value>;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody chose anything.
    Default,
    /// Somebody saved it.
    Stored,
    /// A variable of the environment fixes it.
    Environment,
}

/// A stored value that this release cannot use; the default counts instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFault {
    /// The key.
    pub key: String,
    /// What is wrong with it. Never holds the value.
    pub message: String,
}

/// What counts.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Value of every key that is not a secret.
    pub values: Document,
    /// Where each comes from.
    pub sources: BTreeMap<&'static str, Source>,
    /// What is stored and does not count.
    pub faults: Vec<StoredFault>,
}

/// What counts on `page`, given what is stored and what the environment fixes.
pub fn effective(page: &PageInfo, stored: &Document, overrides: &Overrides) -> Effective {
    let defaults = (page.defaults)();
    let mut found =
        Effective { values: defaults.clone(), sources: BTreeMap::new(), faults: unknown(page, stored) };
    for key in page.keys.iter().filter(|key| !key.is_secret()) {
        let (source, value) = choose(page, key, stored, overrides, &mut found.faults);
        found.sources.insert(key.name, source);
        if let Some(value) = value {
            found.values.insert(key.name.to_owned(), value.clone());
        }
    }
    // Keys may be acceptable each and not together. Those that are named fall back; when none of them is stored, all do.
    while let Err(fields) = (page.check)(&found.values) {
        let stored_keys = |found: &Effective| -> Vec<&'static str> {
            let is_stored = |(_, source): &(&&'static str, &Source)| **source == Source::Stored;
            found.sources.iter().filter(is_stored).map(|(name, _)| *name).collect()
        };
        let candidates = stored_keys(&found);
        let named: Vec<_> = candidates.iter().filter(|name| names(&fields, name)).copied().collect();
        let falling = if named.is_empty() { candidates } else { named };
        if falling.is_empty() {
            break;
        }
        for name in falling {
            fall_back(&mut found, &defaults, name, &fields);
        }
    }
    found
}

fn choose<'a>(
    page: &PageInfo,
    key: &SettingKey,
    stored: &'a Document,
    overrides: &'a Overrides,
    faults: &mut Vec<StoredFault>,
) -> (Source, Option<&'a Value>) {
    if let Some(fixed) = overrides.of(page.name, key.name) {
        return (Source::Environment, Some(&fixed.value));
    }
    match stored.get(key.name).filter(|_| !key.env_only) {
        None => (Source::Default, None),
        Some(value) => match key.kind.check(value) {
            Ok(()) => (Source::Stored, Some(value)),
            Err(misfit) => {
                faults.push(StoredFault { key: key.name.to_owned(), message: misfit.message });
                (Source::Default, None)
            }
        },
    }
}

fn unknown(page: &PageInfo, stored: &Document) -> Vec<StoredFault> {
    let known = |name: &str| page.keys.iter().any(|key| key.name == name && !key.is_secret());
    let fault =
        |key: &String| StoredFault { key: key.clone(), message: "is not known to this release".into() };
    stored.keys().filter(|name| !known(name)).map(fault).collect()
}

fn names(fields: &[FieldProblem], name: &str) -> bool {
    fields.iter().any(|field| field.path == name)
}

fn fall_back(found: &mut Effective, defaults: &Document, name: &'static str, fields: &[FieldProblem]) {
    let message = fields.iter().find(|field| field.path == name).or(fields.first());
    let message = message.map_or_else(|| "cannot be used".to_owned(), |field| field.message.clone());
    found.faults.push(StoredFault { key: name.to_owned(), message });
    found.sources.insert(name, Source::Default);
    if let Some(value) = defaults.get(name) {
        found.values.insert(name.to_owned(), value.clone());
    }
}
