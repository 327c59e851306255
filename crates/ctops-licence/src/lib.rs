//! Licence keys, activation tokens and revocation bundles: formats and their verification. No input, no output, no clock.
//!
//! - [`catalogue`]: tiers and feature keys.
//! - [`jws`]: the strict reader of signed tokens (RFC 7515, RFC 7519): RS256 and nothing else.
//! - [`verifier`]: public keys and their fingerprints.
//! - [`licence`]: the claims of a licence key. [`revocation`]: the list of revoked keys.
//! - [`activation`]: what an installation shows to the issuer.
//!
//! Invariants:
//! - Nothing in a token chooses the algorithm or the key.
//! - What is malformed in part is refused as a whole: no claim is dropped or repaired.

pub mod activation;
pub mod catalogue;
pub mod json;
pub mod jws;
pub mod licence;
pub mod revocation;
pub mod verifier;

pub use activation::{ActivationToken, TokenError};
pub use catalogue::{Feature, Tier};
pub use licence::{Customer, Licence, LicenceError, Moment, read_licence};
pub use revocation::{Bundle, read_bundle};
pub use verifier::{BadVerifier, DEVELOPMENT_VERIFIER_PEM, Verifier, is_development};

/// Issuer of keys and bundles.
pub const ISSUER: &str = "licence.carrtech.dev";
/// Audience of keys.
pub const AUDIENCE: &str = "install.carrtech.dev";
/// Audience of revocation bundles.
pub const REVOCATION_AUDIENCE: &str = "install.carrtech.dev/licence-revocations";
/// Longest key, bytes.
pub const MAX_KEY_BYTES: usize = 16 * 1024;
