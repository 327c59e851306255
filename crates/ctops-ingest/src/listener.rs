//! Accepts connections within limits, finishes the TLS handshake and speaks HTTP/2.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctops_crypto::peer::PeerCertificate;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::Status;

use crate::measure;
use crate::node::Node;
use crate::rpc;
use crate::tls::ALPN;

/// Pause after a failed `accept`, for example when no file descriptors are left: trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Receive window of a connection and of each stream: bounds what one peer can make us hold unread.
const WINDOW_BYTES: u32 = 64 * 1024;
/// Calls at a time on one connection. An agent has two to four; load testers share a connection between fifty agents.
const MAX_STREAMS: u32 = 100;
/// Size of request headers: ours have a few hundred bytes.
const MAX_HEADER_BYTES: u32 = 8 * 1024;
/// Answers of one stream that may wait in HTTP/2.
const SEND_BUFFER_BYTES: usize = 16 * 1024;
/// Silence after which the peer is asked for a sign of life, and how long it may take (security 17).
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(20);

/// Who is at the other end of a connection.
pub(crate) struct Peer {
    address: IpAddr,
    certificate: Option<PeerCertificate>,
    received_serial: Mutex<Option<String>>,
}

impl Peer {
    /// Address of the peer; an IPv4 address inside IPv6 is shown as IPv4.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// The verified client certificate of this connection.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when the peer has none.
    pub(crate) fn certificate(&self) -> Result<&PeerCertificate, Status> {
        self.certificate.as_ref().ok_or_else(|| Status::unauthenticated("client certificate is required"))
    }

    /// Notes that the agent got this certificate in an answer on this connection, so it need not be pushed.
    pub(crate) fn note_received(&self, serial_hex: &str) {
        *self.received_serial.lock().unwrap_or_else(PoisonError::into_inner) = Some(serial_hex.to_owned());
    }

    /// Whether the agent got this certificate on this connection.
    pub(crate) fn has_received(&self, serial_hex: &str) -> bool {
        self.received_serial.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(serial_hex)
    }
}

/// Accepts until the node stops.
pub(crate) async fn accept(node: &Arc<Node>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(node.limits.max_connections));
    let anonymous_places = Arc::new(Semaphore::new(node.limits.max_anonymous_connections));
    while let Some(accepted) = node.stopping.run_until_cancelled(listener.accept()).await {
        let (tcp, address) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics::counter!(measure::HANDSHAKES, "outcome" => "node_full").increment(1);
            continue;
        };
        node.tasks.spawn(serve(Arc::clone(node), tcp, address, place, Arc::clone(&anonymous_places)));
    }
}

async fn serve(
    node: Arc<Node>,
    tcp: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
    anonymous_places: Arc<Semaphore>,
) {
    let outcome = handshake(&node, tcp).await;
    let refused = |why: &'static str| {
        metrics::counter!(measure::HANDSHAKES, "outcome" => why).increment(1);
        tracing::debug!(peer.address = %address.ip(), outcome = why, "a connection was refused");
    };
    let (tls, certificate) = match outcome {
        Ok(connection) => connection,
        Err(why) => return refused(why),
    };
    let anonymous_place = match &certificate {
        Some(_) => None,
        None => match anonymous_places.try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => return refused("too_many_anonymous"),
        },
    };
    metrics::counter!(measure::HANDSHAKES, "outcome" => "accepted").increment(1);
    metrics::gauge!(measure::CONNECTIONS).increment(1);
    let peer = Peer { address: address.ip().to_canonical(), certificate, received_serial: Mutex::new(None) };
    speak(&node, tls, Arc::new(peer)).await;
    metrics::gauge!(measure::CONNECTIONS).decrement(1);
    drop((place, anonymous_place));
}

type Connected = (Box<TlsStream<TcpStream>>, Option<PeerCertificate>);

/// Finishes the handshake. The error is the outcome for the metrics.
async fn handshake(node: &Node, tcp: TcpStream) -> Result<Connected, &'static str> {
    tcp.set_nodelay(true).map_err(|_| "transport")?;
    let acceptor = TlsAcceptor::from(node.tls.config());
    // The handshake state is large and short-lived, so it does not stay in the connection's task.
    let tls = tokio::time::timeout(node.limits.handshake, Box::pin(acceptor.accept(tcp)))
        .await
        .map_err(|_| "timeout")?
        .map_err(|error| {
            tracing::debug!(%error, "a TLS handshake failed");
            "tls"
        })?;
    let (_, session) = tls.get_ref();
    // A peer without application protocol could speak HTTP/1 to us, or anything else.
    if session.alpn_protocol() != Some(ALPN) {
        return Err("no_alpn");
    }
    let certificate = match session.peer_certificates().and_then(<[_]>::first) {
        None => None,
        Some(der) => Some(PeerCertificate::parse(der).map_err(|_| "certificate")?),
    };
    Ok((Box::new(tls), certificate))
}

/// Serves calls until either side closes.
async fn speak(node: &Arc<Node>, tls: Box<TlsStream<TcpStream>>, peer: Arc<Peer>) {
    let is_anonymous = peer.certificate.is_none();
    let service = {
        let node = Arc::clone(node);
        service_fn(move |request| {
            let (node, peer) = (Arc::clone(&node), Arc::clone(&peer));
            // Boxed: the call's state is large and is gone once its stream runs, but would stay in the stream's task.
            let answer = Box::pin(rpc::answer(node, peer, request));
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let mut connection = pin!(http2_settings().serve_connection(TokioIo::new(tls), service));
    let mut old_age = pin!(tokio::time::sleep(node.limits.anonymous_age));
    let mut leaving = false;
    loop {
        tokio::select! {
            result = &mut connection => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection broke");
                }
                return;
            }
            () = node.killed.cancelled() => return,
            () = node.stopping.cancelled(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut old_age, if is_anonymous => {
                if leaving {
                    return;
                }
                leaving = true;
                connection.as_mut().graceful_shutdown();
                // Calls that wait for approval may still be answered.
                old_age.as_mut().reset(tokio::time::Instant::now() + node.limits.drain);
            }
        }
    }
}

fn http2_settings() -> http2::Builder<TokioExecutor> {
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .auto_date_header(false);
    settings
}
