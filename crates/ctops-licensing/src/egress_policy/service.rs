//! Reading and changing the policy.

use std::collections::BTreeSet;

use ctops_base::{FieldProblem, Problem};
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
    let grant = actor.grant(&EGRESS_MANAGE)?;
    let (wanted, now) = (check(wanted)?, state.clock.now());
    let before = store::find(&state.pool, &grant).await.map_err(Problem::internal)?;
    if before == wanted {
        return Ok(wanted);
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
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
        let note = entry.note.trim().to_owned();
        if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
            refuse(
                format!("targets.{at}.note"),
                "invalid",
                format!("is one line of at most {MAX_NOTE} characters"),
            );
        }
        match Target::parse(&entry.target) {
            Err(error) => refuse(format!("targets.{at}.target"), error.code(), error.to_string()),
            Ok(target) if seen.insert(target.to_string()) => {
                targets.push(Entry { target: target.to_string(), note });
            }
            Ok(_) => refuse(format!("targets.{at}.target"), "duplicate", "is listed twice".into()),
        }
    }
    targets.sort_by(|a, b| a.target.cmp(&b.target));
    if problems.is_empty() {
        Ok(Wanted { mode: wanted.mode, targets })
    } else {
        Err(Problem::invalid(problems))
    }
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
