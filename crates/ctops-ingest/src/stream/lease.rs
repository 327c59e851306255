//! Announces on the queue that an agent's lease began or ended.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ctops_fleet::agents::LeaseEnd;
use ctops_proto::queue::StatusChange;
use ctops_proto::queue::status_change::Kind;
use ctops_queue::{PublishError, Queue, Topic};
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

/// The announcement of an end, to be made by [`Departed::announce`].
pub(super) fn ended(node: &Node, agent: &Agent, session_id: Uuid, reason: LeaseEnd) -> StatusChange {
    change(node, agent, session_id, Kind::LeaseEnded, reason.as_str(), 0)
}

/// Leases whose streams ended because the node stops. Their ends are announced together, last of all: of an agent that has
/// a newer stream on another node by then, the end changes nothing.
#[derive(Default)]
pub(crate) struct Departed(Mutex<Vec<StatusChange>>);

impl Departed {
    pub(super) fn add(&self, end: StatusChange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    }

    /// Whether there is nothing to announce.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Announces all ends. What cannot be announced ends with the node's own lease.
    pub(crate) async fn announce(&self, queue: &dyn Queue) -> Result<(), PublishError> {
        let ends = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let record = |end: &StatusChange| {
            let host_id: Uuid = end.host_id.parse().unwrap_or_default();
            (Bytes::copy_from_slice(host_id.as_bytes()), Bytes::from(end.encode_to_vec()))
        };
        queue.publish_many(Topic::AGENT_STATUS, ends.iter().map(record).collect()).await
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
