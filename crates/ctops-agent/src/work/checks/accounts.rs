//! `service_account`: the accounts of this host.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use ctops_base::text;
use serde::{Deserialize, Serialize};

use super::{Outcome, Tools, Verdict, document, fitted};
use crate::files;

/// Largest account file, bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// Accounts in one report.
const MAX_ACCOUNTS: usize = 5000;
const MAX_FIELD: usize = 256;
const SECONDS_PER_DAY: i64 = 86_400;
/// Password ages from here on mean "never" (shadow(5)).
const NEVER_DAYS: i64 = 99_999;
const NO_LOGIN: &[&str] = &["/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"];

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Accounts {
    min_human_uid: i64,
    max_human_uid: i64,
}

/// One line of passwd(5), cleaned.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) name: String,
    pub(super) uid: u32,
    gid: u32,
    pub(super) home: String,
    shell: String,
}

#[derive(Debug, Default, Serialize)]
struct Report<'r> {
    accounts: Option<&'r [Account]>,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Account {
    username: String,
    uid: u32,
    gid: u32,
    home_directory: String,
    shell: String,
    account_type: &'static str,
    has_login_capability: bool,
    has_running_processes: bool,
    account_locked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_last_changed: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Password {
    locked: bool,
    changed: Option<i64>,
    expires: Option<i64>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Accounts {
    pub(super) fn run(&self, tools: &Tools) -> Outcome {
        let sources = &tools.sources;
        let logins = match logins(&sources.etc) {
            Ok(logins) => logins,
            Err(error) => {
                let report = Report { error: Some(format!("reading passwd: {error}")), ..Report::default() };
                return Outcome::document(Verdict::Error, document(&report));
            }
        };
        // Only root may read it; without it passwords are unknown.
        let shadow = files::read(&sources.etc.join("shadow"), MAX_FILE).unwrap_or_default();
        let passwords = passwords(&String::from_utf8_lossy(&shadow));
        let active = active_uids(&sources.proc);
        let accounts: Vec<Account> = logins
            .into_iter()
            .map(|login| {
                let password = passwords.get(&login.name).copied().unwrap_or_default();
                self.account(login, password, &active)
            })
            .collect();
        let text = fitted(accounts, tools.max_document, |accounts, truncated| {
            let accounts = Some(accounts).filter(|accounts| !accounts.is_empty());
            document(&Report { accounts, truncated, error: None })
        });
        Outcome::document(Verdict::Pass, text)
    }

    fn account(&self, login: Login, password: Password, active: &HashSet<u32>) -> Account {
        let least = if self.min_human_uid > 0 { self.min_human_uid } else { 1000 };
        let most = if self.max_human_uid > 0 { self.max_human_uid } else { 60_000 };
        let uid = i64::from(login.uid);
        let can_login = !NO_LOGIN.contains(&login.shell.as_str());
        let account_type = match uid {
            0 => "system",
            _ if uid < least => "system",
            _ if uid > most => {
                if can_login {
                    "service"
                } else {
                    "system"
                }
            }
            _ if can_login => "human",
            _ => "service",
        };
        Account {
            has_running_processes: active.contains(&login.uid),
            username: login.name,
            uid: login.uid,
            gid: login.gid,
            home_directory: login.home,
            shell: login.shell,
            account_type,
            has_login_capability: can_login,
            account_locked: password.locked,
            password_expires_at: password.expires.map(|at| at.to_string()),
            password_last_changed: password.changed.map(|at| at.to_string()),
        }
    }
}

/// The accounts of `etc/passwd`; lines that do not fit are left out.
pub(super) fn logins(etc: &Path) -> std::io::Result<Vec<Login>> {
    let content = files::read(&etc.join("passwd"), MAX_FILE)?;
    Ok(String::from_utf8_lossy(&content).lines().filter_map(login).take(MAX_ACCOUNTS).collect())
}

fn login(line: &str) -> Option<Login> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
    if name.is_empty() || name.starts_with('#') {
        return None;
    }
    Some(Login {
        name: text::clean(name, MAX_FIELD),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: text::clean(home, MAX_FIELD * 4),
        shell: text::clean(shell, MAX_FIELD * 4),
    })
}

fn passwords(shadow: &str) -> HashMap<String, Password> {
    let of = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, hash) = (*fields.first()?, *fields.get(1)?);
        let days = |at: usize| fields.get(at).and_then(|text| text.parse::<i64>().ok());
        let changed = days(2).filter(|days| (1..10_000_000).contains(days));
        let most = days(4).filter(|days| (1..NEVER_DAYS).contains(days));
        let password = Password {
            locked: hash.starts_with(['!', '*']),
            changed: changed.map(|days| days * SECONDS_PER_DAY),
            expires: changed.zip(most).map(|(changed, most)| (changed + most) * SECONDS_PER_DAY),
        };
        Some((text::clean(name, MAX_FIELD), password))
    };
    shadow.lines().filter_map(of).collect()
}

/// Real user ids of all processes.
fn active_uids(proc: &Path) -> HashSet<u32> {
    let mut uids = HashSet::new();
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        let status = files::read_beginning(&entry.path().join("status"), 4096).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        uids.extend(line.and_then(|ids| ids.split_whitespace().next()?.parse::<u32>().ok()));
    }
    uids
}
