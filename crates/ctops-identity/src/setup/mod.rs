//! Set-up: the first account of an installation, made by whoever can read the server's log.
//!
//! At start the server makes a one-time code ([`prepare`]), stores its hash and prints the code. `POST /setup` with
//! that code creates the organisation and its super_admin. Hosts may join before that ([`first_organisation`]). Owns
//! `setup_codes`, `organisations`, `users`, `memberships`.
//!
//! Invariants: set-up works only while the table of users is empty (removed users count), and at most once, whatever
//! runs at the same time; without a prepared row it is refused, so a server that failed to prepare is not open to
//! everybody; the code exists in clear only in the log.

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

use crate::sign_in::SignInDeps;

pub use model::SetupCode;
pub use service::{first_organisation, is_required, prepare};

pub(crate) fn slice(deps: SignInDeps) -> Slice {
    Slice::new("setup")
        .operation(Access::Public, routes!(http::get_auth_methods))
        .operation(Access::Public, routes!(http::set_up).layer(Extension(deps)))
}
