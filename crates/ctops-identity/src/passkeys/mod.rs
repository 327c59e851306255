//! Passkeys (WebAuthn level 3): keys in a device or password manager that sign in without a password, or stand in as
//! second factor.
//!
//! The device verifies its user (fingerprint, PIN) in every ceremony, so a passkey counts as two factors. Nothing
//! outside this installation is asked: attestation is not wanted, and the origin is the public address. Owns `passkeys`,
//! `passkey_ceremonies`. Reads `users`, `memberships`.
//!
//! Invariants: a challenge is answered once, right or wrong, within five minutes, for the purpose and the person it was
//! made for; a passkey belongs to one account; whether an account has passkeys does not show before sign-in, because
//! the browser finds the key by itself.

mod ceremony;
mod http;
mod model;
mod service;
mod sign_in_http;
mod store;

use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

pub(crate) use service::delete_all_of;

pub(crate) fn slice() -> Slice {
    Slice::new("passkeys")
        .operation(Access::OwnAccount, routes!(http::list_passkeys, http::create_passkey))
        .operation(Access::OwnAccount, routes!(http::begin_passkey))
        .operation(Access::OwnAccount, routes!(http::rename_passkey, http::delete_passkey))
        .operation(Access::OwnAccount, routes!(http::begin_passkey_confirmation))
        .operation(Access::OwnAccount, routes!(http::confirm_with_passkey))
        .operation(Access::Public, routes!(sign_in_http::begin_passkey_sign_in))
        .operation(Access::Public, routes!(sign_in_http::sign_in_with_passkey))
        .operation(Access::Public, routes!(sign_in_http::begin_passkey_second_step))
        .operation(Access::Public, routes!(sign_in_http::verify_passkey_second_step))
}
