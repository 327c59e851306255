//! Agents as people see them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AgentStatus, MatchedOn};
use crate::hosts::HostStatus;

/// An agent as people see it.
#[derive(Clone, Debug)]
pub struct AgentRecord {
    /// Its id.
    pub id: String,
    /// Its host; none only while a re-enrolment claim waits.
    pub host_id: Option<Uuid>,
    /// Name of its machine.
    pub hostname: String,
    /// Its state.
    pub status: AgentStatus,
    /// Version of the program.
    pub version: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Addresses of its machine.
    pub ip_addresses: Vec<String>,
    /// SHA-256 of its public key's text; see [`super::key_fingerprint`].
    pub key_sha256: Vec<u8>,
    /// Token it came with: id and label.
    pub token: Option<(Uuid, String)>,
    /// When it first called.
    pub registered_at: DateTime<Utc>,
    /// When it was approved.
    pub approved_at: Option<DateTime<Utc>>,
    /// Why it waits, when there is a particular reason.
    pub pending_reason: Option<String>,
    /// The host it collides with, while it waits.
    pub collision: Option<CollidingHost>,
    /// Its newest certificate.
    pub certificate: Option<CertificateFacts>,
    /// When its host was last heard from.
    pub last_heartbeat_at: Option<DateTime<Utc>>,
}

/// A host that shares an identity with a pending agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollidingHost {
    /// The host.
    pub host_id: Uuid,
    /// Its name.
    pub hostname: String,
    /// Its status; online refuses the approval.
    pub status: HostStatus,
    /// What both share.
    pub matched_on: MatchedOn,
}

/// What people see of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Serial in lower-case hex without leading zeros.
    pub serial: String,
    /// Last moment of validity.
    pub not_after: DateTime<Utc>,
}

/// A line of an agent's status history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Position; what the cursor is made of.
    pub id: i64,
    /// A status, or `adopted`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Who, unless the server did it or that person is gone.
    pub actor: Option<(Uuid, String)>,
    /// When.
    pub at: DateTime<Utc>,
}
