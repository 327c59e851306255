//! Tests of the settings area through its HTTP interface, on a real database and a real mail relay.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod concurrent;
mod environment;
mod feature_flags;
mod history;
mod imports;
mod mail;
mod outbox;
mod pages;
mod pending_mail;
mod preferences;
mod ranges;
mod relay;
mod smtp_test;
mod support;
mod system;
mod transfer;
