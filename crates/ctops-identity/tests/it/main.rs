//! The identity area as a browser meets it: the router in process, behind the guard, on a real database.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod address_races;
mod api_keys;
mod emergency;
mod enumeration;
mod external;
mod fixation;
mod invitations;
mod legal_notice;
mod letters;
mod organisations;
mod other_sessions;
mod passkeys;
mod people;
mod profile;
mod races;
mod reauthentication;
mod recovery;
mod registration;
mod roles;
mod second_factor;
mod secrecy;
mod service_keys;
mod sessions;
mod setup;
mod sign_in;
mod support;
mod teams;
mod user_security;
mod verification;
