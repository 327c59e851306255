//! Health checks (monitoring 17 to 20, wire contract 6.1): parsed from their definition once, run at their interval.
//!
//! Keys, statuses and outputs are those of the original, so that either server understands them; what goes beyond it
//! is additional.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ctops_base::Clock;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::program::Programs;
use crate::collect::Sources;

mod accounts;
mod cert_file;
mod certificate;
mod describe;
mod http;
mod keystore;
mod patch;
mod port;
mod process;
mod schedule;
mod script;
mod ssh_keys;

pub use http::Roots;
pub(super) use patch::Manager as PatchManager;
pub(super) use schedule::Schedule;

/// Longest output in plain text, bytes (monitoring 17).
const MAX_TEXT: usize = 16 * 1024;
/// For checks that read this host only.
const LOCAL_LIMIT: Duration = Duration::from_secs(60);
/// Beyond a check's own time-out, before it counts as hung.
const MARGIN: Duration = Duration::from_secs(5);

/// What checks work with.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Time.
    pub clock: Clock,
    /// `/proc` and `/etc`.
    pub sources: Sources,
    /// Programs that may be run.
    pub programs: Programs,
    /// Where scripts are written while they run.
    pub scripts_dir: PathBuf,
    /// Whether this host accepts scripts of the server.
    pub scripts_allowed: bool,
    /// Authorities of this machine, while somebody uses them.
    pub roots: Arc<Roots>,
    /// Longest document, bytes; lists in it are cut to fit.
    pub max_document: usize,
}

/// Result of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The condition holds.
    Pass,
    /// It does not.
    Fail,
    /// It cannot be told.
    Error,
}

impl Verdict {
    /// As the wire has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }
}

/// Result of one run with its text or document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub verdict: Verdict,
    /// Text, or a JSON document for the types that have one.
    pub output: String,
}

impl Outcome {
    fn pass(text: impl Into<String>) -> Self {
        Self::text(Verdict::Pass, text)
    }

    fn fail(text: impl Into<String>) -> Self {
        Self::text(Verdict::Fail, text)
    }

    fn error(text: impl Into<String>) -> Self {
        Self::text(Verdict::Error, text)
    }

    /// A text, of which the end is left out when it is too long.
    fn text(verdict: Verdict, text: impl Into<String>) -> Self {
        let mut output = text.into();
        output.truncate(output.floor_char_boundary(MAX_TEXT));
        Self { verdict, output }
    }

    /// A document, whose writer keeps to the limit.
    fn document(verdict: Verdict, output: String) -> Self {
        Self { verdict, output }
    }
}

/// Whose definition it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// This product's server.
    Own,
    /// The original's, where `http` follows redirects.
    Original,
}

impl Dialect {
    /// Longest document the server takes, bytes. The original sets no limit.
    pub(super) fn max_document(self) -> usize {
        match self {
            Self::Own => MAX_TEXT,
            Self::Original => 256 * 1024,
        }
    }
}

/// A check with its parameters.
#[derive(Debug)]
pub enum Check {
    /// A TCP or UDP port answers.
    Port(port::Port),
    /// A program runs.
    Process(process::Process),
    /// A web server answers as expected.
    Http(Box<http::Http>),
    /// A server's certificate is valid.
    Certificate(certificate::Certificate),
    /// A certificate in a file is valid.
    CertFile(cert_file::CertFile),
    /// Lists the accounts of this host.
    Accounts(accounts::Accounts),
    /// Lists the SSH keys of this host.
    SshKeys(ssh_keys::SshKeys),
    /// This host was patched recently.
    Patch(patch::Patch),
    /// A script ends well.
    Script(script::Script),
}

impl Check {
    /// The check of `check_type` with its parameters.
    ///
    /// # Errors
    /// The output of a result `error`: an unknown type, or parameters that cannot be read.
    pub fn parse(check_type: &str, config_json: &str, dialect: Dialect) -> Result<Self, String> {
        Ok(match check_type {
            "port" => Self::Port(config(check_type, config_json)?),
            "process" => Self::Process(config(check_type, config_json)?),
            "http" => {
                let mut http: http::Http = config(check_type, config_json)?;
                http.settle(dialect).map_err(|error| invalid(check_type, error))?;
                Self::Http(Box::new(http))
            }
            "certificate" => Self::Certificate(config(check_type, config_json)?),
            "cert_file" => Self::CertFile(config(check_type, config_json)?),
            "service_account" => Self::Accounts(config(check_type, config_json)?),
            "ssh_key_scan" => Self::SshKeys(config(check_type, config_json)?),
            "patch_status" => Self::Patch(config(check_type, config_json)?),
            "script" => Self::Script(config(check_type, config_json)?),
            unknown => return Err(format!("unknown check type: {unknown}")),
        })
    }

