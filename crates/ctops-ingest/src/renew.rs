//! `RenewCertificate`: the next client certificate for an agent that has a valid one.

use ctops_fleet::agents;
use ctops_proto::agent::{RenewCertificateRequest, RenewCertificateResponse};
use tonic::Status;

use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::status::from_problem;

/// The connection's certificate decides who asks; the request must agree (wire contract 3.5).
pub(crate) async fn renew(
    node: &Node,
    peer: &Peer,
    request: RenewCertificateRequest,
) -> Result<RenewCertificateResponse, Status> {
    let result = issue(node, peer, &request).await;
    let outcome = if result.is_ok() { "renewed" } else { "refused" };
    metrics::counter!(measure::RENEWALS, "outcome" => outcome).increment(1);
    result
}

async fn issue(
    node: &Node,
    peer: &Peer,
    request: &RenewCertificateRequest,
) -> Result<RenewCertificateResponse, Status> {
    let presented = peer.certificate()?;
    if request.agent_id.is_empty() || request.csr_der.is_empty() {
        return Err(Status::invalid_argument("agent id and certificate request are required"));
    }
    if request.agent_id != presented.agent_id {
        return Err(Status::permission_denied("agent id does not belong to the client certificate"));
    }
    let certificate =
        agents::renew_certificate(&node.agents, &presented.agent_id, &presented.serial_hex, &request.csr_der)
            .await
            .map_err(|problem| from_problem(&problem))?;
    peer.note_received(&certificate.serial);
    Ok(RenewCertificateResponse {
        client_cert_not_after_unix: certificate.not_after.timestamp(),
        client_cert_pem: certificate.pem,
        agent_ca_cert_pem: node.agents.trust.agent_ca_bundle(),
    })
}
