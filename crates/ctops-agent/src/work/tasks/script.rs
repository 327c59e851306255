//! `custom_script`: a script of the server, with limits on what it may use.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use tokio::sync::Notify;

use super::output::TaskOutput;
use super::{Done, config};
use crate::data_dir::hex;
use crate::files;
use crate::work::program::{self, ProgramError, Programs, Sink};

/// Longest script, bytes (tasks 14).
const MAX_SCRIPT: usize = 64 * 1024;
/// Longest time-out, seconds (tasks 15).
const MAX_TIMEOUT: i64 = 3600;
/// Limit of a script without a time-out.
const NO_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Beyond the time-out, processor seconds.
const CPU_MARGIN: u64 = 5;
/// Directory of scripts that run, in the data directory.
pub(crate) const FOLDER: &str = "scripts";
/// Sets the limits as far as the shell can, then becomes the interpreter: files of 20,480 blocks (10 MiB), 32
/// processes, 128 open files, 1 GiB of memory. Some shells count processes under another letter.
const LIMITED: &str = "ulimit -f 20480 2>/dev/null; ulimit -n 128 2>/dev/null; ulimit -v 1048576 2>/dev/null; \
    ulimit -u 32 2>/dev/null || ulimit -p 32 2>/dev/null; [ -z \"$3\" ] || ulimit -t \"$3\" 2>/dev/null; exec \"$1\" \"$2\"";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    script: String,
    interpreter: String,
    timeout_seconds: i64,
}

/// A script with its interpreter.
#[derive(Debug)]
pub(in crate::work) struct Script {
    text: String,
    interpreter: &'static str,
    limit: Option<Duration>,
}

/// Why a script did not end by itself.
#[derive(Debug, thiserror::Error)]
pub(in crate::work) enum ScriptError {
    /// It cannot be written to disk.
    #[error("script cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The interpreter did not start, or not end.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl Script {
    /// A script for `interpreter` (`sh` if empty), ended after `limit`.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub(in crate::work) fn new(
        text: &str,
        interpreter: &str,
        limit: Option<Duration>,
    ) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("script is required".to_owned());
        }
        if text.len() > MAX_SCRIPT {
            return Err(format!("script is longer than {MAX_SCRIPT} bytes"));
        }
        let interpreter = match interpreter {
            "" | "sh" => "sh",
            "bash" => "bash",
            "python3" => "python3",
            other => return Err(format!("unsupported interpreter: {other}")),
        };
        Ok(Self { text: text.to_owned(), interpreter, limit })
    }

    /// Runs it in a file below `dir`, which is removed afterwards, and returns its exit code (−1 when a signal ended
    /// it).
    ///
    /// # Errors
    /// When it cannot be started, takes too long or is cancelled.
    pub(in crate::work) async fn run(
        &self,
        programs: &Programs,
        dir: &Path,
        cancel: impl Future<Output = ()>,
        sink: Sink<'_>,
    ) -> Result<i32, ScriptError> {
        let interpreter = programs.find(self.interpreter).ok_or_else(|| {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            ProgramError::Start(self.interpreter.to_owned(), missing)
        })?;
        let file = Written::new(dir, &self.text)?;
        let cpu = self.limit.map(|limit| (limit.as_secs() + CPU_MARGIN).to_string()).unwrap_or_default();
        let mut command = programs.command("sh");
        command.args(["-c", LIMITED, "sh"]).arg(interpreter).arg(&file.0).arg(cpu);
        command.current_dir("/");
        let limit = self.limit.unwrap_or(NO_TIMEOUT);
        let status = program::run("script", command, limit, cancel, sink).await?;
        Ok(status.code().unwrap_or(-1))
    }
}

/// A script on disk, for as long as it runs.
struct Written(PathBuf);

impl Written {
    fn new(dir: &Path, text: &str) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut name = [0; 12];
        SystemRandom::new().fill(&mut name).map_err(|_| io::Error::other("no random numbers"))?;
        let path = folder.join(hex(&name));
        files::replace(&path, text.as_bytes(), 0o700)?;
        Ok(Self(path))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the agent starts.
        let _ = files::remove_if_present(&self.0);
    }
}

/// Removes scripts that were running when the agent ended.
pub(super) fn remove_leftovers(dir: &Path) {
    // Nothing is there in most cases.
    let _ = fs::remove_dir_all(dir.join(FOLDER));
}

/// Runs the task.
pub(super) async fn task(
    config_json: &str,
    programs: &Programs,
    dir: &Path,
    cancel: &Notify,
    output: &mut TaskOutput<'_>,
) -> Done {
    let given: Config = match config("custom_script", config_json) {
        Ok(given) => given,
        Err(done) => return done,
    };
    let seconds = given.timeout_seconds.clamp(0, MAX_TIMEOUT).unsigned_abs();
    let limit = (seconds > 0).then(|| Duration::from_secs(seconds));
    let script = match Script::new(&given.script, &given.interpreter, limit) {
        Ok(script) => script,
        Err(error) => return Done::failed(format!("invalid custom_script config: {error}")),
    };
    let mut sink = |stream, bytes: &[u8]| output.push(stream, bytes);
    match script.run(programs, dir, cancel.notified(), &mut sink).await {
        Ok(exit_code) => {
            Done { exit_code, result_json: format!("{{\"exit_code\":{exit_code}}}"), error: String::new() }
        }
        Err(ScriptError::Program(ProgramError::TimedOut(_, seconds))) => {
            Done::failed(format!("task timed out (exceeded {seconds} seconds)"))
        }
        Err(error) => Done::failed(error.to_string()),
    }
}
