//! Brings the schema to what this program was built with.
//!
//! The files of `db/migrations` are part of the program. Applied ones are recorded in `schema_migrations` together
//! with their SHA-256. There is no way back: a change is undone by a further migration. Each file runs in its own
//! transaction, under one advisory lock, so that any number of processes may start together.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

use crate::Pool;

/// The advisory lock that migrating processes take: "CTOPSMIG" in ASCII.
const LOCK_KEY: i64 = 0x4354_4F50_534D_4947;

/// How long to wait for another process that migrates. Longer than any single migration is allowed to take.
const LOCK_LIMIT: Duration = Duration::from_secs(600);

/// How long a migration may wait for a table that others use. Waiting longer would stall everybody queued behind it.
const TABLE_LOCK_LIMIT: Duration = Duration::from_secs(60);

/// One file of `db/migrations`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The time stamp at the start of the file name: `yyyymmddhhmmss`.
    pub version: i64,
    /// The rest of the file name, without `.sql`.
    pub name: &'static str,
    /// The content of the file.
    pub sql: &'static str,
}

impl Migration {
    /// The SHA-256 of the content, as lower-case hex.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.sql.as_bytes()))
    }
}

/// The migrations that this program was built with, oldest first.
pub const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// A row of `schema_migrations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version of the file.
    pub version: i64,
    /// The name of the file.
    pub name: String,
    /// The SHA-256 of the content it had, as lower-case hex.
    pub sha256: String,
    /// When it was applied.
    pub applied_at: DateTime<Utc>,
}

/// What [`run`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The versions applied by this call, oldest first.
    pub applied: Vec<i64>,
    /// How many were in place before.
    pub already: usize,
}

/// How a database compares with this program.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What the database has, oldest first.
    pub applied: Vec<Applied>,
    /// Versions and names that [`run`] would apply, oldest first.
    pub pending: Vec<(i64, &'static str)>,
    /// Versions that the database has and this program does not know.
    pub unknown: Vec<i64>,
    /// Versions whose file is not what was applied.
    pub changed: Vec<i64>,
}

impl Status {
    /// Whether the schema is exactly what this program was built with.
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty() && self.changed.is_empty()
    }
}

/// Why the schema was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was migrated by a later program. Running on it could lose what that program stores.
    #[error(
        "schema is newer than this program: migration {version} ({name}) is not known; \
         start the newer program again, or restore the backup made before the upgrade"
    )]
    Newer {
        /// The newest version that is not known.
        version: i64,
        /// Its name as recorded in the database.
        name: String,
    },
    /// A file was edited after it was applied.
    #[error(
        "migration {version} ({name}) is not the one that was applied to this database; \
         a migration is never edited, add a new one instead"
    )]
    Changed {
        /// The version of the file.
        version: i64,
        /// The name of the file.
        name: &'static str,
    },
    /// A file failed; its transaction was rolled back and the earlier ones stay applied.
    #[error("migration {version} ({name}) failed and was rolled back")]
    Failed {
        /// The version of the file.
        version: i64,
        /// The name of the file.
        name: &'static str,
        /// What PostgreSQL said.
        #[source]
        source: sqlx::Error,
    },
    /// Another process holds the migration lock for too long.
    #[error("another process has been migrating this database for {} s", LOCK_LIMIT.as_secs())]
    Busy(#[source] sqlx::Error),
    /// The database failed outside of a migration.
    #[error("migration state cannot be read or written")]
    Database(#[from] sqlx::Error),
}

/// Applies what is missing. Safe to call from several processes at once: one works, the others wait and find nothing
/// to do.
///
/// # Errors
/// See [`MigrateError`]. Nothing is applied when the database is newer than this program or a file has changed.
pub async fn run(pool: &Pool) -> Result<Report, MigrateError> {
    run_files(pool, MIGRATIONS).await
}

/// As [`run`], with other files than the built-in ones; `files` are in ascending order of version.
///
/// # Errors
/// As [`run`].
pub async fn run_files(pool: &Pool, files: &[Migration]) -> Result<Report, MigrateError> {
    // A connection of its own: the lock belongs to a session, and the limits set here must not stay in the pool.
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    take_lock(&mut connection).await?;
    let outcome = run_locked(&mut connection, files).await;
    // Closing the session gives the lock back, whatever happened.
    let closed = connection.close().await;
    let report = outcome?;
    closed?;
    Ok(report)
}

/// Compares the database with this program; writes nothing.
///
/// # Errors
/// [`MigrateError::Database`] when the database cannot be read.
pub async fn status(pool: &Pool) -> Result<Status, MigrateError> {
    let mut connection = pool.acquire().await?;
    let table: Option<String> = sqlx::query_scalar("SELECT to_regclass('schema_migrations')::text")
        .fetch_one(&mut *connection)
        .await?;
    let applied = if table.is_some() { applied(&mut connection).await? } else { Vec::new() };
    Ok(compare(applied, MIGRATIONS))
}

async fn take_lock(connection: &mut PgConnection) -> Result<(), MigrateError> {
    set_limits(connection, LOCK_LIMIT).await?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK_KEY)
        .execute(&mut *connection)
        .await
        .map_err(busy)?;
    set_limits(connection, TABLE_LOCK_LIMIT).await?;
    Ok(())
}

