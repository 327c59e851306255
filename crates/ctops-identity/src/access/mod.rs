//! What a member may do and on which hosts, read afresh for every request: built-in roles, custom roles, host scope.
//!
//! Not a slice: no routes of its own. Owns no table. Reads `memberships`, `users`, `teams`, `user_host_scopes`,
//! `custom_roles` and what belongs to them. Invariant: nothing is cached, so
//! whatever an administrator changes holds from the next request on, and on open streams within seconds.

mod store;
#[cfg(test)]
mod store_tests;

use std::sync::Arc;

use ctops_base::Problem;
use ctops_pg::Pool;
use ctops_slice::{HostScope, Rights, Standing};
use uuid::Uuid;

/// A member of an organisation as far as access goes. Who holds the credential that speaks for them is asked elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Full name.
    pub(crate) name: Arc<str>,
    /// Whether an administrator let them in; what a second factor adds to that is known to who reads the credential.
    pub(crate) standing: Standing,
    /// Built-in and custom roles.
    pub(crate) rights: Rights,
    /// Hosts the built-in roles reach.
    pub(crate) scope: HostScope,
}

/// The active member, or none when the user left, was deactivated or never was a member.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn of_member(pool: &Pool, user_id: Uuid, org_id: Uuid) -> Result<Option<Member>, Problem> {
    store::member(pool, user_id, org_id).await.map_err(Problem::internal)
}
