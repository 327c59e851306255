//! The client certificate: what the agent needs to know of it (wire contract 3.2, 3.5).

use std::fmt;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::identity::Identity;

/// Largest certificate text accepted, bytes.
pub const MAX_PEM_BYTES: usize = 64 * 1024;

/// A client certificate that belongs to this agent's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    pem: String,
    der: CertificateDer<'static>,
    not_before: i64,
    not_after: i64,
}

/// Why a certificate is not used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LeafError {
    /// Not a certificate in PEM.
    #[error("not a certificate in PEM of at most {MAX_PEM_BYTES} bytes")]
    Malformed,
    /// It certifies another key.
    #[error("certificate does not belong to this agent's key")]
    ForeignKey,
}

impl Leaf {
    /// Reads the first certificate of `pem`.
    ///
    /// # Errors
    /// When it cannot be read or its key is not that of `identity`.
    pub fn parse(pem: &str, identity: &Identity) -> Result<Self, LeafError> {
        if pem.len() > MAX_PEM_BYTES {
            return Err(LeafError::Malformed);
        }
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| LeafError::Malformed)?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| LeafError::Malformed)?;
        if certificate.public_key().subject_public_key.data.as_ref() != identity.public_key() {
            return Err(LeafError::ForeignKey);
        }
        let not_before = certificate.validity().not_before.timestamp();
        let not_after = certificate.validity().not_after.timestamp();
        Ok(Self { pem: pem.to_owned(), der, not_before, not_after })
    }

    /// The text as the server sent it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate itself.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// End of its life, Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// Whether `now` (Unix seconds) lies in the last third of its life, or behind it (agents-enrolment 13).
    pub fn renewal_due(&self, now: i64) -> bool {
        let life = self.not_after.saturating_sub(self.not_before);
        self.not_after.saturating_sub(now) < life / 3
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, date_time_ymd};

    fn certificate(identity: &Identity) -> String {
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&identity.pkcs8(), &PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 4, 1);
        params.self_signed(&key).unwrap().pem()
    }

    const DAY: i64 = 24 * 3600;
    const APRIL: i64 = 1_775_001_600;

    /// Spec: agents-enrolment 13
    #[test]
    fn certificate_of_90_days_when_30_are_left_then_is_due_for_renewal() {
        let identity = Identity::generate().unwrap();
        let leaf = Leaf::parse(&certificate(&identity), &identity).unwrap();
        assert_eq!(leaf.not_after(), APRIL);
        assert!(!leaf.renewal_due(APRIL - 89 * DAY));
        assert!(!leaf.renewal_due(APRIL - 30 * DAY));
        assert!(leaf.renewal_due(APRIL - 30 * DAY + 1));
        assert!(leaf.renewal_due(APRIL + DAY), "an expired one is due as well");
    }

    #[test]
    fn certificate_of_another_key_when_read_then_is_refused() {
        let pem = certificate(&Identity::generate().unwrap());
        assert_eq!(Leaf::parse(&pem, &Identity::generate().unwrap()), Err(LeafError::ForeignKey));
    }

    #[test]
    fn damaged_certificate_when_read_then_is_refused() {
        let identity = Identity::generate().unwrap();
        let pem = certificate(&identity);
        let long = format!("{}{pem}", "#\n".repeat(MAX_PEM_BYTES));
        for bad in ["", "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n", &pem[..200], &long]
        {
            assert_eq!(Leaf::parse(bad, &identity), Err(LeafError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_body_under_a_certificate_label_is_read_without_panic(body: Vec<u8>) {
            let identity = Identity::generate().unwrap();
            let _ = Leaf::parse(&crate::pem::encode("CERTIFICATE", &body), &identity);
        }
    }
}
