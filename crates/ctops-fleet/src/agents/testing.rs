//! A key pair as an agent makes it, for tests inside and outside this crate.
#![allow(clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519, PublicKeyData};

/// An agent's Ed25519 key.
pub(crate) struct Key(KeyPair);

impl Key {
    /// A new key.
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    /// The text of `agent_key.pub`: label `PUBLIC KEY` around the raw 32 bytes.
    pub(crate) fn public_pem(&self) -> String {
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(self.0.der_bytes())
        )
    }

    /// A certificate request: subject `CN=ct-ops-agent`, no names, no attributes.
    pub(crate) fn csr(&self) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "ct-ops-agent");
        params.serialize_request(&self.0).unwrap().der().to_vec()
    }
}