    /// After this time a run is cut off (monitoring 19).
    pub fn limit(&self) -> Duration {
        match self {
            Self::Port(port) => port.limit() + MARGIN,
            Self::Http(http) => http.limit() + MARGIN,
            Self::Certificate(certificate) => certificate.limit() + MARGIN,
            Self::Patch(_) => patch::LIMIT,
            Self::Script(script) => script.limit() + MARGIN,
            Self::Process(_) | Self::CertFile(_) | Self::Accounts(_) | Self::SshKeys(_) => LOCAL_LIMIT,
        }
    }

    /// Runs once.
    pub async fn run(self: Arc<Self>, tools: &Tools, busy: &Arc<AtomicBool>) -> Outcome {
        match &*self {
            Self::Port(port) => port.run().await,
            Self::Http(http) => http.run(&tools.roots).await,
            Self::Certificate(certificate) => certificate.run(tools).await,
            Self::Patch(patch) => patch.run(tools).await,
            Self::Script(script) => script.run(tools).await,
            Self::Process(_) | Self::CertFile(_) | Self::Accounts(_) | Self::SshKeys(_) => {
                let (check, tools) = (self.clone(), tools.clone());
                blocking(busy, move || check.read_host(&tools)).await
            }
        }
    }

    /// The checks that only read files, which may hang on a dead network file system.
    fn read_host(&self, tools: &Tools) -> Outcome {
        match self {
            Self::Process(process) => process.run(&tools.sources),
            Self::CertFile(file) => file.run(tools.clock.now()),
            Self::Accounts(accounts) => accounts.run(tools),
            Self::SshKeys(keys) => keys.run(tools),
            _ => Outcome::error("not a check of this host"),
        }
    }
}

/// Reads the host in a thread of its own; while an earlier run still hangs there is no second one.
async fn blocking(busy: &Arc<AtomicBool>, read: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    if busy.swap(true, Ordering::AcqRel) {
        return Outcome::error("an earlier run still hangs");
    }
    let busy = busy.clone();
    let task = tokio::task::spawn_blocking(move || {
        let outcome = read();
        busy.store(false, Ordering::Release);
        outcome
    });
    task.await.unwrap_or_else(|_| Outcome::error("the check ended unexpectedly"))
}

/// The package manager of this host.
pub(super) fn patch_manager(programs: &Programs) -> Option<PatchManager> {
    PatchManager::find(programs).map(|(manager, _)| manager)
}

fn config<T: DeserializeOwned>(check_type: &str, json: &str) -> Result<T, String> {
    // An absent document stands for one without keys.
    let json = if json.trim().is_empty() { "{}" } else { json };
    serde_json::from_str(json).map_err(|error| invalid(check_type, error))
}

fn invalid(check_type: &str, error: impl std::fmt::Display) -> String {
    format!("invalid {check_type} config: {error}")
}

/// A number of seconds of the configuration within its range; what is absent or not positive is `default`.
fn seconds(given: Option<i64>, default: u64, max: u64) -> Duration {
    let given = given.and_then(|given| u64::try_from(given).ok()).filter(|given| *given > 0);
    Duration::from_secs(given.unwrap_or(default).min(max))
}

/// Either one value or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// The document that `write` makes of `items`, of which the last ones are left out until it has at most `limit` bytes;
/// `write` is told whether some were.
fn fitted<T>(mut items: Vec<T>, limit: usize, write: impl Fn(&[T], bool) -> String) -> String {
    let mut cut = false;
    loop {
        let text = write(&items, cut);
        if text.len() <= limit || items.is_empty() {
            return text;
        }
        // About as many as fit, but fewer than before.
        let keep = items.len().saturating_mul(limit) / text.len();
        items.truncate(keep.min(items.len() - 1));
        cut = true;
    }
}

/// The document of `value`; without one the types at hand cannot fail to be written.
fn document<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
