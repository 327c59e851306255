//! Bodies of settings pages.

use std::collections::HashMap;

use ctops_slice::Timestamp;
use ctops_slice::settings::{Document, KeyKind, PageInfo, Section, SettingKey, Source};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::model::KeyChange;
use super::super::service::{Export, HistoryEntry, Imported, PageView};

/// Pages this person may see.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsPageList)]
pub(in super::super) struct PageListBody {
    /// In the order of the navigation.
    pub(super) items: Vec<PageSummary>,
}

/// A page without values.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsPageSummary)]
pub(in super::super) struct PageSummary {
    /// Name in the API.
    name: &'static str,
    /// Title.
    title: &'static str,
    /// Place in the navigation.
    section: Section,
    /// Whether this person may change it.
    writable: bool,
    /// 0 when nothing was ever saved.
    version: i64,
    /// Its keys.
    keys: Vec<KeyBody>,
}

impl PageSummary {
    pub(super) fn new(info: &PageInfo, writable: bool, version: i64) -> Self {
        Self {
            name: info.name,
            title: info.title,
            section: info.section,
            writable,
            version,
            keys: keys_of(info),
        }
    }
}

fn keys_of(info: &PageInfo) -> Vec<KeyBody> {
    let defaults = (info.defaults)();
    info.keys.iter().map(|key| KeyBody::new(key, &defaults)).collect()
}

/// Type, range, default and reach of a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsKey)]
pub(in super::super) struct KeyBody {
    /// Name in the document.
    name: &'static str,
    /// Label.
    title: &'static str,
    /// What it does.
    about: &'static str,
    /// `flag`, `integer`, `integers`, `text`, `long_text`, `list`, `choice`, `choices` or `secret`.
    r#type: &'static str,
    /// Whether null is a value of its own.
    optional: bool,
    /// Smallest number, or fewest characters.
    least: Option<i64>,
    /// Largest number, or most characters.
    most: Option<i64>,
    /// Words to choose from.
    choices: Option<Vec<&'static str>>,
    /// Most entries of a list.
    most_items: Option<usize>,
    /// Value where nobody chose anything; null for secrets.
    #[schema(value_type = Value)]
    default: Value,
    /// `install`, `organisation`, `team` or `host`.
    #[schema(value_type = String)]
    scope: ctops_slice::settings::KeyScope,
    /// Whether a change acts only after a restart.
    restart: bool,
    /// Variable of the environment that can fix it.
    env: Option<&'static str>,
    /// Whether only that variable can set it.
    env_only: bool,
}

impl KeyBody {
    fn new(key: &SettingKey, defaults: &Document) -> Self {
        let (kind, optional) = match key.kind {
            KeyKind::Optional(inner) => (*inner, true),
            kind => (kind, false),
        };
        let (least, most) = bounds(&kind);
        Self {
            name: key.name,
            title: key.title,
            about: key.about,
            r#type: kind.name(),
            optional,
            least,
            most,
            choices: match kind {
                KeyKind::Choice(words) | KeyKind::Choices(words) => Some(words.to_vec()),
                _ => None,
            },
            most_items: match kind {
                KeyKind::List { items, .. } | KeyKind::Integers { items, .. } => Some(items),
                _ => None,
            },
            default: defaults.get(key.name).cloned().unwrap_or_default(),
            scope: key.scope,
            restart: key.restart,
            env: key.env,
            env_only: key.env_only,
        }
    }
}

fn bounds(kind: &KeyKind) -> (Option<i64>, Option<i64>) {
    let count = |number: usize| i64::try_from(number).ok();
    match *kind {
        KeyKind::Integer { least, most } | KeyKind::Integers { least, most, .. } => (Some(least), Some(most)),
        KeyKind::Text { least, most } => (count(least), count(most)),
        KeyKind::LongText { most } | KeyKind::List { chars: most, .. } | KeyKind::Secret { most } => {
            (None, count(most))
        }
        _ => (None, None),
    }
}

/// A page with its values.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsPage)]
pub(in super::super) struct PageBody {
    #[serde(flatten)]
    page: PageSummary,
    /// Value of every key that is not a secret.
    #[schema(value_type = HashMap<String, Value>)]
    values: Document,
    /// Where each value comes from: `default`, `stored` or `environment`.
    #[schema(value_type = HashMap<String, String>)]
    sources: HashMap<&'static str, Source>,
    /// Secrets that are set.
    secrets: HashMap<String, SecretBody>,
    /// Stored values that cannot be used; the default counts.
    faults: Vec<FaultBody>,
    /// Last save.
    updated_at: Option<Timestamp>,
    /// Who saved it.
    updated_by: Option<PersonBody>,
}

