//! The own profile: name, and the address with what is about to become of it.
//!
//! Owns nothing; writes `users.name`. Addresses are written by [`crate::verification`] when their link is opened. Counts
//! in `throttles` under `email_change`.
//!
//! Invariants (auth 11, 32): a new address needs the password of the account, or a fresh sign-in where it has none here;
//! nothing changes before the link that was sent to it is opened; whether somebody else has the address shows in no
//! answer.

mod http;
mod model;
mod service;
mod store;

use axum::Extension;
use ctops_slice::{Access, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::reauthentication::ReauthenticationDeps;

pub(crate) fn slice(reauthentication: ReauthenticationDeps) -> Slice {
    let own = Access::OwnAccount;
    Slice::new("profile")
        .operation(own, routes!(http::get_profile))
        .operation(own, routes!(http::update_profile))
        .operation(own, routes!(http::change_email).layer(Extension(reauthentication)))
        .operation(own, routes!(http::cancel_email_change))
}
