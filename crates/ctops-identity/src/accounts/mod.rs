//! People and organisations, read by everybody: names for "created by", the profile behind a session.
//!
//! Not a slice: no routes of its own. Owns no table. Reads `users`, `organisations`, `memberships` (written by
//! [`crate::setup`]). Invariant: an e-mail address is stored trimmed and in lower case, so that it is compared
//! the same way by this program and by the database, whatever the database's locale.

mod model;
mod store;
#[cfg(test)]
mod store_tests;

use std::collections::HashMap;

use ctops_base::Problem;
use ctops_pg::Pool;
use uuid::Uuid;

pub use model::{Email, MAX_EMAIL_CHARS, Organisation, Profile, check_name};

/// Names of users, by id; also of deactivated and removed ones, because history stays attributed. Ids that belong
/// to nobody are left out.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn user_names(pool: &Pool, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, Problem> {
    store::user_names(pool, ids).await.map(|rows| rows.into_iter().collect()).map_err(Problem::internal)
}

/// An organisation.
///
/// # Errors
/// `not_found`; `internal` when the database cannot be asked.
pub async fn organisation(pool: &Pool, id: Uuid) -> Result<Organisation, Problem> {
    let found = store::organisation(pool, id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("organisation"))
}

/// A member of an organisation with their roles.
///
/// # Errors
/// `not_found` when the user is no member; `internal` when the database cannot be asked.
pub async fn profile(pool: &Pool, user_id: Uuid, org_id: Uuid) -> Result<Profile, Problem> {
    let found = store::profile(pool, user_id, org_id).await.map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found("user"))
}

/// The hash of the local password of a user, when they have one.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn password_hash(pool: &Pool, user_id: Uuid) -> Result<Option<String>, Problem> {
    store::password_hash(pool, user_id).await.map_err(Problem::internal)
}

/// Roles as the database names them. A name this program does not know (written by a newer one) gives no rights.
pub(crate) fn parse_roles(names: &[String]) -> std::collections::BTreeSet<ctops_base::Role> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
