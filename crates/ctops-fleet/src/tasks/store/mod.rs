//! Statements on `task_runs`, `task_targets` and `task_output`.

pub(super) mod progress;
pub(super) mod reading;

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::{NewRun, OpenTarget, START_WITHIN, TASKS_PER_AGENT};

/// Adds a run without targets.
pub(super) async fn insert_run(
    tx: &mut Tx<'_>,
    run_id: Uuid,
    new: &NewRun,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO task_runs (id, org_id, kind, config_json, max_parallel, created_by, created_at, start_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(run_id)
    .bind(new.org_id)
    .bind(&new.kind)
    .bind(&new.config_json)
    .bind(i32::from(new.max_parallel))
    .bind(new.created_by)
    .bind(now)
    .bind(now + START_WITHIN)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Adds targets with these ids for those of the hosts that the organisation has. Returns host and task.
pub(super) async fn insert_targets(
    tx: &mut Tx<'_>,
    run_id: Uuid,
    org_id: Uuid,
    host_ids: &[Uuid],
    task_ids: &[Uuid],
) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "INSERT INTO task_targets (id, run_id, org_id, host_id, position)
         SELECT wanted.id, $1, $2, hosts.id, wanted.position
         FROM UNNEST($3::uuid[], $4::uuid[]) WITH ORDINALITY AS wanted (host_id, id, position)
         JOIN hosts ON hosts.id = wanted.host_id AND hosts.org_id = $2 AND hosts.deleted_at IS NULL
         ORDER BY wanted.position
         RETURNING host_id, id",
    )
    .bind(run_id)
    .bind(org_id)
    .bind(host_ids)
    .bind(task_ids)
    .fetch_all(&mut **tx)
    .await
}

/// Targets of these hosts that have not ended, oldest first.
pub(super) async fn open_targets(pool: &Pool, host_ids: &[Uuid]) -> Result<Vec<OpenTarget>, sqlx::Error> {
    sqlx::query_as(
        "SELECT t.id, t.run_id, t.host_id, t.status, r.kind, r.config_json
         FROM task_targets t
         JOIN task_runs r ON r.id = t.run_id
         WHERE t.host_id = ANY($1) AND t.status IN ('pending', 'running', 'cancelling')
         ORDER BY t.id",
    )
    .bind(host_ids)
    .fetch_all(pool)
    .await
}

/// Locks runs, so that nobody else claims, ends or cancels their targets.
pub(super) async fn lock_runs(tx: &mut Tx<'_>, run_ids: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT id FROM task_runs WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(run_ids)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Marks pending targets as running, as far as their runs and their hosts have room. The runs must be locked.
pub(super) async fn claim(
    tx: &mut Tx<'_>,
    run_ids: &[Uuid],
    host_ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<OpenTarget>, sqlx::Error> {
    sqlx::query_as(
        "WITH busy_runs AS (
             SELECT run_id, count(*) AS running
             FROM task_targets
             WHERE run_id = ANY($1) AND status IN ('running', 'cancelling')
             GROUP BY run_id
         ), busy_hosts AS (
             SELECT host_id, count(*) AS running
             FROM task_targets
             WHERE host_id = ANY($2) AND status IN ('running', 'cancelling')
             GROUP BY host_id
         ), waiting AS (
             SELECT t.id, t.run_id, t.host_id,
                    row_number() OVER (PARTITION BY t.run_id ORDER BY t.position) AS place_in_run,
                    row_number() OVER (PARTITION BY t.host_id ORDER BY t.id) AS place_on_host
             FROM task_targets t
             WHERE t.run_id = ANY($1) AND t.host_id = ANY($2) AND t.status = 'pending'
         ), claimed AS (
             UPDATE task_targets t
             SET status = 'running', started_at = $3
             FROM waiting w
             JOIN task_runs r ON r.id = w.run_id AND r.status IN ('pending', 'running')
             LEFT JOIN busy_runs ON busy_runs.run_id = w.run_id
             LEFT JOIN busy_hosts ON busy_hosts.host_id = w.host_id
             WHERE t.id = w.id AND t.status = 'pending'
               AND (r.max_parallel = 0 OR COALESCE(busy_runs.running, 0) + w.place_in_run <= r.max_parallel)
               AND COALESCE(busy_hosts.running, 0) + w.place_on_host <= $4
             RETURNING t.id, t.run_id, t.host_id, t.status, r.kind, r.config_json
         ), started AS (
             UPDATE task_runs
             SET status = 'running', started_at = $3
             WHERE status = 'pending' AND id IN (SELECT run_id FROM claimed)
         )
         SELECT id, run_id, host_id, status, kind, config_json FROM claimed ORDER BY id",
    )
    .bind(run_ids)
    .bind(host_ids)
    .bind(now)
    .bind(TASKS_PER_AGENT)
    .fetch_all(&mut **tx)
    .await
}

/// Skips pending targets. Their runs must be locked.
pub(super) async fn skip(
    tx: &mut Tx<'_>,
    task_ids: &[Uuid],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE task_targets
         SET status = 'skipped', skip_reason = $2, completed_at = $3
         WHERE id = ANY($1) AND status = 'pending'",
    )
    .bind(task_ids)
    .bind(reason)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Cancels what has not started and asks what runs to stop. Returns the hosts of the latter.
pub(super) async fn cancel_targets(
    tx: &mut Tx<'_>,
    run_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH changed AS (
             UPDATE task_targets
             SET status = CASE status WHEN 'pending' THEN 'cancelled' ELSE 'cancelling' END,
                 cancel_requested_at = $2,
                 completed_at = CASE status WHEN 'pending' THEN $2 END
             WHERE run_id = $1 AND status IN ('pending', 'running')
             RETURNING host_id, status
         ), run AS (
             UPDATE task_runs SET status = 'cancelling' WHERE id = $1 AND completed_at IS NULL
         )
         SELECT host_id FROM changed WHERE status = 'cancelling'",
    )
    .bind(run_id)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}

