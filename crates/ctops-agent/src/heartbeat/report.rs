//! What is sent: reports at the interval, messages between them, and what was measured while there was no stream.

use std::pin::pin;

use ctops_proto::agent::HeartbeatRequest;
use tokio::time::Instant;
use tracing::{info, warn};

use super::stream::Stream;
use super::{Place, delivery};
use crate::agent::Agent;
use crate::backoff::random_u16;
use crate::buffer;
use crate::containers;
use crate::shutdown::Shutdown;
use crate::work::Link;

impl Agent {
    /// Measures and completes the report that is due.
    pub(super) async fn next_report(&mut self, place: Place) -> HeartbeatRequest {
        self.rhythm.taken(Instant::now());
        let mut report = self.collector.collect().await;
        report.agent_id.clone_from(match place {
            Place::First => &self.state.jwt_token,
            Place::Later => &self.state.agent_id,
        });
        report.pinned_server_cert_fingerprint.clone_from(&self.web_fingerprint);
        report.capabilities = self.work.capabilities();
        report.capabilities.push("config".to_owned());
        report.docker_status = self.containers.status();
        self.update.report(&mut report);
        self.last_report = report.clone();
        report
    }

    /// A message that only delivers: its vitals repeat those of the last report.
    pub(super) fn early_report(&self) -> HeartbeatRequest {
        let mut report = self.last_report.clone();
        report.agent_id.clone_from(&self.state.agent_id);
        report.timestamp_unix = self.clock.now().timestamp();
        report.results_only = true;
        report
    }

    /// Sends `report` with what waits to be delivered.
    pub(super) fn send(&mut self, stream: &mut Stream, mut report: HeartbeatRequest) {
        self.load(&mut report);
        let cargo = delivery::cargo(&report);
        if stream.send(report) {
            stream.in_flight.sent(cargo);
        } else {
            warn!("server takes no reports at present, keeping this one for later");
            self.unload(cargo);
        }
    }

    pub(super) fn load(&mut self, report: &mut HeartbeatRequest) {
        self.work.drain(report);
    }

    /// The server has stored what a report carried.
    pub(super) fn delivered(&mut self, cargo: &HeartbeatRequest) {
        self.work.acknowledged(cargo);
    }

    /// A report did not arrive, as far as is known.
    pub(super) fn unload(&mut self, mut cargo: HeartbeatRequest) {
        self.buffer.add(std::mem::take(&mut cargo.buffered_samples), self.clock.now().timestamp());
        self.work.returned(cargo);
    }

    /// `stream` is the present one.
    pub(super) fn connected(&mut self, stream: &Stream) {
        self.work.connected(Link::new(stream.client(), &self.state));
        self.containers.beat(Some(self.container_link(stream)));
        self.pause_delivery();
    }

    /// How the upload of container telemetry reaches the server.
    pub(super) fn container_link(&self, stream: &Stream) -> containers::Link {
        containers::Link { client: stream.client(), agent_id: self.state.agent_id.clone() }
    }

    /// Waits for `work` and goes on measuring meanwhile, if the server knows this host; `None` when the agent is to end.
    pub(crate) async fn meanwhile<T>(
        &mut self,
        shutdown: &mut Shutdown,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                () = shutdown.wait() => return None,
                result = &mut work => return Some(result),
                () = tokio::time::sleep_until(self.rhythm.due()), if self.known => self.keep_sample().await,
                () = self.pressure.notified() => self.shed(),
            }
        }
    }

    /// Measures into the buffer.
    pub(super) async fn keep_sample(&mut self) {
        self.rhythm.taken(Instant::now());
        let report = self.collector.collect().await;
        self.buffer.add([buffer::from_report(&report)], report.timestamp_unix);
    }

    /// Whether buffered samples may go out: the server is one that takes them, and it has answered everything so far.
    pub(super) fn may_deliver(&self, stream: &Stream) -> bool {
        self.extended && !self.buffer.is_empty() && stream.in_flight.is_empty()
    }

    /// Sends the oldest buffered samples in a message of their own.
    pub(super) fn deliver(&mut self, stream: &mut Stream) {
        let mut report = self.early_report();
        report.buffered_samples = self.buffer.take(self.clock.now().timestamp());
        let (samples, lost) = (report.buffered_samples.len(), self.buffer.take_lost());
        info!(samples, left = self.buffer.len(), lost, "delivering buffered samples");
        self.send(stream, report);
        self.pause_delivery();
    }

    /// Puts the next delivery off, by chance more or less: a whole fleet may have lost its server.
    fn pause_delivery(&mut self) {
        let chance = f64::from(random_u16()) / f64::from(u16::MAX);
        self.deliver_at = Instant::now() + self.timing.delivery_pause.mul_f64(0.5 + chance);
    }

    /// A server that has shown nothing beyond the classic contract in two intervals takes no buffered samples; as current
    /// ones they would be wrong, so they are dropped.
    pub(super) fn settle_buffer(&mut self, stream: &Stream) {
        if !self.extended && stream.opened.elapsed() > self.timing.heartbeat * 2 && !self.buffer.is_empty() {
            let samples = self.buffer.clear();
            info!(samples, "server takes no buffered samples, dropped");
        }
    }

    /// Gives up what the agent can do without.
    pub(crate) fn shed(&mut self) {
        let samples = self.buffer.clear();
        info!(samples, "buffered samples given up");
        self.containers.shed();
        self.work.shed();
    }
}
