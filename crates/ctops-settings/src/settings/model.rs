//! What a save does to a page: pure.

use ctops_base::{FieldProblem, Problem, ProblemKind};
use ctops_slice::settings::document::{Document, effective};
use ctops_slice::settings::{Effective, Overrides, PageInfo, SettingKey};
use serde_json::Value;

/// Largest document of a page, bytes of JSON (settings, Limits).
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// One key before and after.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeyChange {
    /// The key.
    pub(super) key: String,
    /// What counted before.
    pub(super) before: Value,
    /// What counts now.
    pub(super) after: Value,
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Plan {
    /// The document to store.
    pub(super) document: Document,
    /// Secrets to set, or to clear where there is none.
    pub(super) secrets: Vec<(&'static SettingKey, Option<String>)>,
    /// What changes for people.
    pub(super) changes: Vec<KeyChange>,
}

impl Plan {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self, stored: &Document) -> bool {
        self.secrets.is_empty() && self.document == *stored
    }
}

/// Applies `input` to what is stored: keys that are not named keep their value, `null` takes a key back to its default
/// and clears a secret. Stored values that this release cannot use stay unless they are named (settings 8).
pub(super) fn plan(
    page: &PageInfo,
    stored: &Document,
    input: &Document,
    overrides: &Overrides,
) -> Result<Plan, Problem> {
    refuse_unknown(page, input)?;
    refuse_fixed(page, input, overrides)?;
    let (mut document, mut secrets, mut wrong) = (stored.clone(), Vec::new(), Vec::new());
    for (name, value) in input {
        let Some(key) = page.key(name).filter(|key| !is_fixed(page, key, overrides)) else { continue };
        let outcome =
            if value.is_null() && key.kind.check(value).is_err() { Ok(()) } else { key.kind.check(value) };
        match outcome {
            Err(misfit) => {
                wrong.push(FieldProblem { path: name.clone(), code: misfit.code, message: misfit.message });
            }
            Ok(()) if key.is_secret() => secrets.push((key, value.as_str().map(str::to_owned))),
            Ok(()) if value.is_null() && key.kind.check(value).is_err() => {
                document.remove(name);
            }
            Ok(()) => {
                document.insert(name.clone(), value.clone());
            }
        }
    }
    if wrong.is_empty()
        && let Err(fields) = (page.check)(&complete(page, &document, overrides))
    {
        wrong = fields;
    }
    if !wrong.is_empty() {
        return Err(Problem::invalid(wrong));
    }
    if Value::Object(document.clone()).to_string().len() > MAX_DOCUMENT_BYTES {
        let detail = format!("the page has more than {MAX_DOCUMENT_BYTES} bytes");
        return Err(Problem::new(ProblemKind::TooLarge, "payload_too_large", detail));
    }
    let changes = differences(page, stored, &document, overrides);
    Ok(Plan { document, secrets, changes })
}

/// What differs for people between two stored documents.
pub(super) fn differences(
    page: &PageInfo,
    before: &Document,
    after: &Document,
    overrides: &Overrides,
) -> Vec<KeyChange> {
    let of = |stored| effective(page, stored, overrides).values;
    let (before, after) = (of(before), of(after));
    let value = |document: &Document, key: &SettingKey| document.get(key.name).cloned().unwrap_or_default();
    let keys = page.keys.iter().filter(|key| !key.is_secret());
    let changes = keys.map(|key| KeyChange {
        key: key.name.to_owned(),
        before: value(&before, key),
        after: value(&after, key),
    });
    changes.filter(|change| change.before != change.after).collect()
}

/// The stored values that count, for exports: no secrets, nothing that the environment fixes, nothing broken.
pub(super) fn portable(found: &Effective) -> Document {
    let stored = found.sources.iter().filter(|(_, source)| **source == ctops_slice::settings::Source::Stored);
    stored.filter_map(|(name, _)| Some(((*name).to_owned(), found.values.get(*name)?.clone()))).collect()
}

fn is_fixed(page: &PageInfo, key: &SettingKey, overrides: &Overrides) -> bool {
    key.env_only || overrides.of(page.name, key.name).is_some()
}

fn refuse_unknown(page: &PageInfo, input: &Document) -> Result<(), Problem> {
    let unknown: Vec<FieldProblem> = input
        .keys()
        .filter(|name| page.key(name).is_none())
        .map(|name| FieldProblem {
            path: name.clone(),
            code: "unknown_field",
            message: format!("is not a key of the page {}", page.name),
        })
        .collect();
    match unknown.first() {
        None => Ok(()),
        Some(first) => {
            let detail = format!("unknown field {:?}", first.path);
            Err(Problem::new(ProblemKind::Invalid, "unknown_field", detail).with_fields(unknown))
        }
    }
}

