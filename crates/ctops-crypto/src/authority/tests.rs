#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::peer::PeerCertificate;
use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_SIG_ECDSA_WITH_SHA256;

const ID: &str = "abcdefghijklmnopqrst0189";

fn now() -> DateTime<Utc> {
    "2026-11-22T10:00:00.5Z".parse().unwrap()
}

fn authority(purpose: Purpose) -> Authority {
    Authority::generate(purpose, now()).unwrap()
}

fn csr() -> (KeyPair, Csr) {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let der = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    let csr = Csr::parse(&der).unwrap();
    (key, csr)
}

fn parse(der: &[u8]) -> X509Certificate<'_> {
    X509Certificate::from_der(der).unwrap().1
}

/// Spec: security 20
#[test]
fn generate_makes_a_ten_year_p256_authority_that_may_only_sign_leaves() {
    let authority = authority(Purpose::AgentCa);
    let certificate = parse(authority.cert_der());
    certificate.verify_signature(None).unwrap();
    assert_eq!(certificate.signature_algorithm.algorithm, OID_SIG_ECDSA_WITH_SHA256);
    assert_eq!(certificate.subject(), certificate.issuer());
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert!(usage.value.key_cert_sign() && usage.value.crl_sign());
    assert!(!usage.value.digital_signature());
    assert_eq!(authority.not_before().to_rfc3339(), "2026-11-22T09:59:00+00:00");
    assert_eq!((authority.not_after() - now()).num_days(), AUTHORITY_DAYS - 1);
    assert_eq!(authority.fingerprint_sha256().len(), 64);
}

/// Trap 12 of the wire contract, appendix B.1.
#[test]
fn generate_gives_every_authority_its_own_name_unlike_the_original_product() {
    let (one, two) = (authority(Purpose::AgentCa), authority(Purpose::AgentCa));
    let name = |authority: &Authority| parse(authority.cert_der()).subject().to_string();
    assert_ne!(name(&one), name(&two));
    let tag = name(&one).strip_prefix("CN=CT-Ops Agent CA ").unwrap().to_owned();
    assert!(tag.len() == 8 && tag.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(name(&authority(Purpose::ServerCa)).starts_with("CN=CT-Ops Server CA "));
}

#[test]
fn from_pem_gives_back_the_same_authority() {
    let made = authority(Purpose::AgentCa);
    let loaded = Authority::from_pem(made.cert_pem(), made.key_pem()).unwrap();
    assert_eq!(loaded.cert_der(), made.cert_der());
    let leaf = loaded.issue_client(&csr().1, ID, now()).unwrap();
    parse(&leaf.der).verify_signature(Some(parse(made.cert_der()).public_key())).unwrap();
}

#[test]
fn from_pem_when_other_blocks_come_first_skips_them() {
    let made = authority(Purpose::AgentCa);
    let key = format!(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
        made.key_pem()
    );
    Authority::from_pem(made.cert_pem(), &key).unwrap();
}

#[test]
fn from_pem_when_certificate_or_key_is_unusable_says_which() {
    let (one, two) = (authority(Purpose::AgentCa), authority(Purpose::AgentCa));
    let refused = |cert: &str, key: &str| Authority::from_pem(cert, key).map(|_| ()).unwrap_err();
    assert_eq!(refused("", one.key_pem()), AuthorityError::BadCertificate);
    assert_eq!(refused(one.key_pem(), one.key_pem()), AuthorityError::BadCertificate);
    assert_eq!(refused(one.cert_pem(), ""), AuthorityError::BadKey);
    assert_eq!(refused(one.cert_pem(), two.key_pem()), AuthorityError::KeyMismatch);
    let leaf = one.issue_client(&csr().1, ID, now()).unwrap();
    assert_eq!(refused(&leaf.pem, one.key_pem()), AuthorityError::NotAnAuthority);

    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let cert = params.self_signed(&p384).unwrap().pem();
    assert_eq!(refused(&cert, &p384.serialize_pem()), AuthorityError::UnsupportedKey);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let key = new_key().unwrap();
    let cert = params.self_signed(&key).unwrap().pem();
    assert_eq!(refused(&cert, &key.serialize_pem()), AuthorityError::NotAnAuthority);
}

/// The exact content is what agents of the original product were built for.
///
/// Spec: agents-enrolment 13; security 19
#[test]
fn issue_client_makes_the_leaf_of_the_wire_contract() {
    let authority = authority(Purpose::AgentCa);
    let (key, csr) = csr();
    let leaf = authority.issue_client(&csr, ID, now()).unwrap();
    let certificate = parse(&leaf.der);
    certificate.verify_signature(Some(parse(authority.cert_der()).public_key())).unwrap();
    assert_eq!(certificate.issuer(), parse(authority.cert_der()).subject());
    assert_eq!(certificate.subject().to_string(), format!("CN={ID}"));
    assert_eq!(certificate.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert!(!names.critical);
    let uri = agent_uri(ID);
    assert_eq!(names.value.general_names, vec![GeneralName::URI(&uri)]);
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature());
    assert_eq!(usage.value.flags.count_ones(), 1);
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && !extended.server_auth && !extended.any);
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && !constraints.value.ca);
    assert_eq!(certificate.validity().not_before.timestamp(), now().timestamp() - 60);
    assert_eq!(certificate.validity().not_after.timestamp(), now().timestamp() + 90 * 86_400);
    assert_eq!(leaf.pem.matches("BEGIN CERTIFICATE").count(), 1);

    let peer = PeerCertificate::parse(&leaf.der).unwrap();
    assert_eq!((peer.agent_id.as_str(), &peer.serial_hex), (ID, &leaf.serial_hex));
    assert_eq!((peer.not_before, peer.not_after), (leaf.not_before, leaf.not_after));
}

