//! Finds the method of a call, refuses what is not authenticated, and bounds messages.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ctops_proto::agent::{DockerTelemetryAck, DockerTelemetryBatch};
use ctops_proto::agent::{FetchReleaseRequest, ReleaseChunk};
use ctops_proto::agent::{
    HeartbeatRequest, HeartbeatResponse, RegisterRequest, RegisterResponse, RenewCertificateRequest,
    RenewCertificateResponse, SoftwareInventoryAck, SoftwareInventoryChunk,
};
use ctops_proto::limits::{MAX_HEARTBEAT_BYTES, MAX_REGISTER_WAIT_SECS, MAX_RESPONSE_BYTES};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::bounded::Bounded;
use crate::codec::SmallBuffers;
use crate::containers::{self, SubmitTelemetry};
use crate::inventory::{self, SubmitInventory};
use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::releases::FetchRelease;
use crate::stream::ReplyStream;
use crate::{register, renew, stream};

/// Largest message of the unary calls, bytes. All fields at their limits have less than half of this.
const MAX_UNARY_BYTES: usize = 512 * 1024;
/// Time for a whole unary call, the wait for approval included. A sender that trickles its message must not stay.
const UNARY_TIME: Duration = Duration::from_secs(MAX_REGISTER_WAIT_SECS as u64 + 30);
const GRPC_STATUS: &str = "grpc-status";

/// The methods of `agent.v1.IngestService`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Register,
    Heartbeat,
    RenewCertificate,
    SubmitSoftwareInventory,
    SubmitDockerTelemetry,
    FetchRelease,
    /// Part of the contract, not served by this version.
    NotServed,
    Unknown,
}

impl Method {
    fn of(path: &str) -> Self {
        match path {
            "/agent.v1.IngestService/Register" => Self::Register,
            "/agent.v1.IngestService/Heartbeat" => Self::Heartbeat,
            "/agent.v1.IngestService/RenewCertificate" => Self::RenewCertificate,
            "/agent.v1.ReleaseService/FetchRelease" => Self::FetchRelease,
            "/agent.v1.IngestService/SubmitSoftwareInventory" => Self::SubmitSoftwareInventory,
            "/agent.v1.IngestService/SubmitDockerTelemetry" => Self::SubmitDockerTelemetry,
            "/agent.v1.IngestService/Terminal" => Self::NotServed,
            _ => Self::Unknown,
        }
    }
}

/// Answers one call.
pub(crate) async fn answer(
    node: Arc<Node>,
    peer: Arc<Peer>,
    request: http::Request<Incoming>,
) -> http::Response<Body> {
    if !is_grpc(request.headers()) {
        metrics::counter!(measure::REFUSED, "reason" => "not_grpc").increment(1);
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    let method = Method::of(request.uri().path());
    if let Err(status) = admit(&node, &peer, method) {
        return status.into_http();
    }
    match method {
        Method::Register => {
            let call = move |message| async move { register::register(&node, &peer, message).await };
            unary::<RegisterRequest, RegisterResponse, _, _>(request, call).await
        }
        Method::RenewCertificate => {
            let call = move |message| async move { renew::renew(&node, &peer, message).await };
            unary::<RenewCertificateRequest, RenewCertificateResponse, _, _>(request, call).await
        }
        Method::Heartbeat => {
            let mut grpc = Grpc::new(SmallBuffers::<HeartbeatResponse, HeartbeatRequest>::new())
                .max_decoding_message_size(MAX_HEARTBEAT_BYTES)
                .max_encoding_message_size(MAX_RESPONSE_BYTES);
            in_contract(grpc.streaming(Heartbeat { node, peer }, request).await)
        }
        Method::FetchRelease => {
            let mut grpc = Grpc::new(SmallBuffers::<ReleaseChunk, FetchReleaseRequest>::new())
                .max_decoding_message_size(MAX_UNARY_BYTES)
                .max_encoding_message_size(MAX_RESPONSE_BYTES);
            in_contract(grpc.server_streaming(FetchRelease { node, peer }, request).await)
        }
        Method::SubmitSoftwareInventory => {
            let codec = Bounded::<SoftwareInventoryAck, SoftwareInventoryChunk>::new(inventory::check);
            let mut grpc = Grpc::new(codec).max_decoding_message_size(inventory::MAX_CHUNK_BYTES);
            in_contract(grpc.client_streaming(SubmitInventory { node, peer }, request).await)
        }
        Method::SubmitDockerTelemetry => {
            let codec = Bounded::<DockerTelemetryAck, DockerTelemetryBatch>::new(containers::check);
            let mut grpc = Grpc::new(codec).max_decoding_message_size(containers::MAX_MESSAGE_BYTES);
            in_contract(grpc.client_streaming(SubmitTelemetry { node, peer }, request).await)
        }
        Method::NotServed => Status::unimplemented("method is not served by this version").into_http(),
        Method::Unknown => Status::unimplemented("method is unknown").into_http(),
    }
}

/// Everything but `Register` needs a client certificate that is not revoked, also when it was revoked after the handshake.
fn admit(node: &Node, peer: &Peer, method: Method) -> Result<(), Status> {
    let refused = |reason: &'static str, status: Status| {
        metrics::counter!(measure::REFUSED, "reason" => reason).increment(1);
        Err(status)
    };
    let certificate = match (peer.certificate(), method) {
        (Ok(certificate), _) => certificate,
        (Err(_), Method::Register) => return Ok(()),
        (Err(status), _) => return refused("no_certificate", status),
    };
    if node.tls.revoked().contains(&certificate.serial_hex) {
        return refused("revoked", Status::unauthenticated("client certificate is revoked"));
    }
    if certificate.not_after < node.agents.clock.now() {
        return refused("expired", Status::unauthenticated("client certificate has expired"));
    }
    Ok(())
}

