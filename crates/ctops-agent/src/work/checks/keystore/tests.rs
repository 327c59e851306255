#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{jks, pkcs12};

/// Key stores written by OpenSSL 3.0 and by keytool of Java 17, all with the same leaf and authority.
fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keystores").join(name)).unwrap()
}

fn pem(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&recorded(name)).unwrap()
}

/// Spec: monitoring 17
#[test]
fn key_store_of_pkcs12_when_opened_then_gives_the_certificate_of_the_key() {
    for (name, password) in [
        ("modern.p12", "secret"),
        ("legacy.p12", "secret"),
        ("des3.p12", "secret"),
        ("rc2_128.p12", "secret"),
        ("aes128.p12", "s\u{e9}cret"),
        ("no_password.p12", ""),
    ] {
        assert_eq!(pkcs12::certificate(&recorded(name), password), Ok(pem("leaf.pem")), "{name}");
    }
    assert_eq!(pkcs12::certificate(&recorded("certificates.p12"), "secret"), Ok(pem("ca.pem")));
    assert!(pkcs12::certificate(&recorded("java.p12"), "secret").is_ok());
}

#[test]
fn key_store_when_the_password_is_wrong_or_it_is_damaged_then_gives_an_error() {
    for name in ["modern.p12", "legacy.p12", "java.p12"] {
        let error = pkcs12::certificate(&recorded(name), "wrong").unwrap_err();
        assert!(error.contains("wrong password"), "{name}: {error}");
        let content = recorded(name);
        for length in (0..content.len()).step_by(7) {
            assert!(pkcs12::certificate(&content[..length], "secret").is_err(), "{name} {length}");
        }
    }
    for name in ["key.jks", "trusted.jks"] {
        assert!(jks::certificate(&recorded(name), "wrong", "").unwrap_err().contains("wrong password"));
        let content = recorded(name);
        for length in (0..content.len()).step_by(7) {
            assert!(jks::certificate(&content[..length], "secret", "").is_err(), "{name} {length}");
        }
    }
}

#[test]
fn key_store_of_java_when_opened_then_gives_the_entry_asked_for() {
    assert_eq!(jks::certificate(&recorded("key.jks"), "secret", ""), Ok(pem("leaf.pem")));
    assert_eq!(jks::certificate(&recorded("trusted.jks"), "secret", ""), Ok(pem("ca.pem")));
    let both = recorded("both.jks");
    assert_eq!(jks::certificate(&both, "secret", ""), Ok(pem("ca.pem")), "trusted ones come first");
    assert_eq!(jks::certificate(&both, "secret", "Server"), Ok(pem("leaf.pem")));
    assert_eq!(jks::certificate(&both, "", "root"), Ok(pem("ca.pem")), "certificates are readable without");
    assert_eq!(jks::certificate(&both, "secret", "other").unwrap_err(), "no entry other in the file");
}

#[test]
fn rounds_when_a_file_asks_for_too_many_then_are_refused() {
    let mut content = recorded("modern.p12");
    // 2,048 rounds stand in the file as 02 02 08 00, for the cipher and for the digest.
    let at = content.windows(4).rposition(|bytes| bytes == [2, 2, 8, 0]).unwrap();
    content[at + 2] = 0x7f;
    assert!(pkcs12::certificate(&content, "secret").is_err(), "another number of rounds, another key");
    let salt = digest(&SHA256, b"salt");
    let many = super::pbe::pkcs12_key(&SHA256, 3, b"", salt.as_ref(), 3_000_000, 32);
    assert!(many.unwrap_err().contains("rounds"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_change_of_a_key_store_is_read_without_panic(
        name in prop::sample::select(vec!["modern.p12", "legacy.p12", "both.jks", "certificates.p12"]),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let mut content = recorded(name);
        let at = at.index(content.len());
        // Bytes of the numbers of rounds are left alone, to keep the test fast.
        prop_assume!(!content[at.saturating_sub(3)..].starts_with(&[2, 2]) && content[at] != 2);
        content[at] = byte;
        let _ = pkcs12::certificate(&content, "secret");
        let _ = jks::certificate(&content, "secret", "");
    }

    #[test]
    fn any_bytes_are_read_without_panic(content: Vec<u8>) {
        let _ = pkcs12::certificate(&content, "");
        let _ = jks::certificate(&content, "", "");
        let java = [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2][..], &content].concat();
        let _ = jks::certificate(&java, "", "");
    }
}
