//! Encryption of secrets at rest with the install key (security 11).
//!
//! A sealed value is `0x01 ‖ key id (8 bytes) ‖ nonce (12 bytes) ‖ AES-256-GCM ciphertext and tag`. The associated data is
//! the name of the secret, so a value cannot be moved to another name; the key id tells which key opens it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::{fill_random, sha256};
use crate::signing::SigningKey;

const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_LEN;
/// Domain separation between the key id and every other hash of the key.
const KEY_ID_CONTEXT: &[u8] = b"ct-ops install key id";
/// Domain separation between signing keys and every other hash of the key.
const SIGNING_CONTEXT: &[u8] = b"ct-ops signing key v1\0";

/// Why a value cannot be sealed, opened, or a key not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is not base64 of 32 bytes.
    #[error("install key is not base64 of 32 bytes")]
    BadKey,
    /// Too short, or of a format that this version does not know.
    #[error("sealed value has an unknown format")]
    UnknownFormat,
    /// Sealed with a key that is not this one.
    #[error("sealed value belongs to another install key")]
    OtherKey,
    /// Changed after sealing, or sealed under another name.
    #[error("sealed value was changed or belongs to another name")]
    Tampered,
}

/// The key that encrypts every secret of one installation.
pub struct InstallKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: [u8; KEY_ID_BYTES],
    cipher: LessSafeKey,
}

impl InstallKey {
    /// Makes a new random key.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0u8; KEY_BYTES]);
        fill_random(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    /// Takes an existing key.
    #[expect(clippy::expect_used, reason = "the cipher refuses only keys of another length than 32 bytes")]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let cipher =
            LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("32 bytes are an AES-256 key"));
        let digest = sha256(&Zeroizing::new([KEY_ID_CONTEXT, &bytes[..]].concat()));
        let mut id = [0u8; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Self { bytes: Zeroizing::new(*bytes), id, cipher }
    }

    /// Reads a key from standard base64; surrounding white space is ignored.
    ///
    /// # Errors
    /// [`SealError::BadKey`] when the text is not base64 of exactly 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, SealError> {
        let decoded = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| SealError::BadKey)?);
        let bytes: &[u8; KEY_BYTES] = decoded.as_slice().try_into().map_err(|_| SealError::BadKey)?;
        Ok(Self::from_bytes(bytes))
    }

    /// The key in standard base64, to be kept in a file that only the server can read.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.bytes))
    }

    /// Public name of the key: 16 hex digits. It reveals nothing about the key.
    pub fn key_id(&self) -> String {
        hex::encode(self.id)
    }

    /// The installation's signing key for one purpose. It follows from this key, so it needs no place of its own, and
    /// whoever has only the database cannot sign.
    pub fn signing_key(&self, purpose: &str) -> SigningKey {
        let material = Zeroizing::new([SIGNING_CONTEXT, purpose.as_bytes(), b"\0", &self.bytes[..]].concat());
        SigningKey::from_seed(&Zeroizing::new(sha256(&material)))
    }

    /// Encrypts `plain` under `name`.
    #[expect(clippy::expect_used, reason = "the cipher refuses only values of 64 GiB and more")]
    pub fn seal(&self, name: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0u8; NONCE_LEN];
        fill_random(&mut nonce);
        let mut body = plain.to_vec();
        self.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut body,
            )
            .expect("a secret is smaller than 64 GiB");
        let mut sealed = Vec::with_capacity(HEADER_BYTES + body.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut body);
        sealed
    }

    /// Decrypts a value sealed with this key under the same `name`.
    ///
    /// # Errors
    /// [`SealError`] tells an unknown format and a foreign key from a changed value.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if sealed.len() < HEADER_BYTES + AES_256_GCM.tag_len() || sealed[0] != FORMAT {
            return Err(SealError::UnknownFormat);
        }
        let (header, body) = sealed.split_at(HEADER_BYTES);
        let (id, nonce) = header[1..].split_at(KEY_ID_BYTES);
        if id != self.id {
            return Err(SealError::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::UnknownFormat)?;
        let mut buffer = Zeroizing::new(body.to_vec());
        let length = self
            .cipher
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut buffer)
            .map_err(|_| SealError::Tampered)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl std::fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstallKey").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn key() -> InstallKey {
        InstallKey::from_bytes(&[7; 32])
    }

    #[test]
    fn open_when_sealed_under_the_same_name_gives_the_value() {
        let key = key();
        for plain in [&b""[..], b"x", &[0xff; 5000]] {
            let sealed = key.seal("jwt", plain);
            assert_eq!(key.open("jwt", &sealed).unwrap().as_slice(), plain);
        }
    }

    /// Spec: security 11
    #[test]
    fn seal_when_repeated_never_gives_the_same_bytes_nor_contains_the_value() {
        let key = key();
        let (a, b) = (key.seal("n", b"a well known secret"), key.seal("n", b"a well known secret"));
        assert_ne!(a, b);
        assert!(!a.windows(6).any(|w| w == b"secret"));
    }

    #[test]
    fn open_under_another_name_is_refused() {
        let sealed = key().seal("agent_ca", b"secret");
        assert_eq!(key().open("server_ca", &sealed), Err(SealError::Tampered));
    }

    #[test]
    fn open_with_another_key_is_refused() {
        let sealed = key().seal("n", b"secret");
        let other = InstallKey::generate();
        assert_eq!(other.open("n", &sealed), Err(SealError::OtherKey));
        assert_ne!(other.key_id(), key().key_id());
    }

    #[test]
    fn open_when_any_bit_is_flipped_is_refused() {
        let key = key();
        let sealed = key.seal("n", b"secret");
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 0x80;
            assert!(key.open("n", &bad).is_err(), "byte {at}");
            assert!(key.open("n", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn base64_form_round_trips_and_refuses_other_lengths() {
        let key = InstallKey::generate();
        let again = InstallKey::from_base64(&format!(" {}\n", *key.to_base64())).unwrap();
        assert_eq!(key.key_id(), again.key_id());
        for text in ["", "AAAA", "not base64!", &STANDARD.encode([0; 33])] {
            assert_eq!(InstallKey::from_base64(text).map(|_| ()), Err(SealError::BadKey), "{text:?}");
        }
    }

    #[test]
    fn signing_key_follows_from_key_and_purpose() {
        let public = |key: &InstallKey, purpose| key.signing_key(purpose).public_key();
        assert_eq!(public(&key(), "audit"), public(&key(), "audit"));
        assert_ne!(public(&key(), "audit"), public(&key(), "other"));
        assert_ne!(public(&key(), "audit"), public(&InstallKey::generate(), "audit"));
    }

    #[test]
    fn debug_shows_the_key_id_only() {
        let text = format!("{:?}", key());
        assert_eq!(text, format!("InstallKey {{ key_id: \"{}\", .. }}", key().key_id()));
    }

    proptest! {
        #[test]
        fn open_of_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(key().open("n", &bytes).is_err());
        }
    }
}
