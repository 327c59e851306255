//! Registration: how people ask for an account of their own accord, where an organisation lets them (auth 4).
//!
//! What somebody typed waits as a registration until they open the link that was mailed to the address; only then is
//! there an account, and an administrator has to approve it. Owns `registrations`; creates `users` and `memberships`
//! through [`crate::users`]. Counts in `throttles` under `registration_address`. Reads the settings page `authentication`
//! of every organisation.
//!
//! Invariants:
//! - A new account is pending and has no roles, whatever the request says.
//! - Nobody learns whether an address has an account: the answer, its time and what the sign-in page says afterwards are
//!   the same. The owner of an existing account is told by mail. Where verification is switched off, whoever registers
//!   can sign in at once, which cannot be hidden.
//! - Nobody sits on an address that is not theirs: until it is proved, it stays free for everybody else.

mod http;
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

pub(crate) use model::check_redirect;
pub(crate) use service::{admit, is_open, must_be_open, newest};

pub(crate) fn slice(passwords: &Passwords) -> Slice {
    Slice::new("registration")
        .operation(Access::Public, routes!(http::register).layer(Extension(passwords.clone())))
}
