//! Certificates for the peer: its own, and those it signs for agents.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// How long a client certificate lives, in seconds around now.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub passed: u64,
    pub left: u64,
}

impl Life {
    /// The life of the product's certificates, just begun.
    pub const FRESH: Self = Self { passed: 60, left: 90 * 24 * 3600 };
    /// In its last third.
    pub const DUE: Self = Self { passed: 70 * 24 * 3600, left: 20 * 24 * 3600 };
}

/// Signs client certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "ct-ops Agent CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client certificate for a request. Fails the test if the request's own signature is wrong.
    pub fn sign(&self, csr_der: &[u8], life: Life) -> String {
        let request = CertificateSigningRequestDer::from(csr_der.to_vec());
        let mut request = CertificateSigningRequestParams::from_der(&request).unwrap();
        request.params.use_authority_key_identifier_extension = false;
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        request.params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(now - life.passed);
        request.params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now + life.left);
        request.signed_by(&self.0).unwrap().pem()
    }
}

/// A server certificate as the original's scripts make it: self-signed and marked as an authority.
pub fn self_signed_server(name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    (certificate.der().clone(), key, certificate.pem())
}
