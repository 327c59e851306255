//! Organisations: their name, address name, time zone and logo; making and deleting them; going from one of one's
//! own to another.
//!
//! Writes `organisations` (first written by [`crate::setup`]), and of `sessions` the organisation a session acts in.
//! Reads `memberships`, `agents`.
//!
//! Invariants (users-teams-rbac 1 to 3): what somebody may change is the organisation their session acts in, never
//! one that a request names; a deleted organisation lets nobody in and no machine, and can be restored for 30 days by
//! one of its super_admins; the installation keeps at least one.

mod http;
mod model;
mod service;
mod store;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

/// Make, delete and restore organisations.
pub static ORGANISATIONS_MANAGE: Permission = Permission {
    name: "organisations.manage",
    roles: &[Role::SuperAdmin],
    about: "Create organisations, delete and restore them.",
};

/// Change the organisation itself.
pub static ORGANISATION_WRITE: Permission = Permission {
    name: "organisation.write",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Change name, address name, time zone and logo of the organisation.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&ORGANISATIONS_MANAGE, &ORGANISATION_WRITE];

pub(crate) fn slice() -> Slice {
    Slice::new("organisations")
        .permissions(PERMISSIONS)
        .operation(Access::OwnAccount, routes!(http::list_organisations))
        .operation(Access::OwnAccount, routes!(http::get_organisation))
        .operation(Access::OwnAccount, routes!(http::get_organisation_logo))
        .operation(Access::OwnAccount, routes!(http::switch_organisation))
        .operation(Access::Needs(&ORGANISATIONS_MANAGE), routes!(http::create_organisation))
        .operation(Access::Needs(&ORGANISATION_WRITE), routes!(http::update_organisation))
        .operation(Access::Needs(&ORGANISATIONS_MANAGE), routes!(http::delete_organisation))
        .operation(Access::Needs(&ORGANISATIONS_MANAGE), routes!(http::restore_organisation))
}
