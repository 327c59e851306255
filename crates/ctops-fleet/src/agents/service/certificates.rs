//! Client certificates: when a new one is due, issuing, renewal.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::authority::CLIENT_DAYS;
use ctops_crypto::csr::Csr;
use ctops_pg::Tx;

use super::absent;
use crate::agents::identity::{Proven, prove};
use crate::agents::model::{AgentDeps, AgentStatus, ClientCertificate};
use crate::agents::store::decisions;
use crate::agents::store::registration::{KnownAgent, lock_agents};
use crate::agents::trust::AgentTrust;

/// A certificate is replaced in the last third of its life (agents-enrolment 13).
const RENEWAL_WINDOW: TimeDelta = TimeDelta::days(CLIENT_DAYS / 3);

/// The agent's stored certificate, if it can be handed out: not revoked, and not in the last third of its life. Issuing
/// another one without need would make original agents restart (wire contract, appendix B.1).
pub(super) fn usable(agent: &KnownAgent, now: DateTime<Utc>) -> Option<&ClientCertificate> {
    agent
        .certificate
        .as_ref()
        .filter(|stored| !agent.certificate_is_revoked && stored.not_after - now > RENEWAL_WINDOW)
}

/// Signs and records a certificate.
pub(super) async fn issue(
    tx: &mut Tx<'_>,
    trust: &AgentTrust,
    agent_id: &str,
    csr: &Csr,
    now: DateTime<Utc>,
) -> Result<ClientCertificate, Problem> {
    let leaf = trust.agent_authority().issue_client(csr, agent_id, now).map_err(Problem::internal)?;
    let issued = ClientCertificate { pem: leaf.pem, serial: leaf.serial_hex, not_after: leaf.not_after };
    decisions::store_certificate(tx, agent_id, &issued, now).await.map_err(Problem::internal)?;
    Ok(issued)
}

/// The certificate of an approved agent whose call proved possession of its key: the stored one, or a new one.
pub(super) async fn ensure(
    deps: &AgentDeps,
    agent: &KnownAgent,
    proven: &Proven,
    now: DateTime<Utc>,
) -> Result<ClientCertificate, Problem> {
    if let Some(stored) = usable(agent, now) {
        return Ok(stored.clone());
    }
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let locked =
        lock_agents(&mut tx, &[&agent.id]).await.map_err(Problem::internal)?.pop().ok_or_else(absent)?;
    if !locked.status.is_approved() || locked.key_sha256 != agent.key_sha256 {
        return Err(Problem::conflict("the agent changed meanwhile, try again"));
    }
    if let Some(stored) = usable(&locked, now) {
        return Ok(stored.clone());
    }
    let issued = issue(&mut tx, &deps.trust, &locked.id, &proven.csr, now).await?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(issued)
}

/// Issues the next client certificate for the agent that the TLS connection proved. `presented_serial` is the serial of
/// the certificate on that connection. A repeated call gets the certificate of the first, so a lost answer costs none.
/// The old certificate stays good until it ends.
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
    let now = deps.clock.now();
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let agent =
        lock_agents(&mut tx, &[agent_id]).await.map_err(Problem::internal)?.pop().ok_or_else(absent)?;
    if !agent.status.is_approved() {
        return Err(forbidden(agent.status));
    }
    if decisions::is_revoked(&mut tx, presented_serial).await.map_err(Problem::internal)? {
        return Err(Problem::new(
            ProblemKind::Forbidden,
            "forbidden",
            "the presented certificate is revoked",
        ));
    }
    let proven = prove(csr_der, &agent.public_key)?
        .ok_or_else(|| Problem::invalid_field("csr_der", "required", "certificate request is missing"))?;
    if let Some(newer) = usable(&agent, now).filter(|stored| stored.serial != presented_serial) {
        return Ok(newer.clone());
    }
    let issued = issue(&mut tx, &deps.trust, &agent.id, &proven.csr, now).await?;
    tx.commit().await.map_err(Problem::internal)?;
    tracing::info!(agent.id = agent.id, serial = issued.serial, "certificate was renewed");
    Ok(issued)
}

fn forbidden(status: AgentStatus) -> Problem {
    Problem::new(ProblemKind::Forbidden, "forbidden", format!("the agent is {}", status.as_str()))
}
