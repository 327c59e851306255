//! Enrolment: the tokens by which machines join, and the material to install an agent with.
//!
//! Owns `agent_enrolment_tokens`; reads `users` for the names of creators. Reads and updates one column of the identity
//! area's table: `organisations.reenrolment_policy`.
//!
//! The agents slice calls [`find_by_secret`], [`consume_use`] and [`reenrolment_policy`] during registration.
//!
//! Invariants:
//! - The secret of a token exists in the answer to its creation only; the database holds its SHA-256.
//! - `usage_count` never exceeds `max_uses`, whoever races.
//! - Whatever goes into the install script is checked and quoted, so that it is inert text for a shell.

mod binaries;
mod http;
mod install;
mod model;
mod public;
mod service;
pub(crate) mod shell;
mod store;
#[cfg(test)]
mod store_tests;
mod tags;

use std::sync::Arc;

use axum::Extension;
use ctops_base::Role;
pub use ctops_slice::settings::{SETTINGS_READ, SETTINGS_WRITE};
use ctops_slice::{Access, Permission, Slice};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

pub use model::{EnrolmentToken, NewToken, ReenrolmentPolicy, Token, TokenStatus, Warning};
pub use service::{
    Created, consume_use, create_operator_token, create_token, find_by_secret, reenrolment_policy,
    revoke_token,
};
pub(crate) use tags::check_tags;
pub use tags::{Tag, merge_tags};

/// See, create and revoke enrolment tokens.
pub static ENROLMENT_MANAGE: Permission = Permission {
    name: "enrolment.manage",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "List, create and revoke enrolment tokens.",
};

/// Create tokens whose agents need no approval (agents-enrolment 7).
pub static ENROLMENT_AUTO_APPROVE: Permission = Permission {
    name: "enrolment.auto_approve",
    roles: &[Role::SuperAdmin],
    about: "Create enrolment tokens that approve agents without an administrator.",
};

/// The slice.
pub fn slice() -> Slice {
    let binaries = Arc::new(binaries::AgentBinaries::default());
    let manage = Access::Needs(&ENROLMENT_MANAGE);
    Slice::new("enrolment")
        .permissions(&[&ENROLMENT_MANAGE, &ENROLMENT_AUTO_APPROVE, &SETTINGS_READ, &SETTINGS_WRITE])
        .operation(manage, routes!(http::list_enrolment_tokens))
        .operation(manage, routes!(http::create_enrolment_token))
        .operation(manage, routes!(http::get_enrolment_token))
        .operation(manage, routes!(http::revoke_enrolment_token))
        .operation(Access::Needs(&SETTINGS_READ), routes!(http::get_enrolment_settings))
        .operation(Access::Needs(&SETTINGS_WRITE), routes!(http::update_enrolment_settings))
        .operation(Access::Public, routes!(public::get_install_script))
        .operation(Access::Public, with_binaries(routes!(public::get_agent_binary), binaries))
        .operation(Access::Public, routes!(public::get_server_ca))
}

fn with_binaries(
    (schemas, paths, methods): UtoipaMethodRouter<ctops_slice::AppState>,
    binaries: Arc<binaries::AgentBinaries>,
) -> UtoipaMethodRouter<ctops_slice::AppState> {
    (schemas, paths, methods.layer(Extension(binaries)))
}
