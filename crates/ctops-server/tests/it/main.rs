//! Tests of the composed server: contracts that are committed, and the permission matrix.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app;
mod attack;
mod bulk_delete;
mod committed;
mod dead_letters;
mod errors;
mod matrix;
mod metrics;
#[cfg(feature = "kafka")]
mod migrate_profile;
mod objects;
mod surface;
