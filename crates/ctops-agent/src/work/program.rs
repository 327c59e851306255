//! Runs other programs: found in fixed directories, with a clean environment, in a process group of their own that does
//! not outlive the wish for its result.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// Where programs are looked for.
const DIRECTORIES: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Standard error kept for messages, bytes.
const ERROR_BYTES: usize = 4 * 1024;
/// Between the request to end and the end.
const GRACE: Duration = Duration::from_secs(10);
/// Read at once, bytes.
const PIECE: usize = 8 * 1024;
/// For output that arrives after the program ended, written by a child it left behind.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The programs of this machine; tests use others.
#[derive(Clone, Debug)]
pub struct Programs {
    path: String,
}

/// What a program said.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Exit code, −1 when a signal ended it.
    pub code: i32,
    /// Standard output, cut at the limit.
    pub stdout: Vec<u8>,
    /// The beginning of standard error.
    pub stderr: String,
    /// Whether standard output was cut.
    pub cut: bool,
}

/// Why a program did not finish.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is not installed or cannot be started.
    #[error("{0} cannot be started: {1}")]
    Start(String, io::Error),
    /// It took too long and was ended.
    #[error("{0} did not finish within {1} s")]
    TimedOut(String, u64),
    /// Somebody wanted it to end.
    #[error("cancelled by user")]
    Cancelled,
}

impl Programs {
    /// Those in the usual directories.
    pub fn system() -> Self {
        Self { path: DIRECTORIES.to_owned() }
    }

    /// Those in other directories, separated by colons.
    pub fn in_directories(path: &str) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the program `name` is, if it is installed.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        self.path.split(':').map(|dir| PathBuf::from(dir).join(name)).find(|path| path.is_file())
    }

    /// A command with a clean environment: what the agent was started with may hold its token.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.find(name).unwrap_or_else(|| PathBuf::from(name)));
        command
            .env_clear()
            .env("PATH", format!("{}:{DIRECTORIES}", self.path))
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", if nix::unistd::geteuid().is_root() { "/root" } else { "/" })
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// Runs `name` with `arguments` to its end and returns at most `max_bytes` of its output.
    ///
    /// # Errors
    /// When it cannot be started, or does not end within `limit`.
    pub async fn output(
        &self,
        name: &str,
        arguments: &[&str],
        limit: Duration,
        max_bytes: usize,
    ) -> Result<Output, ProgramError> {
        let mut command = self.command(name);
        command.args(arguments);
        let mut output = Output::default();
        let mut keep = |stream: Stream, bytes: &[u8]| {
            let (kept, limit) = match stream {
                Stream::Out => (&mut output.stdout, max_bytes),
                Stream::Err => return push_lossy(&mut output.stderr, bytes),
            };
            let room = limit.saturating_sub(kept.len());
            output.cut |= bytes.len() > room;
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        };
        let status = run(name, command, limit, std::future::pending(), &mut keep).await?;
        output.code = status.code().unwrap_or(-1);
        Ok(output)
    }
}

fn push_lossy(text: &mut String, bytes: &[u8]) {
    if text.len() < ERROR_BYTES {
        text.push_str(&String::from_utf8_lossy(&bytes[..bytes.len().min(ERROR_BYTES - text.len())]));
    }
}

/// Takes the pieces of a program's output.
pub type Sink<'s> = &'s mut (dyn FnMut(Stream, &[u8]) + Send);

