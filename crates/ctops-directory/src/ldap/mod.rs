//! Sign-in with the account of a directory (auth 29 to 32).
//!
//! The service account looks for the one entry that is meant, and the directory itself judges the password: the entry's
//! name and the password are tried as a sign-in of their own. Who that is among our accounts is decided by
//! [`ctops_identity::external`], and the session is started by [`ctops_identity::sign_in`]. Owns no table. Counts in
//! `throttles` under the scopes `ldap_login` and `ldap_account_lock`.
//!
//! Invariants: an empty password never gets to a directory; no match, two matches and a wrong password look the same
//! from outside; why a directory refused is written into the audit trail only.

mod http;
mod model;
mod reauthentication;
mod service;

use axum::Extension;
use ctops_slice::{Access, Slice};
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

use crate::directories::Directories;

pub(crate) use reauthentication::ByBind;

pub(crate) fn slice(directories: Directories) -> Slice {
    Slice::new("ldap").operation(Access::Public, routes!(http::ldap_login).layer(Extension(directories)))
}
