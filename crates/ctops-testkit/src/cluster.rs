//! One private PostgreSQL for all test processes of this account.
//!
//! Whichever process comes first starts it; the others find it through its socket. It belongs to none of them: a shell
//! script watches it and removes it when no test process has used it for a minute.
//!
//! Two locks order this. `use.lock` is shared by every test process for its whole life and taken exclusively by the
//! script that stops the server, so a server never goes away under a test. `start.lock` is held while the server or a
//! template is made.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ctops_pg::embedded::{Account, Installation};
use ctops_pg::migrate;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::wait_until;

/// Makes the server and removes it when it is not used any more. Arguments: programs, root, data.
const WATCH: &str = include_str!("watch.sh");

/// The server forgets everything in the end, so it need not write anything to disk in time.
const SETTINGS: &str = "\
listen_addresses = ''
max_connections = 300
superuser_reserved_connections = 30
shared_buffers = 64MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
checkpoint_timeout = 1h
autovacuum = off
jit = off
timezone = 'UTC'
";

/// The role that owns every test database; no superuser, as in production.
pub(crate) const ROLE: &str = "ctops";

/// How long the server may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// The running server.
pub(crate) struct Cluster {
    root: PathBuf,
    /// The migrated database that test databases are copies of.
    pub(crate) template: String,
    /// Held until the process ends.
    _in_use: File,
}

impl Cluster {
    /// The server, started when it does not run yet.
    pub(crate) async fn get() -> &'static Cluster {
        CLUSTER.get_or_init(Self::open).await
    }

    async fn open() -> Cluster {
        let account = Account::choose(None).unwrap();
        let root = root_dir(&account);
        let in_use = lock(&root, "use.lock", &account, File::lock_shared).await;
        // The script looks at the time of the last change to tell when a test began.
        (&in_use).write_all(b".").unwrap();

        let starting = lock(&root, "start.lock", &account, File::lock).await;
        let mut cluster = Cluster { root, template: String::new(), _in_use: in_use };
        if !cluster.is_running().await {
            let root = cluster.root.clone();
            tokio::task::spawn_blocking(move || launch(&account, &root)).await.unwrap();
        }
        cluster.wait_until_ready().await;
        cluster.template = cluster.make_template().await;
        drop(starting);
        cluster
    }

    /// How to connect to a database as its owner.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        self.admin_options().username(ROLE).database(database)
    }

    /// The address of a database, for programs.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket_dir = self.root.to_str().unwrap().replace('/', "%2F");
        format!("postgres://{ROLE}@{socket_dir}:5432/{database}?sslmode=disable")
    }

    /// A connection of the superuser.
    pub(crate) async fn connect_admin(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.admin_options()).await
    }

    fn admin_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.root)
            .port(5432)
            .username("postgres")
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
    }

    /// Whether somebody listens at the socket. A server that is there but cannot take one more connection is running:
    /// starting another one would remove its data.
    async fn is_running(&self) -> bool {
        !matches!(self.connect_admin().await, Err(sqlx::Error::Io(_)))
    }

    async fn wait_until_ready(&self) {
        let log = self.root.join("log");
        wait_until(START_LIMIT, || async {
            let ready = self.connect_admin().await.is_ok();
            let text = fs::read_to_string(&log).unwrap_or_default();
            assert!(
                ready || !text.contains("FATAL:  could not"),
                "the server of the tests does not start:\n{text}"
            );
            ready
        })
        .await;
    }

    /// A migrated database for the migrations of this build; made once, named after their content.
    async fn make_template(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for file in migrate::MIGRATIONS {
            (file.version, file.sql).hash(&mut hasher);
        }
        let name = format!("template_{:016x}", hasher.finish());
        let mut admin = self.connect_admin().await.unwrap();
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        if exists {
            return name;
        }
        let role: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_roles WHERE rolname = $1")
            .bind(ROLE)
            .fetch_optional(&mut admin)
            .await
            .unwrap();
        if role.is_none() {
            execute(&mut admin, format!("CREATE ROLE {ROLE} LOGIN")).await;
        }
        let unfinished = format!("{name}_unfinished");
        execute(&mut admin, format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
        execute(&mut admin, format!("CREATE DATABASE {unfinished} OWNER {ROLE}")).await;
        let pool =
            PgPoolOptions::new().max_connections(1).connect_with(self.options(&unfinished)).await.unwrap();
        migrate::run(&pool).await.unwrap();
        pool.close().await;
        execute(&mut admin, format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await;
        name
    }
}

/// Runs one statement of the superuser; the names in it are made here and need no quoting.
pub(crate) async fn execute(admin: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(admin).await.unwrap();
}

/// The directory of the server, which must not be of somebody else: its name can be guessed.
fn root_dir(account: &Account) -> PathBuf {
    let root = std::env::temp_dir().join(format!("ctops-test-pg-{}", nix::unistd::Uid::effective()));
    if DirBuilder::new().mode(0o700).create(&root).is_ok() {
        account.own(&root).unwrap();
    }
    let metadata = fs::symlink_metadata(&root).unwrap();
    let ours = metadata.is_dir()
        && [account.uid(), nix::unistd::Uid::effective().as_raw()].contains(&metadata.uid());
    assert!(ours, "{} is not a directory of {}", root.display(), account.name());
    root
}

/// Opens a lock file and waits for the lock, away from the threads of the runtime.
async fn lock(root: &Path, name: &str, account: &Account, lock: fn(&File) -> std::io::Result<()>) -> File {
    let path = root.join(name);
    let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    account.own(root).unwrap();
    account.own(&path).unwrap();
    tokio::task::spawn_blocking(move || {
        lock(&file).unwrap();
        file
    })
    .await
    .unwrap()
}

/// Makes a fresh data directory and starts the script that runs the server on it.
fn launch(account: &Account, root: &Path) {
    let installation = Installation::find(None, None, account).unwrap();
    // What lies here is of a server that was killed: the script removes its own.
    for old in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let name = old.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("data-") {
            fs::remove_dir_all(old).unwrap();
        } else if name.starts_with(".s.PGSQL") {
            fs::remove_file(old).unwrap();
        }
    }
    let data = root.join(format!("data-{}", std::process::id()));
    let mut initdb = Command::new(installation.program("initdb"));
    initdb.arg("-D").arg(&data).args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]);
    initdb.args(["--auth=trust", "--no-sync", "--no-instructions"]).current_dir(root).stdin(Stdio::null());
    account.apply(&mut initdb);
    let output = initdb.output().unwrap();
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    fs::write(data.join("postgresql.conf"), SETTINGS).unwrap();

    // The outer shell ends at once. `setsid` takes the script out of the group of the test process, which test runners
    // kill as a whole.
    let mut watch = Command::new("sh");
    watch.args(["-c", "setsid sh -c \"$@\" >/dev/null 2>&1 </dev/null &", "sh", WATCH, "watch"]);
    watch.arg(&installation.bin_dir).arg(root).arg(&data).current_dir(root).stdin(Stdio::null());
    account.apply(&mut watch);
    assert!(watch.status().unwrap().success());
}
