//! Teams: people who look after something together, and the host groups they own.
//!
//! A team may be scoping: its host groups are then access scope of its engineer and read_only members, in addition to
//! groups given to the person. Owns `teams`, `team_members`, `team_host_groups`. Reads `memberships`, `users`,
//! `host_groups`, `user_host_scopes`, `hosts` and the view `scope_hosts`.
//!
//! Invariants (users-teams-rbac 9, 10, 13, 14):
//! - No change of a team lets somebody see more than before unless the administrator says so in the same request;
//!   and nobody widens themselves. The change is made first and the scopes are read before and after it, so what is
//!   compared is what will hold.
//! - A scope is read afresh for every request, so leaving a team acts at once.

mod http;
mod model;
mod service;
mod store;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub(crate) use service::{check_ids, join_invited};

/// See teams.
pub static TEAMS_READ: Permission =
    Permission { name: "teams.read", roles: &Role::ALL, about: "See teams, their members and host groups." };

/// Change teams.
pub static TEAMS_MANAGE: Permission = Permission {
    name: "teams.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Create and change teams, their members, host groups and scoping.",
};

/// All permissions this slice declares.
pub static PERMISSIONS: &[&Permission] = &[&TEAMS_READ, &TEAMS_MANAGE];

pub(crate) fn slice() -> Slice {
    let (read, manage) = (Access::Needs(&TEAMS_READ), Access::Needs(&TEAMS_MANAGE));
    Slice::new("teams")
        .permissions(PERMISSIONS)
        .operation(read, routes!(http::list_teams))
        .operation(read, routes!(http::get_team))
        .operation(manage, routes!(http::create_team))
        .operation(manage, routes!(http::update_team))
        .operation(manage, routes!(http::delete_team))
        .operation(manage, routes!(http::add_team_members))
        .operation(manage, routes!(http::remove_team_member))
        .operation(manage, routes!(http::preview_team_member))
        .operation(manage, routes!(http::set_team_host_groups))
}