/// `application/grpc`, with an optional suffix such as `+proto` (gRPC over HTTP/2, "Requests").
fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    value
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

async fn unary<M, R, F, Fut>(request: http::Request<Incoming>, call: F) -> http::Response<Body>
where
    M: prost::Message + Default + Send + 'static,
    R: prost::Message + Send + 'static,
    F: FnOnce(M) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Status>> + Send + 'static,
{
    let mut grpc = Grpc::new(SmallBuffers::<R, M>::new())
        .max_decoding_message_size(MAX_UNARY_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    let mut call = Some(call);
    let service = tower::service_fn(move |request: Request<M>| {
        let call = call.take();
        async move {
            match call {
                Some(call) => call(request.into_inner()).await.map(Response::new),
                None => Err(Status::internal("a unary call arrived twice")),
            }
        }
    });
    match tokio::time::timeout(UNARY_TIME, grpc.unary(service, request)).await {
        Ok(response) => in_contract(response),
        Err(_) => Status::deadline_exceeded("the call took too long").into_http(),
    }
}

/// The gRPC library reports an oversized message as `OUT_OF_RANGE`; the wire contract names `RESOURCE_EXHAUSTED`.
fn in_contract(mut response: http::Response<Body>) -> http::Response<Body> {
    if let Some(status) = response.headers_mut().get_mut(GRPC_STATUS)
        && status.as_bytes() == (Code::OutOfRange as i32).to_string().as_bytes()
    {
        *status = HeaderValue::from(Code::ResourceExhausted as i32);
    }
    response
}

/// The streaming method as the gRPC library calls it.
struct Heartbeat {
    node: Arc<Node>,
    peer: Arc<Peer>,
}

impl tower::Service<Request<Streaming<HeartbeatRequest>>> for Heartbeat {
    type Response = Response<ReplyStream>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<HeartbeatRequest>>) -> Self::Future {
        Box::pin(stream::heartbeat(Arc::clone(&self.node), Arc::clone(&self.peer), request.into_inner()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_of_every_path_of_the_contract_is_known() {
        let of = |name: &str| Method::of(&format!("/agent.v1.IngestService/{name}"));
        assert_eq!(of("Register"), Method::Register);
        assert_eq!(of("Heartbeat"), Method::Heartbeat);
        assert_eq!(of("RenewCertificate"), Method::RenewCertificate);
        assert_eq!(Method::of("/agent.v1.ReleaseService/FetchRelease"), Method::FetchRelease);
        assert_eq!(of("SubmitSoftwareInventory"), Method::SubmitSoftwareInventory);
        assert_eq!(of("SubmitDockerTelemetry"), Method::SubmitDockerTelemetry);
        assert_eq!(of("Terminal"), Method::NotServed);
        for path in
            ["", "/", "/agent.v1.IngestService/register", "/agent.v1.IngestService/Register/", "//Register"]
        {
            assert_eq!(Method::of(path), Method::Unknown, "{path}");
        }
    }

    #[test]
    fn is_grpc_accepts_the_content_types_of_the_protocol_only() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            is_grpc(&headers)
        };
        assert!(with("application/grpc") && with("application/grpc+proto") && with("application/grpc;x=1"));
        assert!(!with("application/grpc-web") && !with("application/json") && !is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn in_contract_changes_the_status_of_oversized_messages_only() {
        let status = |status: Status| {
            let response = in_contract(status.into_http());
            response.headers().get(GRPC_STATUS).map(|value| value.as_bytes().to_vec())
        };
        assert_eq!(status(Status::out_of_range("x")).as_deref(), Some(&b"8"[..]));
        assert_eq!(status(Status::aborted("x")).as_deref(), Some(&b"10"[..]));
    }
}
