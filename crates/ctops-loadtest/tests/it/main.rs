//! The fleet against a protocol peer with real TLS and HTTP/2: the one the agent is tested with.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, missing_docs, unreachable_pub)]

#[path = "../../../ctops-agent/tests/it/authority.rs"]
mod authority;
#[path = "../../../ctops-agent/tests/it/peer.rs"]
mod peer;
#[path = "../../../ctops-agent/tests/it/plan.rs"]
mod plan;

mod run;
