//! Ingest from the outside: real TLS, the real embedded queue and PostgreSQL, and a client written for these tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod calls;
mod certificates;
mod containers;
mod handshake;
mod heartbeat;
mod inventory;
mod lease;
mod refusals;
mod register;
mod releases;
mod support;
mod work;
