//! Agents: registration, approval, certificates, leases.
//!
//! Being written; the signatures below are final.

#![allow(unused_variables, clippy::unused_async)]

mod model;
mod trust;

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_pg::{Pool, Tx};
use ctops_slice::Slice;
use uuid::Uuid;

pub use model::*;
pub use trust::{AgentTrust, TrustError};

/// Registers an agent, or answers one that is known already.
///
/// # Errors
/// Kinds: `Invalid` (gRPC INVALID_ARGUMENT), `Limited` (RESOURCE_EXHAUSTED), `Unauthenticated` (UNAUTHENTICATED, one
/// text for every token that does not admit), `Conflict` with code `already_exists` (ALREADY_EXISTS), `Internal`.
pub async fn register(deps: &AgentDeps, input: RegisterInput) -> Result<RegisterOutcome, Problem> {
    unimplemented!()
}

/// The answer for a `Register` call that was held after `Pending`; called when [`AgentSignal::Approved`] or
/// [`AgentSignal::Revoked`] arrives for the agent id that the first answer named. Follows an approved claim to the
/// record it took over. Proof of possession was given by the held call.
///
/// # Errors
/// `NotFound` when the agent is gone; `Internal`.
pub async fn registration_answer(deps: &AgentDeps, agent_id: &str) -> Result<RegisterOutcome, Problem> {
    unimplemented!()
}

/// What ingest needs to know about an agent at the start of its stream; none when there is no such agent.
///
/// # Errors
/// `Internal` when the database cannot be asked.
pub async fn stream_identity(pool: &Pool, agent_id: &str) -> Result<Option<StreamIdentity>, Problem> {
    unimplemented!()
}

/// Issues the next client certificate for the agent that the TLS connection proved. `presented_serial` is the serial of
/// the certificate on that connection.
///
/// # Errors
/// `NotFound` (no such agent), `Forbidden` (not approved, or the presented certificate is revoked), `Invalid` (bad
/// request, or another key than the registered one), `Internal`.
pub async fn renew_certificate(
    deps: &AgentDeps,
    agent_id: &str,
    presented_serial: &str,
    csr_der: &[u8],
) -> Result<ClientCertificate, Problem> {
    unimplemented!()
}

/// Certificates revoked since `since` (all when none) whose life is not over. A minute of overlap is included, because
/// transactions commit later than the time they write: callers put the result into a set.
///
/// # Errors
/// `Internal` when the database cannot be asked.
pub async fn revoked_serials(
    pool: &Pool,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<RevokedSerial>, Problem> {
    unimplemented!()
}

/// The lease of one ingest node.
#[derive(Clone, Debug)]
pub struct NodeLease {
    id: Uuid,
    name: String,
}

impl NodeLease {
    /// Takes a lease for a new node.
    ///
    /// # Errors
    /// `Internal` when the database cannot be asked.
    pub async fn begin(pool: &Pool, name: &str, now: DateTime<Utc>) -> Result<Self, Problem> {
        unimplemented!()
    }

    /// The node's id; goes into every `StatusChange`.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Prolongs the lease by [`NODE_LEASE_TTL`]; to be called every [`NODE_LEASE_RENEWAL`].
    ///
    /// # Errors
    /// `Internal` when the database cannot be asked.
    pub async fn renew(&self, pool: &Pool, now: DateTime<Utc>) -> Result<NodeRenewal, Problem> {
        unimplemented!()
    }

    /// Gives the lease up after a clean stop, when the ends of all leases were published.
    ///
    /// # Errors
    /// `Internal` when the database cannot be asked.
    pub async fn end(&self, pool: &Pool, now: DateTime<Utc>) -> Result<(), Problem> {
        unimplemented!()
    }
}

/// Applies events of the topic `agent.status` in order: leases, agents' status, history. Returns what each change means
/// for a host, last state per host; the caller writes it to the host's projection in the same transaction.
///
/// # Errors
/// Whatever the database says.
pub async fn apply_lease_changes(
    tx: &mut Tx<'_>,
    changes: &[LeaseChange],
) -> Result<Vec<HostStatusChange>, sqlx::Error> {
    unimplemented!()
}

/// The slice.
pub fn slice(deps: &AgentDeps) -> Slice {
    Slice::new("agents")
}
