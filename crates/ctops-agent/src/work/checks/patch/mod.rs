//! `patch_status`: how long ago this host was patched, and what it could be patched with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{Outcome, Tools, Verdict, document, fitted};
use crate::work::program::Programs;

mod dates;
mod updates;

/// Time-out of the whole check: package managers ask their repositories.
pub(super) const LIMIT: Duration = Duration::from_secs(150);
/// For one call of a package manager.
const CALL: Duration = Duration::from_secs(120);
/// Of its output, bytes.
const MAX_OUTPUT: usize = 2 * 1024 * 1024;
const SECONDS_PER_DAY: i64 = 86_400;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Patch {
    max_age_days: i64,
    max_packages: i64,
}

/// The document of wire contract 6.1.
#[derive(Clone, Debug, Default, Serialize)]
struct Report<'r> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_patched_at: Option<String>,
    patch_age_days: i64,
    max_age_days: i64,
    package_manager: &'static str,
    updates_supported: bool,
    updates_count: usize,
    updates_truncated: bool,
    updates: Option<&'r [Update]>,
    warnings: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A package that could be replaced by a newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Update {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    current_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    available_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    architecture: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    repository: String,
}

/// A package manager of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::work) enum Manager {
    /// Debian and its kin.
    Apt,
    /// Fedora and its kin.
    Dnf,
    /// The same, older.
    Yum,
    /// SUSE.
    Zypper,
    /// Arch.
    Pacman,
    /// Alpine.
    Apk,
}

impl Manager {
    /// The first one that is installed, with the name of its program.
    pub(in crate::work) fn find(programs: &Programs) -> Option<(Self, &'static str)> {
        [
            (Self::Apt, "apt"),
            (Self::Apt, "apt-get"),
            (Self::Dnf, "dnf"),
            (Self::Yum, "yum"),
            (Self::Zypper, "zypper"),
            (Self::Pacman, "pacman"),
            (Self::Apk, "apk"),
        ]
        .into_iter()
        .find(|(_, program)| programs.find(program).is_some())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Yum => "yum",
            Self::Zypper => "zypper",
            Self::Pacman => "pacman",
            Self::Apk => "apk",
        }
    }
}

impl Patch {
    pub(super) async fn run(&self, tools: &Tools) -> Outcome {
        // Beside /etc lie the other directories of the same machine.
        let root = tools.sources.etc.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        let found = Manager::find(&tools.programs);
        let mut warnings = Vec::new();
        let mut report = Report { updates_supported: true, ..Report::default() };
        let (mut patched, mut updates) = (None, Vec::new());
        if let Some((manager, program)) = found {
            report.package_manager = manager.name();
            let read = tokio::task::spawn_blocking(move || dates::last_patched(manager, &root));
            patched = read.await.unwrap_or_default();
            if patched.is_none() && matches!(manager, Manager::Dnf | Manager::Yum | Manager::Zypper) {
                patched = dates::last_installed_rpm(&tools.programs).await;
            }
            match updates::pending(manager, program, &tools.programs).await {
                Ok(listed) => updates = listed,
                Err(warning) => warnings.push(warning),
            }
        }
        self.judge(report, patched, updates, warnings, tools)
    }

    fn judge(
        &self,
        mut report: Report<'_>,
        patched: Option<DateTime<Utc>>,
        mut updates: Vec<Update>,
        warnings: Vec<String>,
        tools: &Tools,
    ) -> Outcome {
        let max_packages = usize::try_from(self.max_packages).unwrap_or(0);
        let max_packages = if max_packages == 0 { 500 } else { max_packages.min(1000) };
        report.max_age_days = if self.max_age_days > 0 { self.max_age_days } else { 30 };
        let verdict = match patched {
            Some(patched) => {
                let age = (tools.clock.now() - patched).num_seconds().max(0);
                report.patch_age_days = (age + SECONDS_PER_DAY - 1) / SECONDS_PER_DAY;
                report.last_patched_at = Some(patched.to_rfc3339_opts(SecondsFormat::Secs, true));
                if report.patch_age_days <= report.max_age_days { Verdict::Pass } else { Verdict::Fail }
            }
            None => {
                let missing = if report.package_manager.is_empty() {
                    "no supported package manager found"
                } else {
                    "no date of the last patch found"
                };
                report.error = Some(missing.to_owned());
                Verdict::Error
            }
        };
        report.status = verdict.as_str();
        report.warnings = Some(warnings).filter(|warnings| !warnings.is_empty());
        updates.truncate(max_packages + 1);
        report.updates_count = updates.len();
        report.updates_truncated = updates.len() > max_packages;
        updates.truncate(max_packages);
        let text = fitted(updates, tools.max_document, |updates, cut| {
            let updates = Some(updates).filter(|updates| !updates.is_empty());
            document(&Report {
                updates,
                updates_truncated: report.updates_truncated || cut,
                ..report.clone()
            })
        });
        Outcome::document(verdict, text)
    }
}

#[cfg(test)]
mod tests;
