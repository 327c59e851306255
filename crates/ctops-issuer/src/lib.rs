//! The issuer's side of licences (licensing 22, 23).
//!
//! - [`keys`]: the signing key, encrypted on disk, and the ring of public keys that ever signed.
//! - [`mint`]: what a key is made from and what is refused; [`revocations`]: the list of revoked keys and its bundle.
//! - [`cli`]: the commands of `ct-ops-licence`.
//!
//! Nothing of this is part of the server. The private key never leaves the issuer's directory.

pub mod cli;
pub mod keys;
pub mod mint;
pub mod revocations;