/// Runs with something open on a host.
pub(super) async fn open_runs_of(tx: &mut Tx<'_>, host_id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT run_id
         FROM task_targets
         WHERE host_id = $1 AND status IN ('pending', 'running', 'cancelling')",
    )
    .bind(host_id)
    .fetch_all(&mut **tx)
    .await
}

/// Ends what is open on a host that is deleted. Its runs must be locked.
pub(super) async fn end_targets_of(
    tx: &mut Tx<'_>,
    host_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE task_targets
         SET status = 'cancelled', error = 'the host was deleted', completed_at = $2
         WHERE host_id = $1 AND status IN ('pending', 'running', 'cancelling')",
    )
    .bind(host_id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Ends those of the runs whose targets have all ended: failed before cancelled before completed (wire contract 6.2).
/// The runs must be locked.
pub(super) async fn close_runs(
    tx: &mut Tx<'_>,
    run_ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE task_runs r
         SET status = CASE WHEN s.failed THEN 'failed' WHEN s.cancelled THEN 'cancelled' ELSE 'completed' END,
             completed_at = $2
         FROM (
             SELECT runs.id AS run_id,
                    COALESCE(bool_or(t.status = 'failed'), false) AS failed,
                    COALESCE(bool_or(t.status = 'cancelled'), false) AS cancelled,
                    COALESCE(bool_or(t.status IN ('pending', 'running', 'cancelling')), false) AS open
             FROM task_runs runs
             LEFT JOIN task_targets t ON t.run_id = runs.id
             WHERE runs.id = ANY($1)
             GROUP BY runs.id
         ) s
         WHERE r.id = s.run_id AND NOT s.open AND r.completed_at IS NULL",
    )
    .bind(run_ids)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Connected hosts whose turn it is now in runs with a bound: as many as each run has room for.
pub(super) async fn next_hosts(tx: &mut Tx<'_>, run_ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT next.host_id
         FROM task_runs r
         CROSS JOIN LATERAL (
             SELECT count(*) AS running
             FROM task_targets b
             WHERE b.run_id = r.id AND b.status IN ('running', 'cancelling')
         ) busy
         CROSS JOIN LATERAL (
             SELECT t.host_id
             FROM task_targets t
             JOIN agents a ON a.host_id = t.host_id
             JOIN agent_leases l ON l.agent_id = a.id
             WHERE t.run_id = r.id AND t.status = 'pending'
             ORDER BY t.position
             LIMIT GREATEST(r.max_parallel - busy.running, 0)
         ) next
         WHERE r.id = ANY($1) AND r.max_parallel > 0 AND r.status IN ('pending', 'running')",
    )
    .bind(run_ids)
    .fetch_all(&mut **tx)
    .await
}
