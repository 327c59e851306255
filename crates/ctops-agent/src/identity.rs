//! The Ed25519 key pair that is this agent (agents-enrolment 8, 12; wire contract 3.3, 3.7).
//!
//! `agent_key.pem` holds the raw 64 bytes seed ‖ public key under the label `PRIVATE KEY`, `agent_key.pub` the raw 32
//! bytes under `PUBLIC KEY`: the formats of the original, byte for byte, so that either program can take over the
//! other's data directory. The server compares the text of `agent_key.pub` exactly; encoding it anew would be
//! another identity.

use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair as CsrKey, PKCS_ED25519};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tracing::warn;

use crate::{files, pem};

/// Name of the private key file in the data directory.
pub const PRIVATE_KEY_FILE: &str = "agent_key.pem";
/// Name of the public key file in the data directory.
pub const PUBLIC_KEY_FILE: &str = "agent_key.pub";

const SEED_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 32;
const MAX_KEY_FILE_BYTES: u64 = 4096;
/// PKCS#8 (RFC 8410 section 7) in front of the seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The key pair with the exact text of its public half.
pub struct Identity {
    seed: [u8; SEED_BYTES],
    public: [u8; PUBLIC_BYTES],
    public_text: String,
}

/// Why there is no identity to work with.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A key file cannot be read or written.
    #[error("key file {} cannot be used", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A key file does not hold what the agent writes there.
    #[error("key file {} is damaged: {}", .0.display(), .1)]
    Damaged(PathBuf, &'static str),
    /// No randomness, no keys.
    #[error("the system gave no random numbers")]
    Randomness,
    /// The certificate request could not be made.
    #[error("certificate request cannot be made")]
    Request(#[source] rcgen::Error),
}

impl Identity {
    /// A fresh key pair, not yet on disk.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut seed = [0; SEED_BYTES];
        SystemRandom::new().fill(&mut seed).map_err(|_| IdentityError::Randomness)?;
        Self::from_seed(seed).ok_or(IdentityError::Randomness)
    }

    fn from_seed(seed: [u8; SEED_BYTES]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let public: [u8; PUBLIC_BYTES] = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { seed, public, public_text: pem::encode("PUBLIC KEY", &public) })
    }

    /// The key pair of the data directory `dir`; one is made if there is no private key.
    ///
    /// # Errors
    /// When a key file cannot be read, written or understood. A damaged key is never replaced: that would silently
    /// make another host of this one.
    pub fn load_or_create(dir: &Path) -> Result<Self, IdentityError> {
        let path = dir.join(PRIVATE_KEY_FILE);
        let text = files::read_text_if_present(&path, MAX_KEY_FILE_BYTES)
            .map_err(|error| IdentityError::File(path.clone(), error))?;
        let mut identity = match text {
            Some(text) => {
                tighten(&path);
                Self::decode(&path, &text)?
            }
            None => {
                let identity = Self::generate()?;
                let body = [identity.seed, identity.public].concat();
                write(&path, &pem::encode("PRIVATE KEY", &body))?;
                write(&dir.join(PUBLIC_KEY_FILE), &identity.public_text)?;
                return Ok(identity);
            }
        };
        identity.take_public_text(dir)?;
        Ok(identity)
    }

    fn decode(path: &Path, text: &str) -> Result<Self, IdentityError> {
        let damaged = |what| IdentityError::Damaged(path.to_owned(), what);
        let body = pem::decode_first("PRIVATE KEY", text).ok_or_else(|| damaged("no PRIVATE KEY block"))?;
        let (seed, public) = body.split_at_checked(SEED_BYTES).ok_or_else(|| damaged("key is too short"))?;
        let seed = seed.try_into().map_err(|_| damaged("key is too short"))?;
        let identity = Self::from_seed(seed).ok_or_else(|| damaged("key is not Ed25519"))?;
        if public != identity.public {
            return Err(damaged("the two halves do not belong together"));
        }
        Ok(identity)
    }

    /// Takes over the text of the public key file as it stands; writes the file if it is missing.
    fn take_public_text(&mut self, dir: &Path) -> Result<(), IdentityError> {
        let path = dir.join(PUBLIC_KEY_FILE);
        let text = files::read_text_if_present(&path, MAX_KEY_FILE_BYTES)
            .map_err(|error| IdentityError::File(path.clone(), error))?;
        let Some(text) = text else {
            return write(&path, &self.public_text);
        };
        match pem::decode_first("PUBLIC KEY", &text) {
            Some(body) if body == self.public => {
                self.public_text = text;
                Ok(())
            }
            Some(_) => Err(IdentityError::Damaged(path, "it does not belong to the private key")),
            None => Err(IdentityError::Damaged(path, "no PUBLIC KEY block")),
        }
    }

    /// What is sent as `public_key`: the exact content of the public key file.
    pub fn public_text(&self) -> &str {
        &self.public_text
    }

    /// The raw public key, as it stands in a certificate.
    pub fn public_key(&self) -> &[u8; PUBLIC_BYTES] {
        &self.public
    }

    /// The private key as PKCS#8 for TLS and for requests.
    pub fn pkcs8(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from([PKCS8_PREFIX.as_slice(), self.seed.as_slice()].concat())
    }

    /// A PKCS#10 request in DER: subject `CN=ct-ops-agent`, nothing else, signed by the key itself.
    ///
    /// # Errors
    /// When the request cannot be encoded or signed.
    pub fn certificate_request(&self) -> Result<Vec<u8>, IdentityError> {
        let key = CsrKey::from_pkcs8_der_and_sign_algo(&self.pkcs8(), &PKCS_ED25519)
            .map_err(IdentityError::Request)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "ct-ops-agent");
        let request = params.serialize_request(&key).map_err(IdentityError::Request)?;
        Ok(request.der().to_vec())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("public_text", &self.public_text).finish_non_exhaustive()
    }
}

