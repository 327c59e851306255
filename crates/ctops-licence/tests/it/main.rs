//! Keys and bundles, good ones and forged ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attacks;
mod claims;
mod revocation;
mod support;
