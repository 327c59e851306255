#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_crypto::authority::{Authority, Purpose};
use ctops_crypto::csr::Csr;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ED25519, SanType};
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, Error, SignatureScheme};

const ID: &str = "abcdefghijklmnopqrst0189";

fn now() -> DateTime<Utc> {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

struct Fixture {
    server_ca: Authority,
    agent_ca: Authority,
    material: TlsMaterial,
}

fn fixture() -> Fixture {
    let server_ca = Authority::generate(Purpose::ServerCa, now()).unwrap();
    let agent_ca = Authority::generate(Purpose::AgentCa, now()).unwrap();
    let identity = server_ca.issue_server(&["localhost".to_owned()], now()).unwrap();
    let cas = [agent_ca.cert_pem().to_owned()];
    let material =
        TlsMaterial::new(Clock::manual(now()), &identity.cert_chain_pem, &identity.key_pem, &cas).unwrap();
    Fixture { server_ca, agent_ca, material }
}

fn leaf(authority: &Authority) -> ctops_crypto::authority::Leaf {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    authority.issue_client(&Csr::parse(request.der()).unwrap(), ID, now()).unwrap()
}

fn verifier(agent_ca: &Authority, revoked: &Arc<RevokedSerials>) -> AgentVerifier {
    let mut roots = RootCertStore::empty();
    roots.add(agent_ca.cert_der().to_vec().into()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    AgentVerifier::new(chain, Arc::clone(revoked))
}

fn verify(verifier: &AgentVerifier, der: &[u8], at: DateTime<Utc>) -> Result<(), Error> {
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.timestamp().unsigned_abs()));
    verifier.verify_client_cert(&der.to_vec().into(), &[], at).map(|_| ())
}

/// Spec: security 19
#[test]
fn verify_when_expired_early_foreign_or_revoked_is_refused() {
    let Fixture { agent_ca, .. } = fixture();
    let revoked = Arc::new(RevokedSerials::default());
    let verifier = verifier(&agent_ca, &revoked);
    let leaf = leaf(&agent_ca);
    verify(&verifier, &leaf.der, now()).unwrap();
    for at in [leaf.not_after + TimeDelta::seconds(1), leaf.not_before - TimeDelta::seconds(1)] {
        assert!(matches!(verify(&verifier, &leaf.der, at), Err(Error::InvalidCertificate(_))));
    }
    let foreign = Authority::generate(Purpose::AgentCa, now()).unwrap();
    let stranger = self::leaf(&foreign);
    assert_eq!(
        verify(&verifier, &stranger.der, now()),
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    );
    revoked.extend([leaf.serial_hex.clone()]);
    assert_eq!(
        verify(&verifier, &leaf.der, now()),
        Err(Error::InvalidCertificate(CertificateError::Revoked))
    );
}

#[test]
fn verify_when_our_own_authority_signed_something_else_is_refused() {
    let Fixture { agent_ca, .. } = fixture();
    let verifier = verifier(&agent_ca, &Arc::default());
    // A listener certificate of the same authority: right chain, wrong purpose.
    let server = agent_ca.issue_server(&["localhost".to_owned()], now()).unwrap();
    let server = CertificateDer::from_pem_slice(server.cert_chain_pem.as_bytes()).unwrap();
    assert!(matches!(verify(&verifier, &server, now()), Err(Error::InvalidCertificate(_))));
    // A client certificate without an agent's name.
    let issuer_key = KeyPair::from_pem(agent_ca.key_pem()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(agent_ca.cert_pem(), issuer_key).unwrap();
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![SanType::URI("spiffe://ct-ops/node/x".try_into().unwrap())];
    let nameless = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    assert_eq!(
        verify(&verifier, nameless.der(), now()),
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    );
}

#[test]
fn verifier_offers_ed25519_and_the_authoritys_name() {
    let Fixture { agent_ca, .. } = fixture();
    let verifier = verifier(&agent_ca, &Arc::default());
    assert!(verifier.supported_verify_schemes().contains(&SignatureScheme::ED25519));
    assert_eq!(verifier.root_hint_subjects().len(), 1);
    assert!(!verifier.client_auth_mandatory() && verifier.offer_client_auth());
}

#[test]
fn new_without_a_usable_authority_is_refused() {
    let Fixture { server_ca, agent_ca, material } = fixture();
    let identity = server_ca.issue_server(&["localhost".to_owned()], now()).unwrap();
    let cas = [agent_ca.cert_pem().to_owned()];
    for bad in [&[][..], &[String::new()], &["not pem".to_owned()]] {
        let made = TlsMaterial::new(Clock::system(), &identity.cert_chain_pem, &identity.key_pem, bad);
        assert!(matches!(made, Err(TlsError::Authorities)));
        assert!(matches!(material.set_agent_authorities(bad), Err(TlsError::Authorities)));
    }
    let other = server_ca.issue_server(&["localhost".to_owned()], now()).unwrap();
    let made = TlsMaterial::new(Clock::system(), &identity.cert_chain_pem, &other.key_pem, &cas);
    assert!(matches!(made, Err(TlsError::ServerKey)));
    let made = TlsMaterial::new(Clock::system(), "", &other.key_pem, &cas);
    assert!(matches!(made, Err(TlsError::ServerCertificate)));
}

#[test]
fn revoked_serials_when_replaced_forget_the_old_ones() {
    let revoked = RevokedSerials::default();
    revoked.extend(["a".to_owned(), "b".to_owned()]);
    revoked.extend(["c".to_owned()]);
    assert!(revoked.contains("a") && revoked.contains("c") && !revoked.contains("d"));
    revoked.replace(["d".to_owned()]);
    assert!(revoked.contains("d") && !revoked.contains("a"));
}
