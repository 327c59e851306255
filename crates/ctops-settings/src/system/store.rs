//! Statements on `job_runs`, and what the page about the system's health reads of others' tables.

use chrono::{DateTime, Utc};
use ctops_pg::Pool;
use ctops_slice::Grant;
use uuid::Uuid;

/// One run of a job.
#[derive(Debug)]
pub(super) struct Run {
    /// The job.
    pub(super) job: &'static str,
    /// Its rhythm, seconds.
    pub(super) every_seconds: f64,
    /// When it began.
    pub(super) started_at: DateTime<Utc>,
    /// How long it took.
    pub(super) duration_ms: i64,
    /// What went wrong.
    pub(super) error: Option<String>,
}

/// Writes the last runs of jobs down, which ran at `node`; each job once.
pub(super) async fn record_runs(pool: &Pool, node: &str, runs: &[Run]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO job_runs AS j (job, node, every_seconds, started_at, duration_ms, succeeded, error, failures,
                                    succeeded_at)
         SELECT r.job, $2, r.every_seconds, r.started_at, r.duration_ms, r.error IS NULL, r.error,
                CASE WHEN r.error IS NULL THEN 0 ELSE 1 END, CASE WHEN r.error IS NULL THEN r.started_at END
         FROM UNNEST($1::text[], $3::float8[], $4::timestamptz[], $5::bigint[], $6::text[])
              AS r (job, every_seconds, started_at, duration_ms, error)
         ON CONFLICT (job) DO UPDATE
         SET node = EXCLUDED.node, every_seconds = EXCLUDED.every_seconds, started_at = EXCLUDED.started_at,
             duration_ms = EXCLUDED.duration_ms, succeeded = EXCLUDED.succeeded, error = EXCLUDED.error,
             failures = CASE WHEN EXCLUDED.succeeded THEN 0 ELSE j.failures + 1 END,
             succeeded_at = COALESCE(EXCLUDED.succeeded_at, j.succeeded_at)",
    )
    .bind(runs.iter().map(|run| run.job).collect::<Vec<_>>())
    .bind(node)
    .bind(runs.iter().map(|run| run.every_seconds).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.started_at).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.duration_ms).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.error.as_deref()).collect::<Vec<_>>())
    .execute(pool)
    .await
    .map(drop)
}

/// The last run of one job.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct LastRun {
    /// The job.
    pub(super) job: String,
    /// Where it ran.
    pub(super) node: String,
    /// Its rhythm, seconds.
    pub(super) every_seconds: f64,
    /// When it began.
    pub(super) started_at: DateTime<Utc>,
    /// How long it took.
    pub(super) duration_ms: i64,
    /// Whether it worked.
    pub(super) succeeded: bool,
    /// What went wrong.
    pub(super) error: Option<String>,
    /// Runs that failed since the last that worked.
    pub(super) failures: i64,
    /// When it worked last.
    pub(super) succeeded_at: Option<DateTime<Utc>>,
}

/// The last run of every job.
pub(super) async fn runs(pool: &Pool) -> Result<Vec<LastRun>, sqlx::Error> {
    sqlx::query_as(
        "SELECT job, node, every_seconds, started_at, duration_ms, succeeded, error, failures, succeeded_at
         FROM job_runs
         ORDER BY job",
    )
    .fetch_all(pool)
    .await
}

/// The database.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Database {
    /// Version of the server.
    pub(super) version: String,
    /// Size on disk.
    pub(super) size_bytes: i64,
    /// How far the slowest replica is behind; none without replicas, or without the right to see them.
    pub(super) replica_lag_seconds: Option<f64>,
}

/// How the database is.
pub(super) async fn database(pool: &Pool) -> Result<Database, sqlx::Error> {
    sqlx::query_as(
        "SELECT current_setting('server_version') AS version,
                pg_database_size(current_database()) AS size_bytes,
                (SELECT max(EXTRACT(EPOCH FROM replay_lag))::double precision FROM pg_stat_replication)
                    AS replica_lag_seconds",
    )
    .fetch_one(pool)
    .await
}

/// How far a group has come in a topic.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Progress {
    /// Consumer group.
    pub(super) group_name: String,
    /// Topic.
    pub(super) topic: String,
    /// When it last applied something.
    pub(super) applied_at: DateTime<Utc>,
}

/// When each consumer last applied something.
pub(super) async fn progress(pool: &Pool) -> Result<Vec<Progress>, sqlx::Error> {
    sqlx::query_as(
        "SELECT group_name, topic, max(updated_at) AS applied_at
         FROM consumer_offsets
         GROUP BY group_name, topic
         ORDER BY group_name, topic",
    )
    .fetch_all(pool)
    .await
}

/// Records that could not be applied.
pub(super) async fn dead_letters(pool: &Pool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM dead_letters").fetch_one(pool).await
}

/// A node that accepts agents.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct IngestNode {
    /// Its id.
    pub(super) id: Uuid,
    /// Its name.
    pub(super) name: String,
    /// Since when it runs.
    pub(super) started_at: DateTime<Utc>,
    /// Until when it is taken for alive.
    pub(super) lease_until: DateTime<Utc>,
}

/// Nodes that were alive after `since`.
pub(super) async fn ingest_nodes(pool: &Pool, since: DateTime<Utc>) -> Result<Vec<IngestNode>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, name, started_at, lease_until FROM ingest_nodes WHERE lease_until > $1 ORDER BY name, id LIMIT 100",
    )
    .bind(since)
    .fetch_all(pool)
    .await
}

/// Agents of the organisation by version, the most frequent first.
pub(super) async fn agent_versions(pool: &Pool, grant: &Grant) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT COALESCE(version, ''), count(*)
         FROM agents
         WHERE org_id = $1 AND status IN ('active', 'offline') AND deleted_at IS NULL
         GROUP BY 1
         ORDER BY 2 DESC, 1
         LIMIT 100",
    )
    .bind(grant.org_id())
    .fetch_all(pool)
    .await
}
