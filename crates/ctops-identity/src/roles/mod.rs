//! Custom roles: permissions of the catalogue on the hosts of a selector, given to people and teams
//! (users-teams-rbac 17 to 22); and the catalogue of permissions.
//!
//! Owns `custom_roles`, `custom_role_terms`, `role_assignments`; the view `scope_hosts` says what a selector selects.
//! Reads `host_groups`, `hosts`, `memberships`, `teams`, `users`. What somebody holds is read by [`crate::access`].
//!
//! Invariants:
//! - A role holds nothing that an organisation administrator does not; whoever is no administrator puts nothing into a
//!   role that they do not hold on all hosts themselves, and nobody gives a role to themselves or their own team.
//! - Without the licence roles keep working as they are and nothing about them can be changed.

mod http;
mod model;
mod preview_http;
mod service;
mod store;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, Feature, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::sessions::DeclaredPermissions;

/// See and change custom roles and who holds them, and explain access.
pub static RBAC_MANAGE: Permission = Permission {
    name: "rbac.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See and change custom roles and who holds them; explain why somebody may do something.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&RBAC_MANAGE];

pub(crate) fn slice(declared: &DeclaredPermissions) -> Slice {
    let read = Access::Needs(&RBAC_MANAGE);
    let change = Access::Licensed(&RBAC_MANAGE, Feature::AdvancedRbac);
    let catalogue = || Extension(declared.clone());
    Slice::new("roles")
        .permissions(PERMISSIONS)
        .operation(Access::SignedIn, routes!(http::list_permissions).layer(catalogue()))
        .operation(Access::SignedIn, routes!(http::list_own_permissions).layer(catalogue()))
        .operation(read, routes!(http::explain_permission).layer(catalogue()))
        .operation(read, routes!(http::list_roles))
        .operation(change, routes!(http::create_role).layer(catalogue()))
        .operation(read, routes!(http::get_role))
        .operation(change, routes!(http::change_role).layer(catalogue()))
        .operation(change, routes!(http::delete_role))
        .operation(read, routes!(preview_http::preview_role))
        .operation(read, routes!(preview_http::preview_changed_role))
        .operation(read, routes!(http::list_role_assignments))
        .operation(change, routes!(http::create_role_assignment))
        .operation(change, routes!(http::delete_role_assignment))
}
