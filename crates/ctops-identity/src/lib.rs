//! Area: organisations, sign-in, sessions, users and the audit trail.
//!
//! | Slice | What it does | Tables it writes |
//! |---|---|---|
//! | [`setup`] | the first account, behind a one-time code | `setup_codes`, `organisations`, `users`, `memberships` |
//! | [`sign_in`] | password to session | none of its own |
//! | [`sessions`] | sessions, and who a request speaks for | `sessions` |
//! | [`organisations`] | making, changing and deleting organisations; going from one to another | `organisations` |
//! | [`users`] | people, their roles and states; the only way memberships are written | `memberships`, `membership_changes` |
//! | [`teams`] | teams, their members and host groups, scoping | `teams`, `team_members`, `team_host_groups` |
//! | [`external`] | identities of directories and identity providers | `external_identities`, `link_confirmations` |
//!
//! [`accounts`] reads people and organisations for everybody; [`passwords`] holds the password rule and the hashing.
//! Deliberately absent: any cache of sessions. Every request asks the database, so ending a session works at once on
//! every node.

use std::sync::Arc;

use ctops_base::Clock;
use ctops_pg::Pool;
use ctops_slice::state::Installation;
use ctops_slice::{Permission, Slice};

mod access;
pub mod accounts;
pub mod external;
pub mod organisations;
pub mod passwords;
pub mod sessions;
pub mod setup;
pub mod sign_in;
pub mod teams;
pub mod users;

/// What this area needs from the server.
pub struct Deps {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// The facts of this installation.
    pub installation: Arc<Installation>,
    /// Password hashing; one per process, because it bounds how many hashes run at a time.
    pub passwords: passwords::Passwords,
    /// Permissions that all other areas declared, so that `GET /me` can name those a person holds. This area adds
    /// its own.
    pub other_permissions: Vec<&'static Permission>,
}

/// The slices of this area.
pub fn slices(deps: Deps) -> Vec<Slice> {
    let mut declared = deps.other_permissions;
    declared.extend_from_slice(sessions::PERMISSIONS);
    declared.extend_from_slice(organisations::PERMISSIONS);
    declared.extend_from_slice(users::PERMISSIONS);
    declared.extend_from_slice(teams::PERMISSIONS);
    let declared = sessions::DeclaredPermissions::new(declared);
    let purge = sessions::PurgeSessions::new(deps.pool, deps.clock, deps.installation.session_idle);
    let sign_in = sign_in::SignInDeps { passwords: deps.passwords, declared: declared.clone() };
    vec![
        setup::slice(sign_in.clone()),
        sign_in::slice(sign_in),
        sessions::slice(declared, purge),
        external::slice(),
        organisations::slice(),
        users::slice(),
        teams::slice(),
    ]
}
