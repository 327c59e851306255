//! Public keys that licences are verified with.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// OID of RSA keys (RFC 8017 appendix A.1).
const RSA: &str = "1.2.840.113549.1.1.1";
/// Smallest modulus, bits.
const MIN_BITS: usize = 2048;
/// Largest modulus, bits: what the verification accepts.
const MAX_BITS: usize = 8192;

/// Public half of the key that developers sign test licences with. Its private half is published with the source, so
/// production refuses it from wherever it comes (licensing 10).
pub const DEVELOPMENT_VERIFIER_PEM: &str = include_str!("development-verifier.pem");

/// Not the PEM text of an RSA public key of 2048 to 8192 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RSA public key of 2048 to 8192 bits in PEM (SPKI)")]
pub struct BadVerifier;

/// A public key, ready to verify.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pem: String,
    spki: Vec<u8>,
    fingerprint: String,
}

impl Verifier {
    /// Reads a key in PEM (`PUBLIC KEY`, RFC 7468 section 13). Text around the one block is ignored.
    ///
    /// # Errors
    /// [`BadVerifier`].
    pub fn from_pem(text: &str) -> Result<Self, BadVerifier> {
        let (_, rest) = text.split_once(BEGIN).ok_or(BadVerifier)?;
        let (body, _) = rest.split_once(END).ok_or(BadVerifier)?;
        let packed: String = body.split_ascii_whitespace().collect();
        let spki = STANDARD.decode(packed).map_err(|_| BadVerifier)?;
        Self::from_spki(spki)
    }

    /// Takes a key in DER (SubjectPublicKeyInfo, RFC 5280 section 4.1).
    ///
    /// # Errors
    /// [`BadVerifier`].
    pub fn from_spki(spki: Vec<u8>) -> Result<Self, BadVerifier> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(&spki).map_err(|_| BadVerifier)?;
        let bits = match info.parsed() {
            Ok(PublicKey::RSA(key)) => key.key_size(),
            _ => return Err(BadVerifier),
        };
        let is_rsa = info.algorithm.algorithm.to_id_string() == RSA;
        if !rest.is_empty() || !is_rsa || !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(BadVerifier);
        }
        let fingerprint = hex::encode(Sha256::digest(&spki));
        let body = STANDARD.encode(&spki);
        let lines: Vec<&str> =
            (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
        let pem = format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"));
        Ok(Self { pem, spki, fingerprint })
    }

    /// The key in PEM, always written the same way.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hex (licensing 8).
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether `signature` over `message` was made with the private half: RSASSA-PKCS1-v1_5 with SHA-256 only.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.spki).verify(message, signature).is_ok()
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Verifier").field(&self.fingerprint).finish()
    }
}

/// Whether this is the key that developers sign test licences with.
pub fn is_development(verifier: &Verifier) -> bool {
    Verifier::from_pem(DEVELOPMENT_VERIFIER_PEM).is_ok_and(|known| known.fingerprint == verifier.fingerprint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: licensing 8, 10
    #[test]
    fn a_key_has_one_fingerprint_however_it_is_written() {
        let key = Verifier::from_pem(DEVELOPMENT_VERIFIER_PEM).unwrap();
        let folded = DEVELOPMENT_VERIFIER_PEM.replace('\n', "\r\n ");
        let again = Verifier::from_pem(&format!("a comment\n{folded}")).unwrap();
        assert_eq!(key, again);
        assert_eq!(key.fingerprint().len(), 64);
        assert!(is_development(&again));
        assert_eq!(Verifier::from_pem(key.pem()).unwrap(), key);
    }

    #[test]
    fn anything_but_an_rsa_key_is_refused() {
        let cut = DEVELOPMENT_VERIFIER_PEM.replace("BEGIN PUBLIC", "BEGIN RSA PUBLIC");
        let ed25519 = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----";
        for bad in ["", "text", &DEVELOPMENT_VERIFIER_PEM[..90], &cut, ed25519] {
            assert_eq!(Verifier::from_pem(bad), Err(BadVerifier));
        }
        let mut longer = Verifier::from_pem(DEVELOPMENT_VERIFIER_PEM).unwrap().spki;
        longer.push(0);
        assert_eq!(Verifier::from_spki(longer), Err(BadVerifier), "bytes behind the key");
    }
}
