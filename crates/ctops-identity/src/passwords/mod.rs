//! Passwords: the rule for new ones, and hashing that cannot be used to exhaust the machine.
//!
//! Every way to set a password (set-up, later registration, change, reset, invite) goes through [`check`], every
//! comparison through [`Passwords`].

mod hashing;
mod policy;
mod secret;

pub use hashing::{Passwords, Turn};
pub use policy::{Context, MAX_CHARS, MIN_CHARS, check, check_length};
pub use secret::Secret;