/// A secret that is set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsSecret)]
pub(in super::super) struct SecretBody {
    /// When.
    set_at: Timestamp,
    /// By whom, if they still exist.
    set_by: Option<String>,
}

/// A stored value that cannot be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsFault)]
pub(in super::super) struct FaultBody {
    /// The key.
    key: String,
    /// What is wrong.
    message: String,
}

/// Somebody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsPerson)]
pub(in super::super) struct PersonBody {
    id: Uuid,
    name: String,
}

impl PageBody {
    pub(super) fn new(view: &PageView) -> Self {
        let secret = |mark: &super::super::store::SecretMark| {
            (mark.name.clone(), SecretBody { set_at: mark.set_at.into(), set_by: mark.set_by_name.clone() })
        };
        let faults = view.effective.faults.iter();
        Self {
            page: PageSummary::new(&view.info, view.writable, view.stored.version),
            values: view.effective.values.clone(),
            sources: view.effective.sources.iter().map(|(name, source)| (*name, *source)).collect(),
            secrets: view.secrets.iter().map(secret).collect(),
            faults: faults
                .map(|fault| FaultBody { key: fault.key.clone(), message: fault.message.clone() })
                .collect(),
            updated_at: view.stored.updated_at.map(Timestamp),
            updated_by: view.stored.updated_by.clone().map(|(id, name)| PersonBody { id, name }),
        }
    }
}

/// A part of a page's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsHistory)]
pub(in super::super) struct HistoryBody {
    /// Newest first.
    pub(super) items: Vec<PastSaveBody>,
    /// Where the next part begins.
    pub(super) next_cursor: Option<String>,
}

/// One save.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsPastSave)]
pub(in super::super) struct PastSaveBody {
    /// Version it made.
    version: i64,
    /// When.
    at: Timestamp,
    /// Who, if they still exist.
    by: Option<PersonBody>,
    /// What it changed.
    changes: Vec<ChangeBody>,
    /// Secrets it set or cleared.
    secrets: Vec<String>,
}

/// One key before and after.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsChange)]
pub(in super::super) struct ChangeBody {
    /// The page, in imports.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// The key.
    key: String,
    /// What counted before.
    #[schema(value_type = Value)]
    before: Value,
    /// What counts then.
    #[schema(value_type = Value)]
    after: Value,
}

impl ChangeBody {
    fn new(page: Option<String>, change: KeyChange) -> Self {
        Self { page, key: change.key, before: change.before, after: change.after }
    }
}

impl From<HistoryEntry> for PastSaveBody {
    fn from(entry: HistoryEntry) -> Self {
        let by = entry.save.updated_by.zip(entry.save.updated_by_name);
        Self {
            version: entry.save.version,
            at: entry.save.updated_at.into(),
            by: by.map(|(id, name)| PersonBody { id, name }),
            changes: entry.changes.into_iter().map(|change| ChangeBody::new(None, change)).collect(),
            secrets: entry.save.secrets,
        }
    }
}

/// What to bring back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettingsRestore)]
pub(in super::super) struct RestoreInput {
    /// Version from the history.
    pub(super) version: i64,
}

/// An export.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsExport)]
pub(in super::super) struct ExportBody {
    /// Always `ct-ops-settings`.
    format: &'static str,
    /// Always 1.
    version: u32,
    /// When.
    exported_at: Timestamp,
    /// Values that were chosen, by page.
    #[schema(value_type = HashMap<String, Value>)]
    pages: Document,
}

impl From<Export> for ExportBody {
    fn from(export: Export) -> Self {
        Self { format: "ct-ops-settings", version: 1, exported_at: export.at.into(), pages: export.pages }
    }
}

/// An export to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettingsImportInput)]
pub(in super::super) struct ImportInput {
    /// The export.
    #[schema(value_type = HashMap<String, Value>)]
    pub(super) document: Document,
    /// Only say what would change.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// What an import did or would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsImport)]
pub(in super::super) struct ImportBody {
    /// Whether it was done.
    applied: bool,
    /// The changes.
    changes: Vec<ChangeBody>,
    /// What is wrong with the file, by `page.key`.
    faults: Vec<FaultBody>,
}

impl From<Imported> for ImportBody {
    fn from(done: Imported) -> Self {
        let changes = done.changes.into_iter();
        let faults = done.faults.into_iter();
        Self {
            applied: done.applied,
            changes: changes.map(|change| ChangeBody::new(Some(change.page), change.change)).collect(),
            faults: faults.map(|fault| FaultBody { key: fault.path, message: fault.message }).collect(),
        }
    }
}
