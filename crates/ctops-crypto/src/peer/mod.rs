//! What the certificate of a connected agent says about it.

use chrono::{DateTime, Utc};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::spiffe::agent_id_from_uri;

/// Why a certificate cannot stand for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Not an X.509 certificate in DER, or bytes follow it.
    #[error("client certificate is not valid X.509 in DER")]
    Malformed,
    /// A certificate authority must not act as an agent.
    #[error("client certificate is a certificate authority")]
    IsAuthority,
    /// The extended key usage does not name client authentication.
    #[error("client certificate is not meant for client authentication")]
    NotForClients,
    /// No URI name of the form `spiffe://ct-ops/agent/<agent id>`.
    #[error("client certificate names no agent")]
    NoAgent,
}

/// Identity, serial number and validity of an agent certificate.
///
/// Reading it proves nothing: chain, dates and revocation are checked by the TLS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The agent it names, from its first SPIFFE URI.
    pub agent_id: String,
    /// Serial number in lower-case hex without leading zeros: the form in which revocations are recorded.
    pub serial_hex: String,
    /// First moment of validity.
    pub not_before: DateTime<Utc>,
    /// Last moment of validity.
    pub not_after: DateTime<Utc>,
}

impl PeerCertificate {
    /// Reads a certificate that was issued by [`crate::authority::Authority::issue_client`] or by the original product.
    ///
    /// # Errors
    /// [`PeerError`] when it is malformed, an authority, not meant for clients, or names no agent.
    pub fn parse(der: &[u8]) -> Result<Self, PeerError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| PeerError::Malformed)?;
        if !rest.is_empty() {
            return Err(PeerError::Malformed);
        }
        if certificate.is_ca() {
            return Err(PeerError::IsAuthority);
        }
        // A missing usage extension means "any" in RFC 5280; an agent's certificate must say so explicitly.
        let usage = certificate.extended_key_usage().map_err(|_| PeerError::Malformed)?;
        if !usage.is_some_and(|usage| usage.value.client_auth) {
            return Err(PeerError::NotForClients);
        }
        let names = certificate.subject_alternative_name().map_err(|_| PeerError::Malformed)?;
        let agent_id = names
            .and_then(|names| {
                names.value.general_names.iter().find_map(|name| match name {
                    GeneralName::URI(uri) => agent_id_from_uri(uri),
                    _ => None,
                })
            })
            .ok_or(PeerError::NoAgent)?
            .to_owned();
        Ok(Self {
            agent_id,
            serial_hex: certificate.tbs_certificate.serial.to_str_radix(16),
            not_before: time(certificate.validity().not_before.timestamp())?,
            not_after: time(certificate.validity().not_after.timestamp())?,
        })
    }
}

fn time(unix_seconds: i64) -> Result<DateTime<Utc>, PeerError> {
    DateTime::from_timestamp(unix_seconds, 0).ok_or(PeerError::Malformed)
}

#[cfg(test)]
mod tests;
