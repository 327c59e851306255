//! Wakes with every heartbeat: looks for the engine, lists the containers, uploads what there is (containers 1, 12, 13).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ctops_proto::agent::DockerStatus;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};
use tracing::{info, warn};

use super::batches::{Load, Packer, Pending};
use super::inventory::{self, Inventory};
use super::ring::CAPACITY;
use super::{Engine, Link, Orders, Shared, status};

/// For one upload.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much earlier than its interval an inventory may be due: heartbeats are never exactly in time.
const TOLERANCE: Duration = Duration::from_secs(1);
/// Before a server that has no such method is asked again.
const UNSUPPORTED_PAUSE: Duration = Duration::from_secs(3600);

/// The task.
#[derive(Debug)]
pub(super) struct Uploader {
    shared: Arc<Shared>,
    orders: watch::Receiver<Orders>,
    engines: watch::Sender<Option<Engine>>,
    status: watch::Sender<Option<DockerStatus>>,
    packer: Packer,
    /// Batches whose upload is not certain, oldest first; they keep their ids.
    pending: VecDeque<Pending>,
    inventory_due: Instant,
    not_before: Instant,
}

impl Uploader {
    pub(super) fn new(
        shared: Arc<Shared>,
        orders: watch::Receiver<Orders>,
        engines: watch::Sender<Option<Engine>>,
        status: watch::Sender<Option<DockerStatus>>,
    ) -> Self {
        let (now, pending, packer) = (Instant::now(), VecDeque::new(), Packer::default());
        Self { shared, orders, engines, status, packer, pending, inventory_due: now, not_before: now }
    }

    /// Works until the agent ends.
    pub(super) async fn run(mut self, mut beats: watch::Receiver<Option<Link>>) {
        loop {
            let link = beats.borrow_and_update().clone();
            self.beat(link).await;
            if beats.changed().await.is_err() {
                return;
            }
        }
    }

    async fn beat(&mut self, link: Option<Link>) {
        let orders = self.orders.borrow_and_update().clone();
        if !orders.active() {
            self.engines.send_replace(None);
            self.pending.clear();
            self.inventory_due = Instant::now();
            return;
        }
        let (found, engine) = status::probe(&self.shared.run, self.shared.now()).await;
        if !self.orders.borrow().active() {
            // Turned off while the engine was asked.
            return;
        }
        self.status.send_replace(Some(found));
        self.engines.send_if_modified(|known| {
            let changed = *known != engine;
            known.clone_from(&engine);
            changed
        });
        if let Some(link) = link.filter(|_| Instant::now() >= self.not_before) {
            self.upload(&link, engine.as_ref(), &orders).await;
        }
    }

    /// Uploads what is left from last time, then what is new.
    async fn upload(&mut self, link: &Link, engine: Option<&Engine>, orders: &Orders) {
        if self.send_pending(link).await.is_err() {
            return;
        }
        let inventory = match engine {
            Some(engine) if Instant::now() + TOLERANCE >= self.inventory_due => {
                self.take_inventory(engine, orders).await
            }
            _ => None,
        };
        let (samples, lost) = {
            let mut state = self.shared.state();
            let samples = state.ring.take(CAPACITY);
            state.ring.handed_out = samples.len();
            (samples, std::mem::take(&mut state.ring.lost))
        };
        let load = Load {
            agent_id: &link.agent_id,
            now: self.shared.now(),
            inventory: inventory.map(|inventory| inventory.containers),
            samples,
            lost,
            podman: engine.is_some_and(|engine| engine.podman),
        };
        self.pending.extend(self.packer.pack(load, orders));
        // What could not be sent stays pending for the next heartbeat.
        let _ = self.send_pending(link).await;
    }

    async fn take_inventory(&mut self, engine: &Engine, orders: &Orders) -> Option<Inventory> {
        match inventory::take(engine, orders, self.shared.now()).await {
            Ok(mut inventory) => {
                self.inventory_due = Instant::now() + orders.inventory_interval;
                self.shared.state().facts = std::mem::take(&mut inventory.facts).into_iter().collect();
                Some(inventory)
            }
            Err(error) => {
                // Without the list nothing can be said of any container, not even that it is gone.
                warn!(err = crate::logging::chain(&error), "containers cannot be listed");
                None
            }
        }
    }

    /// Sends the pending batches in order; stops at the first one that has to wait for another time.
    async fn send_pending(&mut self, link: &Link) -> Result<(), ()> {
        while let Some(next) = self.pending.front() {
            match send(link, next).await {
                Ok(()) => {
                    self.pending.pop_front();
                }
                Err(status) => self.take_refusal(&status)?,
            }
            self.count_handed_out();
        }
        Ok(())
    }

    /// What a refusal of the first pending batch means; `Err` when it is to be sent again another time, unchanged.
    fn take_refusal(&mut self, status: &Status) -> Result<(), ()> {
        match status.code() {
            Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted => {
                let Some(refused) = self.pending.pop_front() else { return Ok(()) };
                let samples = refused.batch.samples.len();
                match self.packer.halve(refused) {
                    Some(halves) => halves.into_iter().rev().for_each(|half| self.pending.push_front(half)),
                    None => {
                        warn!(err = status.message(), samples, "container telemetry not accepted, given up");
                        let lost = u32::try_from(samples).unwrap_or(u32::MAX);
                        let mut state = self.shared.state();
                        state.ring.lost = state.ring.lost.saturating_add(lost);
                    }
                }
                Ok(())
            }
            Code::Unimplemented => {
                info!(retry = ?UNSUPPORTED_PAUSE, "server takes no container telemetry");
                self.pending.clear();
                self.not_before = Instant::now() + UNSUPPORTED_PAUSE;
                self.count_handed_out();
                Err(())
            }
            code => {
                warn!(code = ?code, err = status.message(), "container telemetry not uploaded, trying again");
                Err(())
            }
        }
    }

    fn count_handed_out(&self) {
        let samples = self.pending.iter().map(|pending| pending.batch.samples.len()).sum();
        self.shared.state().ring.handed_out = samples;
    }
}

/// One upload of one batch.
async fn send(link: &Link, pending: &Pending) -> Result<(), Status> {
    let mut client = link.client.clone();
    let batches = tokio_stream::iter([pending.batch.clone()]);
    let answer = timeout(PATIENCE, client.submit_docker_telemetry(batches))
        .await
        .map_err(|_| Status::deadline_exceeded("the server did not acknowledge in time"))??
        .into_inner();
    // No server is known to say no in this way; it would mean that the batch is not stored.
    if answer.ok { Ok(()) } else { Err(Status::aborted(answer.error)) }
}
