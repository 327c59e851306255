//! Tests of the settings area through its HTTP interface, on a real database and a real mail relay.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod environment;
mod feature_flags;
mod history;
mod mail;
mod pages;
mod pending_mail;
mod preferences;
mod relay;
mod smtp_test;
mod support;
mod system;
mod transfer;
