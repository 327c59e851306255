//! A server as far as the agent can see: TLS with optional client certificates, HTTP/2, the agent service.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ctops_proto::agent::ingest_service_server::{IngestService, IngestServiceServer};
use ctops_proto::agent::{
    DockerTelemetryAck, DockerTelemetryBatch, HeartbeatRequest, HeartbeatResponse, RegisterRequest,
    RegisterResponse, RenewCertificateRequest, RenewCertificateResponse, SoftwareInventoryAck,
    SoftwareInventoryChunk, TerminalAgentMessage, TerminalServerMessage,
};
use futures_util::Stream;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore,
    ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::authority::self_signed_server;
use crate::plan::{Event, Opened, Plan, Registered};

/// How long a test waits for anything.
pub const LIMIT: Duration = Duration::from_secs(20);

/// The running peer; ends when dropped.
pub struct Peer {
    pub port: u16,
    /// The certificate an agent has to trust, PEM.
    pub certificate: String,
    plan: Arc<Mutex<Plan>>,
    events: mpsc::UnboundedReceiver<Event>,
    acceptor: AbortHandle,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Peer {
    pub async fn start() -> Self {
        Self::start_with(rustls::ALL_VERSIONS, "localhost", 0).await
    }

    /// A peer with these TLS versions, a certificate for `name`, on `port` (0 for any).
    pub async fn start_with(versions: &[&'static SupportedProtocolVersion], name: &str, port: u16) -> Self {
        let plan = Arc::new(Mutex::new(Plan::new()));
        let (events_in, events) = mpsc::unbounded_channel();
        let (certificate, key, pem) = self_signed_server(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Verifier { provider: provider.clone(), plan: plan.clone() });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor =
            tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), plan.clone(), events_in));
        Self { port, certificate: pem, plan, events, acceptor: acceptor.abort_handle() }
    }

    pub fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    /// The next event that `pick` takes; others are passed over.
    pub async fn next<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the peer lives");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(LIMIT, search).await.unwrap_or_else(|_| panic!("within the limit: {what}"))
    }

    pub async fn next_registration(&mut self) -> (RegisterRequest, Option<Vec<u8>>, Instant) {
        self.next("a registration", |event| match event {
            Event::Registered { request, shown, at } => Some((*request, shown, at)),
            _ => None,
        })
        .await
    }

    pub async fn next_stream(&mut self) -> (u64, Option<Vec<u8>>) {
        self.next("a heartbeat stream", |event| match event {
            Event::StreamOpened { stream, shown } => Some((stream, shown)),
            _ => None,
        })
        .await
    }

    pub async fn next_beat(&mut self) -> (u64, HeartbeatRequest) {
        self.next("a heartbeat", |event| match event {
            Event::Beat { stream, report, .. } => Some((stream, *report)),
            _ => None,
        })
        .await
    }

    /// Sends `response` on a stream, or ends it with a status.
    pub fn push(&self, stream: u64, response: Result<HeartbeatResponse, Status>) {
        self.plan().streams.get(&stream).expect("stream is open").send(response).unwrap();
    }
}

/// Accepts connections until the peer is dropped, which also breaks the connections.
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    plan: Arc<Mutex<Plan>>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((tcp, from)) = listener.accept().await else { return };
        let _ = events.send(Event::Connected { from: from.ip() });
        let (acceptor, plan, events) = (acceptor.clone(), plan.clone(), events.clone());
        connections.spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else {
                let _ = events.send(Event::HandshakeFailed);
                return;
            };
            let shown = tls.get_ref().1.peer_certificates().map(|chain| chain[0].to_vec());
            let service = IngestServiceServer::new(Conversation { shown, plan, events });
            let _ = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(tls), TowerToHyperService::new(service))
                .await;
        });
    }
}

/// One connection.
struct Conversation {
    shown: Option<Vec<u8>>,
    plan: Arc<Mutex<Plan>>,
    events: mpsc::UnboundedSender<Event>,
}

impl Conversation {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl IngestService for Conversation {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let request = request.into_inner();
        self.tell(Event::Registered {
            request: Box::new(request.clone()),
            shown: self.shown.clone(),
            at: Instant::now(),
        });
        let mut plan = self.plan();
        let order = plan.register.pop_front().unwrap_or(Registered::Active);
        let mut response = RegisterResponse {
            agent_id: "agent0000000000000000001".to_owned(),
            status: "active".to_owned(),
            message: "m".to_owned(),
            ..RegisterResponse::default()
        };
        match order.clone() {
            Registered::Error(code) => return Err(Status::new(code, "as ordered")),
            Registered::Status(status) => response.status = status.to_owned(),
            Registered::Recorded { response, signs } => {
                let mut response = *response;
                if signs {
                    plan.stored_leaf = plan.authority.sign(&request.csr_der, plan.life);
                    response.client_cert_pem = plan.stored_leaf.clone();
                    response.agent_ca_cert_pem = plan.authority.pem();
                }
                return Ok(Response::new(response));
            }
            Registered::Pending { waited } => {
                response.status = "pending".to_owned();
                response.waited = waited;
            }
            Registered::Active | Registered::ActiveWithStored | Registered::ActiveWithoutLeaf => {
                plan.tokens += 1;
                response.jwt_token = format!("jwt-{}", plan.tokens);
            }
        }
        if matches!(order, Registered::Active) {
            plan.stored_leaf = plan.authority.sign(&request.csr_der, plan.life);
        }
        if matches!(order, Registered::Active | Registered::ActiveWithStored) {
            response.client_cert_pem = plan.stored_leaf.clone();
            response.agent_ca_cert_pem = plan.authority.pem();
        }
        Ok(Response::new(response))
    }