#[test]
fn issue_client_when_repeated_gives_new_positive_serials_below_2_to_127() {
    let authority = authority(Purpose::AgentCa);
    let (_, csr) = csr();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..50 {
        let leaf = authority.issue_client(&csr, ID, now()).unwrap();
        assert_eq!(leaf.serial_hex.len(), 32);
        assert!(leaf.serial_hex.as_bytes()[0] < b'8');
        assert!(seen.insert(leaf.serial_hex));
    }
}

#[test]
fn issue_client_when_the_authority_ends_sooner_ends_with_it() {
    let authority = authority(Purpose::AgentCa);
    let late = authority.not_after() - TimeDelta::days(10);
    let leaf = authority.issue_client(&csr().1, ID, late).unwrap();
    assert_eq!(leaf.not_after, authority.not_after());
    for outside in [authority.not_after(), authority.not_before() - TimeDelta::seconds(1)] {
        assert_eq!(authority.issue_client(&csr().1, ID, outside), Err(AuthorityError::NotValidNow));
    }
}

#[test]
fn issue_client_when_the_agent_id_is_malformed_is_refused() {
    let authority = authority(Purpose::AgentCa);
    for id in ["", "short", "../../../../../../../../", "ABCDEFGHIJKLMNOPQRST0189"] {
        assert_eq!(authority.issue_client(&csr().1, id, now()), Err(AuthorityError::BadAgentId));
    }
}

#[test]
fn issue_server_carries_every_name_and_its_chain() {
    let authority = authority(Purpose::ServerCa);
    let names = ["ct-ops.example", "localhost", "127.0.0.1", "::1", "*.lan"].map(str::to_owned);
    let identity = authority.issue_server(&names, now()).unwrap();
    assert_eq!(identity.cert_chain_pem.matches("BEGIN CERTIFICATE").count(), 2);
    let der = first_block(&identity.cert_chain_pem, &["CERTIFICATE"]).unwrap();
    let certificate = parse(&der);
    certificate.verify_signature(Some(parse(authority.cert_der()).public_key())).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap().value;
    assert_eq!(
        names.general_names,
        vec![
            GeneralName::DNSName("ct-ops.example"),
            GeneralName::DNSName("localhost"),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
            GeneralName::IPAddress(&std::net::Ipv6Addr::LOCALHOST.octets()),
            GeneralName::DNSName("*.lan"),
        ]
    );
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && !extended.client_auth);
    assert!(!certificate.is_ca());
    assert_eq!(certificate.validity().not_after.timestamp(), identity.not_after.timestamp());
    let key = KeyPair::from_pem(&identity.key_pem).unwrap();
    assert_eq!(certificate.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
}

#[test]
fn issue_server_when_a_name_is_malformed_is_refused() {
    let authority = authority(Purpose::ServerCa);
    assert_eq!(authority.issue_server(&[], now()).map(|_| ()).unwrap_err(), AuthorityError::BadName);
    let long = "a".repeat(64);
    for name in [
        "",
        " ",
        "a b",
        "-a",
        "a-",
        "a..b",
        "*",
        "a.*.b",
        "host:9443",
        "[::1]",
        "ä",
        &long,
        &"a.".repeat(127),
    ] {
        let result = authority.issue_server(&["ok".to_owned(), name.to_owned()], now()).map(|_| ());
        assert_eq!(result, Err(AuthorityError::BadName), "{name:?}");
    }
}

#[test]
fn debug_never_shows_the_key() {
    let authority = authority(Purpose::ServerCa);
    let identity = authority.issue_server(&["localhost".to_owned()], now()).unwrap();
    let secret: String = authority.key_pem().lines().nth(1).unwrap().to_owned();
    let text = format!("{authority:?} {identity:?}");
    assert!(!text.contains(&secret) && !text.contains("PRIVATE"));
}
