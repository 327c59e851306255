//! A second factor: codes of an authenticator app (TOTP, RFC 6238) with recovery codes for the day the phone is lost.
//!
//! Enrolling, disabling and renewing need a fresh confirmation ([`crate::reauthentication`]). Sign-in asks
//! [`accept`] for its second step. Owns `totp_seeds`, `recovery_codes`. Reads `passkeys`, `users`, `memberships`.
//!
//! Invariants: the seed is sealed and shown only before its first valid code; a code is accepted once, because its step
//! is remembered; recovery codes are shown once, kept as sealed hashes and used once.

mod http;
mod model;
mod service;
mod store;
#[cfg(test)]
mod store_tests;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub(crate) use model::Proof;
pub(crate) use service::{Factors, accept, clear, factors_of};

/// Take another person's second factor away.
pub static MFA_RESET: Permission = Permission {
    name: "mfa.reset",
    roles: &[Role::SuperAdmin],
    about: "Take another person's second factor away, so that they enrol a new one.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&MFA_RESET];

pub(crate) fn slice() -> Slice {
    Slice::new("second_factor")
        .permissions(PERMISSIONS)
        .operation(Access::OwnAccount, routes!(http::get_mfa))
        .operation(Access::OwnAccount, routes!(http::begin_totp, http::disable_totp))
        .operation(Access::OwnAccount, routes!(http::confirm_totp))
        .operation(Access::OwnAccount, routes!(http::renew_recovery_codes))
        .operation(Access::Needs(&MFA_RESET), routes!(http::reset_mfa))
}
