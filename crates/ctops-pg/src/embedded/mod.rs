//! A private PostgreSQL as child process, for installations without a database server of their own.
//!
//! The server listens on a Unix socket in a directory that only its account can enter, and lives exactly as long as
//! this process: it is stopped by [`EmbeddedPostgres::stop`], or by the kernel when this process dies. The programs are
//! those of the machine; nothing is downloaded. See [`Installation::find`] for where they are looked for.

mod account;
mod cluster;
mod error;
mod installation;
mod process;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};

pub use account::Account;
pub use error::EmbeddedError;
pub use installation::Installation;

use cluster::{Cluster, PORT, ROLE, SUPERUSER};
use process::Server;

/// How often waiting looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a server that was told to drop everything may take to end.
const IMMEDIATE_STOP_LIMIT: Duration = Duration::from_secs(10);

/// How the private server is run.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The directory of the server, made when missing. Nothing else may be kept in it.
    pub data_dir: PathBuf,
    /// Where `postgres` and `initdb` are; `None`: see [`Installation::find`].
    pub bin_dir: Option<PathBuf>,
    /// The account that PostgreSQL runs as when this process is root; `None`: `postgres`.
    pub run_as: Option<String>,
    /// How long the server may take until it accepts connections. Recovery after a crash counts.
    pub start_limit: Duration,
    /// How long the server of a killed process may take to go away.
    pub takeover_limit: Duration,
    /// How long an orderly stop may take before the server is told to drop everything.
    pub stop_limit: Duration,
}

impl EmbeddedConfig {
    /// The usual limits: five minutes to start, 30 s to take over, one minute to stop.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            bin_dir: None,
            run_as: None,
            start_limit: Duration::from_secs(300),
            takeover_limit: Duration::from_secs(30),
            stop_limit: Duration::from_secs(60),
        }
    }
}

/// The running private server. Dropping it begins a stop but does not wait for it.
pub struct EmbeddedPostgres {
    server: Server,
    cluster: Cluster,
    installation: Installation,
    stop_limit: Duration,
}

impl fmt::Debug for EmbeddedPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedPostgres")
            .field("pid", &self.server.pid())
            .field("cluster", &self.cluster)
            .finish()
    }
}

impl EmbeddedPostgres {
    /// Starts the server, making its directory and its database the first time, and waits until it accepts
    /// connections.
    ///
    /// # Errors
    /// See [`EmbeddedError`]. No server is left running then.
    pub async fn start(config: EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let EmbeddedConfig { data_dir, bin_dir, run_as, start_limit, takeover_limit, stop_limit } = config;
        let account = Account::choose(run_as.as_deref())?;
        let prepared = blocking(move || {
            let cluster = Cluster::prepare(&data_dir, &account)?;
            let lock = cluster.lock()?;
            let installation = Installation::find(bin_dir.as_deref(), cluster.version(), &account)?;
            cluster.create(&installation, &account)?;
            Ok((cluster, lock, installation, account))
        });
        let (cluster, lock, installation, account) = prepared.await?;
        let lock = Arc::new(lock);

        let patience = Instant::now() + takeover_limit;
        wait_for_previous(&cluster, patience).await?;
        cluster.configure(&account)?;
        let server = loop {
            let command = cluster.server(&installation, &account)?;
            let program = installation.program("postgres");
            let server = Server::spawn(command, Arc::clone(&lock))
                .await
                .map_err(EmbeddedError::io("run", &program))?;
            let running =
                Self { server, cluster: cluster.clone(), installation: installation.clone(), stop_limit };
            match running.wait_until_ready(start_limit).await {
                Ok(()) => break running,
                Err(EmbeddedError::Stopped { .. })
                    if cluster.was_too_early() && Instant::now() < patience =>
                {
                    sleep(LOOK_AGAIN).await;
                }
                Err(error) => {
                    // The reason why it did not start is worth more than the reason why it did not stop.
                    let _ = running.stop().await;
                    return Err(error);
                }
            }
        };
        if let Err(error) = server.make_database().await {
            let _ = server.stop().await;
            return Err(error.into());
        }
        tracing::info!(
            pid = server.server.pid(),
            version = server.installation.major,
            "embedded PostgreSQL runs"
        );
        Ok(server)
    }

