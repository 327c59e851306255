//! Ed25519 signatures (RFC 8032) over releases of the agent.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::fill_random;

const SEED_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
/// PKCS#8 (RFC 8410 section 7) in front of the seed; what `openssl genpkey -algorithm ed25519` writes.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Why a key is not used. The text contains nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// Not the text of a private key.
    #[error("not an Ed25519 private key in PEM (PKCS#8)")]
    BadKey,
}

/// A private key. `Debug` shows nothing of it.
pub struct SigningKey {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Makes a new random key.
    pub fn generate() -> Self {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        fill_random(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The key of a seed.
    #[expect(clippy::expect_used, reason = "every 32 bytes are the seed of a key (RFC 8032 section 5.1.5)")]
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are a seed");
        Self { seed: Zeroizing::new(*seed), pair }
    }

    /// Reads a key as [`Self::to_pem`] and OpenSSL write it.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_pem(text: &str) -> Result<Self, SigningError> {
        let (_, rest) = text.split_once(BEGIN).ok_or(SigningError::BadKey)?;
        let (body, _) = rest.split_once(END).ok_or(SigningError::BadKey)?;
        let packed: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let der = Zeroizing::new(STANDARD.decode(packed.as_bytes()).map_err(|_| SigningError::BadKey)?);
        let seed = der.strip_prefix(&PKCS8_PREFIX).ok_or(SigningError::BadKey)?;
        Ok(Self::from_seed(seed.try_into().map_err(|_| SigningError::BadKey)?))
    }

    /// The key in PEM (PKCS#8, RFC 8410), to be kept where only its owner can read it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let der = Zeroizing::new([&PKCS8_PREFIX[..], &self.seed[..]].concat());
        Zeroizing::new(format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(&*der)))
    }

    /// The public half.
    pub fn public_key(&self) -> [u8; PUBLIC_BYTES] {
        let mut key = [0; PUBLIC_BYTES];
        key.copy_from_slice(self.pair.public_key().as_ref());
        key
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

/// Whether `signature` over `message` was made with the private half of `public_key`.
pub fn is_signed(public_key: &[u8; PUBLIC_BYTES], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn signature_of_the_published_example_is_made_and_verified() {
        // RFC 8032 section 7.1, test 2.
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let key = SigningKey::from_seed(&seed.try_into().unwrap());
        assert_eq!(
            hex::encode(key.public_key()),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = key.sign(&[0x72]);
        assert!(hex::encode(signature).starts_with("92a009a9f0d4cab8720e820b5f642540"));
        assert!(is_signed(&key.public_key(), &[0x72], &signature));
        assert!(!is_signed(&key.public_key(), &[0x73], &signature));
        assert!(!is_signed(&SigningKey::generate().public_key(), &[0x72], &signature));
        assert!(!is_signed(&key.public_key(), &[0x72], &signature[..63]));
    }

    #[test]
    fn key_in_pem_is_read_back_and_anything_else_is_refused() {
        let key = SigningKey::generate();
        let pem = key.to_pem();
        assert_eq!(SigningKey::from_pem(&pem).unwrap().public_key(), key.public_key());
        for bad in ["", "text", &pem[..60], &pem.replace("PRIVATE", "PUBLIC"), &pem.replace('M', "N")] {
            assert_eq!(SigningKey::from_pem(bad).unwrap_err(), SigningError::BadKey);
        }
        assert!(!format!("{key:?}").contains("seed"));
    }
}
