//! RS256 tokens that tell who an agent is (RFC 7519), and the JWKS document with the public key (RFC 7517).
//!
//! A token alone opens nothing: every call but `Register` also needs the agent's certificate, and both must name the same
//! agent. Only RS256 with our own key is accepted; what a token's header says about keys is not looked at.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::spiffe::is_agent_id;

/// Issuer of every token.
pub const ISSUER: &str = "ct-ops-ingest";
/// Lifetime of a token, hours (agents-enrolment 11).
pub const LIFETIME_HOURS: i64 = 24;
/// Largest token that is looked at, bytes; ours have about 500.
const MAX_TOKEN_BYTES: usize = 4096;

/// Why a token or a signing key is refused. The text never contains either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// No usable RSA private key in the PEM text.
    #[error("token key is not an RSA private key in PEM")]
    BadKey,
    /// A new key or a signature could not be made.
    #[error("token cannot be signed")]
    Signing,
    /// Empty, oversized, or not three base64url parts with JSON in them.
    #[error("token is malformed")]
    Malformed,
    /// Signed with anything but RS256.
    #[error("token algorithm is not RS256")]
    Algorithm,
    /// Not signed with our key, or changed afterwards.
    #[error("token signature is wrong")]
    Signature,
    /// A claim is missing, malformed, or names another issuer or audience.
    #[error("token claims are wrong")]
    Claims,
    /// Issued in the future, or not valid yet.
    #[error("token is not valid yet")]
    NotYetValid,
}

/// What a token with a good signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The agent it was issued to.
    pub agent_id: String,
    /// Its life is over. The caller decides whether that matters: agents of the original product keep one token for the
    /// life of their process, so an expired one is accepted beside a certificate of the same agent.
    pub expired: bool,
}

#[derive(Serialize, Deserialize)]
struct WireClaims {
    sub: String,
    iss: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// Signs and verifies the tokens of agents.
pub struct AgentTokens {
    pem: Zeroizing<String>,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    jwks: String,
}

impl AgentTokens {
    /// Makes a new RSA 2048 key. Takes a moment (up to a second).
    ///
    /// # Errors
    /// [`JwtError::Signing`] when no key can be made.
    pub fn generate() -> Result<Self, JwtError> {
        let key =
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(|_| JwtError::Signing)?;
        Self::from_pem(&Zeroizing::new(key.serialize_pem()))
    }

    /// Loads a key: PKCS#8, or PKCS#1 as the original product stores it.
    ///
    /// # Errors
    /// [`JwtError::BadKey`] for anything but an RSA private key of at least 2048 bits.
    pub fn from_pem(pem: &str) -> Result<Self, JwtError> {
        let key = KeyPair::from_pem(pem).map_err(|_| JwtError::BadKey)?;
        // The DER form of an RSA public key is longer than its modulus.
        if !key.is_compatible(&PKCS_RSA_SHA256) || key.der_bytes().len() < 2048 / 8 {
            return Err(JwtError::BadKey);
        }
        let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| JwtError::BadKey)?;
        let public = Jwk::from_encoding_key(&signing, Algorithm::RS256).map_err(|_| JwtError::BadKey)?;
        let verifying = DecodingKey::from_jwk(&public).map_err(|_| JwtError::BadKey)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["sub", "iss", "exp"]);
        // Times are compared below, with the clock that is handed in and without leeway.
        validation.validate_exp = false;
        validation.leeway = 0;
        Ok(Self { pem: Zeroizing::new(pem.to_owned()), jwks: jwks(&public)?, signing, verifying, validation })
    }

    /// The private key as it was loaded or made. For sealing only.
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// Issues a token for 24 hours from `now`.
    ///
    /// # Errors
    /// [`JwtError::Claims`] for a malformed agent id, [`JwtError::Signing`] when the key fails.
    pub fn sign(&self, agent_id: &str, now: DateTime<Utc>) -> Result<String, JwtError> {
        if !is_agent_id(agent_id) {
            return Err(JwtError::Claims);
        }
        let claims = WireClaims {
            sub: agent_id.to_owned(),
            iss: ISSUER.to_owned(),
            iat: now.timestamp(),
            exp: (now + TimeDelta::hours(LIFETIME_HOURS)).timestamp(),
            nbf: None,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.signing)
            .map_err(|_| JwtError::Signing)
    }

    /// Verifies signature, issuer, subject and times. An expired token is not an error, see [`Claims::expired`].
    ///
    /// # Errors
    /// [`JwtError`] says which check failed.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, JwtError> {
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::Malformed);
        }
        let claims = jsonwebtoken::decode::<WireClaims>(token, &self.verifying, &self.validation)
            .map_err(|error| refusal(error.kind()))?
            .claims;
        let now = now.timestamp();
        if claims.iat > now || claims.nbf.is_some_and(|nbf| nbf > now) {
            return Err(JwtError::NotYetValid);
        }
        if !is_agent_id(&claims.sub) {
            return Err(JwtError::Claims);
        }
        Ok(Claims { agent_id: claims.sub, expired: claims.exp <= now })
    }

    /// The JWKS document: one RSA key with `kty`, `use`, `alg`, `n`, `e` and its RFC 7638 thumbprint as `kid`.
    pub fn jwks_json(&self) -> &str {
        &self.jwks
    }
}

impl std::fmt::Debug for AgentTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentTokens").finish_non_exhaustive()
    }
}

/// Written by hand: all values are base64url, so nothing needs escaping.
fn jwks(public: &Jwk) -> Result<String, JwtError> {
    let AlgorithmParameters::RSA(rsa) = &public.algorithm else {
        return Err(JwtError::BadKey);
    };
    let kid = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| JwtError::BadKey)?;
    let (n, e) = (&rsa.n, &rsa.e);
    Ok(format!(r#"{{"keys":[{{"kty":"RSA","use":"sig","alg":"RS256","kid":"{kid}","n":"{n}","e":"{e}"}}]}}"#))
}

fn refusal(kind: &jsonwebtoken::errors::ErrorKind) -> JwtError {
    use jsonwebtoken::errors::ErrorKind as Kind;
    match kind {
        Kind::InvalidSignature => JwtError::Signature,
        Kind::InvalidAlgorithm
        | Kind::MissingAlgorithm
        | Kind::InvalidAlgorithmName
        | Kind::UnsupportedAlgorithm => JwtError::Algorithm,
        Kind::MissingRequiredClaim(_)
        | Kind::InvalidClaimFormat(_)
        | Kind::InvalidIssuer
        | Kind::InvalidAudience
        | Kind::InvalidSubject => JwtError::Claims,
        Kind::ImmatureSignature => JwtError::NotYetValid,
        _ => JwtError::Malformed,
    }
}

#[cfg(test)]
mod tests;
