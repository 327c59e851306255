//! Who may present a client certificate.

use std::sync::Arc;

use ctops_crypto::peer::{PeerCertificate, PeerError};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::RevokedSerials;

/// Accepts a certificate that chains to an agent authority, names an agent and is not revoked; none at all is accepted
/// too, because `Register` comes without.
#[derive(Debug)]
pub(super) struct AgentVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    revoked: Arc<RevokedSerials>,
}

impl AgentVerifier {
    pub(super) fn new(chain: Arc<dyn ClientCertVerifier>, revoked: Arc<RevokedSerials>) -> Self {
        Self { chain, revoked }
    }
}

impl ClientCertVerifier for AgentVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let peer = PeerCertificate::parse(end_entity).map_err(|error| {
            Error::InvalidCertificate(match error {
                PeerError::Malformed => CertificateError::BadEncoding,
                PeerError::NotForClients => CertificateError::InvalidPurpose,
                PeerError::IsAuthority | PeerError::NoAgent => {
                    CertificateError::ApplicationVerificationFailure
                }
            })
        })?;
        if self.revoked.contains(&peer.serial_hex) {
            return Err(Error::InvalidCertificate(CertificateError::Revoked));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
