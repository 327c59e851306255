//! The wire contract replayed from recorded values in both directions, and a day of an agent under an injected clock.

// Of the parts that are shared with the tests of single crates not everything is used here.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unused_imports, missing_docs, unreachable_pub)]

#[path = "../../../ctops-agent/tests/it/authority.rs"]
mod authority;
#[path = "../../../ctops-agent/tests/it/bench.rs"]
mod bench;
#[path = "../../../ctops-agent/tests/it/peer.rs"]
mod peer;
#[path = "../../../ctops-agent/tests/it/plan.rs"]
mod plan;
#[path = "../../../ctops-ingest/tests/it/support/mod.rs"]
mod support;

mod agent_side;
mod contract;
mod day;
mod index;
mod record;
mod server_side;
