//! The agent against a protocol peer with real TLS and HTTP/2, and as an executable.

// Parts of the peer are for the load tester, which is tested with it too.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, missing_docs, unreachable_pub)]

mod authority;
mod bench;
mod engine;
mod peer;
mod plan;

mod buffer;
mod certificates;
mod containers;
mod heartbeat;
mod install;
mod program;
mod registration;
mod trust;
mod update;
mod work;
