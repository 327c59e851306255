//! Certificate requests (PKCS#10, RFC 2986) as agents send them.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Largest request that is looked at, bytes.
const MAX_BYTES: usize = 16 * 1024;
/// DER header of an Ed25519 SubjectPublicKeyInfo (RFC 8410 section 4); the 32 key bytes follow.
const ED25519_SPKI_HEADER: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const ED25519_KEY_BYTES: usize = 32;
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// Why a certificate request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// Larger than any real request.
    #[error("certificate request has {0} bytes, at most {MAX_BYTES}")]
    TooLarge(usize),
    /// Not a PKCS#10 request in DER, or bytes follow it.
    #[error("certificate request is not valid PKCS#10 in DER")]
    Malformed,
    /// A key that is neither Ed25519 nor ECDSA P-256.
    #[error("certificate request has an unsupported key, only Ed25519 and ECDSA P-256 are accepted")]
    UnsupportedKey,
    /// The requester did not prove that it holds the private key.
    #[error("certificate request is not signed by its own key")]
    BadSignature,
}

/// Kind of key in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519 (RFC 8032): what agents use.
    Ed25519,
    /// ECDSA on NIST P-256.
    EcdsaP256,
}

/// A request whose self-signature was verified, so its sender holds the private key.
///
/// Subject, names and extensions of the request are not kept: the authority alone decides what a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csr {
    kind: KeyKind,
    public_key: Vec<u8>,
}

impl Csr {
    /// Reads a request and verifies its self-signature.
    ///
    /// # Errors
    /// [`CsrError`] says what is wrong; nothing of a refused request is kept.
    pub fn parse(der: &[u8]) -> Result<Self, CsrError> {
        if der.len() > MAX_BYTES {
            return Err(CsrError::TooLarge(der.len()));
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| CsrError::Malformed)?;
        if !rest.is_empty() {
            return Err(CsrError::Malformed);
        }
        let info = &request.certification_request_info;
        let kind = key_kind(&info.subject_pki).ok_or(CsrError::UnsupportedKey)?;
        let signature_oid = &request.signature_algorithm.algorithm;
        let verifier: &'static dyn VerificationAlgorithm = match kind {
            KeyKind::Ed25519 if *signature_oid == OID_SIG_ED25519 => &ED25519,
            KeyKind::EcdsaP256 if *signature_oid == OID_SIG_ECDSA_WITH_SHA256 => &ECDSA_P256_SHA256_ASN1,
            _ => return Err(CsrError::BadSignature),
        };
        let public_key = info.subject_pki.subject_public_key.data.to_vec();
        UnparsedPublicKey::new(verifier, &public_key)
            .verify(info.raw, &request.signature_value.data)
            .map_err(|_| CsrError::BadSignature)?;
        Ok(Self { kind, public_key })
    }

    /// The key bytes: 32 for Ed25519, the 65-byte uncompressed point for P-256.
    pub fn public_key_raw(&self) -> &[u8] {
        &self.public_key
    }

    /// Kind of the key.
    pub fn key_kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether the request's key is the one in `identity`, the text an agent registers as its public key.
    ///
    /// `None` when `identity` holds no Ed25519 key in a known form, because then the two cannot be compared.
    pub fn proves_identity(&self, identity: &str) -> Option<bool> {
        let key = ed25519_from_identity(identity)?;
        Some(self.kind == KeyKind::Ed25519 && self.public_key == key)
    }
}

impl PublicKeyData for Csr {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.kind {
            KeyKind::Ed25519 => &PKCS_ED25519,
            KeyKind::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
        }
    }
}

/// The Ed25519 key in the text of an agent's `agent_key.pub`: label `PUBLIC KEY` with either the raw 32 bytes (what
/// agents write) or a SubjectPublicKeyInfo (what OpenSSL writes).
pub fn ed25519_from_identity(text: &str) -> Option<[u8; ED25519_KEY_BYTES]> {
    let (_, after) = text.split_once(PEM_BEGIN)?;
    let (body, _) = after.split_once(PEM_END)?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let key = bytes.strip_prefix(&ED25519_SPKI_HEADER[..]).unwrap_or(&bytes);
    key.try_into().ok()
}

fn key_kind(key: &SubjectPublicKeyInfo<'_>) -> Option<KeyKind> {
    if key.algorithm.algorithm == OID_SIG_ED25519 {
        return (key.subject_public_key.data.len() == ED25519_KEY_BYTES).then_some(KeyKind::Ed25519);
    }
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let is_p256 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == OID_EC_P256;
    // A compressed point would be a second spelling of the same key.
    let is_uncompressed = key.subject_public_key.data.len() == 65 && key.subject_public_key.data[0] == 4;
    (is_p256 && is_uncompressed).then_some(KeyKind::EcdsaP256)
}

#[cfg(test)]
mod tests;
