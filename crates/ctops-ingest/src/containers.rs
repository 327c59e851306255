//! `SubmitDockerTelemetry`: containers and their samples, in batches.
//!
//! Every batch is stored on its own, once, before the next is read. What would make the original refuse a whole stream for
//! ever (samples of impossible times) is counted and left out instead.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ctops_base::Problem;
use ctops_base::id::new_id;
use ctops_fleet::agents::stream_identity;
use ctops_fleet::containers::{
    BatchOutcome, MAX_BATCH_ITEMS, MAX_BATCH_SAMPLES, MAX_LABELS, TelemetrySource, check_batch,
    complete_inventory, store_batch,
};
use ctops_proto::agent::{DockerTelemetryAck, DockerTelemetryBatch};
use prost::Message;
use tokio::sync::{Semaphore, oneshot};
use tonic::{Request, Response, Status, Streaming};

use crate::bounded::{Refusal, visit};
use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::status::{from_problem, from_transport};

/// Largest message, bytes. Batches may have 5 MiB; a little more is read in order to say so.
pub(crate) const MAX_MESSAGE_BYTES: usize = 6 * 1024 * 1024;
/// Names and labels in one batch, all containers together.
const MAX_NESTED: usize = 2 * MAX_LABELS * MAX_BATCH_ITEMS;
/// Time for the next batch, and for a whole call; agents give up after 20 s.
const IDLE: Duration = Duration::from_secs(30);
const TOTAL: Duration = Duration::from_secs(5 * 60);
/// Batches that are stored at a time on this node, so that they leave connections of the pool to everything else.
static STORING: Semaphore = Semaphore::const_new(4);

/// Counts what a batch has before it is decoded.
pub(crate) fn check(encoded: &[u8]) -> Result<(), Refusal> {
    let (mut items, mut samples, mut nested) = (0, 0, 0);
    visit(encoded, |number, value| {
        items += usize::from(number == 4);
        samples += usize::from(number == 5);
        if items > MAX_BATCH_ITEMS {
            return Err(Refusal::TooMany("batch has more than 1000 containers"));
        }
        if samples > MAX_BATCH_SAMPLES {
            return Err(Refusal::TooMany("batch has more than 5000 samples"));
        }
        if number != 4 {
            return Ok(());
        }
        visit(value, |number, _| {
            nested += usize::from(number == 2 || number == 5);
            if nested > MAX_NESTED {
                Err(Refusal::TooMany("batch has too many labels or names"))
            } else {
                Ok(())
            }
        })
    })
}

/// The method as the gRPC library calls it.
pub(crate) struct SubmitTelemetry {
    pub(crate) node: Arc<Node>,
    pub(crate) peer: Arc<Peer>,
}

impl tower::Service<Request<Streaming<DockerTelemetryBatch>>> for SubmitTelemetry {
    type Response = Response<DockerTelemetryAck>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<DockerTelemetryBatch>>) -> Self::Future {
        Box::pin(submit(Arc::clone(&self.node), Arc::clone(&self.peer), request.into_inner()))
    }
}

async fn submit(
    node: Arc<Node>,
    peer: Arc<Peer>,
    inbound: Streaming<DockerTelemetryBatch>,
) -> Result<Response<DockerTelemetryAck>, Status> {
    let (agent_id, source) = authenticate(&node, &peer).await?;
    // A task of its own, so that a batch is stored whole or not at all when the agent goes away meanwhile, and a
    // stopping node waits for it.
    let (done, answer) = oneshot::channel();
    let receiving = Arc::clone(&node);
    node.tasks.spawn(async move {
        let call = Call::new(&receiving, agent_id, source);
        let taken = tokio::time::timeout(TOTAL, call.take_all(inbound)).await;
        let result = taken.unwrap_or_else(|_| Err(Status::deadline_exceeded("the upload took too long")));
        // Nobody waits when the agent went away.
        drop(done.send(result));
    });
    let result = answer.await.map_err(|_| Status::internal("the upload could not be taken"))?;
    result.map(Response::new)
}

/// The certificate alone says who uploads (wire contract 2.1).
async fn authenticate(node: &Node, peer: &Peer) -> Result<(String, TelemetrySource), Status> {
    let certificate = peer.certificate()?;
    let identity = stream_identity(&node.agents.pool, &certificate.agent_id)
        .await
        .map_err(|problem| from_problem(&problem))?
        .ok_or_else(|| Status::not_found("agent is not known"))?;
    let Some(host_id) = identity.host_id.filter(|_| identity.status.is_approved()) else {
        metrics::counter!(measure::REFUSED, "reason" => "not_approved").increment(1);
        return Err(Status::permission_denied(format!("agent is {}", identity.status.as_str())));
    };
    Ok((identity.agent_id, TelemetrySource { host_id, org_id: identity.org_id }))
}

