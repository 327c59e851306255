//! The identity area as a browser meets it: the router in process, behind the guard, on a real database.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api_keys;
mod emergency;
mod enumeration;
mod external;
mod invitations;
mod organisations;
mod other_sessions;
mod passkeys;
mod people;
mod reauthentication;
mod recovery;
mod roles;
mod second_factor;
mod secrecy;
mod sessions;
mod setup;
mod sign_in;
mod support;
mod teams;
