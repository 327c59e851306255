//! `Register`: the one call without a client certificate.

use std::time::Duration;

use ctops_base::Problem;
use ctops_fleet::agents::{self, RegisterInput, RegisterOutcome, RegisterStatus};
use ctops_proto::agent::{RegisterRequest, RegisterResponse};
use ctops_proto::limits::MAX_REGISTER_WAIT_SECS;
use tonic::Status;

use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::status::from_problem;

/// Registers the agent, or answers a known one. Limits, checks and decisions are made by the slice `agents`.
pub(crate) async fn register(
    node: &Node,
    peer: &Peer,
    request: RegisterRequest,
) -> Result<RegisterResponse, Status> {
    let seconds = request.wait_seconds.min(MAX_REGISTER_WAIT_SECS);
    // The answer after a wait carries token and certificate, so only a call that proved its key may wait.
    let proves_its_key = !request.csr_der.is_empty();
    let wait = Duration::from_secs(if proves_its_key { seconds.into() } else { 0 });
    let first = agents::register(&node.agents, input(request, peer)).await;
    let outcome = match first {
        Ok(outcome) if outcome.status == RegisterStatus::Pending && !wait.is_zero() => {
            hold(node, outcome, wait).await
        }
        Ok(outcome) => Ok((outcome, false)),
        Err(problem) => Err(problem),
    };
    let label = outcome.as_ref().map_or("refused", |(outcome, _)| outcome.status.as_str());
    metrics::counter!(measure::REGISTRATIONS, "status" => label).increment(1);
    let (outcome, waited) = outcome.map_err(|problem| from_problem(&problem))?;
    if let Some(certificate) = &outcome.certificate {
        peer.note_received(&certificate.serial);
    }
    Ok(response(outcome, waited))
}

/// Holds the call until the agent is approved or rejected, the time is over, or the node stops. The second value says that
/// the agent may call again at once.
async fn hold(
    node: &Node,
    pending: RegisterOutcome,
    wait: Duration,
) -> Result<(RegisterOutcome, bool), Problem> {
    let Some(mut place) = node.waiting.enter(&pending.agent_id) else {
        return Ok((pending, false));
    };
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        // Asked after the place was taken: a decision in between is seen here, a later one wakes the place.
        let outcome = agents::registration_answer(&node.agents, &pending.agent_id).await?;
        if outcome.status != RegisterStatus::Pending || node.stopping.is_cancelled() {
            return Ok((outcome, true));
        }
        if tokio::time::timeout_at(deadline, place.decided()).await.is_err() {
            return Ok((pending, true));
        }
    }
}

fn input(request: RegisterRequest, peer: &Peer) -> RegisterInput {
    let platform = request.platform_info.unwrap_or_default();
    let agent = request.agent_info.unwrap_or_default();
    RegisterInput {
        enrolment_token: request.enrolment_token,
        public_key: request.public_key,
        hostname: agent.hostname,
        os: platform.os,
        arch: platform.arch,
        os_version: platform.os_version,
        agent_version: agent.version,
        machine_id: request.machine_id,
        ip_addresses: platform.ip_addresses,
        tags: request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        csr_der: request.csr_der,
        source: Some(peer.address()),
    }
}

fn response(outcome: RegisterOutcome, waited: bool) -> RegisterResponse {
    let (pem, not_after) = outcome
        .certificate
        .map_or((String::new(), 0), |certificate| (certificate.pem, certificate.not_after.timestamp()));
    RegisterResponse {
        agent_id: outcome.agent_id,
        status: outcome.status.as_str().to_owned(),
        message: outcome.message,
        jwt_token: outcome.jwt.unwrap_or_default(),
        client_cert_pem: pem,
        agent_ca_cert_pem: outcome.agent_ca_pem,
        client_cert_not_after_unix: not_after,
        waited,
    }
}
