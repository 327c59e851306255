#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256,
    RsaKeySize,
};
use std::sync::LazyLock;

/// A request as the original agent makes it: subject `CN=ct-ops-agent`, no names, no attributes.
fn request(key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "ct-ops-agent");
    params.serialize_request(key).unwrap().der().to_vec()
}

fn ed25519() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

fn raw_pem(key: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(key))
}

#[test]
fn parse_when_the_key_is_ed25519_or_p256_gives_the_raw_key() {
    for (algorithm, kind, bytes) in
        [(&PKCS_ED25519, KeyKind::Ed25519, 32), (&PKCS_ECDSA_P256_SHA256, KeyKind::EcdsaP256, 65)]
    {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let csr = Csr::parse(&request(&key)).unwrap();
        assert_eq!(csr.key_kind(), kind);
        assert_eq!(csr.public_key_raw().len(), bytes);
        assert_eq!(csr.public_key_raw(), key.public_key_raw());
    }
}

#[test]
fn parse_when_the_key_is_of_another_kind_is_refused() {
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    assert_eq!(Csr::parse(&request(&p384)), Err(CsrError::UnsupportedKey));
    assert_eq!(Csr::parse(&request(&rsa)), Err(CsrError::UnsupportedKey));
}

#[test]
fn parse_when_the_request_asks_for_a_ca_keeps_only_its_key() {
    let key = ed25519();
    let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = params.serialize_request(&key).unwrap().der().to_vec();
    let plain = Csr::parse(&request(&key)).unwrap();
    assert_eq!(Csr::parse(&der).unwrap(), plain);
}

#[test]
fn parse_when_the_key_was_swapped_is_refused() {
    let (own, other) = (ed25519(), ed25519());
    let mut der = request(&own);
    let at = der.windows(32).position(|w| w == own.public_key_raw()).unwrap();
    der[at..at + 32].copy_from_slice(other.public_key_raw());
    assert_eq!(Csr::parse(&der), Err(CsrError::BadSignature));
}

/// The frame around the signature is not itself signed; a change there must not change what is read.
#[test]
fn parse_when_any_bit_is_flipped_never_gives_another_key() {
    let der = request(&ed25519());
    let good = Csr::parse(&der).unwrap();
    let signed = der.len() - 64 - 10;
    for at in 0..der.len() {
        let mut bad = der.clone();
        bad[at] ^= 0x01;
        if let Ok(csr) = Csr::parse(&bad) {
            assert!(at >= signed && csr == good, "byte {at}");
        }
    }
}

#[test]
fn parse_when_bytes_follow_or_are_missing_is_refused() {
    let mut der = request(&ed25519());
    der.push(0);
    assert_eq!(Csr::parse(&der), Err(CsrError::Malformed));
    der.truncate(der.len() - 2);
    assert_eq!(Csr::parse(&der), Err(CsrError::Malformed));
    assert_eq!(Csr::parse(&[]), Err(CsrError::Malformed));
    assert_eq!(Csr::parse(&vec![0x30; MAX_BYTES + 1]), Err(CsrError::TooLarge(MAX_BYTES + 1)));
}

#[test]
fn proves_identity_when_the_key_is_the_registered_one_is_true() {
    let key = ed25519();
    let csr = Csr::parse(&request(&key)).unwrap();
    let raw = raw_pem(key.public_key_raw());
    let spki = raw_pem(&[&ED25519_SPKI_HEADER[..], key.public_key_raw()].concat());
    assert_eq!(csr.proves_identity(&raw), Some(true));
    assert_eq!(csr.proves_identity(&raw.replace('\n', "\r\n")), Some(true));
    assert_eq!(csr.proves_identity(&spki), Some(true));
}

#[test]
fn proves_identity_when_the_key_is_another_is_false() {
    let csr = Csr::parse(&request(&ed25519())).unwrap();
    assert_eq!(csr.proves_identity(&raw_pem(ed25519().public_key_raw())), Some(false));
    let ecdsa = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let csr = Csr::parse(&request(&ecdsa)).unwrap();
    assert_eq!(csr.proves_identity(&raw_pem(ed25519().public_key_raw())), Some(false));
}

#[test]
fn proves_identity_when_the_text_is_no_ed25519_key_is_unknown() {
    let csr = Csr::parse(&request(&ed25519())).unwrap();
    for text in [
        "",
        "opaque",
        &raw_pem(&[1; 31]),
        &raw_pem(&[1; 33]),
        "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
    ] {
        assert_eq!(csr.proves_identity(text), None, "{text:?}");
    }
}

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| request(&ed25519()));

proptest! {
    #[test]
    fn parse_of_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Csr::parse(&bytes);
    }

    #[test]
    fn parse_of_a_damaged_request_never_gives_another_key_and_never_panics(
        at in 0usize..200, with in proptest::collection::vec(any::<u8>(), 1..8), cut in 0usize..200,
    ) {
        let mut der = VALID.clone();
        let at = at % der.len();
        for (to, from) in der[at..].iter_mut().zip(&with) {
            *to = *from;
        }
        der.truncate(der.len() - cut % der.len());
        if let Ok(csr) = Csr::parse(&der) {
            prop_assert_eq!(csr, Csr::parse(&VALID).unwrap());
        }
    }

    #[test]
    fn identity_text_never_panics(text in "(-----BEGIN PUBLIC KEY-----)?[A-Za-z0-9+/=\n ]{0,80}(-----END PUBLIC KEY-----)?") {
        let _ = ed25519_from_identity(&text);
    }
}
