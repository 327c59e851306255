//! `patch`: installs newer packages with the distribution's own manager (tasks 19, 20).

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::output::TaskOutput;
use super::{Done, config};
use crate::software::Machine;
use crate::work::checks::PatchManager as Manager;
use crate::work::checks::patch_manager;
use crate::work::program::{self, ProgramError, Programs};

/// Limit of the whole task.
const LIMIT: Duration = Duration::from_secs(45 * 60);
const TIMED_OUT: &str = "task timed out (exceeded 45 minutes)";
/// For the list of what would be installed.
const LISTING: Duration = Duration::from_secs(120);
const MAX_LISTING: usize = 4 * 1024 * 1024;
/// Of the list of packages in the result, bytes; the whole result has 16 KiB.
const MAX_RESULT: usize = 14 * 1024;
/// Keeps configuration files that were changed on the host.
const KEEP_FILES: [&str; 4] =
    ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    All,
    Security,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    mode: Mode,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Updated {
    name: String,
    from_version: String,
    to_version: String,
}

#[derive(Serialize)]
struct Result {
    packages_updated: Option<Vec<Updated>>,
    reboot_required: bool,
}

type Versions = HashMap<(String, String), String>;

/// Runs the task.
pub(super) async fn task(
    config_json: &str,
    machine: &Machine,
    cancel: &Notify,
    output: &mut TaskOutput<'_>,
) -> Done {
    let given: Config = match config("patch", config_json) {
        Ok(given) => given,
        Err(done) => return done,
    };
    let Some(manager) = patch_manager(&machine.programs) else {
        return Done::failed("no supported package manager found");
    };
    let before = match machine.versions().await {
        Ok(before) => before,
        Err(error) => return Done::failed(format!("packages cannot be listed: {error}")),
    };
    let mut run = Run { programs: &machine.programs, deadline: Instant::now() + LIMIT, cancel, output };
    let outcome = run.patch(manager, given.mode).await;
    let after = machine.versions().await.unwrap_or_default();
    let updated = if after.is_empty() { Vec::new() } else { updated(&before, &after) };
    let reboot_required = reboot_required(machine).await;
    let result_json = fitted(updated, reboot_required);
    match outcome {
        Ok(0) => Done { exit_code: 0, result_json, error: String::new() },
        Ok(code) => {
            Done { exit_code: code, result_json, error: format!("the package manager ended with {code}") }
        }
        Err(ProgramError::TimedOut(..)) => Done { result_json, ..Done::failed(TIMED_OUT) },
        Err(error) => Done { result_json, ..Done::failed(error.to_string()) },
    }
}

/// The package manager's work, step by step.
struct Run<'r, 'o> {
    programs: &'r Programs,
    deadline: Instant,
    cancel: &'r Notify,
    output: &'r mut TaskOutput<'o>,
}

impl Run<'_, '_> {
    async fn step(&mut self, program: &str, arguments: &[&str]) -> std::result::Result<i32, ProgramError> {
        self.output.say(&format!("$ {program} {}", arguments.join(" ")));
        let mut command = self.programs.command(program);
        command.args(arguments);
        let left = self.deadline.saturating_duration_since(Instant::now());
        let output = &mut *self.output;
        let mut sink = |stream, bytes: &[u8]| output.push(stream, bytes);
        let status = program::run(program, command, left, self.cancel.notified(), &mut sink).await?;
        Ok(status.code().unwrap_or(-1))
    }

    async fn patch(&mut self, manager: Manager, mode: Mode) -> std::result::Result<i32, ProgramError> {
        let security = mode == Mode::Security;
        match manager {
            Manager::Apt => self.apt(security).await,
            Manager::Dnf | Manager::Yum => {
                let program = if manager == Manager::Dnf { "dnf" } else { "yum" };
                let arguments: &[&str] =
                    if security { &["-y", "upgrade", "--security"] } else { &["-y", "upgrade"] };
                self.step(program, arguments).await
            }
            Manager::Zypper => {
                let arguments: &[&str] = if security {
                    &["--non-interactive", "patch", "--category", "security"]
                } else {
                    &["--non-interactive", "update"]
                };
                // 102 and 103 say that the host, or zypper, is to be started again.
                let code = self.step("zypper", arguments).await?;
                Ok(if matches!(code, 102 | 103) { 0 } else { code })
            }
            // These publish no list of what is security and what is not, and updating all is not what was asked for.
            Manager::Pacman | Manager::Apk if security => {
                self.output.say("this distribution does not tell security updates apart");
                Ok(1)
            }
            Manager::Pacman => self.step("pacman", &["-Syu", "--noconfirm"]).await,
            Manager::Apk => match self.step("apk", &["update"]).await? {
                0 => self.step("apk", &["upgrade"]).await,
                code => Ok(code),
            },
        }
    }

