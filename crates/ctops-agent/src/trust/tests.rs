#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

/// 2026-06-01.
const NOW: Duration = Duration::from_secs(1_780_272_000);

fn params(names: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 12, 31);
    params
}

/// What the original's scripts make: a self-signed server certificate that calls itself an authority.
fn self_signed_authority(names: &[&str]) -> CertificateDer<'static> {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(&[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(names: &[&str], by: &CertifiedIssuer<'_, KeyPair>) -> CertificateDer<'static> {
    params(names).signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
}

fn verify(
    anchors: &[&CertificateDer<'static>],
    leaf: &CertificateDer<'_>,
    name: &str,
    at: Duration,
) -> Result<(), TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let anchors: Vec<_> = anchors.iter().map(|anchor| (*anchor).clone()).collect();
    let verifier = AnchorVerifier::new(provider, &anchors, "test").unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(leaf, &[], &name, &[], UnixTime::since_unix_epoch(at)).map(|_| ())
}

fn reason(result: Result<(), TlsError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn self_signed_authority_when_it_is_the_anchor_itself_then_is_believed_for_its_names() {
    let server = self_signed_authority(&["ingest", "localhost", "127.0.0.1"]);
    assert_eq!(verify(&[&server], &server, "ingest", NOW), Ok(()));
    assert_eq!(verify(&[&server], &server, "127.0.0.1", NOW), Ok(()));
    assert!(reason(verify(&[&server], &server, "other", NOW)).contains("not valid for name"));
}

#[test]
fn anchor_when_outside_its_life_then_is_refused() {
    let server = self_signed_authority(&["ingest"]);
    let year = Duration::from_secs(366 * 24 * 3600);
    assert!(reason(verify(&[&server], &server, "ingest", NOW + year)).contains("xpired"));
    assert!(verify(&[&server], &server, "ingest", NOW - year).is_err());
}

#[test]
fn same_names_under_another_key_when_not_the_anchor_then_is_refused() {
    let server = self_signed_authority(&["ingest"]);
    let impostor = self_signed_authority(&["ingest"]);
    assert!(verify(&[&server], &impostor, "ingest", NOW).is_err());
}

#[test]
fn ordinary_chain_when_its_authority_is_an_anchor_then_is_believed() {
    let (good, bad) = (authority(), authority());
    let leaf = signed(&["ingest"], &good);
    assert_eq!(verify(&[good.der()], &leaf, "ingest", NOW), Ok(()));
    assert!(verify(&[bad.der()], &leaf, "ingest", NOW).is_err());
    assert!(verify(&[good.der()], &leaf, "other", NOW).is_err());
}

#[test]
fn leaf_signed_by_a_stranger_when_given_as_anchor_then_is_believed_itself() {
    let stranger = authority();
    let leaf = signed(&["ingest"], &stranger);
    let sibling = signed(&["ingest"], &stranger);
    assert_eq!(verify(&[&leaf], &leaf, "ingest", NOW), Ok(()));
    assert!(verify(&[&leaf], &sibling, "ingest", NOW).is_err());
}

#[test]
fn anchor_file_when_missing_empty_or_damaged_then_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let trust = ServerTrust::Anchors(path.clone());
    assert!(matches!(client_config(&trust, None), Err(TrustError::Unreadable(..))));
    std::fs::write(&path, "# nothing\n").unwrap();
    assert!(matches!(client_config(&trust, None), Err(TrustError::Empty(_))));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(matches!(client_config(&trust, None), Err(TrustError::Unreadable(..))));
    std::fs::write(&path, crate::pem::encode("CERTIFICATE", &self_signed_authority(&["a"]))).unwrap();
    assert_eq!(client_config(&trust, None).unwrap().alpn_protocols, [b"h2".to_vec()]);
}
