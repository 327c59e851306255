//! Invitations: how people without an account, or of another organisation, become members.
//!
//! An administrator names an address, roles, teams and host groups; a link goes to the address and can be copied once.
//! Whoever opens it makes an account with that address, or signs in to the account that has it. Owns `invitations`;
//! writes `user_host_scopes`; creates `users` and `memberships` through [`crate::users`].
//!
//! Invariants (auth 4, 27, 28; users-teams-rbac 7):
//! - What somebody becomes stands in the invitation's row and nowhere in the request that accepts it.
//! - Only the hash of the token is kept; a new link replaces the one before.
//! - The address that accepts is the one invited: a new account gets it, an existing one must have verified it.
//! - An invitation is worth what its author is worth when it is accepted: that of somebody who was removed or may no
//!   longer grant its roles is worth nothing.

mod accept;
mod http;
mod model;
mod service;
mod store;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::passwords::Passwords;

/// Invite people.
pub static INVITATIONS_MANAGE: Permission = Permission {
    name: "invitations.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Invite people, see and cancel invitations.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&INVITATIONS_MANAGE];

pub(crate) fn slice(passwords: Passwords) -> Slice {
    let manage = Access::Needs(&INVITATIONS_MANAGE);
    Slice::new("invitations")
        .permissions(PERMISSIONS)
        .operation(manage, routes!(http::list_invitations))
        .operation(manage, routes!(http::create_invitation))
        .operation(manage, routes!(http::cancel_invitation))
        .operation(manage, routes!(http::resend_invitation))
        .operation(Access::Public, routes!(http::look_up_invitation))
        .operation(Access::Public, routes!(http::accept_invitation).layer(Extension(passwords)))
}
