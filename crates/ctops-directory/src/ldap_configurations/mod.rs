//! Directories: which there are, how they are asked, and what their groups are worth here (ldap-directory-lookup 15 to 20,
//! auth 29).
//!
//! Owns `ldap_configurations`. Reads `organisations`, `external_identities`, `memberships`.
//!
//! Invariants:
//! - Name and password of the service account and the pinned authorities are sealed; the password is never answered, and
//!   it is forgotten when it would be sent to another server or on a less safe way than it was given for.
//! - No map grants super_admin. A directory that a super_admin signs in through is changed by a super_admin only: whoever
//!   may name its servers could sign in as them.
//! - A deleted directory keeps its row and loses its secrets and its links.

mod http;
mod model;
mod probe;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod store_tests;

use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::routes;

pub(crate) use model::Directory;
pub(crate) use service::{enabled, find_enabled, find_for_sign_in, links_of, open};
pub(crate) use settings::{Preset, Server, Settings, grantable};

/// See directories.
pub static LDAP_READ: Permission = Permission {
    name: "ldap_configurations.read",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See directories and how they are set up, without passwords.",
};

/// Change directories.
pub static LDAP_WRITE: Permission = Permission {
    name: "ldap_configurations.write",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Add, change, test and delete directories.",
};

pub(crate) fn slice() -> Slice {
    let (read, write) = (Access::Needs(&LDAP_READ), Access::Needs(&LDAP_WRITE));
    Slice::new("ldap_configurations")
        .permissions(&[&LDAP_READ, &LDAP_WRITE])
        .operation(read, routes!(http::list_ldap_configurations))
        .operation(read, routes!(http::list_ldap_presets))
        .operation(read, routes!(http::get_ldap_configuration))
        .operation(write, routes!(http::create_ldap_configuration))
        .operation(write, routes!(http::change_ldap_configuration))
        .operation(write, routes!(http::delete_ldap_configuration))
        .operation(write, routes!(http::test_new_ldap_configuration))
        .operation(write, routes!(http::test_ldap_configuration))
}
