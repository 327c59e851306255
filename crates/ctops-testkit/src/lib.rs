//! For tests: databases, waiting for conditions, clocks and rows.
//!
//! Everything here panics when it cannot do its work: a test has nothing better to do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cluster;
mod database;
mod rows;
mod time;

pub use database::TestDb;
pub use rows::{HostBuilder, TestHost, a_host, a_organisation, a_user};
pub use time::{a_clock, start_time, wait_for, wait_until};
