//! Host groups: named sets of hosts, and who is limited to them (host-groups.md).
//!
//! Owns `host_groups`, `host_group_members`, `user_host_scopes` and the view `scope_hosts`. Reads `hosts`,
//! `host_vitals`, `memberships`, `users`, `teams`, `custom_roles`.
//!
//! Invariants:
//! - Whoever is limited to groups sees those groups only, inside them only hosts in scope, and changes none.
//! - Deleting a group never shows anybody more: a group that is the only thing somebody, or a scoping team, is limited
//!   to, and one a custom role selects by, cannot be deleted.
//! - A group is locked while its members or its place in a scope change.

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

mod http;
mod model;
mod scopes;
mod service;
mod store;

/// See groups and their members.
pub static HOST_GROUPS_READ: Permission =
    Permission { name: "host_groups.read", roles: &Role::ALL, about: "See host groups and their members." };

/// Make, change and delete groups.
pub static HOST_GROUPS_WRITE: Permission = Permission {
    name: "host_groups.write",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "Make, rename and delete host groups and change their members; not for people limited to some hosts.",
};

/// Limit people to groups.
pub static HOST_SCOPES_MANAGE: Permission = Permission {
    name: "host_scopes.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See and change which host groups people are limited to.",
};

/// The slice.
pub fn slice() -> Slice {
    let (read, write) = (Access::Needs(&HOST_GROUPS_READ), Access::Needs(&HOST_GROUPS_WRITE));
    let scopes = Access::Needs(&HOST_SCOPES_MANAGE);
    Slice::new("host_groups")
        .permissions(&[&HOST_GROUPS_READ, &HOST_GROUPS_WRITE, &HOST_SCOPES_MANAGE])
        .operation(read, routes!(http::list_host_groups))
        .operation(write, routes!(http::create_host_group))
        .operation(read, routes!(http::get_host_group))
        .operation(write, routes!(http::change_host_group))
        .operation(write, routes!(http::delete_host_group))
        .operation(write, routes!(http::restore_host_group))
        .operation(read, routes!(http::get_host_group_references))
        .operation(read, routes!(http::list_host_group_members))
        .operation(write, routes!(http::add_host_group_members))
        .operation(write, routes!(http::remove_host_group_members))
        .operation(read, routes!(http::list_groups_of_host))
        .operation(scopes, routes!(scopes::get_host_scope))
        .operation(scopes, routes!(scopes::set_host_scope))
}
