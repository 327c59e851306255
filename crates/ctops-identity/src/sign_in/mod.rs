//! Sign-in with e-mail address and password, and sign-out.
//!
//! Owns no table: the session is started and ended by [`crate::sessions`]. Reads `users`, `memberships`. Counts in
//! `throttles` under the scopes `credential_post` and `account_lock`.
//!
//! Invariants: whether an account exists shows neither in the text nor in the time nor in the lock-out; a failure is
//! counted before the password is looked at, so an attempt that is cut off counts as well; at most two attempts are
//! between the lock and the count at any moment on one node, because they need a turn to hash.

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

pub(crate) use http::user_agent;
pub(crate) use model::{CREDENTIAL_POSTS, SignInDeps};

pub(crate) fn slice(deps: SignInDeps) -> Slice {
    Slice::new("sign_in")
        .operation(Access::Public, routes!(http::login).layer(Extension(deps)))
        .operation(Access::OwnAccount, routes!(http::logout))
}
