//! Reading and changing the policy.

use std::collections::BTreeSet;

use ctops_base::{FieldProblem, Problem, ProblemKind};
use ctops_egress::{Mode, Target};
use ctops_pg::Pool;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};

use super::{EGRESS_MANAGE, EGRESS_READ, store};

/// Most entries of one organisation.
const MAX_TARGETS: usize = 200;
/// Longest note, characters.
const MAX_NOTE: usize = 200;

/// The policy as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) mode: String,
    pub(super) targets: Vec<Entry>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Entry {
    pub(super) target: String,
    pub(super) note: String,
}

pub(super) async fn find(pool: &Pool, actor: &Actor) -> Result<Wanted, Problem> {
    let grant = actor.grant(&EGRESS_READ)?;
    store::find(pool, &grant).await.map_err(Problem::internal)
}

pub(super) async fn replace(state: &AppState, actor: &Actor, wanted: Wanted) -> Result<Wanted, Problem> {
    let wanted = check(wanted)?;
    change(state, actor, |_| Ok(wanted)).await
}

/// Adds one entry; one that is there already keeps its note unless another is given.
pub(super) async fn add(state: &AppState, actor: &Actor, entry: Entry) -> Result<Wanted, Problem> {
    let (target, note) = check_entry("", &entry).map_err(Problem::invalid)?;
    change(state, actor, |mut policy| {
        let full = policy.targets.len() >= MAX_TARGETS;
        match policy.targets.iter_mut().find(|known| known.target == target) {
            Some(_) if note.is_empty() => {}
            Some(known) => known.note = note,
            None if full => {
                let detail = format!("an organisation has at most {MAX_TARGETS} internal targets");
                return Err(Problem::new(ProblemKind::Conflict, "limit_reached", detail));
            }
            None => policy.targets.push(Entry { target, note }),
        }
        policy.targets.sort_by(|a, b| a.target.cmp(&b.target));
        Ok(policy)
    })
    .await
}

/// Removes one entry.
pub(super) async fn remove(state: &AppState, actor: &Actor, target: &str) -> Result<(), Problem> {
    change(state, actor, |mut policy| {
        let before = policy.targets.len();
        policy.targets.retain(|entry| entry.target != target);
        if policy.targets.len() == before { Err(Problem::not_found("internal target")) } else { Ok(policy) }
    })
    .await
    .map(drop)
}

/// Changes the policy as it is now; others that change it wait.
async fn change(
    state: &AppState,
    actor: &Actor,
    work: impl FnOnce(Wanted) -> Result<Wanted, Problem>,
) -> Result<Wanted, Problem> {
    let grant = actor.grant(&EGRESS_MANAGE)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = store::lock(&mut tx, &grant).await.map_err(Problem::internal)?;
    let wanted = work(before.clone())?;
    if before == wanted {
        return Ok(wanted);
    }
    store::replace(&mut tx, &grant, actor.user_id, &wanted, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "egress.changed", "organisation")
        .on(grant.org_id())
        .summary("changed where outgoing connections may go")
        .change(Some(describe(&before)), Some(describe(&wanted)));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(wanted)
}

/// Checks every entry and writes it in its canonical form, sorted.
fn check(wanted: Wanted) -> Result<Wanted, Problem> {
    let mut problems = Vec::new();
    let mut refuse =
        |path: String, code, message: String| problems.push(FieldProblem { path, code, message });
    if Mode::parse(&wanted.mode).is_none() {
        refuse("mode".into(), "invalid", "must be internal, public-only or closed".into());
    }
    if wanted.targets.len() > MAX_TARGETS {
        refuse("targets".into(), "too_many", format!("has more than {MAX_TARGETS} entries"));
    }
    let (mut seen, mut targets) = (BTreeSet::new(), Vec::new());
    for (at, entry) in wanted.targets.iter().enumerate().take(MAX_TARGETS) {
        match check_entry(&format!("targets.{at}."), entry) {
            Err(found) => problems.extend(found),
            Ok((target, note)) if seen.insert(target.clone()) => targets.push(Entry { target, note }),
            Ok(_) => problems.push(FieldProblem {
                path: format!("targets.{at}.target"),
                code: "duplicate",
                message: "is listed twice".into(),
            }),
        }
    }
    targets.sort_by(|a, b| a.target.cmp(&b.target));
    if problems.is_empty() {
        Ok(Wanted { mode: wanted.mode, targets })
    } else {
        Err(Problem::invalid(problems))
    }
}

/// The entry in its canonical form, or what is wrong with it.
fn check_entry(place: &str, entry: &Entry) -> Result<(String, String), Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let note = entry.note.trim().to_owned();
    if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
        let message = format!("is one line of at most {MAX_NOTE} characters");
        problems.push(FieldProblem { path: format!("{place}note"), code: "invalid", message });
    }
    match Target::parse(&entry.target) {
        Ok(target) if problems.is_empty() => return Ok((target.to_string(), note)),
        Ok(_) => {}
        Err(error) => problems.push(FieldProblem {
            path: format!("{place}target"),
            code: error.code(),
            message: error.to_string(),
        }),
    }
    Err(problems)
}

fn describe(policy: &Wanted) -> Value {
    let targets: Vec<&str> = policy.targets.iter().map(|entry| entry.target.as_str()).collect();
    json!({"mode": policy.mode, "targets": targets})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn wanted(mode: &str, targets: &[&str]) -> Wanted {
        let entry = |target: &&str| Entry { target: (*target).to_owned(), note: String::new() };
        Wanted { mode: mode.into(), targets: targets.iter().map(entry).collect() }
    }

    /// Spec: security 8
    #[test]
    fn entries_are_checked_one_by_one_and_written_one_way() {
        let good = check(wanted("closed", &["Mail.Corp.Example", "10.1.0.0/16"])).unwrap();
        assert_eq!(good, wanted("closed", &["10.1.0.0/16", "mail.corp.example"]));
        let problem = check(wanted("open", &["0.0.0.0/0", "127.0.0.1", "a", "A"])).unwrap_err();
        let named: Vec<_> = problem.fields().iter().map(|field| (field.path.as_str(), field.code)).collect();
        assert_eq!(
            named,
            [
                ("mode", "invalid"),
                ("targets.0.target", "too_wide"),
                ("targets.1.target", "forbidden_target"),
                ("targets.3.target", "duplicate"),
            ]
        );
        let many: Vec<String> = (0..201).map(|n| format!("h{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(check(wanted("internal", &many)).unwrap_err().fields()[0].code, "too_many");
    }
}
