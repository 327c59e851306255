//! Integration tests of the monitoring area: routers, work and events in process, on real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod checks;
mod support;