    async fn apt(&mut self, security: bool) -> std::result::Result<i32, ProgramError> {
        let code = self.step("apt-get", &["update"]).await?;
        if code != 0 {
            return Ok(code);
        }
        let mut arguments = vec!["-y"];
        arguments.extend(KEEP_FILES);
        if !security {
            arguments.push("upgrade");
            return self.step("apt-get", &arguments).await;
        }
        let listed = self.programs.output("apt-get", &["-s", "upgrade"], LISTING, MAX_LISTING).await?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names: Vec<&str> = listed.lines().filter_map(security_update).collect();
        if names.is_empty() {
            self.output.say("no security updates to install");
            return Ok(0);
        }
        arguments.extend(["--only-upgrade", "install", "--"]);
        arguments.extend(names);
        self.step("apt-get", &arguments).await
    }
}

/// The package of a line `Inst name [old] (new Debian-Security:12/stable-security [amd64])`.
fn security_update(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
    let inside = rest.split_once('(')?.1.to_ascii_lowercase();
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.:".contains(&byte));
    (plain && inside.contains("security")).then_some(name)
}

/// What has another version than before, by name.
fn updated(before: &Versions, after: &Versions) -> Vec<Updated> {
    let mut updated: Vec<Updated> = before
        .iter()
        .filter_map(|(package, from)| Some((package, from, after.get(package)?)))
        .filter(|(_, from, to)| from != to)
        .map(|((name, _), from, to)| Updated {
            name: name.clone(),
            from_version: from.clone(),
            to_version: to.clone(),
        })
        .collect();
    updated.sort_by(|one, other| one.name.cmp(&other.name));
    updated
}

fn fitted(mut updated: Vec<Updated>, reboot_required: bool) -> String {
    loop {
        let list = if updated.is_empty() { None } else { Some(updated) };
        let mut result = Result { packages_updated: list, reboot_required };
        let text = serde_json::to_string(&result).unwrap_or_default();
        let mut list = result.packages_updated.take().unwrap_or_default();
        if text.len() <= MAX_RESULT || list.is_empty() {
            return text;
        }
        list.truncate(list.len() * 3 / 4);
        updated = list;
    }
}

/// Debian leaves a file; others have a program whose exit code tells.
async fn reboot_required(machine: &Machine) -> bool {
    if machine.root.join("run/reboot-required").exists()
        || machine.root.join("var/run/reboot-required").exists()
    {
        return true;
    }
    for (program, arguments, code) in [("needs-restarting", "-r", 1), ("zypper", "needs-rebooting", 102)] {
        if machine.programs.find(program).is_some() {
            let answer = machine.programs.output(program, &[arguments], LISTING, 4096).await;
            return answer.is_ok_and(|answer| answer.code == code);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(list: &[(&str, &str)]) -> Versions {
        let pair = |(name, version): &(&str, &str)| {
            (((*name).to_owned(), "amd64".to_owned()), (*version).to_owned())
        };
        list.iter().map(pair).collect()
    }

    #[test]
    fn packages_when_compared_then_only_changed_versions_count() {
        let before = versions(&[("b", "1"), ("a", "1"), ("gone", "1"), ("same", "1")]);
        let after = versions(&[("a", "2"), ("b", "3"), ("new", "1"), ("same", "1")]);
        let names: Vec<_> = updated(&before, &after)
            .into_iter()
            .map(|updated| format!("{} {} {}", updated.name, updated.from_version, updated.to_version))
            .collect();
        assert_eq!(names, ["a 1 2", "b 1 3"]);
        assert_eq!(fitted(Vec::new(), true), r#"{"packages_updated":null,"reboot_required":true}"#);
        let many =
            |_| Updated { name: "x".repeat(100), from_version: "1".repeat(50), to_version: "2".repeat(50) };
        assert!(fitted((0..500).map(many).collect(), false).len() <= MAX_RESULT);
    }

    #[test]
    fn simulation_of_apt_when_read_then_only_security_updates_count() {
        let security = "Inst libc6 [2.36-9] (2.36-10 Debian-Security:12/stable-security [amd64])";
        assert_eq!(security_update(security), Some("libc6"));
        assert_eq!(security_update("Inst vim [1] (2 Debian:12.5/stable [amd64])"), None);
        assert_eq!(security_update("Inst --evil [1] (2 security)"), Some("--evil"));
        assert_eq!(security_update("Conf libc6 (2.36-10 Debian-Security:12)"), None);
    }
}
