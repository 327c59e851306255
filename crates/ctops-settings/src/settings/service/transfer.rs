//! Export and import of all pages (settings 7). The file is JSON, which every reader of YAML 1.2 understands.

use chrono::{DateTime, Utc};
use ctops_base::{FieldProblem, Problem, ProblemKind};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::settings::document::effective;
use ctops_slice::settings::{Document, SETTINGS_READ, SETTINGS_WRITE};
use ctops_slice::{Actor, AppState};
use serde_json::Value;

use super::super::model::{self, KeyChange, Plan};
use super::super::pages::{Pages, ServedPage};
use super::super::store::{self, StoredPage};
use super::Saving;

/// First field of the file.
const FORMAT: &str = "ct-ops-settings";

/// An export.
pub(in super::super) struct Export {
    /// When.
    pub(in super::super) at: DateTime<Utc>,
    /// Values that were chosen, by page. No secrets.
    pub(in super::super) pages: Document,
}

/// One change an import makes or would make.
pub(in super::super) struct PageChange {
    /// The page.
    pub(in super::super) page: String,
    /// The key, before and after.
    pub(in super::super) change: KeyChange,
}

/// What an import did or would do.
pub(in super::super) struct Imported {
    /// Whether it was done.
    pub(in super::super) applied: bool,
    /// The changes.
    pub(in super::super) changes: Vec<PageChange>,
    /// What is wrong with the file; nothing is done then. Paths are `page.key`.
    pub(in super::super) faults: Vec<FieldProblem>,
}

/// Everything that was chosen on the pages this person may see.
pub(in super::super) async fn export(
    state: &AppState,
    actor: &Actor,
    pages: &Pages,
) -> Result<Export, Problem> {
    let (grant, at) = (actor.grant(&SETTINGS_READ)?, state.clock.now());
    let stored = store::all(&state.pool, &grant).await.map_err(Problem::internal)?;
    let mut found = Document::new();
    for page in pages.visible(actor) {
        let Some((name, stored)) = stored.iter().find(|(name, _)| name == page.info.name) else { continue };
        let values = model::portable(&effective(&page.info, &stored.document, pages.overrides()));
        if !values.is_empty() {
            found.insert(name.clone(), Value::Object(values));
        }
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "settings.exported", "organisation")
        .on(grant.org_id())
        .summary(format!("exported {} settings pages", found.len()));
    audit::append(&mut tx, &event, at).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(Export { at, pages: found })
}

/// Compares a file with what counts and, unless it is a dry run, saves it. All pages or none.
pub(in super::super) async fn import(
    state: &AppState,
    actor: &Actor,
    pages: &Pages,
    file: &Document,
    dry_run: bool,
) -> Result<Imported, Problem> {
    let grant = actor.grant(&SETTINGS_WRITE)?;
    let inputs = read_file(file)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let stored = store::all(&mut *tx, &grant).await.map_err(Problem::internal)?;
    let nothing = StoredPage::default();
    let (mut plans, mut faults) = (Vec::new(), Vec::new());
    for (name, input) in inputs {
        let stored = stored.iter().find(|(page, _)| page == name).map_or(&nothing, |(_, page)| page);
        match plan_page(actor, pages, name, stored, input) {
            Ok((page, plan)) => plans.push((page, stored, plan)),
            Err(problem) => faults.extend(faults_of(name, &problem)),
        }
    }
    let changes: Vec<PageChange> = plans
        .iter()
        .flat_map(|(page, _, plan)| {
            let of =
                |change: &KeyChange| PageChange { page: page.info.name.to_owned(), change: change.clone() };
            plan.changes.iter().map(of)
        })
        .collect();
    if dry_run {
        return Ok(Imported { applied: false, changes, faults });
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    for (page, stored, plan) in &plans {
        let grant = actor.grant(page.info.write)?;
        let saving = Saving { state, actor, grant: &grant, page, now: state.clock.now() };
        saving.write(&mut tx, stored, plan, "imported").await?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    Ok(Imported { applied: true, changes, faults })
}

fn plan_page<'a>(
    actor: &Actor,
    pages: &'a Pages,
    name: &str,
    stored: &StoredPage,
    input: &Document,
) -> Result<(&'a ServedPage, Plan), Problem> {
    let page = pages.find(name)?;
    actor.grant(page.info.write)?;
    if let Some(key) = page.info.keys.iter().find(|key| key.is_secret() && input.contains_key(key.name)) {
        return Err(Problem::invalid_field(key.name, "secret", "is a secret; set it on its page"));
    }
    Ok((page, model::plan(&page.info, &stored.document, input, pages.overrides())?))
}

fn read_file(file: &Document) -> Result<Vec<(&String, &Document)>, Problem> {
    let refused = |detail: &str| Problem::new(ProblemKind::Invalid, "not_an_export", detail);
    if file.get("format").and_then(Value::as_str) != Some(FORMAT)
        || file.get("version") != Some(&Value::from(1))
    {
        return Err(refused("the file is not an export of settings in version 1"));
    }
    let pages = file.get("pages").and_then(Value::as_object);
    let pages = pages.ok_or_else(|| refused("the file has no pages"))?;
    pages
        .iter()
        .map(|(name, page)| match page {
            Value::Object(document) => Ok((name, document)),
            _ => Err(refused("a page of the file is not a list of keys")),
        })
        .collect()
}

fn faults_of(page: &str, problem: &Problem) -> Vec<FieldProblem> {
    if problem.fields().is_empty() {
        let message = problem.detail().to_owned();
        return vec![FieldProblem { path: page.to_owned(), code: problem.code(), message }];
    }
    let fault = |field: &FieldProblem| FieldProblem {
        path: format!("{page}.{}", field.path),
        code: field.code,
        message: field.message.clone(),
    };
    problem.fields().iter().map(fault).collect()
}
