//! Creating, cancelling and reading runs.

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::{Actor, AppState, announce_work};
use serde_json::json;
use uuid::Uuid;

use super::model::{CreatedRun, NewRun, Run, Target, TaskRef};
use super::{TASKS_CANCEL_ANY, TASKS_READ, TASKS_RUN, store};

/// Creates a run and tells connected agents when `tx` commits. The caller has checked who may do this, and appends the
/// audit event. Hosts that are deleted or of another organisation are left out; a run without any is completed at once.
///
/// # Errors
/// Whatever the database says.
pub async fn create_run(
    tx: &mut Tx<'_>,
    new: &NewRun,
    now: DateTime<Utc>,
) -> Result<CreatedRun, sqlx::Error> {
    let run_id = new_id();
    store::insert_run(tx, run_id, new, now).await?;
    let task_ids: Vec<Uuid> = new.host_ids.iter().map(|_| new_id()).collect();
    let targets = store::insert_targets(tx, run_id, new.org_id, &new.host_ids, &task_ids).await?;
    if targets.is_empty() {
        store::close_runs(tx, &[run_id], now).await?;
    }
    let hosts: Vec<Uuid> = targets.iter().map(|(host_id, _)| *host_id).collect();
    announce_work(tx, &hosts).await?;
    Ok(CreatedRun { run_id, targets })
}

/// The task with this id, if it is one of the agent's host.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn task_of_agent(pool: &Pool, task_id: Uuid, agent_id: &str) -> Result<Option<TaskRef>, Problem> {
    let found = store::reading::of_agent(pool, task_id, agent_id).await.map_err(Problem::internal)?;
    Ok(found.map(|(host_id, org_id, kind, status)| TaskRef {
        host_id,
        org_id,
        kind,
        is_open: matches!(status.as_str(), "running" | "cancelling"),
    }))
}

/// Cancels a run: what has not started at once, what runs as soon as its agent says so or does not answer for two minutes.
///
/// # Errors
/// `forbidden` without `tasks.run`, and for runs of others without `tasks.cancel_any`; `not_found`; `out_of_scope` when
/// the run has hosts the actor cannot see; `wrong_state` when it has ended.
pub async fn cancel_run(state: &AppState, actor: &Actor, run_id: Uuid) -> Result<(), Problem> {
    let mut grant = actor.grant(&TASKS_RUN)?;
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock_runs(&mut tx, &[run_id]).await.map_err(Problem::internal)?;
    let run = store::reading::find_run(&mut *tx, &grant, run_id).await.map_err(Problem::internal)?;
    let run = run.ok_or_else(absent)?;
    if run.creator_id != Some(actor.user_id) {
        grant = grant.and(&actor.grant(&TASKS_CANCEL_ANY)?);
    }
    let beyond = store::reading::count_beyond(&mut tx, &grant, run_id).await.map_err(Problem::internal)?;
    if beyond > 0 {
        let detail = format!("the run has {beyond} hosts that you cannot see");
        return Err(Problem::new(ProblemKind::Forbidden, "out_of_scope", detail));
    }
    if run.completed_at.is_some() {
        return Err(Problem::wrong_state("the run has ended"));
    }
    let hosts = store::cancel_targets(&mut tx, run_id, now).await.map_err(Problem::internal)?;
    store::close_runs(&mut tx, &[run_id], now).await.map_err(Problem::internal)?;
    announce_work(&mut tx, &hosts).await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "task.cancelled", "task_run")
        .on(run_id)
        .summary(format!("cancelled a {} run", run.kind))
        .change(Some(json!({ "status": run.status })), None);
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Cancels everything that waits for a host or runs on it, because the host is being deleted: its agent is gone and says
/// nothing more.
///
/// # Errors
/// `internal` when the database fails.
pub async fn cancel_for_host(tx: &mut Tx<'_>, host_id: Uuid, now: DateTime<Utc>) -> Result<(), Problem> {
    let runs = store::open_runs_of(tx, host_id).await.map_err(Problem::internal)?;
    if runs.is_empty() {
        return Ok(());
    }
    store::lock_runs(tx, &runs).await.map_err(Problem::internal)?;
    store::end_targets_of(tx, host_id, now).await.map_err(Problem::internal)?;
    go_on(tx, &runs, now).await.map_err(Problem::internal)
}

/// A run with its hosts.
pub(super) async fn find_run(
    pool: &Pool,
    actor: &Actor,
    run_id: Uuid,
) -> Result<(Run, Vec<Target>), Problem> {
    let grant = actor.grant(&TASKS_READ)?;
    let run = store::reading::find_run(pool, &grant, run_id).await.map_err(Problem::internal)?;
    let run = run.ok_or_else(absent)?;
    let targets = store::reading::targets(pool, &grant, run_id).await.map_err(Problem::internal)?;
    Ok((run, targets))
}

/// Runs of a host, newest first.
pub(super) async fn runs_of_host(
    pool: &Pool,
    actor: &Actor,
    host_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<(Run, Target)>, Problem> {
    let grant = actor.grant(&TASKS_READ)?;
    store::reading::of_host(pool, &grant, host_id, before, limit)
        .await
        .map_err(Problem::internal)?
        .ok_or_else(|| Problem::not_found("host"))
}

/// The output of one host of a run.
pub(super) async fn output(
    pool: &Pool,
    actor: &Actor,
    run_id: Uuid,
    host_id: Uuid,
) -> Result<String, Problem> {
    let grant = actor.grant(&TASKS_READ)?;
    store::reading::output(pool, &grant, run_id, host_id).await.map_err(Problem::internal)?.ok_or_else(absent)
}

/// Ends runs whose targets have all ended, and tells the hosts whose turn it is in the others. The runs must be locked.
pub(super) async fn go_on(tx: &mut Tx<'_>, run_ids: &[Uuid], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    store::close_runs(tx, run_ids, now).await?;
    let next = store::next_hosts(tx, run_ids).await?;
    announce_work(tx, &next).await
}

fn absent() -> Problem {
    Problem::not_found("task run")
}
