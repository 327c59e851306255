//! Rate limits and lock-outs counted in the database, so that all nodes agree (api-conventions 11, auth 22).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_pg::Pool;

/// So many calls per window.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// What is counted; part of the key.
    pub scope: &'static str,
    /// Calls allowed in one window.
    pub limit: i32,
    /// Length of the window.
    pub window: Duration,
}

/// Locks a key after repeated failures, longer each time.
#[derive(Clone, Copy, Debug)]
pub struct LockOut {
    /// What is counted; part of the key.
    pub scope: &'static str,
    /// Failures within `window` that lock.
    pub failures: i32,
    /// Failures older than this are forgotten.
    pub window: Duration,
    /// First lock.
    pub first: Duration,
    /// Locks double up to this.
    pub longest: Duration,
}

/// Counts one call.
///
/// # Errors
/// `rate_limited` with the seconds until the window ends; `internal` when the counter cannot be kept, so that a
/// broken store never opens the gate.
pub async fn hit(pool: &Pool, rate: &Rate, key: &str, now: DateTime<Utc>) -> Result<(), Problem> {
    let window = to_delta(rate.window);
    let (hits, started): (i32, DateTime<Utc>) = sqlx::query_as(
        "INSERT INTO throttles AS t (scope, key, hits, window_started_at)
         VALUES ($1, $2, 1, $3)
         ON CONFLICT (scope, key) DO UPDATE
         SET hits = CASE WHEN t.window_started_at <= $4 THEN 1 ELSE t.hits + 1 END,
             window_started_at = CASE WHEN t.window_started_at <= $4 THEN $3 ELSE t.window_started_at END
         RETURNING hits, window_started_at",
    )
    .bind(rate.scope)
    .bind(key)
    .bind(now)
    .bind(now - window)
    .fetch_one(pool)
    .await
    .map_err(Problem::internal)?;
    if hits > rate.limit { Err(Problem::limited(seconds_until(started + window, now))) } else { Ok(()) }
}

/// Whether a key is locked right now.
///
/// # Errors
/// `rate_limited` with the seconds until the lock ends; `internal` when it cannot be looked up.
pub async fn check_lock(pool: &Pool, lock: &LockOut, key: &str, now: DateTime<Utc>) -> Result<(), Problem> {
    match locked_until(pool, lock.scope, key, now).await? {
        Some(until) => Err(Problem::limited(seconds_until(until, now))),
        None => Ok(()),
    }
}

/// When the lock of a key ends, if it is locked right now.
///
/// # Errors
/// `internal` when it cannot be looked up.
pub async fn locked_until(
    pool: &Pool,
    scope: &str,
    key: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    sqlx::query_scalar(
        "SELECT locked_until FROM throttles WHERE scope = $1 AND key = $2 AND locked_until > $3",
    )
    .bind(scope)
    .bind(key)
    .bind(now)
    .fetch_optional(pool)
    .await
    .map_err(Problem::internal)
}

/// Counts one failure and locks when there were too many. Returns whether this failure locked the key.
///
/// # Errors
/// `internal` when the counter cannot be kept.
pub async fn fail(pool: &Pool, lock: &LockOut, key: &str, now: DateTime<Utc>) -> Result<bool, Problem> {
    let locked: bool = sqlx::query_scalar(
        "INSERT INTO throttles AS t (scope, key, hits, window_started_at)
         VALUES ($1, $2, 1, $3)
         ON CONFLICT (scope, key) DO UPDATE
         SET hits = CASE
                 WHEN t.window_started_at <= $4 THEN 1
                 WHEN t.hits + 1 >= $5 THEN 0
                 ELSE t.hits + 1
             END,
             window_started_at = CASE WHEN t.window_started_at <= $4 THEN $3 ELSE t.window_started_at END,
             lock_level = CASE
                 WHEN t.window_started_at > $4 AND t.hits + 1 >= $5 THEN t.lock_level + 1
                 ELSE t.lock_level
             END,
             locked_until = CASE
                 WHEN t.window_started_at > $4 AND t.hits + 1 >= $5
                 THEN $3 + make_interval(secs => LEAST($6 * power(2, LEAST(t.lock_level, 20)), $7))
                 ELSE t.locked_until
             END
         RETURNING COALESCE(locked_until > $3, false)",
    )
    .bind(lock.scope)
    .bind(key)
    .bind(now)
    .bind(now - to_delta(lock.window))
    .bind(lock.failures)
    .bind(lock.first.as_secs_f64())
    .bind(lock.longest.as_secs_f64())
    .fetch_one(pool)
    .await
    .map_err(Problem::internal)?;
    Ok(locked)
}

/// Forgets failures and locks of a key.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn clear(executor: impl sqlx::PgExecutor<'_>, scope: &str, key: &str) -> Result<(), Problem> {
    sqlx::query("DELETE FROM throttles WHERE scope = $1 AND key = $2")
        .bind(scope)
        .bind(key)
        .execute(executor)
        .await
        .map_err(Problem::internal)?;
    Ok(())
}

/// Removes counters whose window and lock ended before `before`. Returns how many.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn purge(pool: &Pool, before: DateTime<Utc>) -> Result<u64, Problem> {
    let done = sqlx::query(
        "DELETE FROM throttles WHERE window_started_at < $1 AND (locked_until IS NULL OR locked_until < $1)",
    )
    .bind(before)
    .execute(pool)
    .await
    .map_err(Problem::internal)?;
    Ok(done.rows_affected())
}

fn to_delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn seconds_until(until: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
    u64::try_from((until - now).num_milliseconds()).unwrap_or(0).div_ceil(1000)
}
