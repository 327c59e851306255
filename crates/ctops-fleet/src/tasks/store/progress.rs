//! What agents report, and what happens when they do not.

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use uuid::Uuid;

use crate::tasks::model::MAX_OUTPUT_BYTES;

/// Results of a batch, column by column; no task twice.
#[derive(Default)]
pub(in crate::tasks) struct Results {
    pub(in crate::tasks) task_ids: Vec<Uuid>,
    pub(in crate::tasks) host_ids: Vec<Uuid>,
    pub(in crate::tasks) exit_codes: Vec<i32>,
    pub(in crate::tasks) result_jsons: Vec<Option<String>>,
    pub(in crate::tasks) errors: Vec<String>,
}

/// Output of a batch, column by column, in the order of arrival.
#[derive(Default)]
pub(in crate::tasks) struct Output {
    pub(in crate::tasks) task_ids: Vec<Uuid>,
    pub(in crate::tasks) host_ids: Vec<Uuid>,
    pub(in crate::tasks) chunks: Vec<String>,
}

/// Runs of those of the tasks that are open on these hosts.
pub(in crate::tasks) async fn runs_of(
    tx: &mut Tx<'_>,
    task_ids: &[Uuid],
    host_ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT t.run_id
         FROM UNNEST($1::uuid[], $2::uuid[]) AS said (task_id, host_id)
         JOIN task_targets t ON t.id = said.task_id AND t.host_id = said.host_id
         WHERE t.status IN ('running', 'cancelling')",
    )
    .bind(task_ids)
    .bind(host_ids)
    .fetch_all(&mut **tx)
    .await
}

/// Appends output of open tasks that have not had too much of it.
pub(in crate::tasks) async fn append_output(tx: &mut Tx<'_>, output: &Output) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH said AS (
             SELECT task_id, host_id, chunk, place
             FROM UNNEST($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS s (task_id, host_id, chunk, place)
         ), grown AS (
             UPDATE task_targets t
             SET output_bytes = t.output_bytes + sums.bytes
             FROM (SELECT task_id, host_id, sum(octet_length(chunk)) AS bytes FROM said GROUP BY task_id, host_id) sums
             WHERE t.id = sums.task_id AND t.host_id = sums.host_id
               AND t.status IN ('running', 'cancelling') AND t.output_bytes < $4
             RETURNING t.id, t.host_id
         )
         INSERT INTO task_output (task_id, chunk)
         SELECT said.task_id, said.chunk
         FROM said
         JOIN grown ON grown.id = said.task_id AND grown.host_id = said.host_id
         ORDER BY said.place",
    )
    .bind(&output.task_ids)
    .bind(&output.host_ids)
    .bind(&output.chunks)
    .bind(MAX_OUTPUT_BYTES)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Ends open tasks with their results; what was to be cancelled is cancelled, whatever it says. Their runs must be locked.
pub(in crate::tasks) async fn finish(
    tx: &mut Tx<'_>,
    results: &Results,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE task_targets t
         SET status = CASE WHEN t.status = 'cancelling' THEN 'cancelled'
                           WHEN said.exit_code = 0 THEN 'success'
                           ELSE 'failed' END,
             exit_code = said.exit_code, result_json = said.result_json, error = said.error, completed_at = $6
         FROM UNNEST($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::text[])
              AS said (task_id, host_id, exit_code, result_json, error)
         WHERE t.id = said.task_id AND t.host_id = said.host_id AND t.status IN ('running', 'cancelling')",
    )
    .bind(&results.task_ids)
    .bind(&results.host_ids)
    .bind(&results.exit_codes)
    .bind(&results.result_jsons)
    .bind(&results.errors)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Locks and names runs with targets that waited too long for their start, their result or their cancellation, as far as
/// nobody else holds them.
pub(in crate::tasks) async fn lock_overdue_runs(
    tx: &mut Tx<'_>,
    now: DateTime<Utc>,
    stuck_before: DateTime<Utc>,
    cancelled_before: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT r.id
         FROM task_runs r
         WHERE r.completed_at IS NULL
           AND EXISTS (
               SELECT FROM task_targets t
               WHERE t.run_id = r.id
                 AND ((t.status = 'pending' AND r.start_by < $1)
                      OR (t.status = 'running' AND t.started_at < $2)
                      OR (t.status = 'cancelling' AND t.cancel_requested_at < $3)))
         ORDER BY r.id
         FOR UPDATE SKIP LOCKED",
    )
    .bind(now)
    .bind(stuck_before)
    .bind(cancelled_before)
    .fetch_all(&mut **tx)
    .await
}

/// Ends what waited too long in these runs.
pub(in crate::tasks) async fn end_overdue(
    tx: &mut Tx<'_>,
    run_ids: &[Uuid],
    now: DateTime<Utc>,
    stuck_before: DateTime<Utc>,
    cancelled_before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE task_targets t
         SET status = CASE t.status WHEN 'pending' THEN 'skipped' WHEN 'running' THEN 'failed' ELSE 'cancelled' END,
             skip_reason = CASE t.status WHEN 'pending' THEN 'agent offline' END,
             exit_code = CASE t.status WHEN 'pending' THEN NULL ELSE -1 END,
             error = CASE t.status WHEN 'pending' THEN ''
                                   WHEN 'running' THEN 'no result within 60 minutes'
                                   ELSE 'agent unreachable' END,
             completed_at = $2
         FROM task_runs r
         WHERE r.id = t.run_id AND t.run_id = ANY($1)
           AND ((t.status = 'pending' AND r.start_by < $2)
                OR (t.status = 'running' AND t.started_at < $3)
                OR (t.status = 'cancelling' AND t.cancel_requested_at < $4))",
    )
    .bind(run_ids)
    .bind(now)
    .bind(stuck_before)
    .bind(cancelled_before)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Removes runs, and the output of runs, that ended long ago.
pub(in crate::tasks) async fn purge(
    tx: &mut Tx<'_>,
    output_before: DateTime<Utc>,
    runs_before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM task_runs WHERE completed_at < $1").bind(runs_before).execute(&mut **tx).await?;
    sqlx::query(
        "DELETE FROM task_output o
         USING task_runs r, task_targets t
         WHERE r.completed_at < $1 AND t.run_id = r.id AND o.task_id = t.id",
    )
    .bind(output_before)
    .execute(&mut **tx)
    .await
    .map(drop)
}
