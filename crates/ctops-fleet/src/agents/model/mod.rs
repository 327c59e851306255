//! What agents are, ask for and are told.

mod leases;
mod records;
mod superseded;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ctops_base::Clock;
use ctops_base::id::is_agent_id;
use ctops_pg::Pool;
use ctops_slice::Entitlements;
use uuid::Uuid;

use super::trust::AgentTrust;
use crate::releases::ReleaseDeps;

pub use leases::{
    HostStatusChange, LeaseChange, LeaseEnd, LeaseEvent, NODE_LEASE_RENEWAL, NODE_LEASE_TTL, NodeRenewal,
};
pub use records::{AgentRecord, CertificateFacts, CollidingHost, HistoryEntry};
pub use superseded::SupersededSessions;

/// What registration, decisions and renewal work with. Cloning is cheap.
#[derive(Clone)]
pub struct AgentDeps {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// Certificate authorities and the token key.
    pub trust: Arc<AgentTrust>,
    /// How often one source may register.
    pub limits: RegisterLimits,
    /// Releases of the agent.
    pub releases: ReleaseDeps,
    /// Seats of the licence.
    pub entitlements: Arc<dyn Entitlements>,
}

/// Calls of `Register` per minute (agents-enrolment, limits; security 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterLimits {
    /// From one source address.
    pub per_source: i32,
    /// From one source address with one token.
    pub per_source_and_token: i32,
}

impl Default for RegisterLimits {
    fn default() -> Self {
        Self { per_source: 120, per_source_and_token: 30 }
    }
}

/// State of an agent record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentStatus {
    /// Waits for an administrator.
    Pending,
    /// Approved; connected, or never connected yet.
    Active,
    /// Approved; its last stream ended.
    Offline,
    /// Rejected or revoked; final.
    Revoked,
}

impl AgentStatus {
    /// Every status.
    pub const ALL: [AgentStatus; 4] =
        [AgentStatus::Pending, AgentStatus::Active, AgentStatus::Offline, AgentStatus::Revoked];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            AgentStatus::Pending => "pending",
            AgentStatus::Active => "active",
            AgentStatus::Offline => "offline",
            AgentStatus::Revoked => "revoked",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether an agent in this state may connect.
    pub fn is_approved(self) -> bool {
        matches!(self, AgentStatus::Active | AgentStatus::Offline)
    }
}

/// A call of `Register`, as it came. [`super::register`] checks all of it.
#[derive(Clone, Default)]
pub struct RegisterInput {
    /// The enrolment token's secret.
    pub enrolment_token: String,
    /// Exact text of the agent's `agent_key.pub`; the identity, compared byte for byte.
    pub public_key: String,
    /// Name of the machine.
    pub hostname: String,
    /// Operating system, Go name.
    pub os: String,
    /// Architecture, Go name.
    pub arch: String,
    /// Version of the operating system.
    pub os_version: String,
    /// Version of the agent program.
    pub agent_version: String,
    /// Hashed machine id; empty when the agent sends none.
    pub machine_id: String,
    /// Addresses that identify the machine.
    pub ip_addresses: Vec<String>,
    /// Tags of the agent's configuration, key and value.
    pub tags: Vec<(String, String)>,
    /// PKCS#10 request in DER; may be empty, but without it neither a token nor a certificate is issued.
    pub csr_der: Vec<u8>,
    /// Peer address of the connection; what rate limits count.
    pub source: Option<IpAddr>,
}

impl fmt::Debug for RegisterInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterInput")
            .field("hostname", &self.hostname)
            .field("os", &self.os)
            .field("arch", &self.arch)
            .field("agent_version", &self.agent_version)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// What `Register` answers. Original agents understand these three only, so a known agent that is not connected is
/// answered `active` (wire contract, appendix B.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterStatus {
    /// Approved: token and certificate are in the same answer.
    Active,
    /// Waits for approval; ask again.
    Pending,
    /// Rejected or revoked; stop.
    Revoked,
}

impl RegisterStatus {
    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            RegisterStatus::Active => "active",
            RegisterStatus::Pending => "pending",
            RegisterStatus::Revoked => "revoked",
        }
    }
}

