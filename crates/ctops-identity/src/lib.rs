//! Area: organisations, sign-in, sessions, users and the audit trail.
//!
//! | Slice | What it does | Tables it writes |
//! |---|---|---|
//! | [`setup`] | the first account, behind a one-time code | `setup_codes`, `organisations`, `users`, `memberships` |
//! | [`sign_in`] | first and second factor to session | `pending_sign_ins` |
//! | [`sessions`] | sessions, and who a request speaks for | `sessions`, `sign_in_origins` |
//! | [`second_factor`] | authenticator apps and recovery codes | `totp_seeds`, `recovery_codes` |
//! | [`passkeys`] | WebAuthn | `passkeys`, `passkey_ceremonies` |
//! | [`reauthentication`] | confirming that it is still the same person | none of its own |
//! | [`api_keys`] | keys of people and services | `api_keys`, service accounts in `users`, `memberships` |
//! | [`organisations`] | making, changing and deleting organisations; going from one to another | `organisations` |
//! | [`users`] | people, their roles and states; the only way memberships are written | `memberships`, `membership_changes` |
//! | [`teams`] | teams, their members and host groups, scoping | `teams`, `team_members`, `team_host_groups` |
//! | [`invitations`] | how people become members by a link | `invitations`, `user_host_scopes` |
//! | [`recovery`] | new passwords, by the old one or by a link | `password_resets`, `users.password_hash` |
//! | [`registration`] | accounts that people ask for themselves | `registrations` |
//! | [`verification`] | proving addresses by a link | `address_links`, `users.email`, `users.email_verified_at` |
//! | [`profile`] | the own name and address | `users.name` |
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
pub mod api_keys;
pub mod external;
pub mod invitations;
pub mod organisations;
pub mod passkeys;
pub mod passwords;
pub mod profile;
pub mod reauthentication;
pub mod recovery;
pub mod registration;
pub mod roles;
pub mod second_factor;
pub mod sessions;
pub mod setup;
pub mod sign_in;
pub mod teams;
pub mod users;
pub mod verification;

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
    /// How accounts of directories and identity providers confirm that it is still the same person.
    pub reauthenticate: Vec<Arc<dyn reauthentication::Reauthenticate>>,
}

/// The slices of this area.
pub fn slices(deps: Deps) -> Vec<Slice> {
    let mut declared = deps.other_permissions;
    declared.extend_from_slice(sessions::PERMISSIONS);
    declared.extend_from_slice(organisations::PERMISSIONS);
    declared.extend_from_slice(users::PERMISSIONS);
    declared.extend_from_slice(teams::PERMISSIONS);
    declared.extend_from_slice(invitations::PERMISSIONS);
    declared.extend_from_slice(second_factor::PERMISSIONS);
    declared.extend_from_slice(api_keys::PERMISSIONS);
    declared.extend_from_slice(roles::PERMISSIONS);
    let declared = sessions::DeclaredPermissions::new(declared);
    declared.put_in_force();
    let purge = sessions::PurgeSessions::new(deps.pool, deps.clock, deps.installation.session_idle);
    let reauthentication = reauthentication::ReauthenticationDeps {
        passwords: deps.passwords.clone(),
        external: deps.reauthenticate.into(),
    };
    let invitations = invitations::slice(deps.passwords.clone());
    let recovery = recovery::slice(&deps.passwords);
    let registration = registration::slice(&deps.passwords);
    let verification = verification::slice(&deps.passwords);
    let profile = profile::slice(reauthentication.clone());
    let sign_in = sign_in::SignInDeps { passwords: deps.passwords, declared: declared.clone() };
    vec![
        roles::slice(&declared),
        setup::slice(sign_in.clone()),
        sign_in::slice(sign_in),
        second_factor::slice(),
        passkeys::slice(),
        reauthentication::slice(reauthentication),
        api_keys::slice(declared.clone()),
        sessions::slice(declared, purge),
        external::slice(),
        organisations::slice(),
        users::slice(),
        teams::slice(),
        invitations,
        recovery,
        registration,
        verification,
        profile,
    ]
}
