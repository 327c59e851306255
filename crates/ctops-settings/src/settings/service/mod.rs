//! Reading and saving pages.

mod transfer;

use chrono::{DateTime, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::settings::document::effective;
use ctops_slice::settings::{Document, Effective, PageInfo, seal_name};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::{Value, json};

use super::model::{self, KeyChange, Plan};
use super::pages::{Pages, ServedPage};
use super::store::{self, PastSave, Save, SecretMark, StoredPage};

pub(super) use transfer::{Export, Imported, export, import};

/// Entries of the history in one answer.
pub(super) const HISTORY_LIMIT: i64 = 20;

/// A page as one person sees it.
pub(super) struct PageView {
    /// The page.
    pub(super) info: PageInfo,
    /// Whether this person may change it.
    pub(super) writable: bool,
    /// What is stored.
    pub(super) stored: StoredPage,
    /// What counts.
    pub(super) effective: Effective,
    /// Secrets that are set.
    pub(super) secrets: Vec<SecretMark>,
}

/// Pages this person may see, with the version of each.
pub(super) async fn list(
    state: &AppState,
    actor: &Actor,
    pages: &Pages,
) -> Result<Vec<(PageInfo, bool, i64)>, Problem> {
    let Some(first) = pages.visible(actor).next() else { return Err(Problem::forbidden()) };
    let stored = store::all(&state.pool, &actor.grant(first.info.read)?).await.map_err(Problem::internal)?;
    let version =
        |name: &str| stored.iter().find(|(page, _)| page == name).map_or(0, |(_, page)| page.version);
    let view = |page: &ServedPage| (page.info, actor.grant(page.info.write).is_ok(), version(page.info.name));
    Ok(pages.visible(actor).map(view).collect())
}

/// One page.
pub(super) async fn view(
    state: &AppState,
    actor: &Actor,
    pages: &Pages,
    name: &str,
) -> Result<PageView, Problem> {
    let page = pages.find(name)?;
    let grant = actor.grant(page.info.read)?;
    let stored = store::find(&state.pool, &grant, name).await.map_err(Problem::internal)?;
    let secrets = store::secrets(&state.pool, &grant, name).await.map_err(Problem::internal)?;
    let effective = effective(&page.info, &stored.document, pages.overrides());
    let writable = actor.grant(page.info.write).is_ok();
    Ok(PageView { info: page.info, writable, stored, effective, secrets })
}

/// Saves the keys that `input` names. `seen` is the version the person saw.
pub(super) async fn save(
    state: &AppState,
    actor: &Actor,
    pages: &Pages,
    name: &str,
    seen: Option<i64>,
    input: &Document,
) -> Result<PageView, Problem> {
    let page = pages.find(name)?;
    let grant = actor.grant(page.info.write)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let stored = store::find(&mut *tx, &grant, name).await.map_err(Problem::internal)?;
    refuse_stale(&stored, seen)?;
    let plan = model::plan(&page.info, &stored.document, input, pages.overrides())?;
    let saving = Saving { state, actor, grant: &grant, page, now: state.clock.now() };
    saving.write(&mut tx, &stored, &plan, "changed").await?;
    tx.commit().await.map_err(Problem::internal)?;
    view(state, actor, pages, name).await
}

/// Brings the document of an earlier version back as a new one. Secrets stay as they are.
pub(super) async fn restore(
    state: &AppState,
    actor: &Actor,
    pages: &Pages,
    name: &str,
    seen: Option<i64>,
    version: i64,
) -> Result<PageView, Problem> {
    let page = pages.find(name)?;
    let grant = actor.grant(page.info.write)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let stored = store::find(&mut *tx, &grant, name).await.map_err(Problem::internal)?;
    refuse_stale(&stored, seen)?;
    let past = store::history(&mut *tx, &grant, name, version, 1).await.map_err(Problem::internal)?;
    let past = past.into_iter().find(|past| past.version == version);
    let document = past.ok_or_else(|| Problem::not_found("version of this page"))?.document.0;
    let changes = model::differences(&page.info, &stored.document, &document, pages.overrides());
    let plan = Plan { document, secrets: Vec::new(), changes };
    let saving = Saving { state, actor, grant: &grant, page, now: state.clock.now() };
    saving.write(&mut tx, &stored, &plan, &format!("restored version {version} of")).await?;
    tx.commit().await.map_err(Problem::internal)?;
    view(state, actor, pages, name).await
}

/// One entry of a page's history.
pub(super) struct HistoryEntry {
    /// The save.
    pub(super) save: PastSave,
    /// What it changed, compared with the version before.
    pub(super) changes: Vec<KeyChange>,
}

/// The history of a page, newest first, from version `from` downwards; the second value is where the next part begins.
pub(super) async fn history(
    state: &AppState,
    actor: &Actor,
    pages: &Pages,
    name: &str,
    from: Option<i64>,
) -> Result<(Vec<HistoryEntry>, Option<i64>), Problem> {
    let page = pages.find(name)?;
    let grant = actor.grant(page.info.read)?;
    let saves = store::history(&state.pool, &grant, name, from.unwrap_or(i64::MAX), HISTORY_LIMIT + 1);
    let mut saves = saves.await.map_err(Problem::internal)?;
    let nothing = Document::new();
    let changes: Vec<_> = (0..saves.len())
        .map(|at| {
            let before = saves.get(at + 1).map_or(&nothing, |save| &save.document.0);
            model::differences(&page.info, before, &saves[at].document.0, pages.overrides())
        })
        .collect();
    let next = saves.get(usize::try_from(HISTORY_LIMIT).unwrap_or(usize::MAX)).map(|save| save.version);
    saves.truncate(usize::try_from(HISTORY_LIMIT).unwrap_or(usize::MAX));
    let entries = saves.into_iter().zip(changes).map(|(save, changes)| HistoryEntry { save, changes });
    Ok((entries.collect(), next))
}

fn refuse_stale(stored: &StoredPage, seen: Option<i64>) -> Result<(), Problem> {
    match seen {
        Some(seen) if seen != stored.version => Err(stale(stored.version)),
        _ => Ok(()),
    }
}

fn stale(version: i64) -> Problem {
    let detail = "somebody else saved this page since you opened it";
    Problem::new(ProblemKind::Stale, "version_conflict", detail).with_member("version", version.to_string())
}

/// One save of one page.
struct Saving<'a> {
    state: &'a AppState,
    actor: &'a Actor,
    grant: &'a Grant,
    page: &'a ServedPage,
    now: DateTime<Utc>,
}