    /// The address of the product's database, as role `ctops`, who owns it and is no superuser.
    pub fn url(&self) -> String {
        address(&self.cluster)
    }

    /// The address of the server that another process runs in `data_dir`, whether or not it runs right now.
    pub fn url_of(data_dir: &Path) -> String {
        address(&Cluster::at(data_dir))
    }

    /// The programs in use; `pg_dump` and its kind are beside them.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Resolves when the server has ended for whatever reason, with exit status or signal in words. A crash of one
    /// connection is repaired by PostgreSQL itself and does not show here.
    pub fn exited(&self) -> impl Future<Output = String> + Send + 'static {
        self.server.exited()
    }

    /// Stops the server: connections are ended, everything is written, the process is gone on return.
    ///
    /// # Errors
    /// [`EmbeddedError::NotStopped`] when the process resists; it ends with this process at the latest.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        self.server.signal(Signal::SIGINT);
        if tokio::time::timeout(self.stop_limit, self.server.exited()).await.is_ok() {
            return Ok(());
        }
        tracing::warn!("embedded PostgreSQL does not stop in order and is told to drop everything");
        self.server.signal(Signal::SIGQUIT);
        let limit = self.stop_limit + IMMEDIATE_STOP_LIMIT;
        tokio::time::timeout(IMMEDIATE_STOP_LIMIT, self.server.exited())
            .await
            .map(drop)
            .map_err(|_| EmbeddedError::NotStopped(limit.as_secs()))
    }

    fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.cluster.run())
            .port(PORT)
            .username(SUPERUSER)
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
    }

    async fn wait_until_ready(&self, limit: Duration) -> Result<(), EmbeddedError> {
        let options = self.connect_options();
        let ready = async {
            loop {
                match PgConnection::connect_with(&options).await {
                    Ok(connection) => return connection.close().await,
                    // Not listening yet, or still recovering.
                    Err(_) => sleep(LOOK_AGAIN).await,
                }
            }
        };
        tokio::select! {
            how = self.server.exited() => Err(EmbeddedError::Stopped { how, log: self.cluster.last_words() }),
            ready = tokio::time::timeout(limit, ready) => match ready {
                Ok(closed) => closed.map_err(EmbeddedError::from),
                Err(_) => Err(EmbeddedError::NotReady { seconds: limit.as_secs(), log: self.cluster.last_words() }),
            },
        }
    }

    /// Makes role and database of the product when they are missing. Two statements, because a database cannot be made
    /// inside a transaction; each is repeated safely after an interruption.
    async fn make_database(&self) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options()).await?;
        let (role, database): (bool, bool) = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'ctops'),
                    EXISTS (SELECT 1 FROM pg_database WHERE datname = 'ctops')",
        )
        .fetch_one(&mut connection)
        .await?;
        if !role {
            sqlx::query("CREATE ROLE ctops LOGIN").execute(&mut connection).await?;
        }
        if !database {
            sqlx::query("CREATE DATABASE ctops OWNER ctops").execute(&mut connection).await?;
        }
        connection.close().await
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        self.server.signal(Signal::SIGINT);
    }
}

/// Waits for the server of a killed process, which the kernel has told to stop.
async fn wait_for_previous(cluster: &Cluster, patience: Instant) -> Result<(), EmbeddedError> {
    while let Some(pid) = process::server_in(&cluster.data()) {
        if Instant::now() >= patience {
            return Err(EmbeddedError::ServerRuns { dir: cluster.data(), pid });
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// File work and initdb, away from the threads of the runtime.
async fn blocking<T, F>(work: F) -> Result<T, EmbeddedError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, EmbeddedError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn address(cluster: &Cluster) -> String {
    let socket_dir = cluster.run();
    format!(
        "postgres://{ROLE}@{}:{PORT}/{ROLE}?sslmode=disable",
        percent_encode(&socket_dir.to_string_lossy())
    )
}

/// Percent-encodes everything but unreserved characters (RFC 3986 section 2.3).
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encode_leaves_unreserved_characters_alone() {
        assert_eq!(percent_encode("/var/lib/ct-ops_1.2~x y%"), "%2Fvar%2Flib%2Fct-ops_1.2~x%20y%25");
    }
}