    type HeartbeatStream = Responses<HeartbeatResponse>;

    async fn heartbeat(
        &self,
        request: Request<Streaming<HeartbeatRequest>>,
    ) -> Result<Response<Self::HeartbeatStream>, Status> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (stream, order) = {
            let mut plan = self.plan();
            plan.next_stream += 1;
            let stream = plan.next_stream;
            plan.streams.insert(stream, sender.clone());
            let order = plan.open.pop_front().unwrap_or(Opened::Accept);
            if let (Opened::Accept, Some(greeting)) = (&order, &plan.greeting) {
                sender.send(Ok(greeting.clone())).unwrap();
            }
            (stream, order)
        };
        self.tell(Event::StreamOpened { stream, shown: self.shown.clone() });
        let (plan, events) = (self.plan.clone(), self.events.clone());
        let mut incoming = request.into_inner();
        tokio::spawn(async move {
            let clean = loop {
                let report = match incoming.message().await {
                    Ok(Some(report)) => report,
                    Ok(None) => break true,
                    Err(_) => break false,
                };
                if let Opened::Refuse(code) = order {
                    let _ = sender.send(Err(Status::new(code, "as ordered")));
                    break false;
                }
                let delivers = !report.buffered_samples.is_empty();
                let _ = events.send(Event::Beat { stream, report: Box::new(report), at: Instant::now() });
                {
                    let mut plan = plan.lock().unwrap();
                    if plan.mute_deliveries && delivers {
                        plan.mute.insert(stream);
                    }
                    if plan.mute.contains(&stream) {
                        continue;
                    }
                }
                let reply = plan.lock().unwrap().reply.clone();
                if sender.send(Ok(reply)).is_err() {
                    break false;
                }
                if matches!(order, Opened::AcceptOne) {
                    break false;
                }
            };
            plan.lock().unwrap().streams.remove(&stream);
            let _ = events.send(Event::StreamClosed { stream, clean });
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(receiver))))
    }

    async fn renew_certificate(
        &self,
        request: Request<RenewCertificateRequest>,
    ) -> Result<Response<RenewCertificateResponse>, Status> {
        let request = request.into_inner();
        self.tell(Event::Renewed { agent_id: request.agent_id, shown: self.shown.clone() });
        let mut plan = self.plan();
        if let Some(code) = plan.renew.pop_front() {
            return Err(Status::new(code, "as ordered"));
        }
        let client_cert_pem = plan.authority.sign(&request.csr_der, plan.renewed_life);
        plan.stored_leaf.clone_from(&client_cert_pem);
        let agent_ca_cert_pem = plan.authority.pem();
        Ok(Response::new(RenewCertificateResponse {
            client_cert_pem,
            client_cert_not_after_unix: 0,
            agent_ca_cert_pem,
        }))
    }

    type TerminalStream = Responses<TerminalServerMessage>;

    async fn terminal(
        &self,
        _request: Request<Streaming<TerminalAgentMessage>>,
    ) -> Result<Response<Self::TerminalStream>, Status> {
        self.tell(Event::Terminal);
        Err(Status::unimplemented("not part of these tests"))
    }

    async fn submit_software_inventory(
        &self,
        request: Request<Streaming<SoftwareInventoryChunk>>,
    ) -> Result<Response<SoftwareInventoryAck>, Status> {
        let token = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let mut incoming = request.into_inner();
        let mut chunks = Vec::new();
        while let Some(chunk) = incoming.message().await? {
            chunks.push(chunk);
        }
        let order = self.plan().inventory.pop_front();
        let received = chunks.iter().map(|chunk| chunk.packages.len()).sum::<usize>();
        self.tell(Event::Inventory { token: token.unwrap_or_default(), chunks });
        match order {
            Some(code) => Err(Status::new(code, "as ordered")),
            None => Ok(Response::new(SoftwareInventoryAck { received: i32::try_from(received).unwrap() })),
        }
    }

    async fn submit_docker_telemetry(
        &self,
        request: Request<Streaming<DockerTelemetryBatch>>,
    ) -> Result<Response<DockerTelemetryAck>, Status> {
        let mut incoming = request.into_inner();
        let mut batches = Vec::new();
        while let Some(batch) = incoming.message().await? {
            batches.push(batch);
        }
        let order = self.plan().telemetry.pop_front();
        self.tell(Event::Telemetry { batches });
        match order {
            Some(code) => Err(Status::new(code, "as ordered")),
            None => Ok(Response::new(DockerTelemetryAck { ok: true, ..DockerTelemetryAck::default() })),
        }
    }
}

/// Accepts certificates of the plan's authority that the plan does not refuse; none is fine too.
struct Verifier {
    provider: Arc<CryptoProvider>,
    plan: Arc<Mutex<Plan>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let plan = self.plan.lock().unwrap();
        if plan.refuse_all || plan.refused.contains(end_entity.as_ref()) {
            return Err(CertificateError::Revoked.into());
        }
        let mut roots = RootCertStore::empty();
        roots.add(plan.authority.der()).unwrap();
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .unwrap()
            .verify_client_cert(end_entity, intermediates, now)
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
