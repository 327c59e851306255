//! One `Register` call and what its answer means (agents-enrolment 8 to 12, wire contract 4.1).

use std::time::Duration;

use ctops_proto::agent::{AgentInfo, PlatformInfo, RegisterRequest, RegisterResponse};
use ctops_proto::limits;
use tracing::info;

use crate::collect::{self, Sources, interfaces};
use crate::dial::{Connection, DialError};
use crate::identity::Identity;
use crate::settings::Settings;

/// The server's decision.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// Approved.
    Active(Grant),
    /// Not yet approved. Ask again; soon if the server `waited` for the approval inside the call.
    Pending {
        /// Id to name in the next request.
        agent_id: String,
        /// Whether the server held the call for the approval.
        waited: bool,
    },
    /// This agent is no longer wanted.
    Revoked,
    /// A state this agent does not know, such as `offline` from the original server: ask again later.
    Unknown(String),
}

/// What an approved agent is given.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Id of this agent.
    pub agent_id: String,
    /// Token that opens heartbeat streams.
    pub jwt_token: String,
    /// Client certificate in PEM; empty if it is not signed yet.
    pub leaf_pem: String,
    /// The authority's certificate in PEM, may be empty.
    pub authority_pem: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The server could not be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server answered with an error.
    #[error("server refuses the registration ({}): {}", .0.code(), .0.message())]
    Refused(Box<tonic::Status>),
    /// The server took too long.
    #[error("no answer to the registration within {0:?}")]
    TimedOut(Duration),
}

/// The request of this agent. The addresses are those of this moment.
pub fn request(
    settings: &Settings,
    identity: &Identity,
    sources: &Sources,
    csr_der: Vec<u8>,
    agent_id: &str,
    wait_seconds: u32,
) -> RegisterRequest {
    RegisterRequest {
        enrolment_token: settings.enrolment_token.expose().to_owned(),
        public_key: identity.public_text().to_owned(),
        platform_info: Some(PlatformInfo {
            os: collect::OS.to_owned(),
            arch: collect::arch().to_owned(),
            os_version: sources.os_version(),
            ip_addresses: interfaces::identifying_addresses(&interfaces::collect()),
        }),
        agent_info: Some(AgentInfo {
            agent_id: agent_id.to_owned(),
            version: crate::version().to_owned(),
            hostname: collect::hostname(),
        }),
        tags: settings.tags.iter().take(limits::MAX_TAGS).cloned().collect(),
        csr_der,
        wait_seconds,
        machine_id: sources.machine_id(),
    }
}

/// Asks the server over `connection` and waits `patience` beyond what the server may wait itself.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn register(
    connection: &Connection,
    request: RegisterRequest,
    patience: Duration,
) -> Result<Answer, RegisterError> {
    let limit = patience + Duration::from_secs(request.wait_seconds.into());
    let mut client = connection.client.clone();
    let response = tokio::time::timeout(limit, client.register(request))
        .await
        .map_err(|_| RegisterError::TimedOut(limit))?
        .map_err(|status| RegisterError::Refused(Box::new(status)))?
        .into_inner();
    info!(
        status = response.status.as_str(),
        agent_id = response.agent_id.as_str(),
        server_message = response.message.as_str(),
        "registration response"
    );
    Ok(Answer::from(response))
}

impl From<RegisterResponse> for Answer {
    fn from(response: RegisterResponse) -> Self {
        match response.status.as_str() {
            "active" if !response.agent_id.is_empty() && !response.jwt_token.is_empty() => {
                Self::Active(Grant {
                    agent_id: response.agent_id,
                    jwt_token: response.jwt_token,
                    leaf_pem: response.client_cert_pem,
                    authority_pem: response.agent_ca_cert_pem,
                })
            }
            "active" => Self::Unknown("active without id or token".to_owned()),
            "pending" => Self::Pending { agent_id: response.agent_id, waited: response.waited },
            "revoked" => Self::Revoked,
            _ => Self::Unknown(response.status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str, jwt_token: &str) -> Answer {
        Answer::from(RegisterResponse {
            agent_id: "id".to_owned(),
            status: status.to_owned(),
            jwt_token: jwt_token.to_owned(),
            ..RegisterResponse::default()
        })
    }

    /// Spec: agents-enrolment 9
    #[test]
    fn status_when_known_then_decides_and_when_not_then_is_retried() {
        assert!(matches!(answer("active", "jwt"), Answer::Active(grant) if grant.jwt_token == "jwt"));
        assert!(matches!(answer("pending", ""), Answer::Pending { waited: false, .. }));
        assert!(matches!(answer("revoked", ""), Answer::Revoked));
        for other in ["offline", "", "ACTIVE", "deleted"] {
            assert!(matches!(answer(other, "jwt"), Answer::Unknown(_)), "{other}");
        }
        assert!(
            matches!(answer("active", ""), Answer::Unknown(_)),
            "no stream can be opened without a token"
        );
    }
}
