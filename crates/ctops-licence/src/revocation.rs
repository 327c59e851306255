//! The list of revoked keys, signed like a key (licensing 17, 18).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::REVOCATION_AUDIENCE;
use crate::jws;
use crate::licence::{LicenceError, check_origin, second, text};
use crate::verifier::Verifier;

/// Largest bundle, bytes.
pub const MAX_BUNDLE_BYTES: usize = 1 << 20;

/// What a bundle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Ids of revoked keys.
    pub revoked: BTreeSet<String>,
    /// Seconds since the Unix epoch; a younger bundle is never replaced by an older one.
    pub issued_at: i64,
    /// Seconds since the Unix epoch; later than this it is not taken over any more. One that was taken over goes on
    /// counting.
    pub expires_at: i64,
}

/// Reads a bundle that one of `keys` signed, whichever it was: a new key does not silence what the old one revoked.
///
/// # Errors
/// The [`LicenceError`] of the first check that failed.
pub fn read_bundle(token: &str, keys: &[Verifier]) -> Result<Bundle, LicenceError> {
    let mut outcome = Err(LicenceError::BadSignature);
    for key in keys {
        match jws::verify(token, key, MAX_BUNDLE_BYTES).map_err(LicenceError::from) {
            Err(LicenceError::BadSignature) => {}
            other => {
                outcome = other;
                break;
            }
        }
    }
    let claims = outcome?;
    check_origin(&claims, REVOCATION_AUDIENCE)?;
    let time = |name: &str| claims.get(name).ok_or(LicenceError::Malformed).and_then(second);
    let listed = claims.get("revoked").and_then(Value::as_array).ok_or(LicenceError::Malformed)?;
    let revoked: Option<BTreeSet<String>> = listed.iter().map(|item| text(Some(item))).collect();
    Ok(Bundle {
        revoked: revoked.ok_or(LicenceError::Malformed)?,
        issued_at: time("iat")?,
        expires_at: time("exp")?,
    })
}
