//! The identity area as a browser meets it: the router in process, behind the guard, on a real database.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod enumeration;
mod secrecy;
mod sessions;
mod setup;
mod sign_in;
mod support;
