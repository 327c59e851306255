//! Integration tests of the slice foundation, on real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
mod denied;
mod flags;
mod guard;
mod mail;
mod properties;
mod requests;
mod scope;
mod settings;
mod support;
mod throttle;
