//! Statements on `checks` and `check_results`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::{Grant, in_scope};
use serde_json::Value;
use uuid::Uuid;

use super::model::{Check, CheckResult, LATEST_RESULTS, MAX_RESULTS};

/// A row of `checks` to be written.
pub(super) struct Row<'a> {
    pub(super) id: Uuid,
    pub(super) host_id: Uuid,
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    pub(super) config: &'a Value,
    pub(super) secrets: Option<&'a [u8]>,
    pub(super) interval_seconds: i32,
    pub(super) enabled: bool,
}

/// A definition for an agent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Definition {
    pub(super) id: Uuid,
    pub(super) host_id: Uuid,
    pub(super) kind: String,
    pub(super) config: Value,
    pub(super) secrets: Option<Vec<u8>>,
    pub(super) interval_seconds: i32,
    /// Enabled and not deleted.
    pub(super) is_active: bool,
    pub(super) run_requested_at: Option<DateTime<Utc>>,
}

/// Results of a batch, column by column.
#[derive(Default)]
pub(super) struct Results {
    pub(super) check_ids: Vec<Uuid>,
    pub(super) host_ids: Vec<Uuid>,
    pub(super) ran_at: Vec<DateTime<Utc>>,
    pub(super) received_at: Vec<DateTime<Utc>>,
    pub(super) statuses: Vec<String>,
    pub(super) durations_ms: Vec<i64>,
    pub(super) outputs: Vec<String>,
}

/// Locks the host, so that its checks can be counted; false when the organisation has no such host.
pub(super) async fn lock_host(tx: &mut Tx<'_>, grant: &Grant, host_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT h.id FROM hosts h WHERE h.id = $1 AND h.org_id = $2 AND h.deleted_at IS NULL AND ",
        in_scope!("h.id", "$3"),
        " FOR KEY SHARE OF h"
    ))
    .bind(host_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(&mut **tx)
    .await
    .map(|row| row.is_some())
}

/// Whether the organisation has the host.
pub(super) async fn has_host(pool: &Pool, grant: &Grant, host_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT EXISTS (SELECT FROM hosts h WHERE h.id = $1 AND h.org_id = $2 AND h.deleted_at IS NULL AND ",
        in_scope!("h.id", "$3"),
        ")"
    ))
    .bind(host_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_one(pool)
    .await
}

/// Checks of a host that are not deleted.
pub(super) async fn count(tx: &mut Tx<'_>, host_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM checks WHERE host_id = $1 AND deleted_at IS NULL")
        .bind(host_id)
        .fetch_one(&mut **tx)
        .await
}

/// Adds a check.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    row: &Row<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO checks (id, org_id, host_id, name, kind, config, secrets, interval_seconds, enabled, created_at,
                             updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
    )
    .bind(row.id)
    .bind(grant.org_id())
    .bind(row.host_id)
    .bind(row.name)
    .bind(row.kind)
    .bind(row.config)
    .bind(row.secrets)
    .bind(row.interval_seconds)
    .bind(row.enabled)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Writes a check anew.
pub(super) async fn update(tx: &mut Tx<'_>, row: &Row<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE checks
         SET name = $2, config = $3, secrets = $4, interval_seconds = $5, enabled = $6, updated_at = $7,
             version = version + 1
         WHERE id = $1",
    )
    .bind(row.id)
    .bind(row.name)
    .bind(row.config)
    .bind(row.secrets)
    .bind(row.interval_seconds)
    .bind(row.enabled)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Deletes a check softly and its results for good.
pub(super) async fn delete(tx: &mut Tx<'_>, check_id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE checks SET deleted_at = $2, secrets = NULL WHERE id = $1")
        .bind(check_id)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    clear_results(tx, check_id).await
}

/// Removes all results of a check.
pub(super) async fn clear_results(tx: &mut Tx<'_>, check_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM check_results WHERE check_id = $1")
        .bind(check_id)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Asks for a run at once.
pub(super) async fn request_run(
    tx: &mut Tx<'_>,
    check_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE checks SET run_requested_at = $2, run_answered = false WHERE id = $1")
        .bind(check_id)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// A check of the organisation.
pub(super) async fn find(pool: &Pool, grant: &Grant, check_id: Uuid) -> Result<Option<Check>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT c.id, c.host_id, c.name, c.kind, c.config, c.secrets, c.interval_seconds, c.enabled, c.version,
                c.created_at, c.updated_at
         FROM checks c
         JOIN hosts h ON h.id = c.host_id AND h.deleted_at IS NULL
         WHERE c.id = $1 AND c.org_id = $2 AND c.deleted_at IS NULL AND ",
        in_scope!("c.host_id", "$3")
    ))
    .bind(check_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await
}

/// A check of the organisation, locked.
pub(super) async fn lock(
    tx: &mut Tx<'_>,
    grant: &Grant,
    check_id: Uuid,
) -> Result<Option<Check>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT c.id, c.host_id, c.name, c.kind, c.config, c.secrets, c.interval_seconds, c.enabled, c.version,
                c.created_at, c.updated_at
         FROM checks c
         JOIN hosts h ON h.id = c.host_id AND h.deleted_at IS NULL
         WHERE c.id = $1 AND c.org_id = $2 AND c.deleted_at IS NULL AND ",
        in_scope!("c.host_id", "$3"),
        " FOR UPDATE OF c"
    ))
    .bind(check_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(&mut **tx)
    .await
}

