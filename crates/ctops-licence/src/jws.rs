//! The strict reader of signed tokens: compact serialisation (RFC 7515 section 3.1), RS256, `typ` JWT (licensing 1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json;
use crate::verifier::Verifier;

/// Header members that say nothing this reader obeys. `kid` may help people to find the key; it never chooses one here.
const KNOWN_MEMBERS: [&str; 3] = ["alg", "typ", "kid"];

/// Why a token is refused before its claims are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three base64url parts with JSON objects in them, or too long.
    #[error("is not a signed token")]
    Malformed,
    /// `alg` is not RS256, `typ` is not JWT, or the header asks for more.
    #[error("is not signed with RS256 as a JWT")]
    Algorithm,
    /// Not signed with the key, or changed afterwards.
    #[error("signature is wrong")]
    Signature,
}

/// A token in its parts, not verified.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The header's members.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// Takes a token of at most `max_bytes` apart without trusting it.
///
/// # Errors
/// [`JwsError::Malformed`].
pub fn split(token: &str, max_bytes: usize) -> Result<Parts<'_>, JwsError> {
    if token.len() > max_bytes {
        return Err(JwsError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(JwsError::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Malformed);
    Ok(Parts {
        header: json::object(&decode(header)?).ok_or(JwsError::Malformed)?,
        claims: json::object(&decode(claims)?).ok_or(JwsError::Malformed)?,
        signed,
        signature: decode(signature)?,
    })
}

/// The claims of a token that `key` signed.
///
/// # Errors
/// [`JwsError`]: the form, then the algorithm, then the signature, then the rest of the header.
pub fn verify(token: &str, key: &Verifier, max_bytes: usize) -> Result<Map<String, Value>, JwsError> {
    let parts = split(token, max_bytes)?;
    let says = |name: &str, wanted: &str| parts.header.get(name).and_then(Value::as_str) == Some(wanted);
    if !says("alg", "RS256") {
        return Err(JwsError::Algorithm);
    }
    if !key.verifies(parts.signed.as_bytes(), &parts.signature) {
        return Err(JwsError::Signature);
    }
    // `crit`, `b64`, `jku`, `jwk`, `x5u` and the like change what is verified or by what.
    if !says("typ", "JWT") || !parts.header.keys().all(|name| KNOWN_MEMBERS.contains(&name.as_str())) {
        return Err(JwsError::Algorithm);
    }
    Ok(parts.claims)
}

/// What is signed over `claims`: header and claims, encoded. The signature is appended by [`join`].
pub fn signing_input(kid: &str, claims: &Value) -> String {
    let header = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": kid});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(&header), encode(claims))
}

/// The token of a signed input.
pub fn join(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}
