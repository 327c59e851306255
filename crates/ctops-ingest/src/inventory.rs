//! `SubmitSoftwareInventory`: the packages of a host, in chunks.
//!
//! Chunks are put aside as they arrive, each in a statement of its own; the last one merges all of them in one short
//! transaction, and only then is the call answered. A stream that ends in any other way changes no package.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ctops_base::Problem;
use ctops_fleet::agents::stream_identity;
use ctops_fleet::software::{
    MAX_PACKAGES, Package, ScanStatus, Upload, abort_upload, begin_upload, finish_upload, source_name,
    stage_packages,
};
use ctops_proto::agent::{SoftwareInventoryAck, SoftwareInventoryChunk};
use tokio::sync::{Semaphore, oneshot};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use crate::bounded::{Refusal, visit};
use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::status::{from_problem, from_transport};

/// Packages in one chunk (wire contract 8).
const MAX_CHUNK: usize = 1_000;
/// Largest chunk, bytes: a thousand packages with all fields at their limits.
pub(crate) const MAX_CHUNK_BYTES: usize = 8 * 1024 * 1024;
/// Names of similar distributions in one chunk, all packages together; they are not kept.
const MAX_SIMILAR: usize = 32 * MAX_CHUNK;
/// Sources of one scan.
const MAX_SOURCES: usize = 32;
/// Time for the next chunk, and for all of them.
const IDLE: Duration = Duration::from_secs(60);
const TOTAL: Duration = Duration::from_secs(15 * 60);
/// Statements of inventories that run at a time on this node, so that a fleet that is scanned leaves connections of the
/// pool to everything else.
static STORING: Semaphore = Semaphore::const_new(4);

/// Counts what a chunk has before it is decoded.
pub(crate) fn check(encoded: &[u8]) -> Result<(), Refusal> {
    let (mut packages, mut similar) = (0, 0);
    visit(encoded, |number, package| {
        if number != 6 {
            return Ok(());
        }
        packages += 1;
        if packages > MAX_CHUNK {
            return Err(Refusal::TooMany("chunk has more than 1000 packages"));
        }
        visit(package, |number, _| {
            similar += usize::from(number == 9);
            if similar > MAX_SIMILAR {
                Err(Refusal::TooMany("chunk has too many distribution names"))
            } else {
                Ok(())
            }
        })
    })
}

/// The method as the gRPC library calls it.
pub(crate) struct SubmitInventory {
    pub(crate) node: Arc<Node>,
    pub(crate) peer: Arc<Peer>,
}

impl tower::Service<Request<Streaming<SoftwareInventoryChunk>>> for SubmitInventory {
    type Response = Response<SoftwareInventoryAck>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<SoftwareInventoryChunk>>) -> Self::Future {
        Box::pin(submit(Arc::clone(&self.node), Arc::clone(&self.peer), request))
    }
}

async fn submit(
    node: Arc<Node>,
    peer: Arc<Peer>,
    request: Request<Streaming<SoftwareInventoryChunk>>,
) -> Result<Response<SoftwareInventoryAck>, Status> {
    let agent_id = authenticate(&node, &peer, request.metadata()).await?;
    let inbound = request.into_inner();
    // A task of its own: when the agent goes away this call is dropped, but the scan must still be ended.
    let (done, answer) = oneshot::channel();
    let receiving = Arc::clone(&node);
    node.tasks.spawn(async move {
        let taken = tokio::time::timeout(TOTAL + IDLE, receive(&receiving, &agent_id, inbound)).await;
        let result = taken.unwrap_or_else(|_| Err(Status::deadline_exceeded("the inventory took too long")));
        let outcome = if result.is_ok() { "taken" } else { "refused" };
        metrics::counter!(measure::INVENTORIES, "outcome" => outcome).increment(1);
        // Nobody waits when the agent went away.
        drop(done.send(result));
    });
    let result = answer.await.map_err(|_| Status::internal("the inventory could not be taken"))?;
    result.map(Response::new)
}

