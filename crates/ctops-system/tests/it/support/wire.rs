//! The wire contract spoken by hand, for callers that do what no agent does.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ctops_proto::agent::ingest_service_client::IngestServiceClient;
use ctops_proto::agent::{
    AgentInfo, HeartbeatRequest, HeartbeatResponse, PlatformInfo, RegisterRequest, RegisterResponse,
};
use http::Uri;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, PKCS_ED25519, SanType};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::{Status, Streaming};

use super::{Entrance, SOON, Server};

/// Somebody who speaks the wire contract, with or without a certificate.
pub(crate) struct Caller {
    address: SocketAddr,
    server_ca: CertificateDer<'static>,
    key: KeyPair,
    certificate: Option<CertificateDer<'static>>,
    pub(crate) agent_id: String,
    pub(crate) jwt: String,
}

/// The server does not go on after the handshake.
#[derive(Debug)]
pub(crate) struct Refusal;

impl Caller {
    /// Somebody with a fresh key and nothing else.
    pub(crate) fn stranger(entrance: impl Into<Entrance>) -> Self {
        let entrance = entrance.into();
        Self {
            address: ([127, 0, 0, 1], entrance.port).into(),
            server_ca: CertificateDer::from_pem_file(entrance.ca_file).unwrap(),
            key: KeyPair::generate_for(&PKCS_ED25519).unwrap(),
            certificate: None,
            agent_id: String::new(),
            jwt: String::new(),
        }
    }

    /// A registered and approved agent.
    pub(crate) async fn registered(entrance: impl Into<Entrance>, token: &str, hostname: &str) -> Self {
        let mut caller = Self::stranger(entrance);
        let answer = caller.register(token, hostname).await.unwrap();
        assert_eq!(answer.status, "active", "{}", answer.message);
        caller.certificate = Some(CertificateDer::from_pem_slice(answer.client_cert_pem.as_bytes()).unwrap());
        (caller.agent_id, caller.jwt) = (answer.agent_id, answer.jwt_token);
        caller
    }

    /// The same identity and token under a certificate that another authority signed.
    pub(crate) fn forged(&self, server: &Server) -> Self {
        let authority = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "ct-ops Agent CA");
        let issuer = Issuer::new(params, authority);
        let mut forged = Self::stranger(server);
        let mut leaf = CertificateParams::default();
        let uri = format!("spiffe://ct-ops/agent/{}", self.agent_id);
        leaf.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        leaf.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ClientAuth);
        forged.certificate = Some(leaf.signed_by(&forged.key, &issuer).unwrap().der().clone());
        (forged.agent_id, forged.jwt) = (self.agent_id.clone(), self.jwt.clone());
        forged
    }

    /// Connects to another node from now on.
    pub(crate) fn move_to(&mut self, port: u16) {
        self.address.set_port(port);
    }

    /// Connects without a certificate from now on.
    pub(crate) fn forget_certificate(&mut self) {
        self.certificate = None;
    }

    fn tls(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.server_ca.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// Whether the server goes on after the handshake. With TLS 1.3 a refused client learns of it only when it reads; an
    /// accepted one reads the server's settings.
    pub(crate) async fn handshake(&self) -> Result<(), Refusal> {
        let read = async {
            let tcp = TcpStream::connect(self.address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = TlsConnector::from(Arc::new(self.tls())).connect(name, tcp).await?;
            stream.read(&mut [0; 9]).await
        };
        match tokio::time::timeout(SOON, read).await.expect("the server decides in time") {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(Refusal),
        }
    }

    async fn client(&self) -> IngestServiceClient<Channel> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = TlsConnector::from(Arc::new(self.tls())).connect(name, tcp).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        IngestServiceClient::with_origin(Channel(sender), Uri::from_static("https://localhost"))
    }

    /// Calls `Register`.
    pub(crate) async fn register(&self, token: &str, hostname: &str) -> Result<RegisterResponse, Status> {
        let body = self.key.public_key_raw();
        let request = RegisterRequest {
            enrolment_token: token.to_owned(),
            public_key: raw_pem("PUBLIC KEY", body),
            csr_der: CertificateParams::default().serialize_request(&self.key).unwrap().der().to_vec(),
            agent_info: Some(AgentInfo { hostname: hostname.to_owned(), ..AgentInfo::default() }),
            platform_info: Some(PlatformInfo { os: "linux".to_owned(), ..PlatformInfo::default() }),
            ..RegisterRequest::default()
        };
        self.client().await.register(request).await.map(tonic::Response::into_inner)
    }

    /// Opens a heartbeat stream with these messages and waits for the first answer.
    pub(crate) async fn heartbeat(
        &self,
        messages: Vec<HeartbeatRequest>,
    ) -> Result<(HeartbeatResponse, Streaming<HeartbeatResponse>), Status> {
        let outbound = tokio_stream::iter(messages).chain(tokio_stream::pending());
        let call = async {
            let mut inbound = self.client().await.heartbeat(outbound).await?.into_inner();
            let first = inbound.message().await?;
            Ok((first.ok_or_else(|| Status::cancelled("no answer"))?, inbound))
        };
        tokio::time::timeout(SOON, call).await.expect("the server answers in time")
    }
}

/// A heartbeat with ordinary values; the first one of a stream carries the token.
pub(crate) fn beat(token: &str) -> HeartbeatRequest {
    HeartbeatRequest {
        agent_id: token.to_owned(),
        cpu_percent: 12.5,
        uptime_seconds: 3600,
        os: "linux".to_owned(),
        ..HeartbeatRequest::default()
    }
}

/// PEM as the agent writes its public key: the raw bytes.
fn raw_pem(label: &str, bytes: &[u8]) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// HTTP/2 as the generated client wants it.
#[derive(Clone)]
struct Channel(SendRequest<Body>);

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

/// What a listener shows to somebody who trusts everybody; DER.
pub(super) async fn shown_certificate(port: u16) -> Vec<u8> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsEverybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[derive(Debug)]
struct TrustsEverybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsEverybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
