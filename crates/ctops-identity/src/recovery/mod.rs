//! New passwords: chosen by whoever knows the old one, or by whoever reads the account's mail.
//!
//! A link to choose a new password goes to the address of an account, lives one hour and works once. Owns
//! `password_resets`; writes `users.password_hash`. Counts in `throttles` under `password_reset_ip` and
//! `password_reset_address`.
//!
//! Invariants (auth 9, 10, 14, 35): whether an account exists shows neither in the answer nor in its time; only the hash
//! of a token is kept; an account without a password gets none while a directory or identity provider signs it in; a new
//! password ends every other session of the person, and they are told by mail.

mod http;
mod model;
mod service;
mod store;

use axum::Extension;
use ctops_slice::{Access, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::passwords::Passwords;

pub(crate) fn slice(passwords: &Passwords) -> Slice {
    Slice::new("recovery")
        .operation(Access::Public, routes!(http::forgot_password))
        .operation(Access::Public, routes!(http::reset_password).layer(Extension(passwords.clone())))
        .operation(Access::SignedIn, routes!(http::change_password).layer(Extension(passwords.clone())))
}
