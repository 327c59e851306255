//! `ReleaseService.FetchRelease`: programs of agent releases for agents that update themselves (agents-enrolment 28, 31).
//!
//! Beside heartbeats on the same port, and never in their way: only so many programs are sent at a time, in small pieces
//! that are read when there is room for them; who comes too many is told to come back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ctops_fleet::agents::{self, AgentStatus};
use ctops_fleet::releases::{OpenProgram, open_program};
use ctops_proto::agent::{FetchReleaseRequest, ReleaseChunk};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::status::from_problem;

/// Bytes sent at a time.
const PIECE_BYTES: usize = 32 * 1024;
/// Pieces that wait to be sent.
const PIECES_AHEAD: usize = 2;
/// For one download; the agent gives up after the same time and goes on where it stopped.
const DOWNLOAD_TIME: Duration = Duration::from_secs(600);

/// The method as the gRPC library calls it.
pub(crate) struct FetchRelease {
    pub(crate) node: Arc<Node>,
    pub(crate) peer: Arc<Peer>,
}

type Pieces = ReceiverStream<Result<ReleaseChunk, Status>>;

impl tower::Service<Request<FetchReleaseRequest>> for FetchRelease {
    type Response = Response<Pieces>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<FetchReleaseRequest>) -> Self::Future {
        let (node, peer) = (Arc::clone(&self.node), Arc::clone(&self.peer));
        Box::pin(async move {
            let result = fetch(&node, &peer, request.into_inner()).await;
            let outcome = if result.is_ok() { "begun" } else { "refused" };
            metrics::counter!(measure::DOWNLOADS, "outcome" => outcome).increment(1);
            result.map(Response::new)
        })
    }
}

async fn fetch(node: &Arc<Node>, peer: &Peer, request: FetchReleaseRequest) -> Result<Pieces, Status> {
    let agent_id = &peer.certificate()?.agent_id;
    let Ok(place) = Arc::clone(&node.downloads).try_acquire_owned() else {
        return Err(Status::resource_exhausted("too many downloads at a time, try again later"));
    };
    let version = request
        .version
        .parse()
        .map_err(|_| Status::invalid_argument("version is not v<major>.<minor>.<patch>"))?;
    let identity = agents::stream_identity(&node.agents.pool, agent_id).await;
    let status = identity.map_err(|problem| from_problem(&problem))?.map(|identity| identity.status);
    if !matches!(status, Some(AgentStatus::Active | AgentStatus::Offline)) {
        return Err(Status::permission_denied("agent is not approved"));
    }
    let platform = (request.os.as_str(), request.arch.as_str());
    let files = &node.agents.releases.files;
    let program = open_program(&node.agents.pool, files, Some(version), platform, request.offset)
        .await
        .map_err(|problem| from_problem(&problem))?
        .ok_or_else(|| Status::not_found("there is no such release"))?;
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    node.tasks.spawn(send(program, sender, place, node.stopping.clone()));
    Ok(ReceiverStream::new(receiver))
}

/// Sends a program piece by piece, as the agent takes them. Its place is free again when the time is over, however slowly
/// the agent reads.
async fn send(
    program: OpenProgram,
    sender: mpsc::Sender<Result<ReleaseChunk, Status>>,
    place: OwnedSemaphorePermit,
    stopping: tokio_util::sync::CancellationToken,
) {
    let end = Instant::now() + DOWNLOAD_TIME;
    let mut rest = program.file.take(program.remaining);
    let work = async {
        loop {
            let mut data = vec![0; PIECE_BYTES];
            let piece = match rest.read(&mut data).await {
                Ok(0) => return,
                Ok(read) => {
                    data.truncate(read);
                    Ok(ReleaseChunk { data })
                }
                Err(error) => {
                    tracing::warn!(%error, "a program of a release cannot be read");
                    Err(Status::internal("the program cannot be read"))
                }
            };
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    };
    let finished = stopping.run_until_cancelled(timeout_at(end, work)).await;
    if !matches!(finished, Some(Ok(()))) {
        // A receiver that is gone or full hears nothing any more; its stream ends without a status.
        let _ = sender.try_send(Err(Status::unavailable("the download was cut off, go on later")));
    }
    drop(place);
}
