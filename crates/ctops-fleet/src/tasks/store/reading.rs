//! Runs as people see them.

use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, in_scope};
use uuid::Uuid;

use crate::tasks::model::{Run, Target};

/// A run of the organisation.
pub(in crate::tasks) async fn find_run<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    grant: &Grant,
    run_id: Uuid,
) -> Result<Option<Run>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT r.id, r.kind, r.status, r.max_parallel, u.id AS creator_id, u.name AS creator_name, r.created_at,
                r.started_at, r.completed_at
         FROM task_runs r
         LEFT JOIN users u ON u.id = r.created_by
         WHERE r.id = $1 AND r.org_id = $2
           AND ($3::uuid[] IS NULL OR EXISTS (SELECT 1 FROM task_targets t WHERE t.run_id = r.id AND ",
        in_scope!("t.host_id", "$3"),
        "))"
    ))
    .bind(run_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(executor)
    .await
}

/// How many hosts of a run are beyond the grant.
pub(in crate::tasks) async fn count_beyond(
    tx: &mut Tx<'_>,
    grant: &Grant,
    run_id: Uuid,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT count(*) FROM task_targets t WHERE t.run_id = $1 AND NOT ",
        in_scope!("t.host_id", "$2")
    ))
    .bind(run_id)
    .bind(grant.scope_ids())
    .fetch_one(&mut **tx)
    .await
}

/// The hosts of a run that the grant reaches, in the order of their turns.
pub(in crate::tasks) async fn targets(
    pool: &Pool,
    grant: &Grant,
    run_id: Uuid,
) -> Result<Vec<Target>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT t.id, t.host_id, h.hostname, t.status, t.skip_reason, t.exit_code, t.result_json, t.error,
                t.output_bytes, t.started_at, t.completed_at
         FROM task_targets t
         JOIN hosts h ON h.id = t.host_id
         WHERE t.run_id = $1 AND t.org_id = $2 AND ",
        in_scope!("t.host_id", "$3"),
        " ORDER BY t.position"
    ))
    .bind(run_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_all(pool)
    .await
}

/// Runs of a host with the host's own part, newest first, from after the task `before` on. None when the organisation
/// has no such host.
pub(in crate::tasks) async fn of_host(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Option<Vec<(Run, Target)>>, sqlx::Error> {
    let known: bool = sqlx::query_scalar(concat!(
        "SELECT EXISTS (SELECT FROM hosts h WHERE h.id = $1 AND h.org_id = $2 AND h.deleted_at IS NULL AND ",
        in_scope!("h.id", "$3"),
        ")"
    ))
    .bind(host_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_one(pool)
    .await?;
    if !known {
        return Ok(None);
    }
    let rows: Vec<HostRun> = sqlx::query_as(
        "SELECT r.id AS run_id, r.kind, r.status AS run_status, r.max_parallel, u.id AS creator_id,
                u.name AS creator_name, r.created_at, r.started_at AS run_started_at,
                r.completed_at AS run_completed_at,
                t.id, t.host_id, h.hostname, t.status, t.skip_reason, t.exit_code, t.result_json, t.error,
                t.output_bytes, t.started_at, t.completed_at
         FROM task_targets t
         JOIN task_runs r ON r.id = t.run_id
         JOIN hosts h ON h.id = t.host_id
         LEFT JOIN users u ON u.id = r.created_by
         WHERE t.host_id = $1 AND t.org_id = $2 AND ($3::uuid IS NULL OR t.id < $3)
         ORDER BY t.id DESC
         LIMIT $4",
    )
    .bind(host_id)
    .bind(grant.org_id())
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(Some(rows.into_iter().map(HostRun::split).collect()))
}

#[derive(sqlx::FromRow)]
struct HostRun {
    run_id: Uuid,
    kind: String,
    run_status: String,
    max_parallel: i32,
    creator_id: Option<Uuid>,
    creator_name: Option<String>,
    created_at: chrono::DateTime<chrono::Utc>,
    run_started_at: Option<chrono::DateTime<chrono::Utc>>,
    run_completed_at: Option<chrono::DateTime<chrono::Utc>>,
    #[sqlx(flatten)]
    target: Target,
}

impl HostRun {
    fn split(self) -> (Run, Target) {
        let run = Run {
            id: self.run_id,
            kind: self.kind,
            status: self.run_status,
            max_parallel: self.max_parallel,
            creator_id: self.creator_id,
            creator_name: self.creator_name,
            created_at: self.created_at,
            started_at: self.run_started_at,
            completed_at: self.run_completed_at,
        };
        (run, self.target)
    }
}

/// The output of one host of a run, oldest first; none when there is no such part.
pub(in crate::tasks) async fn output(
    pool: &Pool,
    grant: &Grant,
    run_id: Uuid,
    host_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT COALESCE((SELECT string_agg(o.chunk, '' ORDER BY o.seq) FROM task_output o WHERE o.task_id = t.id), '')
         FROM task_targets t
         WHERE t.run_id = $1 AND t.host_id = $2 AND t.org_id = $3 AND ",
        in_scope!("t.host_id", "$4"),
        " ORDER BY t.position
         LIMIT 1"
    ))
    .bind(run_id)
    .bind(host_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await
}

/// Host, organisation, kind and status of a task, if the agent belongs to its host.
pub(in crate::tasks) async fn of_agent(
    pool: &Pool,
    task_id: Uuid,
    agent_id: &str,
) -> Result<Option<(Uuid, Uuid, String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT t.host_id, t.org_id, r.kind, t.status
         FROM task_targets t
         JOIN task_runs r ON r.id = t.run_id
         JOIN agents a ON a.host_id = t.host_id AND a.id = $2
         WHERE t.id = $1",
    )
    .bind(task_id)
    .bind(agent_id)
    .fetch_optional(pool)
    .await
}
