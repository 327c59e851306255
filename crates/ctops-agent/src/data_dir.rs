//! The data directory: state, certificates and the pinned web certificate (wire contract 3.7). The key pair in it is
//! [`crate::identity`]'s.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ring::digest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::files;
use crate::identity::Identity;
use crate::leaf::{Leaf, MAX_PEM_BYTES};
use crate::pushed::PushedConfig;

/// Agent id and JWT.
pub const STATE_FILE: &str = "agent_state.json";
/// Client certificate.
pub const LEAF_FILE: &str = "agent_cert.pem";
/// The authority that signed it; for people, the agent does not read it.
pub const AUTHORITY_FILE: &str = "agent_ca.pem";
/// Certificate of the server's web address, pinned for downloads.
pub const WEB_CERTIFICATE_FILE: &str = "server_cert.pem";
/// The configuration the server pushed last.
pub const CONFIG_FILE: &str = "agent_config.json";

const MAX_STATE_BYTES: u64 = 64 * 1024;

/// What the agent knows of its registration; both empty while it is not registered.
#[derive(Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct State {
    /// Id given by the server.
    pub agent_id: String,
    /// Token that opens heartbeat streams.
    pub jwt_token: String,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("agent_id", &self.agent_id).finish_non_exhaustive()
    }
}

/// The directory itself.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Opens `path`; made with mode 0700 if it does not exist.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The stored state. A file that is missing or damaged counts as not registered: registering again restores it
    /// and keeps the identity (agents-enrolment 12).
    pub fn load_state(&self) -> State {
        match files::read_text_if_present(&self.0.join(STATE_FILE), MAX_STATE_BYTES) {
            Ok(None) => State::default(),
            Ok(Some(text)) => serde_json::from_str(&text).unwrap_or_else(|_| {
                warn!(file = STATE_FILE, "stored state is damaged, registering again");
                State::default()
            }),
            Err(error) => {
                warn!(file = STATE_FILE, err = %error, "stored state cannot be read, registering again");
                State::default()
            }
        }
    }

    /// Stores `state`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_state(&self, state: &State) -> io::Result<()> {
        let text = serde_json::to_string_pretty(state)?;
        files::replace(&self.0.join(STATE_FILE), text.as_bytes(), 0o600)
    }

    /// The configuration the server pushed last; one that is missing or damaged counts as none, and the server pushes it
    /// again.
    pub fn load_config(&self) -> PushedConfig {
        let stored = files::read_text_if_present(&self.0.join(CONFIG_FILE), MAX_STATE_BYTES).ok().flatten();
        stored.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Stores `config`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_config(&self, config: &PushedConfig) -> io::Result<()> {
        let text = serde_json::to_string_pretty(config)?;
        files::replace(&self.0.join(CONFIG_FILE), text.as_bytes(), 0o600)
    }

    /// The stored client certificate, if there is one that belongs to `identity`.
    pub fn load_leaf(&self, identity: &Identity) -> Option<Leaf> {
        let stored = files::read_text_if_present(&self.0.join(LEAF_FILE), MAX_PEM_BYTES as u64);
        let result = match stored {
            Ok(text) => {
                text.map(|text| Leaf::parse(&text, identity)).transpose().map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        result.unwrap_or_else(|err| {
            warn!(file = LEAF_FILE, err, "stored certificate not used, connecting without one");
            None
        })
    }

    /// Stores a client certificate and, if given, the authority's.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save_leaf(&self, leaf: &Leaf, authority_pem: &str) -> io::Result<()> {
        files::replace(&self.0.join(LEAF_FILE), leaf.pem().as_bytes(), 0o600)?;
        if authority_pem.is_empty() {
            return Ok(());
        }
        files::replace(&self.0.join(AUTHORITY_FILE), authority_pem.as_bytes(), 0o600)
    }

    /// Fingerprint of the pinned web certificate: lower-case hex SHA-256 of its DER, empty without one.
    pub fn web_certificate_fingerprint(&self) -> String {
        files::read_text_if_present(&self.0.join(WEB_CERTIFICATE_FILE), MAX_PEM_BYTES as u64)
            .ok()
            .flatten()
            .and_then(|text| fingerprint(&text))
            .unwrap_or_default()
    }

    /// Stores the web certificate pushed by the server and returns its fingerprint.
    ///
    /// # Errors
    /// When `pem` does not start with a certificate or the file cannot be written.
    pub fn save_web_certificate(&self, pem: &str) -> io::Result<String> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the first block is not a certificate");
        if pem.len() > MAX_PEM_BYTES {
            return Err(invalid());
        }
        let fingerprint = fingerprint(pem).ok_or_else(invalid)?;
        files::replace(&self.0.join(WEB_CERTIFICATE_FILE), pem.as_bytes(), 0o644)?;
        Ok(fingerprint)
    }
}

