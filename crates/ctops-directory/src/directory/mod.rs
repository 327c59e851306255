//! Looking somebody up in a directory, live (ldap-directory-lookup 1 to 13).
//!
//! Owns no table. Counts in `throttles` under the scopes `directory_search` and `directory_read`.
//!
//! Invariants: nothing that a directory answers is stored or logged; the audit trail holds who asked, the directory,
//! the query and the name of the entry. Only entries below the people's base are opened, whatever name is asked for.
//! Passwords, hashes and keys never leave the server, whatever they are called in the directory's list.

mod http;
mod model;
mod record;
mod service;
mod standing;

use axum::Extension;
use ctops_base::Role;
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::directories::Directories;

/// Look people up.
pub static DIRECTORY_LOOKUP: Permission = Permission {
    name: "directory.lookup",
    roles: &[Role::Engineer, Role::OrgAdmin, Role::SuperAdmin],
    about: "Look people up in the organisation's directories.",
};

pub(crate) fn slice(directories: Directories) -> Slice {
    let access = Access::Needs(&DIRECTORY_LOOKUP);
    Slice::new("directory")
        .permissions(&[&DIRECTORY_LOOKUP])
        .settings_page::<model::LookupSettings>()
        .operation(access, routes!(http::list_directories))
        .operation(access, routes!(http::search_directory).layer(Extension(directories.clone())))
        .operation(access, routes!(http::get_directory_user).layer(Extension(directories.clone())))
        .operation(access, routes!(http::list_directory_user_groups).layer(Extension(directories)))
}
