//! Agents: registration, approval, certificates, leases.
//!
//! Owns `agents`, `agent_status_history`, `agent_certificates`, `revoked_certificates`, `certificate_authorities`,
//! `ingest_nodes`, `agent_leases`, and one row of `sealed_secrets` (`agent_jwt_key`). Reads `hosts`, `host_vitals`,
//! `agent_enrolment_tokens`, `users`; hosts change through the hosts slice, tokens through the enrolment slice.
//! Sends `NOTIFY ctops_agents` ([`AgentSignal`]) and `NOTIFY ctops_changes` with `agents`.
//!
//! Ingest calls [`register`], [`registration_answer`], [`renew_certificate`], [`stream_identity`], [`revoked_serials`]
//! and holds a [`NodeLease`]; the hosts slice's consumer of `agent.status` calls [`apply_lease_changes`].
//!
//! Invariants:
//! - An agent is its public key: one live record per key, compared byte for byte, and nothing is issued in its name
//!   unless the caller proved that it holds the key.
//! - `revoked` is final. When an agent is revoked or its key replaced, every certificate it ever got is revoked.
//! - An agent is connected exactly while it has a row in `agent_leases`.

mod http;
mod identity;
mod jobs;
mod model;
mod service;
mod store;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
pub(crate) mod testing;
mod trust;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, AppState, Permission, Slice};
use std::sync::Arc;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

pub use crate::enrolment::Tag;
pub use identity::key_fingerprint;
pub use model::{
    AgentDeps, AgentRecord, AgentSignal, AgentStatus, CertificateFacts, ClientCertificate, CollidingHost,
    HistoryEntry, HostStatusChange, LeaseChange, LeaseEnd, LeaseEvent, MatchedOn, NODE_LEASE_RENEWAL,
    NODE_LEASE_TTL, NodeRenewal, RegisterInput, RegisterLimits, RegisterOutcome, RegisterStatus,
    RevokedSerial, StreamIdentity, SupersededSessions,
};
pub use service::approval::approve_agent;
pub use service::certificates::renew_certificate;
pub use service::ending::{end_for_deletion, reject_agent, revoke_agent, revoke_for_host};
pub use service::leases::{NodeLease, apply_lease_changes, end_lost_leases};
pub use service::registration::{register, registration_answer};
pub use service::{find_agent, list_agents, record_versions, revoked_serials, stream_identity};
pub use trust::{AgentTrust, TrustError};

/// See agents and their status.
pub static AGENTS_READ: Permission = Permission {
    name: "agents.read",
    roles: &Role::ALL,
    about: "See agents, their status and their history.",
};

/// Decide about agents.
pub static AGENTS_APPROVE: Permission = Permission {
    name: "agents.approve",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Approve, reject and revoke agents.",
};

/// The slice.
pub fn slice(deps: &AgentDeps) -> Slice {
    let (read, approve) = (Access::Needs(&AGENTS_READ), Access::Needs(&AGENTS_APPROVE));
    Slice::new("agents")
        .permissions(&[&AGENTS_READ, &AGENTS_APPROVE])
        .operation(read, routes!(http::list_agents))
        .operation(read, routes!(http::get_agent))
        .operation(read, routes!(http::list_agent_history))
        .operation(approve, with_deps(routes!(http::approve_agent), deps))
        .operation(approve, with_deps(routes!(http::reject_agent), deps))
        .operation(approve, with_deps(routes!(http::revoke_agent), deps))
        .job(Arc::new(jobs::EndLostLeases { pool: deps.pool.clone(), clock: deps.clock.clone() }))
        .job(Arc::new(jobs::PurgeCertificates { pool: deps.pool.clone(), clock: deps.clock.clone() }))
}

fn with_deps(
    (schemas, paths, methods): UtoipaMethodRouter<AppState>,
    deps: &AgentDeps,
) -> UtoipaMethodRouter<AppState> {
    (schemas, paths, methods.layer(Extension(deps.clone())))
}
