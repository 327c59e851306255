//! The queue as its users see it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod conformance;
mod applier;
mod capacity;
mod consumer;
mod crash;
mod disk_full;
mod embedded;
mod failures;
mod measures;
mod support;