/// The checks of a host, by name.
pub(super) async fn of_host(pool: &Pool, grant: &Grant, host_id: Uuid) -> Result<Vec<Check>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT id, host_id, name, kind, config, secrets, interval_seconds, enabled, version, created_at, updated_at
         FROM checks
         WHERE checks.host_id = $1 AND org_id = $2 AND deleted_at IS NULL AND ",
        in_scope!("checks.host_id", "$3"),
        " ORDER BY lower(name), id"
    ))
    .bind(host_id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_all(pool)
    .await
}

/// The latest results of each of these checks, newest first.
pub(super) async fn latest(
    pool: &Pool,
    check_ids: &[Uuid],
    each: i64,
) -> Result<Vec<CheckResult>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.check_id, r.ran_at, r.status, r.duration_ms, r.output
         FROM UNNEST($1::uuid[]) AS wanted (check_id)
         CROSS JOIN LATERAL (
             SELECT l.check_id, l.ran_at, l.status, l.duration_ms, l.output
             FROM check_results l
             WHERE l.check_id = wanted.check_id
             ORDER BY l.ran_at DESC
             LIMIT $2
         ) r
         ORDER BY r.check_id, r.ran_at DESC",
    )
    .bind(check_ids)
    .bind(each)
    .fetch_all(pool)
    .await
}

/// Results of a check, newest first, from after `before` on.
pub(super) async fn results(
    pool: &Pool,
    check_id: Uuid,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<CheckResult>, sqlx::Error> {
    sqlx::query_as(
        "SELECT check_id, ran_at, status, duration_ms, output
         FROM check_results
         WHERE check_id = $1 AND ($2::timestamptz IS NULL OR ran_at < $2)
         ORDER BY ran_at DESC
         LIMIT $3",
    )
    .bind(check_id)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Everything that these hosts' agents must know, in one order; also checks that are no longer active.
pub(super) async fn definitions(pool: &Pool, host_ids: &[Uuid]) -> Result<Vec<Definition>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, host_id, kind, config, secrets, interval_seconds, enabled AND deleted_at IS NULL AS is_active,
                run_requested_at
         FROM checks
         WHERE host_id = ANY($1)
         ORDER BY host_id, id",
    )
    .bind(host_ids)
    .fetch_all(pool)
    .await
}

/// Host and check of runs that were asked for and have not been answered.
pub(super) async fn requested_runs(pool: &Pool, host_ids: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT host_id, id
         FROM checks
         WHERE host_id = ANY($1) AND NOT run_answered AND enabled AND deleted_at IS NULL
         ORDER BY host_id, id",
    )
    .bind(host_ids)
    .fetch_all(pool)
    .await
}

/// Keeps results of checks that the host has; a repeated one changes nothing. Runs that were asked for before a result came
/// are answered by it.
pub(super) async fn insert_results(tx: &mut Tx<'_>, results: &Results) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO check_results (check_id, host_id, ran_at, received_at, status, duration_ms, output)
         SELECT said.check_id, said.host_id, said.ran_at, said.received_at, said.status, said.duration_ms, said.output
         FROM UNNEST($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::int8[], $7::text[])
              AS said (check_id, host_id, ran_at, received_at, status, duration_ms, output)
         JOIN checks c ON c.id = said.check_id AND c.host_id = said.host_id AND c.deleted_at IS NULL
         ON CONFLICT (check_id, ran_at) DO NOTHING",
    )
    .bind(&results.check_ids)
    .bind(&results.host_ids)
    .bind(&results.ran_at)
    .bind(&results.received_at)
    .bind(&results.statuses)
    .bind(&results.durations_ms)
    .bind(&results.outputs)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "UPDATE checks c
         SET run_answered = true
         FROM UNNEST($1::uuid[], $2::uuid[], $3::timestamptz[]) AS said (check_id, host_id, received_at)
         WHERE c.id = said.check_id AND c.host_id = said.host_id AND NOT c.run_answered
           AND c.run_requested_at <= said.received_at",
    )
    .bind(&results.check_ids)
    .bind(&results.host_ids)
    .bind(&results.received_at)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The ids after `after`, at most `limit`, in their order.
pub(super) async fn ids_after(pool: &Pool, after: Uuid, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM checks WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all(pool)
        .await
}

/// Removes results of these checks that are too many, or older than `before` and not among the latest.
pub(super) async fn prune(pool: &Pool, check_ids: &[Uuid], before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM check_results r
         USING (
             SELECT wanted.check_id,
                    (SELECT ran_at FROM check_results
                     WHERE check_id = wanted.check_id ORDER BY ran_at DESC OFFSET $3 LIMIT 1) AS too_many,
                    (SELECT ran_at FROM check_results
                     WHERE check_id = wanted.check_id ORDER BY ran_at DESC OFFSET $4 LIMIT 1) AS not_latest
             FROM UNNEST($1::uuid[]) AS wanted (check_id)
         ) bounds
         WHERE r.check_id = bounds.check_id
           AND (r.ran_at <= bounds.too_many OR (r.ran_at <= bounds.not_latest AND r.ran_at < $2))",
    )
    .bind(check_ids)
    .bind(before)
    .bind(MAX_RESULTS)
    .bind(LATEST_RESULTS)
    .execute(pool)
    .await
    .map(drop)
}

/// Removes checks that were deleted before `before`.
pub(super) async fn purge_deleted(pool: &Pool, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM checks WHERE deleted_at < $1").bind(before).execute(pool).await.map(drop)
}
