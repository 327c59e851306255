//! The database: the embedded one or the given one, migrated and ready.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ctops_pg::embedded::{EmbeddedConfig, EmbeddedPostgres};
use ctops_pg::{ConnectOptions, Pool, migrate};

use crate::settings::Settings;

/// Oldest PostgreSQL that serves, as `server_version_num`.
const OLDEST_POSTGRES: i32 = 150_000;

/// The database and, when it is ours, the server behind it.
pub struct Storage {
    /// Connections.
    pub pool: Pool,
    /// The private server, if one runs.
    pub embedded: Option<EmbeddedPostgres>,
}

impl Storage {
    /// Starts or reaches the database and brings its schema up to date.
    ///
    /// # Errors
    /// With a sentence that says what to do.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let (url, embedded) = match &settings.database_url {
            Some(url) => (url.expose().to_owned(), None),
            None => {
                let mut config = EmbeddedConfig::new(settings.state_dir.join("postgres"));
                config.bin_dir = settings.path("CT_OPS_POSTGRES_BIN_DIR");
                config.run_as = settings.values.text("CT_OPS_POSTGRES_USER").map(str::to_owned);
                let server =
                    EmbeddedPostgres::start(config).await.context("starting the embedded PostgreSQL")?;
                (server.url(), Some(server))
            }
        };
        let pool = connect(settings, url).await?;
        let report = migrate::run(&pool).await.context("bringing the database schema up to date")?;
        if !report.applied.is_empty() {
            tracing::info!(count = report.applied.len(), "database schema brought up to date");
        }
        Ok(Self { pool, embedded })
    }

    /// Reaches the database of an installation that is set up already, without starting or changing anything.
    ///
    /// # Errors
    /// When the server does not run.
    pub async fn attach(settings: &Settings) -> Result<Pool> {
        let url = match &settings.database_url {
            Some(url) => url.expose().to_owned(),
            None => EmbeddedPostgres::url_of(&settings.state_dir.join("postgres")),
        };
        connect(settings, url).await.context("reaching the database; is `ct-ops serve` running?")
    }

    /// Closes the connections and stops the private server.
    ///
    /// # Errors
    /// When the private server resists.
    pub async fn close(self) -> Result<()> {
        self.pool.close().await;
        if let Some(server) = self.embedded {
            server.stop().await.context("stopping the embedded PostgreSQL")?;
        }
        Ok(())
    }
}

async fn connect(settings: &Settings, url: String) -> Result<Pool> {
    let pool = ConnectOptions::web(url)
        .max_connections(settings.small("CT_OPS_DATABASE_CONNECTIONS"))
        .application_name("ct-ops")
        .connect()
        .await
        .context("connecting to the database")?;
    let version = ctops_pg::server_version(&pool).await.context("asking the database for its version")?;
    if version < OLDEST_POSTGRES {
        bail!("the database is PostgreSQL {}, 15 or newer is needed", version / 10_000);
    }
    Ok(pool)
}

/// Makes the state directory, private to this account but open for passing through, which the embedded database's
/// account needs.
///
/// # Errors
/// When it cannot be made.
pub fn prepare_state_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path).with_context(|| {
        format!("making {}; set CT_OPS_STATE_DIR to a directory this account may write", path.display())
    })?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711))
        .with_context(|| format!("setting the permissions of {}", path.display()))
}
