//! Scans that begin and end without a person, and what is forgotten.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use crate::software::model::{FIRST_PAUSE, LONGEST_PAUSE, SCANS_PER_MINUTE};

/// Takes the sweeper's turn until the transaction ends; false when another node has it.
pub(in crate::software) async fn take_turn(tx: &mut Tx<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('software_sweeper', 0))")
        .fetch_one(&mut **tx)
        .await
}

/// Online hosts whose next scan is due, at most what is left of each organisation's scans of this minute, those first
/// that wait longest (software-inventory 8).
pub(in crate::software) async fn due_hosts(
    tx: &mut Tx<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "WITH due AS (
             SELECT v.org_id, v.host_id,
                    row_number() OVER (PARTITION BY v.org_id
                                       ORDER BY x.last_complete_at NULLS FIRST, v.host_id) AS place
             FROM software_settings AS s
             JOIN host_vitals AS v ON v.org_id = s.org_id AND v.status = 'online'
             JOIN agents AS a ON a.host_id = v.host_id AND a.deleted_at IS NULL AND a.status IN ('active', 'offline')
             LEFT JOIN software_hosts AS x ON x.host_id = v.host_id
             WHERE s.enabled
               AND NOT EXISTS (SELECT 1 FROM software_scans AS o
                               WHERE o.host_id = v.host_id AND o.status IN ('pending', 'running'))
               AND (x.last_complete_at IS NULL
                    OR x.last_complete_at
                       + make_interval(secs => s.interval_hours * 3600
                                               * (1 + 0.1 * (hashtext(v.host_id::text) & 1023) / 1023.0)) <= $1)
               AND (COALESCE(x.failures, 0) = 0
                    OR x.last_failure_at
                       + make_interval(secs => LEAST($3 * power(2, LEAST(x.failures, 20) - 1), $4)) <= $1)
         )
         SELECT d.org_id, d.host_id
         FROM due AS d
         WHERE d.place <= $2 - (SELECT count(*) FROM software_scans AS r
                                WHERE r.org_id = d.org_id AND r.origin = 'schedule'
                                  AND r.requested_at > $1 - interval '1 minute')
         ORDER BY d.org_id, d.place",
    )
    .bind(now)
    .bind(SCANS_PER_MINUTE)
    .bind(FIRST_PAUSE.as_seconds_f64())
    .bind(LONGEST_PAUSE.as_seconds_f64())
    .fetch_all(&mut **tx)
    .await
}

/// Adds scans that wait for their agents. An open scan of the same host violates a unique index.
pub(in crate::software) async fn insert_scans(
    tx: &mut Tx<'_>,
    org_id: Uuid,
    run_id: Uuid,
    tasks: &[(Uuid, Uuid)],
    origin: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO software_scans (id, org_id, host_id, run_id, origin, status, requested_at)
         SELECT u.task_id, $1, u.host_id, $2, $5, 'pending', $6
         FROM UNNEST($3::uuid[], $4::uuid[]) AS u(host_id, task_id)",
    )
    .bind(org_id)
    .bind(run_id)
    .bind(tasks.iter().map(|(host_id, _)| *host_id).collect::<Vec<_>>())
    .bind(tasks.iter().map(|(_, task_id)| *task_id).collect::<Vec<_>>())
    .bind(origin)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Whether the host has a scan that has not ended.
pub(in crate::software) async fn has_open_scan(tx: &mut Tx<'_>, host_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM software_scans WHERE host_id = $1 AND status IN ('pending', 'running'))",
    )
    .bind(host_id)
    .fetch_one(&mut **tx)
    .await
}

/// Whether the host has an agent that may be given work.
pub(in crate::software) async fn has_agent(tx: &mut Tx<'_>, host_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM agents
                        WHERE host_id = $1 AND deleted_at IS NULL AND status IN ('active', 'offline'))",
    )
    .bind(host_id)
    .fetch_one(&mut **tx)
    .await
}

/// Ends scans that began too long ago, and those that wait for a task which has ended without them: skipped because the
/// agent is away, cancelled, or timed out. Returns their hosts.
pub(in crate::software) async fn expire(
    tx: &mut Tx<'_>,
    requested_before: DateTime<Utc>,
    started_before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE software_scans AS s
         SET status = 'failed', completed_at = $3,
             error = CASE WHEN s.status = 'pending' THEN 'the agent did not begin the scan'
                          ELSE 'the scan did not end in time' END
         WHERE (s.status = 'pending'
                AND (s.requested_at < $1
                     OR EXISTS (SELECT 1 FROM task_targets AS t WHERE t.id = s.id AND t.completed_at <= $3)))
            OR (s.status = 'running' AND s.started_at < $2)
         RETURNING s.host_id",
    )
    .bind(requested_before)
    .bind(started_before)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}

/// Ends open scans whose task the agent reports as finished without them; returns their hosts. The lists are as long as
/// each other.
pub(in crate::software) async fn fail_tasks(
    tx: &mut Tx<'_>,
    tasks: &[(Uuid, Uuid)],
    errors: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE software_scans AS s
         SET status = 'failed', completed_at = $4, error = u.error
         FROM UNNEST($1::uuid[], $2::uuid[], $3::text[]) AS u(host_id, task_id, error)
         WHERE s.id = u.task_id AND s.host_id = u.host_id AND s.status IN ('pending', 'running')
         RETURNING s.host_id",
    )
    .bind(tasks.iter().map(|(host_id, _)| *host_id).collect::<Vec<_>>())
    .bind(tasks.iter().map(|(_, task_id)| *task_id).collect::<Vec<_>>())
    .bind(errors)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
}

/// Forgets packages put aside before `before`, whose upload a crash has ended. Returns how many.
pub(in crate::software) async fn purge_staged(
    pool: &Pool,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM software_staged_packages WHERE staged_at < $1")
        .bind(before)
        .execute(pool)
        .await?;
    Ok(done.rows_affected())
}

/// Forgets packages that went before `before`. Returns how many.
pub(in crate::software) async fn purge_removed(
    pool: &Pool,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM software_packages WHERE removed_at < $1").bind(before).execute(pool).await?;
    Ok(done.rows_affected())
}
