//! Preferences: what each person chose for themselves (settings 9). Name, address, password and second factor belong to
//! their account.
//!
//! Owns `user_preferences`.

mod http;
mod model;
mod store;

use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

/// The slice.
pub(crate) fn slice() -> Slice {
    Slice::new("preferences")
        .operation(Access::OwnAccount, routes!(http::get_preferences))
        .operation(Access::OwnAccount, routes!(http::update_preferences))
}
