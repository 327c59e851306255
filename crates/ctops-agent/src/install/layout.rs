//! Where the parts of an installation lie, and the programs of the system that set it up.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Name of the service.
pub(super) const SERVICE: &str = "ct-ops-agent";
/// Account the service runs as unless root is asked for.
pub(super) const ACCOUNT: &str = "ct-ops";
/// Installed program.
pub(super) const BINARY: &str = "/usr/local/bin/ct-ops-agent";
/// Directory of the configuration.
pub(super) const CONFIG_DIR: &str = "/etc/ct-ops";
/// Certificates given with `-ca-cert`, where the service can read them.
pub(super) const CA_FILE: &str = "/etc/ct-ops/ca.pem";
/// The service's description for systemd.
pub(super) const UNIT: &str = "/etc/systemd/system/ct-ops-agent.service";
/// Parent of the default data directory.
pub(super) const STATE_DIR: &str = "/var/lib/ct-ops";

/// One machine to install on; another root than `/` lets tests install into a directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    tools: Option<PathBuf>,
    program: PathBuf,
}

impl Layout {
    /// This machine and this program.
    pub fn system() -> Self {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(SERVICE));
        Self { root: PathBuf::from("/"), tools: None, program }
    }

    /// A machine in the directory `root`, set up by the programs in `tools`, with `program` as the agent.
    pub fn at(root: &Path, tools: &Path, program: &Path) -> Self {
        Self { root: root.to_owned(), tools: Some(tools.to_owned()), program: program.to_owned() }
    }

    /// Where the absolute `path` of an installed system lies.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The program to install.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Whether this is the real system, which only root may change.
    pub fn is_system(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Runs a program of the system without input; its complaints go where ours go.
    ///
    /// # Errors
    /// When it cannot be started or reports failure.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> io::Result<()> {
        let status = self.command(tool, arguments).status()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{tool} {} ended with {status}", arguments.join(" "))))
    }

    /// Runs a program of the system quietly and only asks whether it succeeded.
    pub fn succeeds(&self, tool: &str, arguments: &[&str]) -> bool {
        let status = self.command(tool, arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let program = self.tools.as_ref().map_or_else(|| PathBuf::from(tool), |dir| dir.join(tool));
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command
    }
}
