//! `certificate`: the certificate a server presents is within its life time. Trust and name are not judged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsConnector;

use super::describe::{Facts, Link};
use super::{Outcome, Tools, Verdict, document, fitted, port, seconds};

/// Certificates of a chain that are described.
const MAX_CHAIN: usize = 16;

/// Parameters; the spelling of the original's forms is accepted too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Certificate {
    host: String,
    port: Option<u16>,
    #[serde(alias = "serverName")]
    server_name: Option<String>,
    #[serde(alias = "timeout_seconds", alias = "timeoutSeconds")]
    timeout_s: Option<i64>,
}

/// The document, with the keys in the order of wire contract 6.1.
#[derive(Clone, Serialize)]
struct Report<'r> {
    host: &'r str,
    port: u16,
    server_name: &'r str,
    #[serde(flatten)]
    facts: Facts,
    chain: Option<&'r [Link]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Certificate {
    /// Time-out of the whole check.
    pub(super) fn limit(&self) -> Duration {
        seconds(self.timeout_s, 10, 60)
    }

    pub(super) async fn run(&self, tools: &Tools) -> Outcome {
        let given = self.server_name.as_deref().filter(|name| !name.trim().is_empty());
        let server_name = given.unwrap_or(&self.host);
        let presented = tokio::time::timeout(self.limit(), self.presented(server_name)).await;
        let presented =
            presented.unwrap_or_else(|_| Err(format!("no certificate within {:?}", self.limit())));
        let described = presented.and_then(|chain| describe(&chain, tools.clock.now()));
        let (verdict, facts, links, error) = match described {
            Ok((true, facts, links)) => (Verdict::Pass, facts, links, None),
            Ok((false, facts, links)) => (Verdict::Fail, facts, links, None),
            Err(error) => (Verdict::Error, Facts::none(), Vec::new(), Some(error)),
        };
        let report = Report { host: &self.host, port: self.port(), server_name, facts, chain: None, error };
        let text = fitted(links, tools.max_document, |links, _| {
            let chain = Some(links).filter(|_| report.error.is_none());
            document(&Report { chain, ..report.clone() })
        });
        Outcome::document(verdict, text)
    }

    fn port(&self) -> u16 {
        self.port.filter(|port| *port != 0).unwrap_or(443)
    }

    /// The chain of the server, leaf first. A server that wants a certificate of the client ends the handshake after
    /// it has shown its own, which is enough.
    async fn presented(&self, server_name: &str) -> Result<Vec<CertificateDer<'static>>, String> {
        let tcp = port::connect(&self.host, self.port()).await.map_err(|error| error.to_string())?;
        let name = server_name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name =
            ServerName::try_from(name).map_err(|_| "the server name is not a name for TLS".to_owned())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let witness = Arc::new(Witness { provider: provider.clone(), chain: Mutex::default() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_no_client_auth();
        let result = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        let chain = std::mem::take(&mut *witness.chain.lock().unwrap_or_else(PoisonError::into_inner));
        match result {
            Err(error) if chain.is_empty() => Err(error.to_string()),
            _ if chain.is_empty() => Err("the server presented no certificate".to_owned()),
            _ => Ok(chain),
        }
    }
}

fn describe(
    chain: &[CertificateDer<'static>],
    now: DateTime<Utc>,
) -> Result<(bool, Facts, Vec<Link>), String> {
    let leaf = chain.first().ok_or("the server presented no certificate")?;
    let (facts, valid) = Facts::of(leaf, now)?;
    let facts = facts.with_bare_issuer();
    let links = chain.iter().take(MAX_CHAIN).filter_map(|certificate| Link::of(certificate).ok()).collect();
    Ok((valid, facts, links))
}

/// Accepts every certificate and remembers the chain.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        *chain =
            std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