/// A client certificate on its way to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// One `CERTIFICATE` block.
    pub pem: String,
    /// Serial in lower-case hex without leading zeros.
    pub serial: String,
    /// Last moment of validity.
    pub not_after: DateTime<Utc>,
}

/// The answer to `Register`.
#[derive(Clone)]
pub struct RegisterOutcome {
    /// The agent; after an adoption or an approved claim it is the id of the existing record.
    pub agent_id: String,
    /// What it may do now.
    pub status: RegisterStatus,
    /// Text for the agent's log.
    pub message: String,
    /// RS256 token for 24 h; with `Active` only, and only when the call proved possession of the key.
    pub jwt: Option<String>,
    /// The client certificate; under the same conditions.
    pub certificate: Option<ClientCertificate>,
    /// Certificates to trust as issuers of client certificates, PEM; empty unless `Active`.
    pub agent_ca_pem: String,
}

impl fmt::Debug for RegisterOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterOutcome")
            .field("agent_id", &self.agent_id)
            .field("status", &self.status)
            .field("message", &self.message)
            .field("has_jwt", &self.jwt.is_some())
            .field("has_certificate", &self.certificate.is_some())
            .finish_non_exhaustive()
    }
}

/// What ingest needs to know about the agent of a stream, read once per stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamIdentity {
    /// The agent.
    pub agent_id: String,
    /// Its host; none only while a re-enrolment claim waits for approval.
    pub host_id: Option<Uuid>,
    /// Its organisation.
    pub org_id: Uuid,
    /// Only approved agents may stream; see [`AgentStatus::is_approved`].
    pub status: AgentStatus,
    /// The newest certificate issued to it. Push it when its serial differs from the presented one.
    pub certificate: Option<ClientCertificate>,
}

/// A revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedSerial {
    /// Serial in lower-case hex without leading zeros.
    pub serial: String,
    /// When it was revoked.
    pub revoked_at: DateTime<Utc>,
}

/// News for the node that holds an agent's stream or its waiting `Register` call; payload of the notification channel
/// [`ctops_pg::notify::AGENTS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentSignal {
    /// Approved: answer its waiting call with [`super::registration_answer`].
    Approved(String),
    /// Rejected or revoked: answer its waiting call, close its stream.
    Revoked(String),
    /// A certificate waits to be delivered: read [`super::stream_identity`] again.
    Certificate(String),
}

impl AgentSignal {
    /// Reads a payload; none when it has another form.
    pub fn parse(payload: &str) -> Option<Self> {
        let (kind, agent_id) = payload.split_once(':')?;
        if !is_agent_id(agent_id) {
            return None;
        }
        match kind {
            "approved" => Some(Self::Approved(agent_id.to_owned())),
            "revoked" => Some(Self::Revoked(agent_id.to_owned())),
            "certificate" => Some(Self::Certificate(agent_id.to_owned())),
            _ => None,
        }
    }

    /// The agent it is about.
    pub fn agent_id(&self) -> &str {
        match self {
            Self::Approved(id) | Self::Revoked(id) | Self::Certificate(id) => id,
        }
    }
}

impl fmt::Display for AgentSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved(id) => write!(f, "approved:{id}"),
            Self::Revoked(id) => write!(f, "revoked:{id}"),
            Self::Certificate(id) => write!(f, "certificate:{id}"),
        }
    }
}

/// What an agent and a host have in common, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedOn {
    /// The machine id.
    MachineId,
    /// The host name, whatever its case.
    Hostname,
    /// An address that identifies a machine (hosts 21).
    Address,
}

impl MatchedOn {
    /// Every match.
    pub const ALL: [MatchedOn; 3] = [MatchedOn::MachineId, MatchedOn::Hostname, MatchedOn::Address];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            MatchedOn::MachineId => "machine_id",
            MatchedOn::Hostname => "hostname",
            MatchedOn::Address => "address",
        }
    }

    /// The name for people.
    pub fn in_words(self) -> &'static str {
        match self {
            MatchedOn::MachineId => "machine id",
            MatchedOn::Hostname => "hostname",
            MatchedOn::Address => "address",
        }
    }

    /// The match with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|matched| matched.as_str() == name)
    }
}
