//! What the agent works with: flag over environment over file over default (wire contract 11.2).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ctops_proto::agent::Tag;
use ctops_proto::limits;
use ctops_proto::release::{self, PUBLIC_KEY_BYTES};
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::config::{AllowTasks, ConfigFile};
use crate::flags::Flags;
use crate::tags;
use crate::watchdog::{self, Allowance};

/// Where the agent keeps identity and state unless told otherwise.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/ct-ops/agent";
/// The server's address unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "localhost:9443";

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`, without surrounding blanks.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text, to be sent and not to be printed.
    pub fn expose(&self) -> &str {
        self.0.trim()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Host and port of the server; the host is also the name its certificate must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// DNS name or IP address, IPv6 without brackets.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
    /// The host as the TLS library wants it.
    pub server_name: ServerName<'static>,
}

impl FromStr for Address {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SettingsError::Address(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').filter(|inner| inner.contains(':')).ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let server_name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
        Ok(Self { host: host.to_owned(), port, server_name })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub address: Address,
    /// Certificates to trust instead of the system's.
    pub ca_cert_file: Option<PathBuf>,
    /// Server verification off.
    pub tls_skip_verify: bool,
    /// Enrolment token, not empty.
    pub enrolment_token: Secret,
    /// Where identity and state are kept.
    pub data_dir: PathBuf,
    /// Between heartbeats, 5 to 300 s.
    pub heartbeat_interval: Duration,
    /// Tags of this host, merged.
    pub tags: Vec<Tag>,
    /// Which tasks of the server this host accepts; all unless its file says otherwise.
    pub allow_tasks: AllowTasks,
    /// Public key that updates must be signed with instead of the built-in one.
    pub update_key: Option<[u8; PUBLIC_KEY_BYTES]>,
    /// What the agent itself may use.
    pub allowance: Allowance,
}

/// Settings the agent cannot work with.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not `host:port`.
    #[error("address {0:?} is not host:port with a port from 1 to 65535")]
    Address(String),
    /// No enrolment token anywhere.
    #[error("no enrolment token: give -token, CT_OPS_ENROLMENT_TOKEN or agent.enrolment_token")]
    NoToken,
    /// Not a number of seconds in the allowed range.
    #[error("heartbeat interval {0} is not a number of seconds from 5 to 300")]
    Interval(String),
    /// Not a public key.
    #[error("agent.update_public_key is not 64 hex digits")]
    UpdateKey,
    /// A limit out of range.
    #[error("agent.memory_limit_mb must be 8 to 4096 and agent.cpu_limit_percent 1 to 1600")]
    Allowance,
}

/// Looks up an environment variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Combines the layers. Empty environment variables count as not set.
    ///
    /// # Errors
    /// When the address is not `host:port`, the interval is out of range or there is no token.
    pub fn resolve(
        file: &ConfigFile,
        environment: Environment<'_>,
        flags: &Flags,
    ) -> Result<Self, SettingsError> {
        let variable = |name: &str| environment(name).filter(|text| !text.trim().is_empty());
        let address = flags
            .address
            .clone()
            .or_else(|| variable("CT_OPS_INGEST_ADDRESS"))
            .or_else(|| file.ingest.address.clone())
            .unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let ca_cert_file = flags
            .ca_cert
            .clone()
            .or_else(|| variable("CT_OPS_INGEST_CA_CERT").map(PathBuf::from))
            .or_else(|| file.ingest.ca_cert_file.clone().map(PathBuf::from))
            .filter(|path| !path.as_os_str().is_empty());
        let data_dir = variable("CT_OPS_DATA_DIR")
            .or_else(|| file.agent.data_dir.clone().filter(|dir| !dir.is_empty()))
            .unwrap_or_else(|| DEFAULT_DATA_DIR.to_owned());
        let tls_skip_verify = flags.tls_skip_verify.or(file.ingest.tls_skip_verify).unwrap_or(false);
        if tls_skip_verify {
            warn!("server verification is off, anyone on the path can impersonate the server");
        }
        Ok(Self {
            address: address.trim().parse()?,
            ca_cert_file,
            tls_skip_verify,
            enrolment_token: token(file, &variable, flags).ok_or(SettingsError::NoToken)?,
            data_dir: PathBuf::from(data_dir),
            heartbeat_interval: interval(file, &variable)?,
            tags: merged_tags(file, &variable, flags),
            allow_tasks: file.agent.allow_tasks.clone().unwrap_or(AllowTasks::All(true)),
            update_key: update_key(file)?,
            allowance: allowance(file)?,
        })
    }
}

/// The enrolment token: the older name `org_token` is accepted in file and environment, with a warning; the present
/// name wins within its layer (api-conventions, known differences 4).
pub(crate) fn token(
    file: &ConfigFile,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
) -> Option<Secret> {
    let present = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.expose().is_empty());
    if let Some(token) = present(&flags.token) {
        return Some(token);
    }
    if let Some(text) = variable("CT_OPS_ENROLMENT_TOKEN") {
        return Some(Secret::new(&text));
    }
    if let Some(text) = variable("CT_OPS_ORG_TOKEN") {
        warn!("CT_OPS_ORG_TOKEN is deprecated, use CT_OPS_ENROLMENT_TOKEN");
        return Some(Secret::new(&text));
    }
    if let Some(token) = present(&file.agent.enrolment_token) {
        return Some(token);
    }
    let old = present(&file.agent.org_token)?;
    warn!("agent.org_token is deprecated, use agent.enrolment_token");
    Some(old)
}

fn update_key(file: &ConfigFile) -> Result<Option<[u8; PUBLIC_KEY_BYTES]>, SettingsError> {
    let text = file.agent.update_public_key.as_deref().filter(|text| !text.trim().is_empty());
    text.map(release::parse_key).transpose().map_err(|_| SettingsError::UpdateKey)
}

fn allowance(file: &ConfigFile) -> Result<Allowance, SettingsError> {
    let memory = file.agent.memory_limit_mb.unwrap_or(watchdog::DEFAULT_MEMORY_MIB);
    let cpu_percent = file.agent.cpu_limit_percent.unwrap_or(watchdog::DEFAULT_CPU_PERCENT);
    if watchdog::MEMORY_MIB.contains(&memory) && watchdog::CPU_PERCENT.contains(&cpu_percent) {
        Ok(Allowance { memory_bytes: memory << 20, cpu_percent })
    } else {
        Err(SettingsError::Allowance)
    }
}

fn interval(file: &ConfigFile, variable: &dyn Fn(&str) -> Option<String>) -> Result<Duration, SettingsError> {
    let text = variable("CT_OPS_HEARTBEAT_INTERVAL_SECS")
        .or_else(|| file.agent.heartbeat_interval_secs.map(|seconds| seconds.to_string()))
        .unwrap_or_else(|| limits::DEFAULT_HEARTBEAT_INTERVAL_SECS.to_string());
    match text.trim().parse::<u32>() {
        Ok(seconds) if limits::HEARTBEAT_INTERVAL_SECS.contains(&seconds) => {
            Ok(Duration::from_secs(seconds.into()))
        }
        _ => Err(SettingsError::Interval(text)),
    }
}

/// Tags of the environment (separated by commas) stand in for those of the file; flags are merged on top.
pub(crate) fn merged_tags(
    file: &ConfigFile,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
) -> Vec<Tag> {
    let from_environment = variable("CT_OPS_TAGS");
    let lower: Vec<&str> = match &from_environment {
        Some(text) => text.split(',').filter(|entry| !entry.trim().is_empty()).collect(),
        None => file.agent.tags.iter().map(String::as_str).collect(),
    };
    tags::merge(lower.into_iter().chain(flags.tags.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests;
