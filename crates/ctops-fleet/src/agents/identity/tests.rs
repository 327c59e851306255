#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::agents::testing::Key;

fn input(key: &Key) -> RegisterInput {
    RegisterInput {
        enrolment_token: "tok_x".into(),
        public_key: key.public_pem(),
        hostname: "web-1".into(),
        csr_der: key.csr(),
        ..RegisterInput::default()
    }
}

fn refused(input: &RegisterInput) -> (String, &'static str) {
    let problem = check(input).unwrap_err();
    (problem.fields()[0].path.clone(), problem.fields()[0].code)
}

#[test]
fn check_when_token_or_key_is_missing_or_oversized_is_refused() {
    let good = input(&Key::new());
    assert!(check(&good).is_ok());
    let with = |change: fn(&mut RegisterInput)| {
        let mut bad = good.clone();
        change(&mut bad);
        refused(&bad)
    };
    assert_eq!(with(|i| i.enrolment_token.clear()), ("enrolment_token".into(), "required"));
    assert_eq!(with(|i| i.enrolment_token = "t".repeat(513)), ("enrolment_token".into(), "too_long"));
    assert_eq!(with(|i| i.public_key.clear()), ("public_key".into(), "required"));
    assert_eq!(with(|i| i.public_key = "k".repeat(4097)), ("public_key".into(), "too_long"));
    assert_eq!(with(|i| i.public_key = "ssh-ed25519 AAAA".into()), ("public_key".into(), "invalid"));
    assert_eq!(with(|i| i.ip_addresses = vec!["10.0.0.2".into(); 65]), ("ip_addresses".into(), "too_many"));
    assert_eq!(with(|i| i.csr_der = vec![0; 16 * 1024 + 1]), ("csr_der".into(), "invalid"));
    assert_eq!(with(|i| i.csr_der = b"junk".to_vec()), ("csr_der".into(), "invalid"));
    assert_eq!(with(|i| i.tags = vec![("k".into(), "v".repeat(501))]), ("tags".into(), "invalid_length"));
}

/// Spec: security 19
#[test]
fn prove_when_the_request_is_for_another_key_is_refused() {
    let (mine, yours) = (Key::new(), Key::new());
    assert!(prove(&mine.csr(), &mine.public_pem()).unwrap().is_some());
    let problem = prove(&mine.csr(), &yours.public_pem()).unwrap_err();
    assert_eq!(problem.fields()[0].path, "csr_der");
    assert!(prove(&[], &mine.public_pem()).unwrap().is_none());
}

/// Spec: hosts 21
#[test]
fn identity_addresses_when_shared_by_many_machines_are_left_out() {
    let all = [
        "10.0.0.2",
        "10.0.0.1",
        "192.168.7.1",
        "172.16.0.1",
        "172.32.0.1",
        "8.8.8.1",
        "127.0.0.1",
        "169.254.1.2",
        "224.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "2001:DB8::2",
        "2001:db8:0::2",
        "::ffff:10.0.0.2",
        "::ffff:127.0.0.1",
        "fd00::1",
        "not an address",
        "10.0.0.2/24",
        "",
    ];
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses(&texts, is_identity),
        ["10.0.0.2", "172.32.0.1", "8.8.8.1", "fec0::1", "2001:db8::2", "fd00::1"]
    );
}

#[test]
fn facts_when_text_is_hostile_or_empty_are_cleaned() {
    let mut given = input(&Key::new());
    given.hostname = " web\u{1b}[2J\u{202e}-1 ".into();
    given.os = "\n".into();
    given.arch = "x".repeat(200);
    given.tags = vec![("".into(), "v".into()), ("k".into(), " ".into()), ("a".into(), "$(id)".into())];
    let candidate = check(&given).unwrap();
    assert_eq!(candidate.facts.hostname, "web[2J-1");
    assert_eq!(candidate.facts.os, None);
    assert_eq!(candidate.facts.arch.as_deref().map(str::len), Some(128));
    assert_eq!(candidate.tags.len(), 1, "empty tags are dropped");
    given.hostname = "\u{7}".into();
    let nameless = check(&given).unwrap().facts;
    assert_eq!((nameless.hostname.as_str(), nameless.own_hostname()), ("unknown", None));
}

/// Spec: hosts 19
#[test]
fn key_fingerprint_is_what_sha256sum_prints() {
    assert_eq!(
        key_fingerprint(&sha256(b"abc")),
        "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}
