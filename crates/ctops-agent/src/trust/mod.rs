//! Which servers the agent believes, and how it shows its own certificate (wire contract 2.2).
//!
//! The cryptography provider is given explicitly everywhere: a process with several providers compiled in has no
//! default one.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ring::digest::SHA256_OUTPUT_LEN;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tracing::warn;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files;
use crate::identity::Identity;
use crate::leaf::Leaf;

const MAX_ANCHOR_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What a server's certificate is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerTrust {
    /// The certificate authorities of this machine.
    System,
    /// Only the certificates in this file. It is read at every connection, so that it can be replaced.
    Anchors(PathBuf),
    /// Nothing: any server is believed.
    Unverified,
}

/// Why no connection can be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file with the certificates cannot be read.
    #[error("certificates to trust cannot be read from {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// There is no certificate to trust.
    #[error("no certificate to trust in {0}")]
    Empty(String),
    /// The TLS library refuses the combination.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
}

/// TLS settings for one connection: TLS 1.2 and 1.3, ALPN `h2`, the certificate `shown` if there is one.
///
/// # Errors
/// When the certificates to trust cannot be read, or `shown` is unusable.
pub fn client_config(
    trust: &ServerTrust,
    shown: Option<(&Identity, &Leaf)>,
) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match trust {
        ServerTrust::Unverified => AnchorVerifier { provider: provider.clone(), belief: Belief::Anything },
        ServerTrust::System => {
            let found = rustls_native_certs::load_native_certs();
            AnchorVerifier::new(provider.clone(), &found.certs, "the system's store")?
        }
        ServerTrust::Anchors(path) => {
            let unreadable = |error| TrustError::Unreadable(path.clone(), error);
            let text = files::read(path, MAX_ANCHOR_FILE_BYTES).map_err(unreadable)?;
            let anchors: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
            let anchors = anchors.map_err(|error| unreadable(io::Error::other(error.to_string())))?;
            AnchorVerifier::new(provider.clone(), &anchors, &path.display().to_string())?
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match shown {
        Some((identity, leaf)) => {
            builder.with_client_auth_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(identity.pkcs8()))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not show a new certificate, and hide a revoked one.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Verifies servers against anchors, with one rule on top of the usual path building: a server certificate that is
/// itself an anchor is believed for its names and its life time. Self-signed server certificates marked `CA:TRUE`,
/// and leaves given as anchor, need that; path building refuses both.
pub struct AnchorVerifier {
    provider: Arc<CryptoProvider>,
    belief: Belief,
}

enum Belief {
    Anything,
    /// Digests instead of certificates: the system's store would take 200 KB for the life of the connection.
    Anchors {
        exact: Vec<[u8; SHA256_OUTPUT_LEN]>,
        paths: Option<Arc<WebPkiServerVerifier>>,
    },
}

impl AnchorVerifier {
    /// A verifier that believes in `anchors` only; `source` names them in the error.
    ///
    /// # Errors
    /// When `anchors` is empty or the TLS library refuses them.
    pub fn new(
        provider: Arc<CryptoProvider>,
        anchors: &[CertificateDer<'static>],
        source: &str,
    ) -> Result<Self, TrustError> {
        if anchors.is_empty() {
            return Err(TrustError::Empty(source.to_owned()));
        }
        let mut roots = RootCertStore::empty();
        let (usable, refused) = roots.add_parsable_certificates(anchors.iter().cloned());
        if usable == 0 {
            warn!(refused, source, "no certificate to trust is usable as an authority");
        }
        let paths = if usable == 0 {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            Some(builder.build().map_err(|error| TlsError::General(error.to_string()))?)
        };
        let exact = anchors.iter().map(digest_of).collect();
        Ok(Self { provider, belief: Belief::Anchors { exact, paths } })
    }
}

impl fmt::Debug for AnchorVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnchorVerifier")
    }
}

impl ServerCertVerifier for AnchorVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Belief::Anchors { exact, paths } = &self.belief else {
            return Ok(ServerCertVerified::assertion());
        };
        if exact.contains(&digest_of(end_entity)) {
            check_validity(end_entity, now)?;
            rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        match paths {
            Some(paths) => {
                paths.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn digest_of(certificate: &CertificateDer<'_>) -> [u8; SHA256_OUTPUT_LEN] {
    let mut digest = [0; SHA256_OUTPUT_LEN];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, certificate).as_ref());
    digest
}

fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), TlsError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| TlsError::from(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