fn write(path: &Path, text: &str) -> Result<(), IdentityError> {
    files::replace(path, text.as_bytes(), 0o600).map_err(|error| IdentityError::File(path.to_owned(), error))
}

/// A private key that others could read gets its mode back; whoever changed it may have had no say over the agent.
fn tighten(path: &Path) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    if metadata.permissions().mode() & 0o077 != 0 {
        let changed = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).is_ok();
        warn!(file = PRIVATE_KEY_FILE, changed, "private key was accessible to others, mode set to 0600");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;
    use x509_parser::prelude::{FromDer, X509CertificationRequest};

    /// RFC 8032 section 7.1, test 1.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
        0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    const GOLDEN_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6\n\
        DuFy89qmIyWvAhpo9wdRGg==\n-----END PRIVATE KEY-----\n";
    const GOLDEN_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Spec: agents-enrolment 8
    #[test]
    fn key_files_of_the_original_when_loaded_then_give_the_same_identity() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(PRIVATE_KEY_FILE), GOLDEN_PRIVATE).unwrap();
        let identity = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(identity.public_text(), GOLDEN_PUBLIC);
        assert_eq!(fs::read_to_string(dir.path().join(PUBLIC_KEY_FILE)).unwrap(), GOLDEN_PUBLIC);
        assert_eq!(mode(&dir.path().join(PRIVATE_KEY_FILE)), 0o600, "too open a mode is corrected");
    }

    /// Spec: agents-enrolment 8
    #[test]
    fn first_start_when_nothing_is_there_then_makes_a_pair_in_the_original_format() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(dir.path()).unwrap();
        let private = fs::read_to_string(dir.path().join(PRIVATE_KEY_FILE)).unwrap();
        assert_eq!(private, pem::encode("PRIVATE KEY", &[identity.seed, identity.public].concat()));
        assert_eq!(private.lines().map(str::len).collect::<Vec<_>>(), [27, 64, 24, 25]);
        let public = fs::read_to_string(dir.path().join(PUBLIC_KEY_FILE)).unwrap();
        assert_eq!(public, identity.public_text());
        assert_eq!(public.lines().nth(1).unwrap().len(), 44);
        assert_eq!(
            (mode(&dir.path().join(PRIVATE_KEY_FILE)), mode(&dir.path().join(PUBLIC_KEY_FILE))),
            (0o600, 0o600)
        );
        let again = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(again.public_text(), identity.public_text(), "the identity stays");
    }

    /// Spec: agents-enrolment 12
    #[test]
    fn public_key_text_when_spelled_otherwise_then_is_sent_as_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let spelled = GOLDEN_PUBLIC.replace('\n', "\r\n");
        fs::write(dir.path().join(PRIVATE_KEY_FILE), GOLDEN_PRIVATE).unwrap();
        fs::write(dir.path().join(PUBLIC_KEY_FILE), &spelled).unwrap();
        assert_eq!(Identity::load_or_create(dir.path()).unwrap().public_text(), spelled);
    }

    #[test]
    fn damaged_key_when_loaded_then_is_refused_and_not_replaced() {
        let other = Identity::generate().unwrap();
        let damaged = [
            (String::new(), None),
            (GOLDEN_PRIVATE.replace("nWGx", "mWGx"), None),
            (pem::encode("PRIVATE KEY", &SEED), None),
            (pem::encode("PRIVATE KEY", &[0; 20]), None),
            (GOLDEN_PRIVATE.to_owned(), Some(other.public_text().to_owned())),
            (GOLDEN_PRIVATE.to_owned(), Some("nothing".to_owned())),
        ];
        for (private, public) in damaged {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(PRIVATE_KEY_FILE), &private).unwrap();
            if let Some(public) = public {
                fs::write(dir.path().join(PUBLIC_KEY_FILE), public).unwrap();
            }
            assert!(Identity::load_or_create(dir.path()).is_err(), "{private}");
            assert_eq!(fs::read_to_string(dir.path().join(PRIVATE_KEY_FILE)).unwrap(), private);
        }
    }

    /// Spec: agents-enrolment 8
    #[test]
    fn certificate_request_when_made_then_carries_name_and_key_and_a_valid_signature() {
        let identity = Identity::from_seed(SEED).unwrap();
        let der = identity.certificate_request().unwrap();
        let (rest, request) = X509CertificationRequest::from_der(&der).unwrap();
        assert!(rest.is_empty());
        let info = &request.certification_request_info;
        assert_eq!(info.subject.to_string(), "CN=ct-ops-agent");
        assert_eq!(info.subject_pki.subject_public_key.data.as_ref(), identity.public_key());
        assert!(info.attributes().is_empty());
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, identity.public_key());
        key.verify(info.raw, &request.signature_value.data).unwrap();
    }

    #[test]
    fn private_key_when_the_identity_is_printed_then_stays_hidden() {
        let text = format!("{:?}", Identity::from_seed(SEED).unwrap());
        assert!(!text.contains("157") && text.contains("BEGIN PUBLIC KEY"), "{text}");
    }
}
