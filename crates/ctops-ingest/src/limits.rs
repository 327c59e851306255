//! How much this node takes on, and how long it waits.

use std::time::Duration;

/// Bounds of one ingest node. The defaults suit a node with 4 GB of memory.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; more are closed at once. An idle agent costs about 45 KB.
    pub max_connections: usize,
    /// Connections without a client certificate at a time: machines that are enrolling. They must not crowd out agents.
    pub max_anonymous_connections: usize,
    /// Time for a TLS handshake (security 17).
    pub handshake: Duration,
    /// Age at which a connection without a client certificate is asked to close; gRPC clients then reconnect by themselves.
    pub anonymous_age: Duration,
    /// Time for the first message of a heartbeat stream; agents send it at once.
    pub first_message: Duration,
    /// Heartbeats of one stream that may wait to become durable. More are left unread, which slows the sender.
    pub in_flight: usize,
    /// Programs of agent releases that are sent at a time; more agents have to come back.
    pub max_downloads: usize,
    /// Time for streams to end on shutdown (security 17).
    pub drain: Duration,
    /// Longest time over which the ends of streams are spread on shutdown, so that other nodes are not flooded.
    pub spread: Duration,
    /// Time that agents get to find another node before their leases end on shutdown. Nothing when there is no other node.
    pub handover: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_anonymous_connections: 5_000,
            handshake: Duration::from_secs(10),
            anonymous_age: Duration::from_secs(300),
            first_message: Duration::from_secs(30),
            in_flight: 16,
            max_downloads: 16,
            drain: Duration::from_secs(30),
            spread: Duration::from_secs(5),
            handover: Duration::ZERO,
        }
    }
}
