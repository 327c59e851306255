//! One connection to the server: TCP, TLS, HTTP/2 with keepalive, and why it could not be made.
//!
//! A connection is used until it ends and never re-dialled behind the back of the caller, so that it is always known
//! which certificate a stream was opened with.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ctops_proto::agent::ingest_service_client::IngestServiceClient;
use ctops_proto::agent::release_service_client::ReleaseServiceClient;
use ctops_proto::limits;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::AlertDescription;
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use crate::identity::Identity;
use crate::leaf::Leaf;
use crate::settings::Address;
use crate::trust::{self, ServerTrust, TrustError};

mod observed;
use observed::{Observed, Phase};

/// A ping after this much silence (wire contract 5.5).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// The connection counts as dead when a ping is not answered in time. Servers refuse pings under 10 s apart.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// For one address of several.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes the server may send ahead of being read, per stream and connection.
const WINDOW_BYTES: u32 = 64 * 1024;

/// Calls to the server over one connection.
pub type Client = IngestServiceClient<Http2>;
/// Fetches releases over the same connection.
pub type Releases = ReleaseServiceClient<Http2>;

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// The server.
    pub address: Address,
    /// What the server's certificate is checked against.
    pub trust: ServerTrust,
    /// Local address to connect from; any if `None`.
    pub local: Option<IpAddr>,
    /// For all steps together.
    pub patience: Duration,
}

/// A working connection; dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    /// Makes calls; may be cloned, clones die with the connection.
    pub client: Client,
    /// Fetches releases; dies with the connection as well.
    pub releases: Releases,
    /// The certificate shown to the server.
    pub shown: Option<CertificateDer<'static>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Whether nothing more can be sent on it.
    pub fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("{0} cannot be resolved")]
    Resolve(Address, #[source] io::Error),
    /// No address of the server takes connections.
    #[error("{0} cannot be reached")]
    Unreachable(Address, #[source] io::Error),
    /// No TLS connection was agreed on; usually the server is not believed.
    #[error("TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The server refuses the certificate of this agent: revoked, expired or of another authority.
    #[error("server refuses this agent's certificate ({0})")]
    CertificateRefused(String),
    /// The other side does not speak HTTP/2.
    #[error("server does not speak HTTP/2 over TLS (ALPN h2)")]
    NotHttp2,
    /// The connection ended before HTTP/2 began.
    #[error("server closed the connection at once")]
    ClosedAtOnce,
    /// HTTP/2 could not begin.
    #[error("HTTP/2 cannot be started")]
    Http2(#[source] hyper::Error),
    /// There is nothing to trust the server by.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It took too long.
    #[error("no connection to {0} within {1:?}")]
    TimedOut(Address, Duration),
}

impl Dialer {
    /// Connects, showing `certificate` if there is one. Returns once the server has spoken HTTP/2, because only then
    /// it is certain that it accepted the certificate: in TLS 1.3 the refusal comes after the handshake.
    ///
    /// # Errors
    /// When any step fails or all together take longer than the dialer's patience.
    pub async fn dial(&self, certificate: Option<(&Identity, &Leaf)>) -> Result<Connection, DialError> {
        tokio::time::timeout(self.patience, self.connect(certificate))
            .await
            .unwrap_or_else(|_| Err(DialError::TimedOut(self.address.clone(), self.patience)))
    }

    async fn connect(&self, certificate: Option<(&Identity, &Leaf)>) -> Result<Connection, DialError> {
        let tcp = self.connect_tcp().await?;
        // Reading the certificates to trust is the costly part; while the server is away it is not done.
        let config = Arc::new(trust::client_config(&self.trust, certificate)?);
        let shown = certificate.map(|(_, leaf)| leaf.der().clone());
        let name = self.address.server_name.clone();
        let tls = TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|error| handshake_error(error, shown.is_some()))?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(DialError::NotHttp2);
        }
        let (io, mut phase) = Observed::new(tls);
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        let (sender, driver) = builder.handshake(TokioIo::new(io)).await.map_err(DialError::Http2)?;
        // How the connection ended is told by the calls on it and by `phase`.
        let driver = tokio::spawn(async move { drop(driver.await) });
        let origin = http::Uri::builder()
            .scheme("https")
            .authority(self.address.to_string())
            .path_and_query("/")
            .build()
            .map_err(|_| DialError::NotHttp2)?;
        let releases = ReleaseServiceClient::with_origin(Http2(sender.clone()), origin.clone());
        let client = IngestServiceClient::with_origin(Http2(sender), origin)
            .max_decoding_message_size(limits::MAX_RESPONSE_BYTES);
        let connection = Connection { client, releases, shown, driver };
        first_words(&mut phase, connection.shown.is_some()).await?;
        Ok(connection)
    }

    async fn connect_tcp(&self) -> Result<TcpStream, DialError> {
        let host = (self.address.host.as_str(), self.address.port);
        let resolve = |error| DialError::Resolve(self.address.clone(), error);
        let mut last = None;
        for address in lookup_host(host).await.map_err(resolve)? {
            match tokio::time::timeout(CONNECT_TIMEOUT, self.connect_to(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(error),
                Err(_) => last = Some(io::ErrorKind::TimedOut.into()),
            }
        }
        Err(match last {
            Some(error) => DialError::Unreachable(self.address.clone(), error),
            None => resolve(io::Error::other("the name has no address")),
        })
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(local) = self.local {
            socket.bind(SocketAddr::new(local, 0))?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Waits for the first bytes of the server inside TLS; every HTTP/2 server begins with its settings (RFC 9113
/// section 3.4).
async fn first_words(phase: &mut watch::Receiver<Phase>, shown: bool) -> Result<(), DialError> {
    let heard = phase.wait_for(|phase| *phase != Phase::Silent).await.map(|phase| *phase);
    match heard {
        Ok(Phase::Speaking) => Ok(()),
        Ok(Phase::Refused(alert)) if shown && blames_certificate(alert) => {
            Err(DialError::CertificateRefused(format!("{alert:?}")))
        }
        // The alert is lost when the server's reset overtakes it.
        _ if shown => Err(DialError::CertificateRefused("closed without a word".to_owned())),
        _ => Err(DialError::ClosedAtOnce),
    }
}

/// In TLS 1.2 the refusal comes during the handshake.
fn handshake_error(error: io::Error, shown: bool) -> DialError {
    match observed::alert_of(&error) {
        Some(alert) if shown && blames_certificate(alert) => {
            DialError::CertificateRefused(format!("{alert:?}"))
        }
        _ => DialError::Handshake(error),
    }
}

fn blames_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}

/// The HTTP/2 connection as gRPC calls use it.
#[derive(Clone, Debug)]
pub struct Http2(SendRequest<Body>);

impl tonic::codegen::Service<http::Request<Body>> for Http2 {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers of the original product end connections on which pings are less than 10 s apart (wire contract 5.5).
    #[test]
    fn ping_interval_when_compared_with_what_servers_tolerate_then_is_longer() {
        assert!(KEEPALIVE_INTERVAL > Duration::from_secs(10));
    }
}
