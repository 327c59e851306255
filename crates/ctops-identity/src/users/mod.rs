//! People of an organisation: who they are, their roles and states, what happened to them.
//!
//! An account (`users`) may be a member of several organisations (`memberships`), with roles and a state in each. All
//! writes of memberships by the server go through [`membership`]: administrators here, invitations, first sign-ins
//! through a provider, new organisations and the operator's emergency commands. Owns `membership_changes`; writes
//! `users`, `memberships` (first written by [`crate::setup`]); ends `sessions`.
//!
//! Invariants (users-teams-rbac 5 to 8):
//! - Nobody changes themselves.
//! - An organisation keeps an active super_admin. This is looked at with the organisation's row locked, and so are the
//!   rights of whoever acts, so two administrators cannot remove each other at once.
//! - Nobody grants or takes a role stronger than their own strongest one; so only a super_admin makes a super_admin.
//! - Who loses rights loses every session in the same transaction.

mod emergency;
mod http;
pub(crate) mod membership;
mod model;
mod security;
mod security_http;
mod service;
mod store;

use std::time::Duration;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub use emergency::{
    CreatedSuperAdmin, clear_second_factor, create_super_admin, promote_super_admin, unlock_account,
};
pub(crate) use model::{may_grant, parse_role_names};
pub(crate) use service::roles_now;

/// How fresh a sign-in must be for changes to one's own ways to sign in (auth 17).
pub(crate) const FRESH: Duration = Duration::from_secs(5 * 60);

/// See the people of the organisation.
pub static USERS_READ: Permission = Permission {
    name: "users.read",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See the people of the organisation, their roles and their history.",
};

/// Change roles and states of people.
pub static USERS_MANAGE: Permission = Permission {
    name: "users.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Approve, deactivate, remove and restore people and change their roles.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&USERS_READ, &USERS_MANAGE];

pub(crate) fn slice() -> Slice {
    Slice::new("users")
        .permissions(PERMISSIONS)
        .operation(Access::Needs(&USERS_READ), routes!(http::list_users))
        .operation(Access::Needs(&USERS_READ), routes!(http::get_user))
        .operation(Access::Needs(&USERS_READ), routes!(http::list_user_history))
        .operation(Access::Needs(&USERS_READ), routes!(security_http::get_user_security))
        .operation(Access::Needs(&USERS_MANAGE), routes!(security_http::unlock_user))
        .operation(Access::Needs(&USERS_MANAGE), routes!(http::update_user))
        .operation(Access::Needs(&USERS_MANAGE), routes!(http::remove_user))
        .operation(Access::Needs(&USERS_MANAGE), routes!(http::restore_user))
}
