//! The queue as its users see it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod conformance;
#[macro_use]
mod exactly_once;
mod applier;
#[cfg(feature = "kafka")]
mod broker_faults;
#[cfg(feature = "kafka")]
mod brokers;
mod capacity;
mod consumer;
mod crash;
mod dead_letters;
mod disk_full;
mod embedded;
mod failures;
#[cfg(feature = "kafka")]
mod kafka;
mod measures;
mod pace;
#[cfg(feature = "kafka")]
mod rebalance;
mod support;
#[cfg(feature = "kafka")]
mod transfer;