/// Certificate and token must name the same approved agent. An expired token is accepted beside the certificate, as on
/// heartbeat streams: agents of the original product do not refresh theirs (wire contract, appendix B.1).
async fn authenticate(node: &Node, peer: &Peer, metadata: &MetadataMap) -> Result<String, Status> {
    let certificate = peer.certificate()?;
    let refused = |reason: &'static str, status: Status| {
        metrics::counter!(measure::REFUSED, "reason" => reason).increment(1);
        status
    };
    let claims = bearer(metadata)
        .and_then(|token| node.agents.trust.tokens().verify(token, node.agents.clock.now()).ok())
        .ok_or_else(|| refused("bad_token", Status::unauthenticated("token is missing or invalid")))?;
    if claims.agent_id != certificate.agent_id {
        let status = Status::unauthenticated("token does not belong to the client certificate");
        return Err(refused("token_of_another", status));
    }
    let identity = stream_identity(&node.agents.pool, &claims.agent_id)
        .await
        .map_err(|problem| from_problem(&problem))?
        .ok_or_else(|| refused("unknown_agent", Status::not_found("agent is not known")))?;
    if !identity.status.is_approved() {
        let status = Status::permission_denied(format!("agent is {}", identity.status.as_str()));
        return Err(refused("not_approved", status));
    }
    Ok(claims.agent_id)
}

/// `Bearer <token>` whatever the case of the scheme, or the token alone (wire contract 2.1).
fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let value = metadata.get("authorization")?.to_str().ok()?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
        Some(_) => None,
        None => Some(value),
    }
}

async fn receive(
    node: &Node,
    agent_id: &str,
    mut inbound: Streaming<SoftwareInventoryChunk>,
) -> Result<SoftwareInventoryAck, Status> {
    let first = next(node, &mut inbound).await?;
    let first = first.ok_or_else(|| Status::invalid_argument("the inventory has no chunk"))?;
    if first.scan_id.trim().is_empty() {
        return Err(Status::invalid_argument("scan id is required"));
    }
    let begun =
        begin_upload(&node.agents.pool, agent_id, first.scan_id.trim(), node.agents.clock.now()).await;
    let upload = begun.map_err(|problem| from_problem(&problem))?;
    let mut scan = Scan { node, upload, sources: Vec::new(), source: None, next_index: 0, received: 0 };
    let taken = tokio::time::timeout(TOTAL, scan.take_all(first, &mut inbound)).await;
    let taken = taken.unwrap_or_else(|_| Err(Status::deadline_exceeded("the inventory took too long")));
    match taken {
        Ok(()) => {
            let received = i32::try_from(scan.received).unwrap_or(i32::MAX);
            Ok(SoftwareInventoryAck { received })
        }
        Err(status) => {
            scan.abort(status.message()).await;
            Err(status)
        }
    }
}

/// The next chunk, none at the end of the stream. No waiting for ever, and none while the node stops.
async fn next(
    node: &Node,
    inbound: &mut Streaming<SoftwareInventoryChunk>,
) -> Result<Option<SoftwareInventoryChunk>, Status> {
    let arrived = tokio::time::timeout(IDLE, inbound.message());
    node.stopping
        .run_until_cancelled(arrived)
        .await
        .ok_or_else(|| Status::unavailable("server is stopping"))?
        .map_err(|_| Status::deadline_exceeded("no chunk arrived for a minute"))?
        .map_err(from_transport)
}

/// A scan whose chunks arrive.
struct Scan<'a> {
    node: &'a Node,
    upload: Upload,
    /// Every source that was named, also those without packages: they were read.
    sources: Vec<String>,
    /// The source of a chunk that does not name one.
    source: Option<String>,
    next_index: i32,
    received: u64,
}

