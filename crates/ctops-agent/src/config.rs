//! The configuration file: what it may hold and who may own it (agents-enrolment 24, wire contract 11.2).

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::settings::Secret;

const MAX_BYTES: u64 = 1024 * 1024;

/// The file as it is written; a value that is absent is left to environment and defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ConfigFile {
    /// Section `[ingest]`.
    pub ingest: IngestSection,
    /// Section `[agent]`.
    pub agent: AgentSection,
}

/// How the server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct IngestSection {
    /// `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Certificates to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert_file: Option<String>,
    /// Server verification off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_skip_verify: Option<bool>,
}

/// The agent itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct AgentSection {
    /// Enrolment token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolment_token: Option<Secret>,
    /// Older name of `enrolment_token`; read, never written.
    #[serde(skip_serializing)]
    pub org_token: Option<Secret>,
    /// Where identity and state are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// Seconds between heartbeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_interval_secs: Option<i64>,
    /// `key=value` or `key:value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Which tasks of the server this host accepts (tasks 26).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_tasks: Option<AllowTasks>,
    /// Public key that updates must be signed with instead of the built-in one, 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_public_key: Option<String>,
    /// Resident memory the agent allows itself, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit_mb: Option<u64>,
    /// Share of one processor the agent allows itself on average, percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_limit_percent: Option<u32>,
}

/// Which tasks of the server a host accepts: `true`, `false`, or a list of task types.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum AllowTasks {
    /// All or none.
    All(bool),
    /// These types only.
    Types(Vec<String>),
}

impl AllowTasks {
    /// Whether tasks of `task_type` are accepted.
    pub fn permits(&self, task_type: &str) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Types(types) => types.iter().any(|allowed| allowed == task_type),
        }
    }
}

/// Why a configuration file is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It exists but cannot be read.
    #[error("configuration file {} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// Others could read the token or change the server.
    #[error("configuration file {} has mode {:04o}: group and others must have no access, run chmod 0600", .0.display(), .1)]
    TooOpen(PathBuf, u32),
    /// Somebody else could change the server.
    #[error("configuration file {} belongs to user id {}, it must belong to the user of the agent or to root", .0.display(), .1)]
    ForeignOwner(PathBuf, u32),
    /// It is not the TOML the agent understands.
    #[error("configuration file {} is not valid: {}", .0.display(), .1)]
    Invalid(PathBuf, String),
}

/// Reads the configuration file; a file that does not exist counts as empty.
///
/// # Errors
/// When the file is readable by group or others, belongs to somebody else than this user or root, or cannot be
/// read or parsed.
pub fn load(path: &Path) -> Result<ConfigFile, ConfigError> {
    load_owned(path, &[nix::unistd::geteuid().as_raw(), 0])
}

/// The same for the installer, which also accepts a file that belongs to the service's `account`.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_for_installer(path: &Path, account: &str) -> Result<ConfigFile, ConfigError> {
    let own = nix::unistd::geteuid().as_raw();
    let account = nix::unistd::User::from_name(account).ok().flatten();
    load_owned(path, &[own, 0, account.map_or(own, |user| user.uid.as_raw())])
}

fn load_owned(path: &Path, owners: &[u32]) -> Result<ConfigFile, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable(path.to_owned(), error);
    // Without O_NONBLOCK, opening a named pipe would wait for ever.
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ConfigFile::default()),
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    check_access(path, metadata.mode(), metadata.uid(), owners)?;
    let content = files::read_open(file, MAX_BYTES).map_err(unreadable)?;
    let text = String::from_utf8(content)
        .map_err(|_| ConfigError::Invalid(path.to_owned(), "it is not UTF-8 text".to_owned()))?;
    // The parser's own report quotes the offending line, which may hold the token; only its message is kept.
    toml::from_str(&text).map_err(|error| ConfigError::Invalid(path.to_owned(), error.message().to_owned()))
}

