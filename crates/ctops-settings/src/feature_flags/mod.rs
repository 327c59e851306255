//! Feature flags: who turned what, and turning it (settings 13 to 16).
//!
//! Owns `feature_flags`. Flags are declared and asked for in [`ctops_slice::flags`].
//!
//! Invariants:
//! - A flag that the program does not declare is off, whatever is stored.
//! - Turning acts at once on every node: nobody keeps the answer.

mod http;
mod service;
mod store;

use ctops_slice::settings::SETTINGS_WRITE;
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

/// The slice.
pub(crate) fn slice() -> Slice {
    Slice::new("feature_flags")
        .operation(Access::SignedIn, routes!(http::list_feature_flags))
        .operation(Access::Needs(&SETTINGS_WRITE), routes!(http::turn_feature_flags))
}
