//! Certificates of providers: who, until when.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

/// Warnings begin this long before a certificate ends (auth 34).
const WARN_BEFORE: TimeDelta = TimeDelta::days(30);

/// What people need to know about a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Certificate {
    /// Distinguished name.
    pub(crate) subject: String,
    /// SHA-256 of the certificate, hex.
    pub(crate) sha256: String,
    /// First moment.
    pub(crate) not_before: DateTime<Utc>,
    /// Last moment.
    pub(crate) not_after: DateTime<Utc>,
}

impl Certificate {
    /// Whether people should be warned that it ends.
    pub(crate) fn ends_soon(&self, now: DateTime<Utc>) -> bool {
        self.not_after - WARN_BEFORE <= now
    }

    /// Reads one certificate.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let (rest, certificate) =
            <X509Certificate as x509_parser::prelude::FromDer<_>>::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let validity = certificate.validity();
        Some(Self {
            subject: ctops_base::text::clean(&certificate.subject().to_string(), 300),
            sha256: ctops_crypto::secret::sha256_hex(der),
            not_before: DateTime::from_timestamp(validity.not_before.timestamp(), 0)?,
            not_after: DateTime::from_timestamp(validity.not_after.timestamp(), 0)?,
        })
    }
}

/// Reads all certificates of a PEM text.
///
/// # Errors
/// When one of them cannot be read.
pub(crate) fn read_certificates(pem: &str) -> Result<Vec<Certificate>, ()> {
    let blocks: Result<Vec<Pem>, _> = Pem::iter_from_buffer(pem.as_bytes()).collect();
    let blocks = blocks.map_err(|_| ())?;
    let read = |block: &Pem| {
        (block.label == "CERTIFICATE").then(|| Certificate::from_der(&block.contents)).flatten()
    };
    blocks.iter().map(|block| read(block).ok_or(())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// Spec: auth 34
    #[test]
    fn warnings_begin_thirty_days_before_the_end() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["idp.example.com".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2027, 1, 31);
        let pem = params.self_signed(&key).unwrap().pem();
        let found = read_certificates(&format!("{pem}{pem}")).unwrap();
        assert_eq!(found.len(), 2);
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(found[0].not_after, at("2027-01-31T00:00:00Z"));
        assert!(!found[0].ends_soon(at("2026-12-31T23:59:59Z")));
        assert!(found[0].ends_soon(at("2027-01-01T00:00:00Z")));
        assert_eq!(found[0].sha256.len(), 64);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert_eq!(read_certificates("").unwrap(), []);
        let key = KeyPair::generate().unwrap();
        assert!(read_certificates(&key.serialize_pem()).is_err());
        assert!(read_certificates("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
