//! A gRPC client over TLS that can do everything wrong on purpose.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BufMut;
use ctops_proto::agent::ingest_service_client::IngestServiceClient;
use ctops_proto::agent::{DiskInfo, HeartbeatRequest, HeartbeatResponse};
use http::Uri;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::{Status, Streaming};
use tonic_prost::{ProstCodec, ProstDecoder};

use super::{SOON, TestAgent};

/// How to reach a node.
pub(crate) struct Client {
    address: SocketAddr,
    server_ca: Vec<u8>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

/// A client configuration that trusts `server_ca`; ALPN `h2`.
pub(crate) fn client_config(
    server_ca: &[u8],
    versions: &[&'static SupportedProtocolVersion],
    identity: Option<(&[u8], &KeyPair)>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(server_ca.to_vec().into()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![CertificateDer::from(cert.to_vec())], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

impl Client {
    pub(crate) fn new(address: SocketAddr, server_ca: &[u8]) -> Self {
        Self { address, server_ca: server_ca.to_vec(), versions: rustls::DEFAULT_VERSIONS.to_vec() }
    }

    pub(crate) fn only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(crate) fn config(&self, agent: Option<&TestAgent>) -> ClientConfig {
        client_config(&self.server_ca, &self.versions, agent.map(|agent| (&agent.cert_der[..], &agent.key)))
    }

    /// A finished handshake with any configuration.
    pub(crate) async fn tls(&self, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(config).connect(ServerName::try_from("localhost").unwrap(), tcp).await
    }

    /// Whether the server goes on after the handshake. With TLS 1.3 a refused client learns of it only when it reads, so
    /// this reads: an accepted one gets the server's settings.
    pub(crate) async fn handshake(&self, config: ClientConfig) -> Result<(), Refusal> {
        let read = async {
            let mut stream = self.tls(Arc::new(config)).await?;
            let mut buffer = [0; 9];
            stream.read(&mut buffer).await
        };
        match tokio::time::timeout(SOON, read).await.expect("the server decides in time") {
            Ok(0) => Err(Refusal::Closed),
            Ok(_) => Ok(()),
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(rustls::Error::AlertReceived(alert)) => Err(Refusal::Alert(*alert)),
                _ => Err(Refusal::Closed),
            },
        }
    }

    /// A connection that presents the agent's certificate, if any.
    pub(crate) async fn connect(&self, agent: Option<&TestAgent>) -> Connection {
        let tls = self.tls(Arc::new(self.config(agent))).await.unwrap();
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.expect("HTTP/2 starts");
        let running = tokio::spawn(async move { drop(connection.await) });
        Connection { channel: Channel(sender), running }
    }

    /// Opens a heartbeat stream with the agent's own certificate and token.
    pub(crate) async fn stream(&self, agent: &TestAgent) -> HeartbeatStream {
        self.connect(Some(agent)).await.heartbeat(beat(&agent.jwt)).await.expect("the stream opens")
    }
}

/// How a handshake failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Alert(AlertDescription),
    Closed,
}

/// An HTTP/2 connection.
pub(crate) struct Connection {
    channel: Channel,
    running: tokio::task::JoinHandle<()>,
}

impl Connection {
    pub(crate) fn rpc(&self) -> IngestServiceClient<Channel> {
        IngestServiceClient::with_origin(self.channel.clone(), Uri::from_static("https://localhost"))
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Opens a heartbeat stream; the first message is sent with it.
    pub(crate) async fn heartbeat(self, first: HeartbeatRequest) -> Result<HeartbeatStream, Status> {
        let (sender, receiver) = mpsc::channel(64);
        sender.send(first).await.unwrap();
        let inbound = self.rpc().heartbeat(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(HeartbeatStream { sender: Some(sender), inbound, connection: self })
    }

    /// Breaks the connection without a word.
    pub(crate) fn cut(self) {
        self.running.abort();
    }
}

/// An open heartbeat stream.
pub(crate) struct HeartbeatStream {
    sender: Option<mpsc::Sender<HeartbeatRequest>>,
    inbound: Streaming<HeartbeatResponse>,
    connection: Connection,
}

impl HeartbeatStream {
    pub(crate) async fn send(&self, message: HeartbeatRequest) {
        self.sender.as_ref().unwrap().send(message).await.unwrap();
    }

    /// The next answer, the end (`None`), or the status that the stream ended with.
    pub(crate) async fn next(&mut self) -> Result<Option<HeartbeatResponse>, Status> {
        tokio::time::timeout(SOON, self.inbound.message()).await.expect("an answer arrives in time")
    }

    /// Expects an acknowledgement.
    #[track_caller]
    pub(crate) fn acked(&mut self) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.next().await;
            assert!(answer.as_ref().is_ok_and(|a| a.as_ref().is_some_and(|a| a.ok)), "{caller}: {answer:?}");
        }
    }

    /// Whether nothing arrives for a moment: for "not yet" checks that are repeated after something was let through.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(100), self.inbound.message()).await.is_err()
    }

    pub(crate) fn half_close(&mut self) {
        self.sender = None;
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn cut(self) {
        self.connection.cut();
    }
}

/// A heartbeat with ordinary values. The first one of a stream carries the token.
pub(crate) fn beat(agent_id_or_token: &str) -> HeartbeatRequest {
    HeartbeatRequest {
        agent_id: agent_id_or_token.to_owned(),
        cpu_percent: 12.5,
        memory_percent: 50.0,
        disk_percent: 75.25,
        uptime_seconds: 3600,
        agent_version: "1.0.0".to_owned(),
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
        os_version: "Debian GNU/Linux 12".to_owned(),
        disks: vec![DiskInfo {
            mount_point: "/".to_owned(),
            total_bytes: 1000,
            used_bytes: 500,
            free_bytes: 500,
            percent_used: 50.0,
            ..DiskInfo::default()
        }],
        ..HeartbeatRequest::default()
    }
}

/// HTTP/2 as the generated client wants it.
#[derive(Clone)]
pub(crate) struct Channel(SendRequest<Body>);

impl Channel {
    /// A request as it is, without gRPC around it.
    pub(crate) async fn raw(&mut self, request: http::Request<Body>) -> http::Response<Incoming> {
        self.0.send_request(request).await.unwrap()
    }
}

impl tower::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// Sends bytes as messages, whatever they are.
pub(crate) struct RawMessages;

impl Codec for RawMessages {
    type Encode = Vec<u8>;
    type Decode = HeartbeatResponse;
    type Encoder = RawEncoder;
    type Decoder = ProstDecoder<HeartbeatResponse>;

    fn encoder(&mut self) -> RawEncoder {
        RawEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<HeartbeatRequest, HeartbeatResponse>::default().decoder()
    }
}

pub(crate) struct RawEncoder;

impl Encoder for RawEncoder {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

/// The server refused the handshake with this alert.
pub(crate) fn alert(alert: AlertDescription) -> Result<(), Refusal> {
    Err(Refusal::Alert(alert))
}

/// The server closed the connection without an alert.
pub(crate) fn closed() -> Result<(), Refusal> {
    Err(Refusal::Closed)
}
