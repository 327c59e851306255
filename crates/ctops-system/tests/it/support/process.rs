//! A program as a child process whose output goes to a file.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ctops_testkit::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// Lines of a log shown when a test fails.
const SHOWN_LINES: usize = 40;

/// A program of this workspace, built with the same profile as this test.
pub(crate) fn program(name: &str) -> PathBuf {
    // <target>/<profile>/deps/<test>
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(name);
    assert!(
        path.is_file(),
        "{} is missing; build the programs with: cargo build --workspace --bins",
        path.display()
    );
    path
}

/// A running program. Killed when dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints is added to the file `log`.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> Self {
        let output = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let name = log.file_stem().unwrap().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap();
        Self { name, child, log: log.to_owned() }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Sends a signal. The child is not reaped before this value is told so, so the id is still its own.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(self.pid()), look) == Ok(WaitStatus::StillAlive)
    }

    /// Ends it without a chance to react.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for it to end by itself; the exit code, or `None` when a signal ended it.
    pub(crate) async fn ended(&mut self, limit: Duration) -> Option<i32> {
        wait_for(limit, || async { (!self.is_running()).then_some(()) }).await;
        self.child.wait().unwrap().code()
    }

    /// What it printed, over all its starts.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.log();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("the last lines of the log of {}:\n{}\n", self.name, last.join("\n"));
        }
        // An error means that it ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