fn check_access(path: &Path, mode: u32, owner: u32, owners: &[u32]) -> Result<(), ConfigError> {
    if mode & 0o077 != 0 {
        return Err(ConfigError::TooOpen(path.to_owned(), mode & 0o7777));
    }
    if !owners.contains(&owner) {
        return Err(ConfigError::ForeignOwner(path.to_owned(), owner));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    const COMPLETE: &str = r#"
[ingest]
address = "ingest.corp.example.com:9443"
ca_cert_file = "/etc/ct-ops/ca.crt"
tls_skip_verify = true
[agent]
enrolment_token = "tok_a"
data_dir = "/var/lib/ct-ops/agent"
version = "0.1.0"
heartbeat_interval_secs = 30
tags = ["env=prod", "role:web"]
"#;

    #[test]
    fn file_of_the_documents_when_loaded_then_is_understood_and_unknown_keys_are_ignored() {
        let (_dir, path) = written(COMPLETE, 0o600);
        let file = load(&path).unwrap();
        assert_eq!(file.ingest.address.as_deref(), Some("ingest.corp.example.com:9443"));
        assert_eq!(file.ingest.tls_skip_verify, Some(true));
        assert_eq!(file.agent.enrolment_token, Some(Secret::new("tok_a")));
        assert_eq!(file.agent.heartbeat_interval_secs, Some(30));
        assert_eq!(file.agent.tags, ["env=prod", "role:web"]);
        assert_eq!(load(Path::new("/nonexistent/agent.toml")).unwrap(), ConfigFile::default());
    }

    /// Spec: agents-enrolment 24
    #[test]
    fn file_readable_by_group_or_others_when_loaded_then_is_refused() {
        for (mode, accepted) in
            [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false), (0o601, false)]
        {
            let (_dir, path) = written(COMPLETE, mode);
            assert_eq!(load(&path).is_ok(), accepted, "mode {mode:o}");
        }
    }

    /// Spec: agents-enrolment 24
    #[test]
    fn file_of_another_user_when_checked_then_is_refused_unless_root_owns_it() {
        let path = Path::new("/etc/ct-ops/agent.toml");
        assert!(check_access(path, 0o100_600, 1000, &[1000, 0]).is_ok());
        assert!(check_access(path, 0o100_600, 0, &[1000, 0]).is_ok());
        let refusal = check_access(path, 0o100_600, 1001, &[1000, 0]).unwrap_err().to_string();
        assert!(refusal.contains("user id 1001"), "{refusal}");
        assert!(
            check_access(path, 0o100_600, 1001, &[0, 0]).is_err(),
            "root does not follow another user's file either"
        );
    }

    /// Spec: tasks 26
    #[test]
    fn tasks_of_the_server_when_the_file_says_so_then_are_accepted_or_not() {
        for (value, scripts, inventory) in [
            ("true", true, true),
            ("false", false, false),
            ("[\"software_inventory\"]", false, true),
            ("[]", false, false),
        ] {
            let (_dir, path) = written(&format!("[agent]\nallow_tasks = {value}\n"), 0o600);
            let allowed = load(&path).unwrap().agent.allow_tasks.unwrap();
            let found = (allowed.permits("custom_script"), allowed.permits("software_inventory"));
            assert_eq!(found, (scripts, inventory), "{value}");
        }
        let (_dir, path) = written("[agent]\nallow_tasks = \"some\"\n", 0o600);
        assert!(load(&path).is_err(), "what is not understood must not count as allowed");
    }

    #[test]
    fn damaged_file_when_loaded_then_is_refused_without_quoting_the_token() {
        let (_dir, path) = written("[agent]\nenrolment_token = \"tok_secret", 0o600);
        let text = load(&path).unwrap_err().to_string();
        assert!(text.contains("is not valid") && !text.contains("tok_secret"), "{text}");
        let (_dir, path) = written("[agent]\nheartbeat_interval_secs = \"soon\"", 0o600);
        assert!(load(&path).is_err());
    }
}
