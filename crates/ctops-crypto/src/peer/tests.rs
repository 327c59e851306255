#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::spiffe::agent_uri;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, PKCS_ED25519, SanType,
    SerialNumber,
};
use std::sync::LazyLock;

const ID: &str = "abcdefghijklmnopqrst0189";

/// A self-signed certificate with the given names; the chain is not this module's concern.
fn certificate(uris: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names =
        uris.iter().map(|uri| SanType::URI(rcgen::string::Ia5String::try_from(*uri).unwrap())).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.is_ca = IsCa::ExplicitNoCa;
    change(&mut params);
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn parse_when_it_names_an_agent_gives_identity_serial_and_dates() {
    let der = certificate(&[&agent_uri(ID)], |params| {
        params.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0xbc, 0x00]));
        params.not_before = rcgen::date_time_ymd(2026, 11, 22);
        params.not_after = rcgen::date_time_ymd(2027, 2, 20);
    });
    let peer = PeerCertificate::parse(&der).unwrap();
    assert_eq!(peer.agent_id, ID);
    assert_eq!(peer.serial_hex, "abc00");
    assert_eq!(peer.not_before.to_rfc3339(), "2026-11-22T00:00:00+00:00");
    assert_eq!(peer.not_after.to_rfc3339(), "2027-02-20T00:00:00+00:00");
}

#[test]
fn parse_when_several_uris_are_present_takes_the_first_agent() {
    let other = agent_uri("zzzzzzzzzzzzzzzzzzzzzzzz");
    let der = certificate(&["https://example.com/agent/x", &agent_uri(ID), &other], |_| ());
    assert_eq!(PeerCertificate::parse(&der).unwrap().agent_id, ID);
}

/// Spec: security 19
#[test]
fn parse_when_it_names_no_agent_is_refused() {
    for uris in [
        &[][..],
        &["spiffe://ct-ops/node/abcdefghijklmnopqrst0189"],
        &["spiffe://other/agent/abcdefghijklmnopqrst0189"],
    ] {
        assert_eq!(PeerCertificate::parse(&certificate(uris, |_| ())), Err(PeerError::NoAgent), "{uris:?}");
    }
    // The identity counts only as URI name, not as subject or DNS name.
    let der = certificate(&[], |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, agent_uri(ID));
        params.subject_alt_names = vec![SanType::DnsName(agent_uri(ID).try_into().unwrap())];
    });
    assert_eq!(PeerCertificate::parse(&der), Err(PeerError::NoAgent));
}

#[test]
fn parse_when_it_is_a_ca_or_not_for_clients_is_refused() {
    let uri = agent_uri(ID);
    let ca = certificate(&[&uri], |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    assert_eq!(PeerCertificate::parse(&ca), Err(PeerError::IsAuthority));
    for usages in [vec![], vec![ExtendedKeyUsagePurpose::ServerAuth]] {
        let der = certificate(&[&uri], |params| params.extended_key_usages = usages);
        assert_eq!(PeerCertificate::parse(&der), Err(PeerError::NotForClients));
    }
}

#[test]
fn parse_when_bytes_follow_is_refused() {
    let mut der = certificate(&[&agent_uri(ID)], |_| ());
    der.push(0);
    assert_eq!(PeerCertificate::parse(&der), Err(PeerError::Malformed));
    assert_eq!(PeerCertificate::parse(&[]), Err(PeerError::Malformed));
}

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| certificate(&[&agent_uri(ID)], |_| ()));

proptest! {
    #[test]
    fn parse_of_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = PeerCertificate::parse(&bytes);
    }

    #[test]
    fn parse_of_a_damaged_certificate_never_panics_and_never_gives_a_malformed_id(
        at in 0usize..600, with in proptest::collection::vec(any::<u8>(), 1..16),
    ) {
        let mut der = VALID.clone();
        let at = at % der.len();
        for (to, from) in der[at..].iter_mut().zip(&with) {
            *to = *from;
        }
        if let Ok(peer) = PeerCertificate::parse(&der) {
            prop_assert!(crate::spiffe::is_agent_id(&peer.agent_id));
            prop_assert!(!peer.serial_hex.is_empty());
        }
    }
}
