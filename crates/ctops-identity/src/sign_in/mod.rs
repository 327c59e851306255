//! Sign-in with e-mail address and password, the second step of every sign-in, and sign-out.
//!
//! Every way to sign in, also those of other crates, ends in [`complete`]: it starts the session or demands a second
//! factor, and [`answer`] or [`redirect_answer`] tell the browser. Owns `pending_sign_ins`; the session is started and
//! ended by [`crate::sessions`]. Reads `users`, `memberships`. Counts in `throttles` under the scopes `credential_post`,
//! `account_lock`, `mfa_post` and `second_factor_lock`.
//!
//! Invariants: whether an account exists shows neither in the text nor in the time nor in the lock-out; a failure is
//! counted before the password is looked at, so an attempt that is cut off counts as well; at most two attempts are
//! between the lock and the count at any moment on one node, because they need a turn to hash.

mod answer;
mod complete;
mod http;
mod model;
pub(crate) mod second_step;
mod second_step_http;
mod service;
mod sso_only;
mod store;
#[cfg(test)]
mod store_tests;

use axum::Extension;
use ctops_slice::{Access, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

pub use answer::{SignInBody, answer, is_local_path, redirect_answer};
pub use complete::{FirstFactor, PendingSignIn, SignInOutcome, complete, complete_as_of};
pub use http::user_agent;

pub use model::{CREDENTIAL_POSTS, refusal_time};

pub(crate) use model::{ACCOUNT_LOCK, SECOND_FACTOR_LOCK, SignInDeps};
pub(crate) use second_step_http::step_from;
pub(crate) use sso_only::keeps_passwords_out;

pub(crate) fn slice(deps: SignInDeps) -> Slice {
    Slice::new("sign_in")
        .operation(Access::Public, routes!(http::login).layer(Extension(deps)))
        .operation(Access::Public, routes!(second_step_http::get_second_step))
        .operation(Access::Public, routes!(second_step_http::verify_second_factor))
        .operation(Access::OwnAccount, routes!(http::logout))
}