impl Saving<'_> {
    /// Writes document, secrets, history and audit; does nothing when nothing changes.
    async fn write(
        &self,
        tx: &mut Tx<'_>,
        stored: &StoredPage,
        plan: &Plan,
        verb: &str,
    ) -> Result<(), Problem> {
        if plan.is_empty(&stored.document) {
            return Ok(());
        }
        let name = self.page.info.name;
        let by = (self.actor.user_id, self.now);
        let secrets: Vec<&str> = plan.secrets.iter().map(|(key, _)| key.name).collect();
        let save = Save {
            page: name,
            replaces: stored.version,
            document: &plan.document,
            secrets: &secrets,
            by: by.0,
            at: by.1,
        };
        if !store::save(tx, self.grant, &save).await.map_err(Problem::internal)? {
            return Err(stale(stored.version + 1));
        }
        // A page has one secret or two.
        for (key, secret) in &plan.secrets {
            let done = match secret {
                None => store::clear_secret(tx, self.grant, name, key.name).await,
                Some(text) => {
                    let sealed = seal_name(self.grant.org_id(), name, key.name);
                    let sealed = self.state.seal.seal(&sealed, text.as_bytes());
                    store::set_secret(tx, self.grant, (name, key.name), &sealed, by).await
                }
            };
            done.map_err(Problem::internal)?;
        }
        self.audit(tx, plan, verb).await
    }

    async fn audit(&self, tx: &mut Tx<'_>, plan: &Plan, verb: &str) -> Result<(), Problem> {
        let page = self.page.info;
        let side = |value: fn(&KeyChange) -> &Value| -> Document {
            plan.changes.iter().map(|change| (change.key.clone(), value(change).clone())).collect()
        };
        let (before, mut after) = (side(|change| &change.before), side(|change| &change.after));
        for (key, secret) in &plan.secrets {
            after.insert(format!("has_{}", key.name), json!(secret.is_some()));
        }
        let event = AuditEvent::by_actor(self.actor, self.page.changed, "settings_page")
            .on(page.name)
            .labelled(page.title)
            .summary(format!("{verb} the settings page {}", page.title))
            .change(Some(Value::Object(before)), Some(Value::Object(after)));
        audit::append(tx, &event, self.now).await.map_err(Problem::internal)
    }
}

/// A stored value that does not count, by page.
#[derive(Clone, Debug)]
pub(crate) struct PageFault {
    /// The page.
    pub(crate) page: String,
    /// The key.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) message: String,
}

/// What is stored and does not count, for the page about the system's health (settings 8).
pub(crate) async fn faults(pool: &Pool, grant: &Grant, pages: &Pages) -> Result<Vec<PageFault>, Problem> {
    let stored = store::all(pool, grant).await.map_err(Problem::internal)?;
    let mut faults = Vec::new();
    for (name, stored) in stored {
        let Ok(page) = pages.find(&name) else { continue };
        let found = effective(&page.info, &stored.document, pages.overrides());
        faults.extend(found.faults.into_iter().map(|fault| PageFault {
            page: name.clone(),
            key: fault.key,
            message: fault.message,
        }));
    }
    Ok(faults)
}

/// What counts on every page, without secrets, by page.
pub(crate) async fn stored_values(pool: &Pool, grant: &Grant, pages: &Pages) -> Result<Document, Problem> {
    let stored = store::all(pool, grant).await.map_err(Problem::internal)?;
    let nothing = StoredPage::default();
    let values = |page: &ServedPage| {
        let stored =
            stored.iter().find(|(name, _)| name == page.info.name).map_or(&nothing, |(_, page)| page);
        let found = effective(&page.info, &stored.document, pages.overrides());
        (page.info.name.to_owned(), Value::Object(found.values))
    };
    Ok(pages.all().iter().map(values).collect())
}
