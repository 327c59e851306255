//! Licences from token to lapse, on a real database.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod activation;
mod egress_policy;
mod lapse;
mod revocation;
mod seats;
mod stored;
mod support;
