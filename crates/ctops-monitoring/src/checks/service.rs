//! Writing, running and reading checks.

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, Grant, announce_work};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Check, CheckResult, CheckedInput, MAX_CHECKS_PER_HOST, Secrets, Wanted};
use super::store::Row;
use super::{CHECKS_READ, CHECKS_SCRIPT, CHECKS_WRITE, store};
use crate::Deps;

/// Results shown with each check of a list (monitoring 22).
const SHOWN_WITH_LIST: i64 = 5;

/// What somebody wants to change; what is none stays.
#[derive(Default)]
pub(super) struct Change {
    pub(super) name: Option<String>,
    pub(super) interval_seconds: Option<i32>,
    pub(super) enabled: Option<bool>,
    /// JSON merge patch of the parameters (RFC 7396).
    pub(super) config: Option<Value>,
    /// The version the caller has seen.
    pub(super) version: Option<i32>,
}

/// Adds a check.
pub(super) async fn create(
    deps: &Deps,
    actor: &Actor,
    host_id: Uuid,
    kind: &str,
    wanted: Wanted,
) -> Result<Check, Problem> {
    let grant = may_write(actor, kind)?;
    let input = wanted.check(kind)?;
    let (id, now) = (new_id(), deps.clock.now());
    let secrets = input.secrets.seal(&deps.install_key, id)?;
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    if !store::lock_host(&mut tx, &grant, host_id).await.map_err(Problem::internal)? {
        return Err(Problem::not_found("host"));
    }
    if store::count(&mut tx, host_id).await.map_err(Problem::internal)? >= MAX_CHECKS_PER_HOST {
        return Err(Problem::wrong_state(format!("the host has {MAX_CHECKS_PER_HOST} checks already")));
    }
    let row = row(id, host_id, kind, &input, secrets.as_deref());
    store::insert(&mut tx, &grant, &row, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "check.created", "check")
        .on(id)
        .summary(format!("created check {}", input.name))
        .change(None, Some(described(&input)));
    finish(tx, host_id, &event, now).await?;
    find(deps, actor, id).await
}

/// Changes a check.
pub(super) async fn change(
    deps: &Deps,
    actor: &Actor,
    check_id: Uuid,
    change: Change,
) -> Result<Check, Problem> {
    let now = deps.clock.now();
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let (check, _) = lock(&mut tx, actor, check_id, change.version).await?;
    let kept = Secrets::open(&deps.install_key, check_id, check.secrets.as_deref())?;
    let mut config = check.config.clone();
    kept.put_into(&mut config);
    if let Some(patch) = change.config {
        merge(&mut config, patch);
        kept.keep_values(&mut config);
    }
    let wanted = Wanted {
        name: change.name.unwrap_or_else(|| check.name.clone()),
        interval_seconds: change.interval_seconds.unwrap_or(check.interval_seconds),
        enabled: change.enabled.unwrap_or(check.enabled),
        config,
    };
    let input = wanted.check(&check.kind)?;
    let secrets = input.secrets.seal(&deps.install_key, check_id)?;
    let row = row(check_id, check.host_id, &check.kind, &input, secrets.as_deref());
    store::update(&mut tx, &row, now).await.map_err(Problem::internal)?;
    let before = json!({
        "name": check.name, "config": check.config, "interval_seconds": check.interval_seconds,
        "enabled": check.enabled,
    });
    let event = AuditEvent::by_actor(actor, "check.changed", "check")
        .on(check_id)
        .summary(format!("changed check {}", input.name))
        .change(Some(before), Some(described(&input)));
    finish(tx, check.host_id, &event, now).await?;
    find(deps, actor, check_id).await
}

/// Deletes a check with its results.
pub(super) async fn delete(
    deps: &Deps,
    actor: &Actor,
    check_id: Uuid,
    version: Option<i32>,
) -> Result<(), Problem> {
    let now = deps.clock.now();
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let (check, _) = lock(&mut tx, actor, check_id, version).await?;
    store::delete(&mut tx, check_id, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "check.deleted", "check")
        .on(check_id)
        .summary(format!("deleted check {}", check.name));
    finish(tx, check.host_id, &event, now).await
}

/// Asks the agent to run a check once, now.
pub(super) async fn run(deps: &Deps, actor: &Actor, check_id: Uuid) -> Result<(), Problem> {
    let now = deps.clock.now();
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let (check, _) = lock(&mut tx, actor, check_id, None).await?;
    if !check.enabled {
        return Err(Problem::wrong_state("the check is not enabled"));
    }
    store::request_run(&mut tx, check_id, now).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "check.run", "check")
        .on(check_id)
        .summary(format!("asked for a run of check {}", check.name));
    finish(tx, check.host_id, &event, now).await
}