/// Which of its two outputs a program wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Ends the whole process group when dropped before the program ended.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Runs `command` to its end and hands every piece of output to `sink`. When `limit` passes or `cancel` resolves, the
/// process group is asked to end, and made to 10 s later; dropping the future ends it at once.
///
/// # Errors
/// When the program cannot be started, takes too long or is cancelled.
pub async fn run(
    name: &str,
    mut command: Command,
    limit: Duration,
    cancel: impl Future<Output = ()>,
    sink: Sink<'_>,
) -> Result<ExitStatus, ProgramError> {
    let mut child = command.spawn().map_err(|error| ProgramError::Start(name.to_owned(), error))?;
    let mut group =
        Group(child.id().and_then(|id| i32::try_from(id).ok()).filter(|id| *id > 1).map(Pid::from_raw));
    let mut pipes = Pipes { out: child.stdout.take(), err: child.stderr.take() };
    let outcome = tokio::select! {
        finished = pipes.follow(&mut child, sink) => match finished {
            Ok(status) => Ok(status),
            Err(error) => Err(ProgramError::Start(name.to_owned(), error)),
        },
        () = tokio::time::sleep(limit) => Err(ProgramError::TimedOut(name.to_owned(), limit.as_secs())),
        () = cancel => Err(ProgramError::Cancelled),
    };
    if outcome.is_ok() {
        group.0 = None;
        return outcome;
    }
    group.signal(Signal::SIGTERM);
    // What it still writes is read, so that it does not wait for a reader instead of ending.
    let ended = tokio::time::timeout(GRACE, pipes.follow(&mut child, sink)).await;
    group.signal(Signal::SIGKILL);
    if ended.is_err() {
        // Reaps it; a killed process ends at once unless it hangs in the kernel.
        let _ = tokio::time::timeout(LAST_WORDS, child.wait()).await;
    }
    group.0 = None;
    outcome
}

/// What is open of a program's outputs.
struct Pipes {
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
}

impl Pipes {
    /// Reads both outputs until the program ended and said everything.
    async fn follow(&mut self, child: &mut Child, sink: Sink<'_>) -> io::Result<ExitStatus> {
        let status = tokio::select! {
            // Returns early only when both outputs are closed.
            () = self.read(sink) => child.wait().await?,
            status = child.wait() => status?,
        };
        // A child it left in the background may hold the outputs open for ever.
        let _ = tokio::time::timeout(LAST_WORDS, self.read(sink)).await;
        Ok(status)
    }

    /// Reads until both are closed.
    async fn read(&mut self, sink: Sink<'_>) {
        let (mut out, mut err) = (vec![0; PIECE], vec![0; PIECE]);
        while self.out.is_some() || self.err.is_some() {
            tokio::select! {
                count = next(&mut self.out, &mut out) => sink(Stream::Out, &out[..count]),
                count = next(&mut self.err, &mut err) => sink(Stream::Err, &err[..count]),
            }
        }
    }
}

/// Reads a piece; a reader that has no more, or fails, is dropped and gives nothing.
async fn next<R: AsyncRead + Unpin>(reader: &mut Option<R>, buffer: &mut [u8]) -> usize {
    let count = match reader {
        Some(open) => open.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    };
    if count == 0 {
        *reader = None;
    }
    count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::time::Instant;

    async fn sh(script: &str, limit: Duration) -> Result<Output, ProgramError> {
        Programs::system().output("sh", &["-c", script], limit, 64).await
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn program_when_it_ends_then_its_output_and_code_are_returned() {
        let output = sh("echo out; echo err >&2; exit 3", LONG).await.unwrap();
        assert_eq!(
            (output.code, output.stdout.as_slice(), output.stderr.as_str()),
            (3, &b"out\n"[..], "err\n")
        );
        let output = sh("head -c 100000 /dev/zero", LONG).await.unwrap();
        assert!(output.cut && output.stdout.len() == 64);
        assert_eq!(sh("kill -9 $$", LONG).await.unwrap().code, -1);
        let missing = Programs::system().output("ct-ops-no-such-program", &[], LONG, 1).await;
        assert!(matches!(missing, Err(ProgramError::Start(..))));
    }

    #[tokio::test]
    async fn program_when_it_takes_too_long_then_is_ended_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let started = Instant::now();
        let script = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
        let result = sh(&script, Duration::from_millis(500)).await;
        assert!(matches!(result, Err(ProgramError::TimedOut(..))), "{result:?}");
        assert!(started.elapsed() < Duration::from_secs(9));
        let pid: i32 = std::fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
        let gone = async {
            while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, gone).await.unwrap();
    }

    #[tokio::test]
    async fn program_when_it_leaves_a_child_behind_then_is_not_waited_for_longer() {
        let started = Instant::now();
        let output = sh("sleep 30 & echo done", LONG).await.unwrap();
        assert_eq!(output.stdout, b"done\n");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn environment_of_the_agent_when_a_program_runs_then_stays_hidden() {
        let output = Programs::system().output("env", &[], LONG, 10_000).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("LC_ALL=C.UTF-8") && !text.contains("CARGO"), "{text}");
    }
}
