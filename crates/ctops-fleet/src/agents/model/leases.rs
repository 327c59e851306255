//! Leases: who holds an agent's stream, and what its beginning and end mean.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How long a node's lease lasts; all leases of its agents end when it is not renewed in time (hosts 2).
pub const NODE_LEASE_TTL: TimeDelta = TimeDelta::seconds(15);
/// How often a node renews its lease. With it the node learns what was revoked, which must act within 5 s even when a
/// notification is lost (security 19).
pub const NODE_LEASE_RENEWAL: Duration = Duration::from_secs(4);

/// Why a lease ended (`queue.v1.StatusChange.reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseEnd {
    /// The agent closed its stream.
    Closed,
    /// No heartbeat for twice the interval.
    Silent,
    /// A newer stream of the same agent took over.
    Superseded,
    /// The agent was revoked.
    Revoked,
    /// The node that held the stream died.
    NodeLost,
    /// The node that held the stream was shut down.
    Shutdown,
}

impl LeaseEnd {
    /// Every reason.
    pub const ALL: [LeaseEnd; 6] = [
        LeaseEnd::Closed,
        LeaseEnd::Silent,
        LeaseEnd::Superseded,
        LeaseEnd::Revoked,
        LeaseEnd::NodeLost,
        LeaseEnd::Shutdown,
    ];

    /// The name on the queue and in the status history.
    pub fn as_str(self) -> &'static str {
        match self {
            LeaseEnd::Closed => "closed",
            LeaseEnd::Silent => "silent",
            LeaseEnd::Superseded => "superseded",
            LeaseEnd::Revoked => "revoked",
            LeaseEnd::NodeLost => "node_lost",
            LeaseEnd::Shutdown => "shutdown",
        }
    }

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == name)
    }
}

/// What happened to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// The first heartbeat of a stream was accepted; the agent announced this interval, seconds (5 to 300).
    Began {
        /// Seconds between heartbeats.
        interval_seconds: u32,
    },
    /// The stream is over.
    Ended(LeaseEnd),
}

/// One event of the topic `agent.status`, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseChange {
    /// The agent.
    pub agent_id: String,
    /// The stream's session (UUID version 7, so a later stream has a greater one).
    pub session_id: Uuid,
    /// The node that holds the stream.
    pub node_id: Uuid,
    /// What happened.
    pub event: LeaseEvent,
    /// When, by the node's clock.
    pub at: DateTime<Utc>,
}

/// What a lease change means for a host: the caller writes it to the host's projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostStatusChange {
    /// The host.
    pub host_id: Uuid,
    /// Its organisation.
    pub org_id: Uuid,
    /// `true` for `online`, `false` for `offline`.
    pub online: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// What renewing a node's lease found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeRenewal {
    /// The lease was alive.
    Kept {
        /// Serials of certificates revoked meanwhile, and in the minute before.
        revoked: Vec<String>,
    },
    /// The lease had run out and was taken again: the leases of this node's agents may have been ended meanwhile, so
    /// the node must publish a new beginning for every stream it holds.
    Regained,
}
