//! One heartbeat stream: authenticate once, validate, publish, acknowledge.

mod delivery;
mod facts;
mod lease;
mod live;
mod mailbox;
mod replies;
mod rhythm;
mod session;

use std::sync::Arc;

use ctops_fleet::agents::{ClientCertificate, stream_identity};
use ctops_proto::agent::HeartbeatRequest;
use tonic::{Response, Status, Streaming};
use uuid::Uuid;

use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::status::{from_problem, from_transport};
pub(crate) use lease::Departed;
pub(crate) use live::LiveStreams;
pub(crate) use mailbox::Signal;
pub(crate) use replies::ReplyStream;
use session::Session;

/// Who streams: read from the database once, then kept.
#[derive(Clone, Debug)]
struct Agent {
    agent_id: String,
    host_id: Uuid,
    org_id: Uuid,
}

/// The `Heartbeat` method. Refusals are answered at once; an accepted stream gets a task of its own.
pub(crate) async fn heartbeat(
    node: Arc<Node>,
    peer: Arc<Peer>,
    mut inbound: Streaming<HeartbeatRequest>,
) -> Result<Response<ReplyStream>, Status> {
    let arrived = tokio::time::timeout(node.limits.first_message, inbound.message());
    let first = node
        .stopping
        .run_until_cancelled(arrived)
        .await
        .ok_or_else(|| Status::unavailable("server is stopping"))?
        .map_err(|_| Status::deadline_exceeded("no heartbeat arrived on the stream"))?
        .map_err(from_transport)?;
    // A stream that is closed before it said anything is a clean end (wire contract 5.2).
    let Some(first) = first else {
        return Ok(Response::new(ReplyStream::empty()));
    };
    let (agent, certificate) = authenticate(&node, &peer, &first.agent_id).await?;
    let (session, replies) = Session::new(Arc::clone(&node), peer, agent, inbound, certificate)?;
    node.tasks.spawn(session.run(first));
    Ok(Response::new(replies))
}

/// Certificate and token must name the same approved agent. `token` is the first message's `agent_id` field.
async fn authenticate(
    node: &Node,
    peer: &Peer,
    token: &str,
) -> Result<(Agent, Option<ClientCertificate>), Status> {
    let certificate = peer.certificate()?;
    let refused = |reason: &'static str, status: Status| {
        metrics::counter!(measure::REFUSED, "reason" => reason).increment(1);
        tracing::debug!(agent.id = %certificate.agent_id, reason, "a heartbeat stream was refused");
        status
    };
    let claims = node
        .agents
        .trust
        .tokens()
        .verify(token, node.agents.clock.now())
        .map_err(|_| refused("bad_token", Status::unauthenticated("token is missing or invalid")))?;
    // An expired token is accepted here: agents of the original product keep theirs for the life of the process, and the
    // certificate already proves who they are (wire contract, appendix B.1).
    if claims.agent_id != certificate.agent_id {
        let status = Status::unauthenticated("token does not belong to the client certificate");
        return Err(refused("token_of_another", status));
    }
    let identity = stream_identity(&node.agents.pool, &claims.agent_id)
        .await
        .map_err(|problem| from_problem(&problem))?
        .ok_or_else(|| refused("unknown_agent", Status::not_found("agent is not known")))?;
    let Some(host_id) = identity.host_id.filter(|_| identity.status.is_approved()) else {
        let status = Status::permission_denied(format!("agent is {}", identity.status.as_str()));
        return Err(refused("not_approved", status));
    };
    let agent = Agent { agent_id: identity.agent_id, host_id, org_id: identity.org_id };
    Ok((agent, identity.certificate))
}
