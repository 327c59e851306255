//! Verification of ID tokens (OpenID Connect Core 1.0 section 3.1.3.7, RFC 7519, RFC 8725). Pure.
//!
//! What a token says about keys (`jku`, `jwk`, `x5u`, `x5c`) is never looked at: keys come from the provider's own
//! key set only. Only RS256 and ES256 are accepted, each with a key of its own kind, so a public key can never serve as the
//! secret of an HMAC.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ctops_crypto::secret::constant_time_eq;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

/// Clocks of two machines may differ by this much, seconds (auth 33).
const SKEW_S: i64 = 60;
/// Largest token that is looked at, bytes. Tokens with hundreds of groups have some 20 KiB.
const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// Longest subject, bytes (OpenID Connect Core 1.0 section 2).
const MAX_SUBJECT_BYTES: usize = 255;
/// Smallest RSA modulus, bytes (RFC 7518 section 3.3).
const MIN_RSA_BYTES: usize = 2048 / 8;
/// Keys of one set that are looked at.
const MAX_KEYS: usize = 100;

/// Why a token is refused. The text never contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Empty, oversized, or not three base64url parts with JSON in them.
    #[error("the ID token is malformed")]
    Malformed,
    /// Signed with anything but RS256 and ES256, or with extensions that must be understood.
    #[error("the ID token is not signed with RS256 or ES256")]
    Algorithm,
    /// The provider's key set has no key for it.
    #[error("the ID token names a key that the provider does not publish")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the signature of the ID token is wrong")]
    Signature,
    /// From somebody else.
    #[error("the ID token is of another issuer")]
    Issuer,
    /// For somebody else.
    #[error("the ID token is for another client")]
    Audience,
    /// Not the answer to this sign-in.
    #[error("the ID token belongs to another sign-in")]
    Nonce,
    /// Over.
    #[error("the ID token is expired")]
    Expired,
    /// From the future.
    #[error("the ID token is not valid yet")]
    NotYetValid,
    /// The person did not sign in anew although that was asked for.
    #[error("the identity provider did not ask for credentials again")]
    NotFresh,
    /// A claim that must be there is missing or has another type.
    #[error("the claims of the ID token are incomplete")]
    Claims,
}

/// The keys of a provider that may verify ID tokens.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Keys {
    /// Picks the usable keys out of a key set (RFC 7517): RSA of 2048 bits and more, and P-256, for signatures.
    ///
    /// # Errors
    /// When the document is no key set.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, TokenError> {
        let document: Value = serde_json::from_slice(document).map_err(|_| TokenError::Malformed)?;
        let entries = document.get("keys").and_then(Value::as_array).ok_or(TokenError::Malformed)?;
        // Kinds of keys that are unknown here must not spoil the others.
        Ok(Self(entries.iter().take(MAX_KEYS).filter_map(usable).collect()))
    }

    /// How many can be used.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, TokenError> {
        let mut fitting = self.0.iter().filter(|key| {
            key.algorithm == algorithm && (id.is_none() || key.id.is_none() || key.id.as_deref() == id)
        });
        let named =
            self.0.iter().find(|key| key.algorithm == algorithm && id.is_some() && key.id.as_deref() == id);
        if let Some(key) = named {
            return Ok(key);
        }
        // Without a name on both sides the choice must be plain.
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(TokenError::UnknownKey),
        }
    }
}

fn usable(entry: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(entry.clone()).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let (algorithm, stated) = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
            if bytes < MIN_RSA_BYTES {
                return None;
            }
            (Algorithm::RS256, KeyAlgorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|named| named != stated) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, key })
}

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// Issuer, letter by letter.
    pub(crate) issuer: &'a str,
    /// Our client id.
    pub(crate) client_id: &'a str,
    /// The nonce of this sign-in.
    pub(crate) nonce: &'a str,
    /// Now.
    pub(crate) now: DateTime<Utc>,
    /// The person must have given their credentials after this moment.
    pub(crate) authenticated_after: Option<DateTime<Utc>>,
}

