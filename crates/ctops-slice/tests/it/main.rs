//! Integration tests of the slice foundation, on real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
