//! Verification: proving by a mailed link that somebody reads the mail of an address.
//!
//! A link belongs to a registration, to an account whose address is not verified, or to an account that changes its
//! address. It lives 24 hours and works once. Owns `address_links`; writes `users.email` and `users.email_verified_at`,
//! and forgets `password_resets` that were mailed to an address given up. Counts in `throttles` under
//! `verification_address`.
//!
//! Invariants (auth 7, 8, 11): only the hash of a token is kept; whether an account exists shows neither in the answer to
//! "send it again" nor in its time; an address takes effect only when its link was opened; a link that changes an
//! address signs nobody in, and neither does one of an account whose password is kept elsewhere.

mod http;
mod letters;
mod model;
mod service;
mod store;
#[cfg(test)]
mod store_tests;

use axum::Extension;
use ctops_slice::{Access, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::passwords::Passwords;

pub(crate) use model::{AddressOf, Link, unusable_token};
pub(crate) use service::{cancel_change, pending_change, send};

pub(crate) fn slice(passwords: &Passwords) -> Slice {
    Slice::new("verification")
        .operation(Access::Public, routes!(http::verify_email))
        .operation(Access::Public, routes!(http::resend_verification).layer(Extension(passwords.clone())))
}