/// Statements may take as long as they need; waiting for a lock may not.
async fn set_limits(connection: &mut PgConnection, lock: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', $1, false)")
        .bind(lock.as_millis().to_string())
        .execute(connection)
        .await
        .map(drop)
}

/// SQLSTATE 55P03 is `lock_not_available`: the time limit on the lock was reached.
fn busy(error: sqlx::Error) -> MigrateError {
    let timed_out = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "55P03");
    if timed_out { MigrateError::Busy(error) } else { MigrateError::Database(error) }
}

async fn run_locked(connection: &mut PgConnection, files: &[Migration]) -> Result<Report, MigrateError> {
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version    bigint      PRIMARY KEY,
             name       text        NOT NULL,
             sha256     text        NOT NULL,
             applied_at timestamptz NOT NULL
         )",
    )
    .execute(&mut *connection)
    .await?;
    let status = compare(applied(connection).await?, files);
    refuse_mismatch(&status, files)?;

    let mut report = Report { applied: Vec::new(), already: status.applied.len() };
    let pending: HashSet<i64> = status.pending.iter().map(|(version, _)| *version).collect();
    for file in files.iter().filter(|file| pending.contains(&file.version)) {
        apply(connection, file).await.map_err(|source| MigrateError::Failed {
            version: file.version,
            name: file.name,
            source,
        })?;
        tracing::info!(version = file.version, name = file.name, "migration applied");
        report.applied.push(file.version);
    }
    Ok(report)
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let rows: Vec<(i64, String, String, DateTime<Utc>)> =
        sqlx::query_as("SELECT version, name, sha256, applied_at FROM schema_migrations ORDER BY version")
            .fetch_all(connection)
            .await?;
    let row = |(version, name, sha256, applied_at)| Applied { version, name, sha256, applied_at };
    Ok(rows.into_iter().map(row).collect())
}

fn compare(applied: Vec<Applied>, files: &[Migration]) -> Status {
    let recorded: HashMap<i64, &str> = applied.iter().map(|row| (row.version, row.sha256.as_str())).collect();
    let known: HashSet<i64> = files.iter().map(|file| file.version).collect();
    let pending = files
        .iter()
        .filter(|file| !recorded.contains_key(&file.version))
        .map(|file| (file.version, file.name))
        .collect();
    let changed = files
        .iter()
        .filter(|file| recorded.get(&file.version).is_some_and(|sha256| *sha256 != file.sha256()))
        .map(|file| file.version)
        .collect();
    let unknown = applied.iter().map(|row| row.version).filter(|version| !known.contains(version)).collect();
    Status { pending, unknown, changed, applied }
}

fn refuse_mismatch(status: &Status, files: &[Migration]) -> Result<(), MigrateError> {
    if let Some(&version) = status.unknown.last() {
        let name = status.applied.iter().find(|row| row.version == version).map(|row| row.name.clone());
        return Err(MigrateError::Newer { version, name: name.unwrap_or_default() });
    }
    match files.iter().find(|file| status.changed.contains(&file.version)) {
        Some(file) => Err(MigrateError::Changed { version: file.version, name: file.name }),
        None => Ok(()),
    }
}

async fn apply(connection: &mut PgConnection, file: &Migration) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(file.sql).execute(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO schema_migrations (version, name, sha256, applied_at)
         VALUES ($1, $2, $3, clock_timestamp())",
    )
    .bind(file.version)
    .bind(file.name)
    .bind(file.sha256())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[Migration] = &[
        Migration { version: 1, name: "a_create", sql: "SELECT 1" },
        Migration { version: 2, name: "b_create", sql: "SELECT 2" },
    ];

    fn row(version: i64, sha256: String) -> Applied {
        Applied { version, name: "x".to_owned(), sha256, applied_at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn compare_with_nothing_applied_leaves_everything_pending() {
        let status = compare(Vec::new(), FILES);
        assert_eq!(status.pending, [(1, "a_create"), (2, "b_create")]);
        assert!(!status.is_current());
    }

    #[test]
    fn compare_with_the_same_files_is_current() {
        let status = compare(FILES.iter().map(|file| row(file.version, file.sha256())).collect(), FILES);
        assert!(status.is_current(), "{status:?}");
    }

    #[test]
    fn compare_tells_changed_from_unknown() {
        let status = compare(vec![row(1, "00".to_owned()), row(3, "11".to_owned())], FILES);
        assert_eq!((status.changed.as_slice(), status.unknown.as_slice()), ([1].as_slice(), [3].as_slice()));
        assert_eq!(status.pending, [(2, "b_create")]);
    }

    #[test]
    fn built_in_migrations_are_in_ascending_order() {
        assert!(!MIGRATIONS.is_empty());
        assert!(MIGRATIONS.is_sorted_by_key(|file| file.version));
    }
}
