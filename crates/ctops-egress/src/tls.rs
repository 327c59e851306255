//! TLS towards others.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::{Egress, EgressError};

/// Whom to trust.
#[derive(Clone, Copy, Debug)]
pub enum TlsTrust<'a> {
    /// The operating system's authorities.
    System,
    /// These authorities only, PEM.
    Only(&'a str),
}

/// A client configuration with the library's safe defaults: TLS 1.2 and 1.3, names are checked.
///
/// # Errors
/// [`EgressError::BadTrust`] when no usable authority is left.
pub fn client_config(trust: TlsTrust<'_>, extra_pem: Option<&str>) -> Result<ClientConfig, EgressError> {
    let mut roots = RootCertStore::empty();
    if let TlsTrust::System = trust {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let given = match trust {
        TlsTrust::Only(pem) => Some(pem),
        TlsTrust::System => extra_pem,
    };
    if let Some(pem) = given {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| EgressError::BadTrust)?;
            roots.add(certificate).map_err(|_| EgressError::BadTrust)?;
        }
    }
    if roots.is_empty() {
        return Err(EgressError::BadTrust);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| EgressError::BadTrust)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

impl Egress {
    /// Secures a connection made by [`Egress::connect`]; `host` must be in the other side's certificate.
    ///
    /// # Errors
    /// [`EgressError::Tls`], [`EgressError::BadTrust`].
    pub async fn tls(
        &self,
        stream: TcpStream,
        host: &str,
        trust: TlsTrust<'_>,
    ) -> Result<TlsStream<TcpStream>, EgressError> {
        let failed = |source: io::Error| EgressError::Tls { host: host.to_owned(), source };
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|error| failed(io::Error::other(error)))?;
        let config = client_config(trust, self.options().extra_ca_pem.as_deref())?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(failed)
    }
}
