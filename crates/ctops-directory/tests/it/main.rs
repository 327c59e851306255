//! Directories against a real OpenLDAP server that each test starts for itself.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod configurations;
mod lookup;
mod sign_in;
mod slapd;
mod support;