impl Scan<'_> {
    async fn take_all(
        &mut self,
        first: SoftwareInventoryChunk,
        inbound: &mut Streaming<SoftwareInventoryChunk>,
    ) -> Result<(), Status> {
        let mut chunk = first;
        loop {
            let is_last = chunk.is_last;
            self.take(chunk).await?;
            if is_last {
                return self.finish().await;
            }
            let following = next(self.node, inbound).await?;
            // The original takes the end of a stream for the end of the inventory, which removes what did not arrive
            // (software-inventory 5).
            chunk = following
                .ok_or_else(|| Status::invalid_argument("the inventory ended without its last chunk"))?;
        }
    }

    async fn take(&mut self, chunk: SoftwareInventoryChunk) -> Result<(), Status> {
        if !chunk.scan_id.is_empty() && chunk.scan_id.parse() != Ok(self.upload.scan_id) {
            return Err(Status::invalid_argument("chunks of two scans arrived on one stream"));
        }
        if chunk.chunk_index != self.next_index {
            let (got, wanted) = (chunk.chunk_index, self.next_index);
            return Err(Status::invalid_argument(format!("chunk {got} arrived instead of chunk {wanted}")));
        }
        self.next_index += 1;
        self.received += chunk.packages.len() as u64;
        if self.received > MAX_PACKAGES {
            let message = format!("the inventory has more than {MAX_PACKAGES} packages");
            return Err(Status::resource_exhausted(message));
        }
        let source = match (&self.source, chunk.source.trim()) {
            (Some(known), "") => known.clone(),
            (_, named) => source_name(named),
        };
        if !self.sources.contains(&source) {
            if self.sources.len() == MAX_SOURCES {
                return Err(Status::invalid_argument(format!(
                    "the inventory has more than {MAX_SOURCES} sources"
                )));
            }
            self.sources.push(source.clone());
        }
        let packages: Vec<Package> = chunk.packages.iter().filter_map(Package::from_wire).collect();
        if !packages.is_empty() {
            let _place = place().await?;
            let now = self.node.agents.clock.now();
            stage_packages(&self.node.agents.pool, &self.upload, &source, &packages, now)
                .await
                .map_err(|problem| from_problem(&problem))?;
        }
        self.source = Some(source);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Status> {
        let _place = place().await?;
        let now = self.node.agents.clock.now();
        let done = finish_upload(&self.node.agents.pool, &self.upload, &self.sources, now).await;
        let result = done.map_err(|problem| from_problem(&problem))?;
        if result.status != ScanStatus::Success {
            tracing::warn!(host.id = %self.upload.host_id, scan.id = %self.upload.scan_id, "a software scan failed in part");
        }
        Ok(())
    }

    async fn abort(&self, reason: &str) {
        let now = self.node.agents.clock.now();
        let some = self.received > 0;
        if let Err(problem) = abort_upload(&self.node.agents.pool, &self.upload, some, reason, now).await {
            // The sweeper ends the scan later.
            tracing::warn!(
                cause = problem.cause_chain(),
                "a software scan that was cut short could not be ended"
            );
        }
    }
}

async fn place() -> Result<tokio::sync::SemaphorePermit<'static>, Status> {
    STORING.acquire().await.map_err(|closed| from_problem(&Problem::internal(closed)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_proto::agent::SoftwarePackage;
    use prost::Message;

    use super::*;

    #[test]
    fn bearer_takes_any_case_of_the_scheme_and_a_bare_token() {
        let token = |value: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("authorization", value.parse().unwrap());
            bearer(&metadata).map(str::to_owned)
        };
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c", "a.b.c"] {
            assert_eq!(token(value).as_deref(), Some("a.b.c"), "{value}");
        }
        assert_eq!(token("Basic a.b.c"), None);
        assert_eq!(bearer(&MetadataMap::new()), None);
    }

    #[test]
    fn check_at_the_limits_passes_and_beyond_is_refused() {
        let chunk = |packages, similar: usize| {
            let package = SoftwarePackage {
                distro_id_like: vec![String::new(); similar],
                ..SoftwarePackage::default()
            };
            let chunk = SoftwareInventoryChunk { packages: vec![package; packages], ..Default::default() };
            check(&chunk.encode_to_vec()).is_ok()
        };
        assert!(chunk(1_000, 2));
        assert!(!chunk(1_001, 0));
        assert!(!chunk(1_000, 33), "also what is nested is counted");
    }
}