/// A token that passed.
#[derive(Debug)]
pub(crate) struct IdToken {
    /// Who, for this issuer.
    pub(crate) subject: String,
    /// All claims.
    pub(crate) claims: Map<String, Value>,
    /// The provider asserts a second factor (RFC 8176: `mfa`).
    pub(crate) second_factor: bool,
    /// When the person gave their credentials; providers need not say it unless they are asked for fresh ones.
    pub(crate) authenticated_at: Option<DateTime<Utc>>,
}

/// Checks signature and claims.
///
/// # Errors
/// The first check that fails. [`TokenError::UnknownKey`] may pass once the key set was read anew.
pub(crate) fn verify(token: &str, keys: &Keys, expected: Expected<'_>) -> Result<IdToken, TokenError> {
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Malformed);
    }
    let algorithm = algorithm_of(token)?;
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    if header.crit.is_some() {
        return Err(TokenError::Algorithm);
    }
    let key = keys.find(header.kid.as_deref(), algorithm)?;
    let mut validation = Validation::new(algorithm);
    // Claims are compared below, with the clock that is handed in.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation)
        .map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenError::Signature,
            _ => TokenError::Malformed,
        })?
        .claims;
    check_claims(&claims, expected)?;
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES {
        return Err(TokenError::Claims);
    }
    let second_factor = strings(claims.get("amr")).any(|method| method == "mfa");
    let authenticated_at =
        claims.get("auth_time").and_then(seconds).and_then(|at| DateTime::from_timestamp(at, 0));
    Ok(IdToken { subject, claims, second_factor, authenticated_at })
}

/// The algorithm of the header, read before anything else: an unknown one is refused as such.
fn algorithm_of(token: &str) -> Result<Algorithm, TokenError> {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
    let header: Value = serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
    match header.get("alg").and_then(Value::as_str) {
        Some("RS256") => Ok(Algorithm::RS256),
        Some("ES256") => Ok(Algorithm::ES256),
        _ => Err(TokenError::Algorithm),
    }
}

fn check_claims(claims: &Map<String, Value>, expected: Expected<'_>) -> Result<(), TokenError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(TokenError::Issuer);
    }
    let audiences: Vec<&str> = strings(claims.get("aud")).collect();
    let party = text("azp");
    if !audiences.contains(&expected.client_id)
        || (audiences.len() > 1 && party.is_none())
        || party.is_some_and(|party| party != expected.client_id)
    {
        return Err(TokenError::Audience);
    }
    if !text("nonce").is_some_and(|nonce| constant_time_eq(nonce.as_bytes(), expected.nonce.as_bytes())) {
        return Err(TokenError::Nonce);
    }
    let now = expected.now.timestamp();
    let time =
        |name: &str| claims.get(name).map(|value| seconds(value).ok_or(TokenError::Claims)).transpose();
    let expires = time("exp")?.ok_or(TokenError::Claims)?;
    if expires.saturating_add(SKEW_S) <= now {
        return Err(TokenError::Expired);
    }
    let issued = time("iat")?.ok_or(TokenError::Claims)?;
    if issued > now + SKEW_S || time("nbf")?.is_some_and(|from| from > now + SKEW_S) {
        return Err(TokenError::NotYetValid);
    }
    if let Some(after) = expected.authenticated_after {
        let fresh = time("auth_time")?.is_some_and(|at| at.saturating_add(SKEW_S) >= after.timestamp());
        if !fresh {
            return Err(TokenError::NotFresh);
        }
    }
    Ok(())
}

/// Whole seconds of a NumericDate (RFC 7519 section 2), which may have a fraction.
fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the range before")]
    let whole = |number: f64| (number.is_finite() && number.abs() < 1e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

/// A claim that is one text or a list of them.
pub(crate) fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(text)) => (Some(text.as_str()), None),
        Some(Value::Array(items)) => (None, Some(items.iter().filter_map(Value::as_str))),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten())
}

#[cfg(test)]
mod tests;
