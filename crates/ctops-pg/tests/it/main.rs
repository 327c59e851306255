//! The crate against real PostgreSQL servers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod embedded;
mod embedded_crash;
mod leader;
mod migrate;
mod notify;
mod partitions;
mod pool;
mod schema;
