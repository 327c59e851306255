//! SSH host keys, trusted on first use: the first set a host reports is trusted; another one waits, and marks the host,
//! until somebody accepts it or the host goes back to the trusted one (wire contract 5.3).
//!
//! Owns `host_ssh_keys`. Reads `hosts`.
//!
//! Invariants:
//! - Keys are compared as sets of fingerprints.
//! - Nobody but a person replaces trusted keys, and only by the set that this person has seen.

mod events;
mod http;
mod model;
mod service;
mod store;

use std::sync::Arc;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

use crate::hosts::HOSTS_READ;

pub use events::HostKeyEvents;

/// Accept changed keys.
pub static HOST_KEYS_TRUST: Permission = Permission {
    name: "host_keys.trust",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Accept SSH host keys that have changed.",
};

/// The slice.
pub fn slice() -> Slice {
    Slice::new("host_keys")
        .permissions(&[&HOST_KEYS_TRUST])
        .operation(Access::Needs(&HOSTS_READ), routes!(http::get_host_keys))
        .operation(Access::Needs(&HOST_KEYS_TRUST), routes!(http::accept_host_keys))
        .agent_events(Arc::new(HostKeyEvents))
}