/// What the environment fixes may be repeated, not changed.
fn refuse_fixed(page: &PageInfo, input: &Document, overrides: &Overrides) -> Result<(), Problem> {
    let found = effective(page, &Document::new(), overrides);
    for key in page.keys.iter().filter(|key| is_fixed(page, key, overrides)) {
        let Some(wanted) = input.get(key.name).filter(|wanted| found.values.get(key.name) != Some(wanted))
        else {
            continue;
        };
        let env = overrides
            .of(page.name, key.name)
            .map_or_else(|| key.env.unwrap_or_default().to_owned(), |fixed| fixed.env.clone());
        let detail = format!("{} is set by the variable {env} of the server's environment", key.name);
        tracing::debug!(
            key = key.name,
            is_null = wanted.is_null(),
            "a save names a key the environment fixes"
        );
        return Err(Problem::new(ProblemKind::Conflict, "set_by_environment", detail)
            .with_member("key", key.name)
            .with_member("env", env));
    }
    Ok(())
}

/// Defaults, then stored values that fit, then the environment; unlike [`effective`] nothing falls back because keys do
/// not fit together, so that a save is told about it.
fn complete(page: &PageInfo, document: &Document, overrides: &Overrides) -> Document {
    let mut all = (page.defaults)();
    for key in page.keys.iter().filter(|key| !key.is_secret()) {
        let fixed = overrides.of(page.name, key.name).map(|fixed| &fixed.value);
        let stored = document.get(key.name).filter(|value| !key.env_only && key.kind.check(value).is_ok());
        if let Some(value) = fixed.or(stored) {
            all.insert(key.name.to_owned(), value.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

    use ctops_slice::settings::AuthenticationSettings;
    use serde_json::json;

    use super::*;
    use crate::mail::SmtpRelay;

    fn document(value: Value) -> Document {
        value.as_object().cloned().unwrap()
    }

    fn save(stored: Value, input: Value) -> Result<Plan, Problem> {
        let overrides =
            Overrides::default().with("authentication", "session_max_days", "CT_OPS_SESSION_LIFETIME", 3);
        plan(&PageInfo::of::<AuthenticationSettings>(), &document(stored), &document(input), &overrides)
    }

    /// Spec: settings 2
    #[test]
    fn keys_that_are_not_named_stay_and_null_is_the_default() {
        let stored = json!({ "require_two_factor": true, "sso_only": true });
        let plan = save(stored, json!({ "require_two_factor": null, "password_min_length": 16 })).unwrap();
        assert_eq!(Value::Object(plan.document), json!({ "sso_only": true, "password_min_length": 16 }));
        let changed: Vec<_> = plan.changes.iter().map(|c| (c.key.as_str(), c.before.clone())).collect();
        assert_eq!(changed, [("require_two_factor", json!(true)), ("password_min_length", json!(12))]);
    }

    /// Spec: settings 3
    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        let problem =
            save(json!({}), json!({ "api_keys_max_days": 366, "session_idle_hours": 0 })).unwrap_err();
        assert_eq!(problem.code(), "validation_failed");
        let messages: Vec<_> =
            problem.fields().iter().map(|field| (field.path.as_str(), field.message.as_str())).collect();
        let expected =
            [("api_keys_max_days", "must be from 1 to 365"), ("session_idle_hours", "must be from 1 to 168")];
        assert_eq!(messages, expected);
        assert_eq!(save(json!({}), json!({ "colour": 1 })).unwrap_err().code(), "unknown_field");
    }

    /// Spec: settings 3
    #[test]
    fn keys_fixed_by_the_environment_are_locked() {
        for input in [json!({ "session_max_days": 7 }), json!({ "require_email_verification": false })] {
            assert_eq!(save(json!({}), input).unwrap_err().code(), "set_by_environment");
        }
        let same = save(json!({}), json!({ "session_max_days": 3, "sso_only": true })).unwrap();
        assert_eq!(Value::Object(same.document), json!({ "sso_only": true }));
    }

    /// Spec: settings 8
    #[test]
    fn stored_values_nobody_understands_survive_a_save() {
        let stored = json!({ "from_the_future": [1], "password_min_length": "long" });
        let plan = save(stored, json!({ "sso_only": true })).unwrap();
        let expected = json!({ "from_the_future": [1], "password_min_length": "long", "sso_only": true });
        assert_eq!(Value::Object(plan.document), expected);
    }

    /// Spec: settings 5
    #[test]
    fn secrets_are_set_and_cleared_explicitly_and_never_stored_in_the_document() {
        let page = PageInfo::of::<SmtpRelay>();
        let save = |input| plan(&page, &Document::new(), &document(input), &Overrides::default());
        let set = save(json!({ "password": "hunter2" })).unwrap();
        assert!(set.document.is_empty() && set.changes.is_empty());
        assert_eq!(set.secrets[0].1.as_deref(), Some("hunter2"));
        assert_eq!(save(json!({ "password": null })).unwrap().secrets[0].1, None);
        assert!(save(json!({ "host": "mail.example.com" })).unwrap().secrets.is_empty(), "absent keeps it");
        assert_eq!(save(json!({ "password": "" })).unwrap_err().code(), "validation_failed");
    }

    #[test]
    fn document_when_over_256_kib_is_refused() {
        let stored = json!({ "from_the_future": "x".repeat(MAX_DOCUMENT_BYTES) });
        assert_eq!(save(stored, json!({ "sso_only": true })).unwrap_err().code(), "payload_too_large");
    }
}
