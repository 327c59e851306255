//! API keys: for people's own programs and for services of an organisation (auth 20, 21).
//!
//! A key is a random secret of which only the SHA-256 is kept. A personal key speaks for its owner, a service key for a
//! service account that is made with it and never signs in; both with the permissions named for the key and no other,
//! on the host groups and from the networks named for it. Owns `api_keys`; writes the service accounts in `users` and
//! `memberships`; reads `host_groups`.
//!
//! Invariants: the secret is shown once; a key never has more rights than whom it speaks for has at that moment; every
//! request asks the database, so a revoked key is dead on every node with the next one; keys cannot make or revoke keys.

mod http;
mod model;
mod service;
mod store;
#[cfg(test)]
mod store_tests;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::sessions::DeclaredPermissions;

pub(crate) use service::{find, find_by_id, note_use};

/// Make, see and revoke one's own API keys.
pub static API_KEYS_OWN: Permission =
    Permission { name: "api_keys.own", roles: &Role::ALL, about: "Make, see and revoke your own API keys." };

/// Make, see and revoke the organisation's service keys.
pub static SERVICE_KEYS_MANAGE: Permission = Permission {
    name: "service_keys.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Make, see and revoke the organisation's service keys.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&API_KEYS_OWN, &SERVICE_KEYS_MANAGE];

pub(crate) fn slice(declared: DeclaredPermissions) -> Slice {
    let own = routes!(http::list_own_keys, http::create_own_key).layer(Extension(declared.clone()));
    let services = routes!(http::list_service_keys, http::create_service_key).layer(Extension(declared));
    Slice::new("api_keys")
        .permissions(PERMISSIONS)
        .operation(Access::Needs(&API_KEYS_OWN), own)
        .operation(Access::Needs(&API_KEYS_OWN), routes!(http::revoke_own_key))
        .operation(Access::Needs(&SERVICE_KEYS_MANAGE), services)
        .operation(Access::Needs(&SERVICE_KEYS_MANAGE), routes!(http::revoke_service_key))
}
