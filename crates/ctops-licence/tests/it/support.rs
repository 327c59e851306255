//! An issuer that signs anything.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ctops_licence::Verifier;
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_795_000_000;
pub(crate) const ORG: &str = "0198c3d2-0000-7000-8000-000000000001";

/// The issuer's key; made once, because making it takes long.
pub(crate) static ISSUER: LazyLock<Signer> = LazyLock::new(Signer::generate);
/// A key of somebody else.
pub(crate) static STRANGER: LazyLock<Signer> = LazyLock::new(Signer::generate);

pub(crate) struct Signer {
    pub(crate) pair: KeyPair,
    pub(crate) verifier: Verifier,
}

impl Signer {
    fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        Self { pair, verifier: Verifier::from_spki(spki).unwrap() }
    }

    pub(crate) fn signature(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    /// A token of any header and payload text.
    pub(crate) fn raw(&self, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.signature(&RSA_PKCS1_SHA256, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token as an issuer writes it.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.raw(HEADER, &claims.to_string())
    }
}

pub(crate) const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// Claims of a good key.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "licence.carrtech.dev",
        "aud": "install.carrtech.dev",
        "sub": ORG,
        "jti": "lic-1",
        "iat": NOW - 100,
        "exp": NOW + 100,
        "tier": "pro",
        "customer": {"name": "Dubois", "email": "it@dubois.example"},
    })
}

/// The claims with one of them replaced; `Value::Null` in `value` takes it out.
pub(crate) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    claims
}
