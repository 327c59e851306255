//! `process`: a program runs, in the expected number.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::Outcome;
use crate::collect::Sources;
use crate::files;

/// Of `comm` and `cmdline` only the beginning is needed, bytes.
const MAX_NAME_BYTES: usize = 4096;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Process {
    process_name: String,
    min_count: Option<u32>,
    max_count: Option<u32>,
}

impl Process {
    pub(super) fn run(&self, sources: &Sources) -> Outcome {
        let name = &self.process_name;
        let pids = match pids_of(&sources.proc, name) {
            Ok(pids) => pids,
            Err(error) => return Outcome::error(format!("reading /proc: {error}")),
        };
        let found = u32::try_from(pids.len()).unwrap_or(u32::MAX);
        let least = self.min_count.unwrap_or(1);
        let fits = found >= least && self.max_count.is_none_or(|most| found <= most);
        match (fits, pids.first()) {
            (true, Some(pid)) => Outcome::pass(format!("process '{name}' found (pid {pid})")),
            (true, None) => Outcome::pass(format!("process '{name}' not found")),
            (false, None) => Outcome::fail(format!("process '{name}' not found")),
            (false, Some(pid)) => {
                let most = self.max_count.map_or_else(|| "any".to_owned(), |most| most.to_string());
                Outcome::fail(format!(
                    "process '{name}' found {found} times (pid {pid}), expected {least} to {most}"
                ))
            }
        }
    }
}

/// Ids of the processes whose command name, or else the base name of their program, is `name`; ascending.
fn pids_of(proc: &Path, name: &str) -> std::io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir(proc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|text| text.parse::<u32>().ok()) else {
            continue;
        };
        if matches(&entry.path(), name) {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    Ok(pids)
}

fn matches(process: &Path, name: &str) -> bool {
    if beginning(&process.join("comm")).is_some_and(|comm| comm.trim() == name) {
        return true;
    }
    let Some(line) = beginning(&process.join("cmdline")) else { return false };
    let program = line.split('\0').next().unwrap_or_default();
    !program.is_empty() && program.rsplit('/').next() == Some(name)
}

fn beginning(path: &Path) -> Option<String> {
    let content = files::read_beginning(path, MAX_NAME_BYTES).ok()?;
    Some(String::from_utf8_lossy(&content).into_owned())
}
