//! What can go wrong with the private server, in words that tell the operator what to do.

use std::path::PathBuf;

/// Why the private PostgreSQL was not started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No PostgreSQL is installed where it is looked for.
    #[error(
        "no PostgreSQL programs found in {looked}; install them (Debian, Ubuntu: apt-get install postgresql), \
         put them into a folder `postgres` beside this program, or set DATABASE_URL to a server of your own"
    )]
    NoPrograms {
        /// The directories that were looked at, comma separated.
        looked: String,
    },
    /// The configured directory is not one of PostgreSQL programs.
    #[error("{} does not hold the PostgreSQL programs `postgres` and `initdb`", .0.display())]
    NotPrograms(PathBuf),
    /// A PostgreSQL program failed.
    #[error("PostgreSQL program {program} failed: {output}")]
    Program {
        /// The name of the program.
        program: &'static str,
        /// The end of what it wrote.
        output: String,
    },
    /// Running as root, and there is nobody to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root and there is no account {0:?}; create it or name another account"
    )]
    NoAccount(String),
    /// An account is named, but only root can run programs as somebody else.
    #[error("only root can run PostgreSQL as {wanted:?}; this program runs as {current:?}")]
    NotRoot {
        /// The configured account.
        wanted: String,
        /// The account of this process.
        current: String,
    },
    /// A directory on the way is closed to the account.
    #[error(
        "account {account:?} cannot enter {}, which lies on the way to {}; \
         open it with chmod a+x, or choose another data directory", .dir.display(), .target.display()
    )]
    NotTraversable {
        /// The account that PostgreSQL runs as.
        account: String,
        /// The directory that is closed.
        dir: PathBuf,
        /// Where the path leads.
        target: PathBuf,
    },
    /// The data directory is of another account.
    #[error(
        "{} belongs to {owner:?}, but PostgreSQL would run as {account:?}; \
         run as the same account as before, or change the owner of the whole directory", .dir.display()
    )]
    Owner {
        /// The directory.
        dir: PathBuf,
        /// Whom it belongs to.
        owner: String,
        /// The account that PostgreSQL would run as.
        account: String,
    },
    /// Another process of this product uses the directory.
    #[error("data directory {} is in use by another ct-ops process{}; stop that one first", .dir.display(), by(*.pid))]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// The other process, when it left its id.
        pid: Option<u32>,
    },
    /// A server that nobody here started runs on the directory and does not go away.
    #[error("a PostgreSQL server (process {pid}) still runs on {}; stop it first", .dir.display())]
    ServerRuns {
        /// The data directory.
        dir: PathBuf,
        /// The process of the server.
        pid: u32,
    },
    /// The data was made by another major version.
    #[error(
        "{} was made by PostgreSQL {found}, but the programs are PostgreSQL {installed}; \
         install PostgreSQL {found} again, or move the data with pg_upgrade or backup and restore", .dir.display()
    )]
    Version {
        /// The data directory.
        dir: PathBuf,
        /// The version that made the data.
        found: u32,
        /// The version of the programs.
        installed: u32,
    },
    /// The path of the socket is longer than the system allows (unix(7): 107 bytes).
    #[error("socket path {} has {length} bytes, at most 107; choose a shorter data directory", .path.display())]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// A file or directory cannot be used.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// A verb.
        doing: &'static str,
        /// Its object.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The server ended while it was starting.
    #[error("PostgreSQL stopped while starting ({how}): {log}")]
    Stopped {
        /// Exit status or signal.
        how: String,
        /// The end of its log.
        log: String,
    },
    /// The server does not accept connections in time.
    #[error("PostgreSQL does not accept connections after {seconds} s: {log}")]
    NotReady {
        /// The limit.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// The server does not end.
    #[error("PostgreSQL did not stop within {0} s")]
    NotStopped(u64),
    /// The role or the database of the product cannot be made.
    #[error("the new PostgreSQL server cannot be prepared")]
    Prepare(#[from] sqlx::Error),
}

fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl EmbeddedError {
    /// For `map_err` on file operations.
    pub(super) fn io(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
