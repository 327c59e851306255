//! The policy for outgoing connections: how far the organisation reaches, and its internal targets (security 8).
//!
//! Owns `egress_settings`, `egress_targets`; [`ctops_egress`] reads them before each connection, so a change acts at once.
//!
//! Invariant: nothing is stored that would open what is never reached; see [`ctops_egress::Target`].

mod http;
mod service;
mod store;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

/// See the policy.
pub static EGRESS_READ: Permission = Permission {
    name: "egress.read",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See where outgoing connections may go.",
};

/// Change the policy.
pub static EGRESS_MANAGE: Permission = Permission {
    name: "egress.manage",
    roles: &[Role::SuperAdmin],
    about: "Open private networks to outgoing connections, or close the way out.",
};

/// The slice.
pub fn slice() -> Slice {
    Slice::new("egress_policy")
        .permissions(&[&EGRESS_READ, &EGRESS_MANAGE])
        .operation(Access::Needs(&EGRESS_READ), routes!(http::get_egress_policy))
        .operation(Access::Needs(&EGRESS_MANAGE), routes!(http::put_egress_policy))
        .operation(Access::Needs(&EGRESS_MANAGE), routes!(http::add_egress_target))
        .operation(Access::Needs(&EGRESS_MANAGE), routes!(http::remove_egress_target))
}
