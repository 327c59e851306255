//! External identities: who somebody of a directory or identity provider is among our accounts.
//!
//! [`resolve`] answers that for the slices that talk to directories (LDAP) and identity providers (OIDC, SAML), inside
//! the transaction of their sign-in. A person links and unlinks identities of their own account here. Owns
//! `external_identities`, `link_confirmations`. Creates `users` and `memberships` through [`crate::users`].
//!
//! Invariants (auth 31):
//! - An identity is known by provider and subject. An address never decides, because at many providers its owner can
//!   change it: whoever arrives with the address of an account gets a token that only that account's own sign-in,
//!   made after the token, can redeem.
//! - An address that the provider does not vouch for is not written to an account at all; otherwise somebody could
//!   sit on the address of a person who comes later.
//! - Group maps grant `org_admin` at most (users-teams-rbac 7): whoever may edit a map would otherwise make
//!   themselves super_admin.

mod http;
mod model;
mod service;
mod store;

use ctops_slice::{Access, Slice};
use utoipa_axum::routes;

pub use model::{ExternalIdentity, ProviderKind, Resolved, is_placeholder_address};
pub(crate) use service::has_usable_provider;
pub use service::{forget_provider, resolve};

pub(crate) fn slice() -> Slice {
    Slice::new("external")
        .operation(Access::OwnAccount, routes!(http::list_external_identities))
        .operation(Access::OwnAccount, routes!(http::unlink_external_identity))
        .operation(Access::OwnAccount, routes!(http::preview_external_identity))
        .operation(Access::OwnAccount, routes!(http::link_external_identity))
}
