//! The web listener: TLS or plain, bounded in time and number, with a clean end. Somebody who types `http://` at the TLS
//! port is sent to `https://`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::tls::ShownCertificate;

/// Browsers and tools connected at a time.
const MAX_CONNECTIONS: usize = 4096;
/// Time for the TLS handshake and for the head of a request (security 17).
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Largest request head, bytes (security 16).
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Time open requests get after the server was told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// A bound address, with TLS or without.
pub struct WebListener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl WebListener {
    /// Binds the address.
    ///
    /// # Errors
    /// When the address is taken or the certificate cannot be used.
    pub async fn bind(address: SocketAddr, certificate: Option<Arc<ShownCertificate>>) -> Result<Self> {
        let tls = certificate.map(acceptor).transpose()?;
        let tcp = TcpListener::bind(address).await?;
        Ok(Self { tcp, tls })
    }

    /// The address, with the real port when 0 was asked for.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

fn acceptor(certificate: Arc<ShownCertificate>) -> Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `shutdown`, then lets open requests end for a few seconds.
pub async fn serve(listener: WebListener, router: Router, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let slot = Arc::clone(&slots).acquire_owned();
        let (stream, peer, slot) = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            accepted = async { (slot.await, listener.tcp.accept().await) } => match accepted {
                (Ok(slot), Ok((stream, peer))) => (stream, peer, slot),
                (_, Err(error)) => {
                    tracing::warn!(cause = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                (Err(_), _) => break,
            },
        };
        let connection = Connection { peer, tls: listener.tls.clone(), router: router.clone() };
        let watcher = graceful.watcher();
        tasks.spawn(async move {
            connection.run(stream, watcher).await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::debug!("open web connections were cut at shutdown");
    }
}

struct Connection {
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
}

impl Connection {
    async fn run(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        let _best_effort = stream.set_nodelay(true);
        let Some(acceptor) = self.tls else {
            return http(TokioIo::new(stream), self.peer, self.router, watcher).await;
        };
        let mut first = [0_u8; 1];
        match tokio::time::timeout(HANDSHAKE_LIMIT, stream.peek(&mut first)).await {
            // 0x16 begins a TLS handshake record (RFC 8446 section 5.1).
            Ok(Ok(1)) if first[0] == 0x16 => {
                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                    http(TokioIo::new(stream), self.peer, self.router, watcher).await;
                }
            }
            Ok(Ok(1)) => redirect_to_https(stream).await,
            _ => {}
        }
    }
}

async fn http<S>(
    io: TokioIo<S>,
    peer: SocketAddr,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = tower::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut router = router.clone();
        async move { ServiceExt::<Request<Incoming>>::ready(&mut router).await?.call(request).await }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_LIMIT)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(Some(Duration::from_secs(60)));
    let connection = builder.serve_connection(io, TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(cause = %error, "a web connection ended with an error");
    }
}

/// Answers one plain request on the TLS port with the same address over TLS.
async fn redirect_to_https(stream: TcpStream) {
    let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
        let host =
            request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let target = format!("https://{host}{path}");
        Response::builder()
            .status(StatusCode::PERMANENT_REDIRECT)
            .header(header::LOCATION, target)
            .header(header::CONNECTION, "close")
            .body(String::from("this port speaks https\n"))
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HANDSHAKE_LIMIT).keep_alive(false);
    let _closed = builder.serve_connection(TokioIo::new(stream), service).await;
}
