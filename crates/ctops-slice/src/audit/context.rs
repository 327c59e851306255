//! Where a request came from, left by the guard for the events written while it is served.

use std::net::IpAddr;

use ctops_crypto::secret::sha256_hex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::redact;
use crate::actor::{Actor, Credential};

/// Longest user agent kept, bytes.
const USER_AGENT_BYTES: usize = 300;
/// Hex digits of a session's hash: enough to tell sessions apart, useless for anything else.
const SESSION_HASH_DIGITS: usize = 32;

tokio::task_local! {
    static REQUEST: RequestContext;
}

/// What the trail keeps of a request (audit-log 3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestContext {
    /// Address of the client.
    pub ip: Option<IpAddr>,
    /// What the client calls itself, at most 300 bytes.
    pub user_agent: Option<String>,
    /// Id of the request, as in the log and in problem answers.
    pub request_id: Option<String>,
    /// Names the session without being of use to take it over.
    pub session_hash: Option<String>,
    /// How the session was started.
    pub auth_method: Option<String>,
    /// Whether a second factor was used.
    pub second_factor: Option<bool>,
    /// The API key that was used.
    pub api_key_id: Option<Uuid>,
}

impl RequestContext {
    /// The context of a request.
    pub fn new(
        request_id: &str,
        ip: Option<IpAddr>,
        user_agent: Option<&str>,
        actor: Option<&Actor>,
    ) -> Self {
        let mut context = Self {
            ip,
            user_agent: user_agent.map(|text| redact::text(text, USER_AGENT_BYTES).into_owned()),
            request_id: Some(request_id.to_owned()),
            ..Self::default()
        };
        match actor.map(|actor| &actor.credential) {
            Some(Credential::Session { id, method, second_factor, .. }) => {
                context.session_hash = Some(session_hash(*id));
                context.auth_method = Some(method.as_str().to_owned());
                context.second_factor = Some(*second_factor);
            }
            Some(Credential::ApiKey { id }) => {
                context.api_key_id = Some(*id);
                context.auth_method = Some("api_key".to_owned());
            }
            None => {}
        }
        context
    }
}

/// The name of a session in the trail: a hash of its id, which is no secret by itself.
pub fn session_hash(session_id: Uuid) -> String {
    let mut hash = sha256_hex(session_id.as_bytes());
    hash.truncate(SESSION_HASH_DIGITS);
    hash
}

/// Runs `work` as part of the request: every event appended by it carries `context`. Tasks spawned by it do not.
pub async fn within<F: Future>(context: RequestContext, work: F) -> F::Output {
    REQUEST.scope(context, work).await
}

/// The context of the request that is being served by this task, if any.
pub fn current() -> Option<RequestContext> {
    REQUEST.try_with(Clone::clone).ok()
}