/// One call with its batches.
struct Call<'a> {
    node: &'a Node,
    agent_id: String,
    source: TelemetrySource,
    /// Stands for the inventory of agents that do not name theirs.
    inventory: String,
    /// No batch said that containers are missing, and none was a repetition of an older one.
    whole: bool,
    /// Containers of batches that name no inventory.
    items: u64,
    ack: DockerTelemetryAck,
}

impl<'a> Call<'a> {
    fn new(node: &'a Node, agent_id: String, source: TelemetrySource) -> Self {
        let ack = DockerTelemetryAck { ok: true, ..DockerTelemetryAck::default() };
        Self { node, agent_id, source, inventory: new_id().to_string(), whole: true, items: 0, ack }
    }

    async fn take_all(
        mut self,
        mut inbound: Streaming<DockerTelemetryBatch>,
    ) -> Result<DockerTelemetryAck, Status> {
        let mut batches = 0_u32;
        while let Some(batch) = self.next(&mut inbound).await? {
            batches += 1;
            self.take(batch).await?;
        }
        if batches == 0 {
            return Err(Status::invalid_argument("the upload has no batch"));
        }
        // Agents of the original product collect an inventory anew for each call and send it in the call's first batches;
        // when the engine could not list, they send none. So all of a call is an inventory, and samples alone are not
        // (containers 13).
        if self.whole && self.items > 0 {
            let _place = place().await?;
            complete_inventory(
                &self.node.agents.pool,
                self.source,
                &self.inventory,
                self.node.agents.clock.now(),
            )
            .await
            .map_err(|problem| from_problem(&problem))?;
        }
        Ok(self.ack)
    }

    /// The next batch, none at the end of the stream. No waiting for ever, and none while the node stops.
    async fn next(
        &self,
        inbound: &mut Streaming<DockerTelemetryBatch>,
    ) -> Result<Option<DockerTelemetryBatch>, Status> {
        let arrived = tokio::time::timeout(IDLE, inbound.message());
        self.node
            .stopping
            .run_until_cancelled(arrived)
            .await
            .ok_or_else(|| Status::unavailable("server is stopping"))?
            .map_err(|_| Status::deadline_exceeded("no batch arrived in time"))?
            .map_err(from_transport)
    }

    async fn take(&mut self, batch: DockerTelemetryBatch) -> Result<(), Status> {
        if !batch.agent_id.is_empty() && batch.agent_id != self.agent_id {
            return Err(refused(Status::permission_denied("batch is for another agent")));
        }
        check_batch(&batch, batch.encoded_len()).map_err(|problem| refused(from_problem(&problem)))?;
        let outcome = {
            let _place = place().await?;
            let now = self.node.agents.clock.now();
            store_batch(&self.node.agents.pool, self.source, &batch, &self.inventory, now)
                .await
                .map_err(|problem| refused(from_problem(&problem)))?
        };
        let label = if outcome.repeated { "repeated" } else { "stored" };
        metrics::counter!(measure::CONTAINER_BATCHES, "outcome" => label).increment(1);
        self.note(batch, outcome);
        Ok(())
    }

    fn note(&mut self, batch: DockerTelemetryBatch, outcome: BatchOutcome) {
        if batch.inventory_id.is_empty() {
            self.items += u64::from(outcome.items);
            self.whole &= batch.dropped_inventory_count == 0 && !outcome.repeated;
        }
        self.ack.accepted_inventory_count = self.ack.accepted_inventory_count.saturating_add(outcome.items);
        self.ack.accepted_sample_count = self.ack.accepted_sample_count.saturating_add(outcome.samples);
        self.ack.batch_id = batch.batch_id;
    }
}

fn refused(status: Status) -> Status {
    metrics::counter!(measure::CONTAINER_BATCHES, "outcome" => "refused").increment(1);
    status
}

async fn place() -> Result<tokio::sync::SemaphorePermit<'static>, Status> {
    STORING.acquire().await.map_err(|closed| from_problem(&Problem::internal(closed)))
}

#[cfg(test)]
mod tests {
    use ctops_proto::agent::{DockerContainerInventory, DockerContainerLabel, DockerContainerMetricSample};

    use super::*;

    fn passes(items: usize, labels: usize, samples: usize) -> bool {
        let item = DockerContainerInventory {
            labels: vec![DockerContainerLabel::default(); labels],
            ..DockerContainerInventory::default()
        };
        let batch = DockerTelemetryBatch {
            inventory: vec![item; items],
            samples: vec![DockerContainerMetricSample::default(); samples],
            ..DockerTelemetryBatch::default()
        };
        check(&batch.encode_to_vec()).is_ok()
    }

    #[test]
    fn check_at_the_limits_passes_and_beyond_is_refused() {
        assert!(passes(1_000, 128, 5_000));
        assert!(!passes(1_001, 0, 0));
        assert!(!passes(0, 0, 5_001));
        assert!(!passes(1_000, 257, 0), "also what is nested is counted");
        assert!(check(&[0x22, 0xff]).is_err());
    }
}
