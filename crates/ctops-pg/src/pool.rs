//! The connection pool and its limits.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// The connection pool. Cloning shares it.
pub type Pool = sqlx::PgPool;

/// A transaction on the pool.
pub type Tx<'a> = sqlx::Transaction<'a, sqlx::Postgres>;

/// How long a statement of a web request may run. No page needs longer; a runaway query must not hold a connection.
pub const WEB_STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a caller waits for a free connection before it is told that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long [`ping`] waits.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Failures of connecting to the database.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// The connection string cannot be understood. The string itself is not repeated: it may hold a password.
    #[error("database address is not a valid postgres:// connection string")]
    Address(#[source] sqlx::Error),
    /// The server cannot be reached or refuses the connection.
    #[error("database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The server does not answer in time.
    #[error("database did not answer within {} s", PING_TIMEOUT.as_secs())]
    Silent,
}

/// How to connect.
#[derive(Clone)]
pub struct ConnectOptions {
    url: String,
    max_connections: u32,
    statement_timeout: Option<Duration>,
    application_name: &'static str,
}

impl ConnectOptions {
    /// Options for background work: no limit on a statement, since migrations and roll-ups may be long.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 10, statement_timeout: None, application_name: "ct-ops" }
    }

    /// Options for the pool that serves people: every statement ends after [`WEB_STATEMENT_TIMEOUT`].
    pub fn web(url: impl Into<String>) -> Self {
        Self::new(url).statement_timeout(WEB_STATEMENT_TIMEOUT)
    }

    /// The most connections that the pool opens; 10 unless set.
    #[must_use]
    pub fn max_connections(mut self, max: u32) -> Self {
        self.max_connections = max;
        self
    }

    /// Ends every statement that runs longer than `limit` (counted in milliseconds).
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = Some(limit);
        self
    }

    /// The name shown in `pg_stat_activity`; `ct-ops` unless set.
    #[must_use]
    pub fn application_name(mut self, name: &'static str) -> Self {
        self.application_name = name;
        self
    }

    /// Opens the pool and makes one connection, so that a wrong address is found now.
    ///
    /// # Errors
    /// [`PgError::Address`] for a connection string that cannot be parsed, [`PgError::Unreachable`] otherwise.
    pub async fn connect(self) -> Result<Pool, PgError> {
        let options = PgConnectOptions::from_str(&self.url)
            .map_err(PgError::Address)?
            .application_name(self.application_name);
        let limit_ms = self.statement_timeout.map(|limit| limit.as_millis().to_string());
        PgPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| {
                let limit_ms = limit_ms.clone();
                Box::pin(async move {
                    // Set on the session, not in the connect options: migrations and the LISTEN connection
                    // borrow those options and must not inherit the limit.
                    if let Some(limit_ms) = limit_ms {
                        sqlx::query("SELECT set_config('statement_timeout', $1, false)")
                            .bind(limit_ms)
                            .execute(connection)
                            .await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(PgError::Unreachable)
    }
}

/// Opens a pool of at most `max_connections` without a limit on statements; see [`ConnectOptions`] for more.
///
/// # Errors
/// As [`ConnectOptions::connect`].
pub async fn connect(url: &str, max_connections: u32) -> Result<Pool, PgError> {
    ConnectOptions::new(url).max_connections(max_connections).connect().await
}

/// Whether the database answers within two seconds.
///
/// # Errors
/// [`PgError::Silent`] after the two seconds, [`PgError::Unreachable`] when the query fails.
pub async fn ping(pool: &Pool) -> Result<(), PgError> {
    tokio::time::timeout(PING_TIMEOUT, sqlx::query("SELECT 1").execute(pool))
        .await
        .map_err(|_| PgError::Silent)?
        .map(drop)
        .map_err(PgError::Unreachable)
}

/// The server's version as a number: 150018 is 15.18.
///
/// # Errors
/// [`PgError::Unreachable`] when the query fails.
pub async fn server_version(pool: &Pool) -> Result<i32, PgError> {
    sqlx::query_scalar("SELECT current_setting('server_version_num')::integer")
        .fetch_one(pool)
        .await
        .map_err(PgError::Unreachable)
}

/// What the server's clock says.
///
/// # Errors
/// [`PgError::Unreachable`] when the query fails.
pub async fn server_time(pool: &Pool) -> Result<DateTime<Utc>, PgError> {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await.map_err(PgError::Unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connect_with_nonsense_names_the_format_and_never_the_password() {
        let error = connect("postgres://u:s3cret@host:notaport/db", 1).await.err();
        let Some(error @ PgError::Address(_)) = error else {
            panic!("expected an address error, got {error:?}")
        };
        assert!(error.to_string().contains("postgres://"));
        assert!(!format!("{error:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn connect_to_a_missing_socket_is_unreachable() {
        let error = connect("postgres://u@%2Fnonexistent%2Fdirectory/db", 1).await.err();
        assert!(matches!(error, Some(PgError::Unreachable(_))), "{error:?}");
    }
}
