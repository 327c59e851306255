//! The directory of the private server: layout, lock, first creation, configuration files.
//!
//! ```text
//! <data_dir>/            0700, the account of PostgreSQL
//!   lock                 held by the process that runs the server; holds its process id
//!   data/                what PostgreSQL calls the data directory; its own log is in data/log
//!   run/                 the socket
//!   start.log            what the server wrote before it opened its own log
//!   local.conf           settings of the operator, read last (optional)
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::account::Account;
use super::error::EmbeddedError;
use super::installation::Installation;
use super::process;

/// The port is only a part of the name of the socket: nothing listens on the network.
pub(super) const PORT: u16 = 5432;

/// The superuser of the server. The product itself connects as [`ROLE`].
pub(super) const SUPERUSER: &str = "postgres";

/// The role and the database of the product.
pub(super) const ROLE: &str = "ctops";

/// The longest path of a Unix socket in bytes (unix(7): 108 with the final zero).
const MAX_SOCKET_PATH: usize = 107;

/// How much of the end of a log goes into an error message, in bytes.
const LOG_TAIL: u64 = 2_000;

/// The settings of the server, written anew at every start.
const SETTINGS: &str = include_str!("postgresql.conf");

/// The directory of the private server.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    root: PathBuf,
}

impl Cluster {
    /// The directory as another process prepared it.
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.canonicalize().unwrap_or_else(|_| root.to_path_buf()) }
    }

    /// Makes the directories that are missing and checks that `account` can use them.
    pub(super) fn prepare(root: &Path, account: &Account) -> Result<Self, EmbeddedError> {
        fs::create_dir_all(root).map_err(EmbeddedError::io("create", root))?;
        let root = root.canonicalize().map_err(EmbeddedError::io("find", root))?;
        let cluster = Self { root };
        let socket = cluster.run().join(format!(".s.PGSQL.{PORT}"));
        let length = socket.as_os_str().as_bytes().len();
        if length > MAX_SOCKET_PATH {
            return Err(EmbeddedError::SocketPath { path: socket, length });
        }
        // What is there already may be somebody's: only a directory without content changes hands.
        if is_empty(&cluster.root)? {
            account.own(&cluster.root).map_err(EmbeddedError::io("change the owner of", &cluster.root))?;
        }
        account.check_owns(&cluster.root)?;
        fs::set_permissions(&cluster.root, Permissions::from_mode(0o700))
            .map_err(EmbeddedError::io("change the mode of", &cluster.root))?;
        account.check_reaches(&cluster.root)?;
        cluster.make_dir(&cluster.run(), account)?;
        if cluster.data().exists() {
            account.check_owns(&cluster.data())?;
        }
        Ok(cluster)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Takes the directory for this process; the lock ends with the file.
    pub(super) fn lock(&self) -> Result<File, EmbeddedError> {
        let path = self.root.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(EmbeddedError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Without the number the message is still right.
                let _ = (&file).take(20).read_to_string(&mut text);
                return Err(EmbeddedError::InUse { dir: self.root.clone(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(EmbeddedError::io("lock", &path)(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.write_all(std::process::id().to_string().as_bytes())
        };
        write(&mut file).map_err(EmbeddedError::io("write", &path))?;
        Ok(file)
    }

    /// The major version that made the data, `None` before the first start.
    pub(super) fn version(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// Makes the data directory when it is missing, and refuses one of another major version.
    pub(super) fn create(&self, installation: &Installation, account: &Account) -> Result<(), EmbeddedError> {
        match self.version() {
            Some(found) if found == installation.major => return Ok(()),
            Some(found) => {
                let installed = installation.major;
                return Err(EmbeddedError::Version { dir: self.data(), found, installed });
            }
            None => {}
        }
        // Made beside its place and moved there when complete: an interrupted initdb leaves nothing to trip over.
        let fresh = self.root.join("data.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(EmbeddedError::io("remove", &fresh))?;
        }
        self.make_dir(&fresh, account)?;
        self.initdb(installation, account, &fresh)?;
        fs::rename(&fresh, self.data()).map_err(EmbeddedError::io("put in place", &fresh))?;
        File::open(&self.root).and_then(|dir| dir.sync_all()).map_err(EmbeddedError::io("sync", &self.root))
    }

    fn initdb(
        &self,
        installation: &Installation,
        account: &Account,
        fresh: &Path,
    ) -> Result<(), EmbeddedError> {
        let program = installation.program("initdb");
        let mut command = Command::new(&program);
        command
            .arg("-D")
            .arg(fresh)
            .args(["-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8", "--auth=peer"])
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null());
        account.apply(&mut command);
        process::die_with_parent(&mut command, Signal::SIGKILL);
        let output = command.output().map_err(EmbeddedError::io("run", &program))?;
        if output.status.success() {
            return Ok(());
        }
        let text = [output.stdout, output.stderr].concat();
        let start = text.len().saturating_sub(usize::try_from(LOG_TAIL).unwrap_or(0));
        Err(EmbeddedError::Program { program: "initdb", output: one_line(&text[start..]) })
    }

    /// Writes the settings, who may connect, and removes what a killed server left behind. Only to be called while no
    /// server runs.
    pub(super) fn configure(&self, account: &Account) -> Result<(), EmbeddedError> {
        let data = self.data();
        let mut identities = String::new();
        for client in account.clients() {
            for role in [SUPERUSER, ROLE] {
                identities.push_str(&format!("ctops \"{client}\" {role}\n"));
            }
        }
        // Only processes of the two accounts, over the socket, as one of the two roles.
        self.write(&data.join("pg_hba.conf"), "local all all peer map=ctops\n", account)?;
        self.write(&data.join("pg_ident.conf"), &identities, account)?;
        self.write(&data.join("postgresql.conf"), SETTINGS, account)?;

        if process::pid_file_names_a_stranger(&data) {
            remove_if_there(&data.join("postmaster.pid"))?;
        }
        remove_if_there(&self.run().join(format!(".s.PGSQL.{PORT}")))?;
        remove_if_there(&self.run().join(format!(".s.PGSQL.{PORT}.lock")))
    }

    /// The command that runs the server in the foreground.
    pub(super) fn server(
        &self,
        installation: &Installation,
        account: &Account,
    ) -> Result<Command, EmbeddedError> {
        let path = self.root.join("start.log");
        let log = File::create(&path).map_err(EmbeddedError::io("create", &path))?;
        let mut command = Command::new(installation.program("postgres"));
        // What keeps the server private stands on the command line, where local.conf cannot change it.
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.run())
            .args(["-p", &PORT.to_string(), "-c", "listen_addresses="])
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        account.apply(&mut command);
        Ok(command)
    }

    /// The end of what the server wrote, on one line.
    pub(super) fn last_words(&self) -> String {
        let mut text = tail(&self.root.join("start.log"));
        // After the hand-over to its own log the server writes the rest there.
        if let Ok(current) = fs::read_to_string(self.data().join("current_logfiles"))
            && let Some((_, file)) = current.lines().next().and_then(|line| line.split_once(' '))
        {
            text.push(b'\n');
            text.extend(tail(&self.data().join(file)));
        }
        one_line(&text)
    }

    /// Whether the server stopped because another one had not quite gone yet.
    pub(super) fn was_too_early(&self) -> bool {
        let text = tail(&self.root.join("start.log"));
        let text = String::from_utf8_lossy(&text);
        text.contains("pre-existing shared memory block")
            || text.contains("lock file \"postmaster.pid\" already exists")
    }

    fn make_dir(&self, dir: &Path, account: &Account) -> Result<(), EmbeddedError> {
        let made = DirBuilder::new().mode(0o700).recursive(true).create(dir);
        made.and_then(|()| account.own(dir)).map_err(EmbeddedError::io("create", dir))
    }

    fn write(&self, path: &Path, text: &str, account: &Account) -> Result<(), EmbeddedError> {
        let written =
            fs::write(path, text).and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o600)));
        written.and_then(|()| account.own(path)).map_err(EmbeddedError::io("write", path))
    }
}

fn is_empty(dir: &Path) -> Result<bool, EmbeddedError> {
    let mut entries = fs::read_dir(dir).map_err(EmbeddedError::io("read", dir))?;
    Ok(entries.next().is_none())
}

fn remove_if_there(path: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(EmbeddedError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The last [`LOG_TAIL`] bytes of a file; nothing of one that cannot be read.
fn tail(path: &Path) -> Vec<u8> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        let mut text = Vec::new();
        file.take(LOG_TAIL).read_to_end(&mut text)?;
        Ok(text)
    };
    read().unwrap_or_default()
}

fn one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ")
}
