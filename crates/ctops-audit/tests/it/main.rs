//! The audit log behind the real guard and on a real database.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chain;
mod exports;
mod forward_tls;
mod forwarders;
mod plans;
mod questions;
mod recording;
mod retention;
mod support;
mod tampering;
mod viewing;
