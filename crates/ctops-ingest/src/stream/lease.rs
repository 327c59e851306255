//! Announces on the queue that an agent's lease began or ended.

use std::time::Duration;

use bytes::Bytes;
use ctops_fleet::agents::LeaseEnd;
use ctops_proto::queue::StatusChange;
use ctops_proto::queue::status_change::Kind;
use ctops_queue::{PublishError, Topic};
use prost::Message;
use uuid::Uuid;

use super::Agent;
use crate::node::Node;

/// Pause before the second attempt to announce an end; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Announces the beginning. Durable when it returns.
pub(super) async fn begin(
    node: &Node,
    agent: &Agent,
    session_id: Uuid,
    interval_seconds: u32,
) -> Result<(), PublishError> {
    publish(node, agent, change(node, agent, session_id, Kind::LeaseBegan, "", interval_seconds)).await
}

/// Announces the end, again and again until it is durable: a lost end would leave the host online for as long as this
/// node lives. Gives up only when the queue is closed, and then the node's own lease runs out.
pub(super) async fn end(node: &Node, agent: &Agent, session_id: Uuid, reason: LeaseEnd) {
    let mut pause = FIRST_PAUSE;
    let change = change(node, agent, session_id, Kind::LeaseEnded, reason.as_str(), 0);
    while let Err(error) = publish(node, agent, change.clone()).await {
        if matches!(error, PublishError::Closed) {
            tracing::warn!(agent.id = %agent.agent_id, "the end of a lease was not announced: the queue is closed");
            return;
        }
        tracing::warn!(agent.id = %agent.agent_id, %error, "the end of a lease could not be announced yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn change(
    node: &Node,
    agent: &Agent,
    session_id: Uuid,
    kind: Kind,
    reason: &str,
    interval_seconds: u32,
) -> StatusChange {
    StatusChange {
        host_id: agent.host_id.to_string(),
        org_id: agent.org_id.to_string(),
        agent_id: agent.agent_id.clone(),
        session_id: session_id.to_string(),
        node_id: node.lease.id().to_string(),
        kind: kind.into(),
        reason: reason.to_owned(),
        at_ms: node.agents.clock.now_ms(),
        interval_seconds,
    }
}

async fn publish(node: &Node, agent: &Agent, change: StatusChange) -> Result<(), PublishError> {
    let key = Bytes::copy_from_slice(agent.host_id.as_bytes());
    node.queue.publish(Topic::AGENT_STATUS, key, change.encode_to_vec().into()).await
}
