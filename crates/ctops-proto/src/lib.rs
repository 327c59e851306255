//! Generated messages: the agent contract (`agent.v1`) and the queue (`queue.v1`).
//!
//! The `.proto` files in `proto/` are the contract; [`limits`] bounds what is accepted from the network,
//! [`release`] is the signed manifest of agent releases.

pub mod limits;
pub mod release;
#[cfg(test)]
mod release_tests;

/// The agent contract: package `agent.v1`, service `IngestService`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod agent {
    tonic::include_proto!("agent.v1");
}

/// What travels on the queue: package `queue.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod queue {
    tonic::include_proto!("queue.v1");
}