/// Removes all results of a check.
pub(super) async fn clear(deps: &Deps, actor: &Actor, check_id: Uuid) -> Result<(), Problem> {
    let now = deps.clock.now();
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let (check, _) = lock(&mut tx, actor, check_id, None).await?;
    store::clear_results(&mut tx, check_id).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "check.results_cleared", "check")
        .on(check_id)
        .summary(format!("cleared the results of check {}", check.name));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// One check.
pub(super) async fn find(deps: &Deps, actor: &Actor, check_id: Uuid) -> Result<Check, Problem> {
    let grant = actor.grant(&CHECKS_READ)?;
    store::find(&deps.pool, &grant, check_id).await.map_err(Problem::internal)?.ok_or_else(absent)
}

/// The checks of a host, each with its last results, newest first.
pub(super) async fn of_host(
    deps: &Deps,
    actor: &Actor,
    host_id: Uuid,
) -> Result<Vec<(Check, Vec<CheckResult>)>, Problem> {
    let grant = actor.grant(&CHECKS_READ)?;
    if !store::has_host(&deps.pool, &grant, host_id).await.map_err(Problem::internal)? {
        return Err(Problem::not_found("host"));
    }
    let checks = store::of_host(&deps.pool, &grant, host_id).await.map_err(Problem::internal)?;
    let ids: Vec<Uuid> = checks.iter().map(|check| check.id).collect();
    let latest = store::latest(&deps.pool, &ids, SHOWN_WITH_LIST).await.map_err(Problem::internal)?;
    let with_results = |check: Check| {
        let results = latest.iter().filter(|result| result.check_id == check.id).cloned().collect();
        (check, results)
    };
    Ok(checks.into_iter().map(with_results).collect())
}

/// The latest results of one check.
pub(super) async fn latest(deps: &Deps, check_id: Uuid) -> Result<Vec<CheckResult>, Problem> {
    store::latest(&deps.pool, &[check_id], SHOWN_WITH_LIST).await.map_err(Problem::internal)
}

/// Results of a check, newest first.
pub(super) async fn results(
    deps: &Deps,
    actor: &Actor,
    check_id: Uuid,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<CheckResult>, Problem> {
    find(deps, actor, check_id).await?;
    store::results(&deps.pool, check_id, before, limit).await.map_err(Problem::internal)
}

/// Scripts run whatever they say on the host, so they take a right of their own.
fn may_write(actor: &Actor, kind: &str) -> Result<Grant, Problem> {
    let grant = actor.grant(&CHECKS_WRITE)?;
    if kind == "script" {
        return Ok(grant.and(&actor.grant(&CHECKS_SCRIPT)?));
    }
    Ok(grant)
}

async fn lock(
    tx: &mut Tx<'_>,
    actor: &Actor,
    check_id: Uuid,
    version: Option<i32>,
) -> Result<(Check, Grant), Problem> {
    let grant = actor.grant(&CHECKS_WRITE)?;
    let check = store::lock(tx, &grant, check_id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    let grant_of_kind = may_write(actor, &check.kind)?;
    if grant_of_kind.scope() != grant.scope() {
        store::lock(tx, &grant_of_kind, check_id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    }
    if version.is_some_and(|version| version != check.version) {
        let detail = "somebody else changed the check in the meantime";
        return Err(Problem::new(ProblemKind::Stale, "version_conflict", detail));
    }
    Ok((check, grant))
}

/// Audits, tells the agent and commits.
async fn finish(
    mut tx: Tx<'_>,
    host_id: Uuid,
    event: &AuditEvent,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    audit::append(&mut tx, event, now).await.map_err(Problem::internal)?;
    announce_work(&mut tx, &[host_id]).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

fn row<'a>(
    id: Uuid,
    host_id: Uuid,
    kind: &'a str,
    input: &'a CheckedInput,
    secrets: Option<&'a [u8]>,
) -> Row<'a> {
    Row {
        id,
        host_id,
        name: &input.name,
        kind,
        config: &input.config,
        secrets,
        interval_seconds: input.interval_seconds,
        enabled: input.enabled,
    }
}

/// What the audit trail keeps: no secrets.
fn described(input: &CheckedInput) -> Value {
    json!({
        "name": input.name, "config": input.config, "interval_seconds": input.interval_seconds,
        "enabled": input.enabled,
    })
}

/// JSON merge patch (RFC 7396).
fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(&key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

fn absent() -> Problem {
    Problem::not_found("check")
}
