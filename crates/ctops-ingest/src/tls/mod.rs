//! TLS for agents: what is trusted, what is revoked, and which certificate we show. All three can be exchanged while
//! connections are open; new handshakes see the new state.

mod verifier;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use ctops_base::Clock;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};

use verifier::AgentVerifier;

/// The only application protocol: gRPC runs on HTTP/2.
pub(crate) const ALPN: &[u8] = b"h2";

/// Why TLS material cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The server's own certificate chain is not PEM, or has no certificate.
    #[error("server certificate is not a certificate in PEM")]
    ServerCertificate,
    /// The private key is not PEM, or does not belong to the certificate.
    #[error("server key is not usable with the server certificate")]
    ServerKey,
    /// There is no agent authority, or one of them is not a certificate. An empty list would trust nobody by accident or,
    /// worse, somebody by mistake, so it is refused.
    #[error("agent authorities are missing or not certificates in PEM")]
    Authorities,
    /// The TLS library refuses the combination.
    #[error("tls cannot be configured")]
    Configuration(#[from] rustls::Error),
}

/// Serial numbers of revoked client certificates, lower-case hex without leading zeros.
#[derive(Debug, Default)]
pub struct RevokedSerials(RwLock<HashSet<String>>);

impl RevokedSerials {
    /// Whether a certificate is revoked.
    pub fn contains(&self, serial_hex: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(serial_hex)
    }

    /// Adds serials.
    pub(crate) fn extend(&self, serials: impl IntoIterator<Item = String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(serials);
    }

    /// Puts a complete list in place of the present one.
    pub(crate) fn replace(&self, serials: impl IntoIterator<Item = String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = serials.into_iter().collect();
    }
}

/// Everything a handshake needs.
pub struct TlsMaterial {
    provider: Arc<CryptoProvider>,
    clock: Clock,
    server: Arc<ServerCertificate>,
    revoked: Arc<RevokedSerials>,
    config: ArcSwap<ServerConfig>,
}

impl TlsMaterial {
    /// Builds the first configuration.
    ///
    /// `cert_chain_pem` and `key_pem` are our own certificate; `agent_cas` are the authorities whose client certificates
    /// are accepted, each one PEM text.
    ///
    /// # Errors
    /// [`TlsError`] says which part is unusable.
    pub fn new(
        clock: Clock,
        cert_chain_pem: &str,
        key_pem: &str,
        agent_cas: &[String],
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = certified_key(&provider, cert_chain_pem, key_pem)?;
        let server = Arc::new(ServerCertificate(ArcSwap::from_pointee(key)));
        let revoked = Arc::new(RevokedSerials::default());
        let config = build(&provider, &clock, &server, &revoked, agent_cas)?;
        Ok(Self { provider, clock, server, revoked, config: ArcSwap::from_pointee(config) })
    }

    /// Shows another certificate from the next handshake on.
    ///
    /// # Errors
    /// [`TlsError`]; the present certificate stays then.
    pub fn set_server_certificate(&self, cert_chain_pem: &str, key_pem: &str) -> Result<(), TlsError> {
        self.server.0.store(Arc::new(certified_key(&self.provider, cert_chain_pem, key_pem)?));
        Ok(())
    }

    /// Trusts other agent authorities from the next handshake on.
    ///
    /// # Errors
    /// [`TlsError`]; the present authorities stay then.
    pub fn set_agent_authorities(&self, agent_cas: &[String]) -> Result<(), TlsError> {
        let config = build(&self.provider, &self.clock, &self.server, &self.revoked, agent_cas)?;
        self.config.store(Arc::new(config));
        Ok(())
    }

    /// The revoked certificates.
    pub fn revoked(&self) -> &RevokedSerials {
        &self.revoked
    }

    /// Configuration for the next handshake.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

impl std::fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsMaterial").finish_non_exhaustive()
    }
}

fn build(
    provider: &Arc<CryptoProvider>,
    clock: &Clock,
    server: &Arc<ServerCertificate>,
    revoked: &Arc<RevokedSerials>,
    agent_cas: &[String],
) -> Result<ServerConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for pem in agent_cas {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(|_| TlsError::Authorities)?).map_err(|_| TlsError::Authorities)?;
        }
    }
    // The names of the authorities are offered to clients: an agent of another installation then connects without its
    // certificate instead of failing, and can enrol.
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|_| TlsError::Authorities)?;
    let verifier = AgentVerifier::new(chain, Arc::clone(revoked));
    let time = Arc::new(ClockTime(clock.clone()));
    let mut config = ServerConfig::builder_with_details(Arc::clone(provider), time)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::clone(server) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session is not verified again, so a revoked certificate would come back with it.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certified_key(
    provider: &CryptoProvider,
    chain_pem: &str,
    key_pem: &str,
) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::ServerCertificate)?;
    if chain.is_empty() {
        return Err(TlsError::ServerCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| TlsError::ServerKey)?;
    CertifiedKey::from_der(chain, key, provider).map_err(|_| TlsError::ServerKey)
}

/// Our own certificate.
#[derive(Debug)]
struct ServerCertificate(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The product's clock for the TLS library, which checks the dates of client certificates by it.
#[derive(Debug)]
struct ClockTime(Clock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0.now_ms()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests;