fn fingerprint(pem: &str) -> Option<String> {
    // The first block must be the certificate: a key in front of it does not belong into this file.
    if !pem.trim_start().starts_with("-----BEGIN CERTIFICATE-----") {
        return None;
    }
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(hex(digest::digest(&digest::SHA256, &der).as_ref()))
}

/// Lower-case hex of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn opened() -> (tempfile::TempDir, DataDir) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(&dir.path().join("a/b")).unwrap();
        (dir, data)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Spec: agents-enrolment 11
    #[test]
    fn state_when_stored_then_has_the_bytes_of_the_original() {
        let (_dir, data) = opened();
        assert_eq!(mode(data.path()), 0o700);
        let state = State { agent_id: "abc".to_owned(), jwt_token: "e.y.J".to_owned() };
        data.save_state(&state).unwrap();
        let path = data.path().join(STATE_FILE);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\n  \"agent_id\": \"abc\",\n  \"jwt_token\": \"e.y.J\"\n}"
        );
        assert_eq!(mode(&path), 0o600);
        assert_eq!(data.load_state(), state);
        data.save_state(&State::default()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  \"agent_id\": \"\",\n  \"jwt_token\": \"\"\n}");
    }

    /// Spec: agents-enrolment 12
    #[test]
    fn state_when_missing_or_damaged_then_counts_as_not_registered() {
        let (_dir, data) = opened();
        assert_eq!(data.load_state(), State::default());
        for damaged in ["", "{", "[]", "{\"agent_id\": 5}"] {
            fs::write(data.path().join(STATE_FILE), damaged).unwrap();
            assert_eq!(data.load_state(), State::default(), "{damaged}");
        }
    }

    /// Spec: agents-enrolment 32
    #[test]
    fn configuration_when_stored_then_comes_back_and_a_damaged_one_counts_as_none() {
        let (_dir, data) = opened();
        assert_eq!(data.load_config(), PushedConfig::default());
        let config =
            PushedConfig { revision: 9, interval_seconds: 60, collect_cpu: false, ..PushedConfig::default() };
        data.save_config(&config).unwrap();
        assert_eq!(data.load_config(), config);
        for damaged in ["", "{}", "{\"revision\": -1}"] {
            fs::write(data.path().join(CONFIG_FILE), damaged).unwrap();
            assert_eq!(data.load_config(), PushedConfig::default(), "{damaged}");
        }
    }

    #[test]
    fn web_certificate_when_pushed_then_is_kept_with_its_fingerprint() {
        let (_dir, data) = opened();
        assert_eq!(data.web_certificate_fingerprint(), "");
        let pem = crate::pem::encode("CERTIFICATE", b"abc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(data.save_web_certificate(&pem).unwrap(), expected);
        assert_eq!(data.web_certificate_fingerprint(), expected);
        assert_eq!(mode(&data.path().join(WEB_CERTIFICATE_FILE)), 0o644);
        let key_first = format!("{}{pem}", crate::pem::encode("PRIVATE KEY", b"abc"));
        for bad in ["", "text", &key_first, &"x".repeat(MAX_PEM_BYTES + 1)] {
            assert!(data.save_web_certificate(bad).is_err());
        }
        assert_eq!(data.web_certificate_fingerprint(), expected, "a refused push changes nothing");
    }

    #[test]
    fn token_when_the_state_is_printed_then_stays_hidden() {
        let state = State { agent_id: "abc".to_owned(), jwt_token: "secret".to_owned() };
        assert!(!format!("{state:?}").contains("secret"));
    }
}
