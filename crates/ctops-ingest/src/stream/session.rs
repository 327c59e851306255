//! The life of one accepted stream.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::id::new_id;
use ctops_fleet::agents::{ClientCertificate, LeaseEnd, stream_identity};
use ctops_proto::agent::{HeartbeatRequest, HeartbeatResponse};
use ctops_proto::limits::MAX_RESPONSE_BYTES;
use ctops_proto::queue::{AgentEvent, Report};
use ctops_queue::{PublishError, Topic};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use prost::Message;
use tokio::time::{Instant, Sleep};
use tonic::{Status, Streaming};
use uuid::Uuid;

use super::delivery::DeliveryGate;
use super::facts::FactsGate;
use super::mailbox::{Mailbox, Signal, Signals};
use super::replies::{Gone, Replies, ReplyStream};
use super::rhythm::Rhythm;
use super::{Agent, delivery, lease};
use crate::listener::Peer;
use crate::measure;
use crate::node::Node;
use crate::status::from_transport;
use crate::validate;

/// A stream is ended for the sake of renewal when less than a quarter of the certificate's life is left: agents that renew
/// by themselves have done so in the last third.
const RENEWAL_QUARTER: i32 = 4;
/// No sooner than this after it opened, so that an agent that cannot renew is not sent away all the time.
const RENEWAL_PAUSE: TimeDelta = TimeDelta::hours(1);
/// How long an ending stream waits for its last reports to become durable, and for its end to be announced, before the
/// agent is told. The announcement goes on afterwards.
const LAST_WORDS: Duration = Duration::from_secs(2);

type Stored = Pin<Box<dyn Future<Output = Result<Instant, PublishError>> + Send>>;

/// Everything a stream owns.
pub(super) struct Session {
    node: Arc<Node>,
    peer: Arc<Peer>,
    agent: Agent,
    inbound: Streaming<HeartbeatRequest>,
    opened_at: DateTime<Utc>,
    /// Nothing more is read; when everything that was read is acknowledged, the stream ends like this.
    leaving: Option<End>,
    replies: Replies,
    mailbox: Arc<Mailbox>,
    /// The stream is known on this node; a newer one of the agent may have taken its place since.
    entered: bool,
    /// The session under which the lease is announced; none before the first report and after silence.
    lease: Option<Uuid>,
    rhythm: Rhythm,
    silence: Pin<Box<Sleep>>,
    /// Arrival of the last report, milliseconds since the Unix epoch.
    last_received_ms: i64,
    facts: FactsGate,
    delivery: DeliveryGate,
    disk_pace: validate::DiskPace,
    in_flight: FuturesOrdered<Stored>,
    /// Reports that are durable but not acknowledged yet.
    unacknowledged: usize,
    /// Work on its way to the agent.
    outbox: VecDeque<HeartbeatResponse>,
    /// The first report is acknowledged. Nothing else is sent before: some clients take the first answer for that.
    greeted: bool,
    /// The newest certificate in the database when the stream opened.
    waiting_certificate: Option<ClientCertificate>,
    pushed_serial: Option<String>,
}

/// Why a stream ends.
enum End {
    /// The agent closed it.
    Closed,
    /// The transport broke, or a message could not be read.
    Broken(Status),
    /// The queue or the database failed us.
    Failed(Status),
    /// The agent should reconnect to renew its certificate.
    Renewal,
    Superseded,
    Revoked,
    Shutdown,
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        End::Closed
    }
}

impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        tracing::warn!(error = %ctops_base::problem::error_chain(&error), "a report could not be stored");
        End::Failed(Status::unavailable("reports cannot be stored right now"))
    }
}

impl Session {
    pub(super) fn new(
        node: Arc<Node>,
        peer: Arc<Peer>,
        agent: Agent,
        inbound: Streaming<HeartbeatRequest>,
        waiting_certificate: Option<ClientCertificate>,
    ) -> Result<(Self, ReplyStream), Status> {
        let (replies, stream) = Replies::channel()?;
        let mailbox = Mailbox::new(delivery::unknown(&agent), peer.certificate()?.serial_hex.clone());
        let rhythm = Rhythm::new(Instant::now());
        let opened_at = node.agents.clock.now();
        let session = Self {
            silence: Box::pin(tokio::time::sleep_until(rhythm.deadline())),
            node,
            peer,
            agent,
            inbound,
            opened_at,
            leaving: None,
            replies,
            mailbox,
            entered: false,
            lease: None,
            rhythm,
            last_received_ms: 0,
            facts: FactsGate::default(),
            delivery: DeliveryGate::default(),
            disk_pace: validate::DiskPace::default(),
            in_flight: FuturesOrdered::new(),
            unacknowledged: 0,
            outbox: VecDeque::new(),
            greeted: false,
            waiting_certificate,
            pushed_serial: None,
        };
        Ok((session, stream))
    }

    /// Serves the stream to its end, whatever happens in between.
    pub(super) async fn run(mut self, first: HeartbeatRequest) {
        metrics::gauge!(measure::STREAMS).increment(1);
        tracing::debug!(agent.id = %self.agent.agent_id, "a heartbeat stream was opened");
        let end = match AssertUnwindSafe(self.serve(first)).catch_unwind().await {
            Ok(Err(end)) => end,
            Ok(Ok(never)) => match never {},
            Err(_) => {
                tracing::error!(agent.id = %self.agent.agent_id, "a heartbeat stream failed inside the server");
                End::Failed(Status::internal("the stream failed"))
            }
        };
        Box::pin(self.finish(end)).await;
        metrics::gauge!(measure::STREAMS).decrement(1);
    }

    async fn serve(&mut self, first: HeartbeatRequest) -> Result<std::convert::Infallible, End> {
        // Boxed, here and below: the state of a step must not take room in the task of every stream that waits.
        Box::pin(self.accept(first)).await?;
        loop {
            let pending = self.in_flight.len() + self.unacknowledged;
            if pending == 0
                && let Some(end) = self.leaving.take()
            {
                return Err(end);
            }
            let may_read = self.leaving.is_none() && pending < self.node.limits.in_flight;
            tokio::select! {
                biased;
                signals = self.mailbox.receive() => Box::pin(self.obey(signals)).await?,
                Some(stored) = self.in_flight.next(), if !self.in_flight.is_empty() => self.stored(stored?),
                sent = self.replies.ack(), if self.unacknowledged > 0 => {
                    sent?;
                    Box::pin(self.acknowledged()).await?;
                }
                sent = self.replies.work(&mut self.outbox), if self.greeted && !self.outbox.is_empty() => sent?,
                message = self.inbound.message(), if may_read => match message {
                    Ok(Some(message)) => Box::pin(self.accept(message)).await?,
                    Ok(None) => self.leaving = Some(End::Closed),
                    Err(status) => return Err(End::Broken(from_transport(status))),
                },
                () = &mut self.silence, if self.lease.is_some() => self.check_silence(may_read),
            }
        }
    }

    /// Takes one heartbeat: begins a lease when there is none, and hands the report to the queue.
    async fn accept(&mut self, message: HeartbeatRequest) -> Result<(), End> {
        // Always later than the report before: two reports of one second are told apart by their arrival.
        let received_at_ms = self.node.agents.clock.now_ms().max(self.last_received_ms + 1);
        self.last_received_ms = received_at_ms;
        let mut checked = validate::heartbeat(&message, received_at_ms);
        let mut results = validate::results(&message, received_at_ms);
        self.mailbox.learn(|agent| delivery::learn(agent, &message, &checked.facts));
        drop(message);
        self.rhythm.heard(Instant::now(), checked.interval_seconds, self.lease.is_none());
        if checked.corrected {
            metrics::counter!(measure::CORRECTED).increment(1);
        }
        if checked.late_dropped > 0 {
            metrics::counter!(measure::LATE_DROPPED).increment(checked.late_dropped);
        }
        if results.dropped > 0 {
            metrics::counter!(measure::RESULTS_DROPPED).increment(results.dropped);
        }
        self.disk_pace.add(&mut checked);
        let session_id = match self.lease {
            Some(session_id) => session_id,
            None => self.begin_lease().await?,
        };
        let facts = self.facts.admit(&checked.facts, Instant::now()).then_some(checked.facts);
        let report = Report {
            host_id: self.agent.host_id.to_string(),
            org_id: self.agent.org_id.to_string(),
            agent_id: self.agent.agent_id.clone(),
            received_at_ms,
            recorded_at_ms: checked.recorded_at_ms,
            clock_skewed: checked.clock_skewed,
            cpu_centi: checked.cpu_centi,
            memory_centi: checked.memory_centi,
            disk_centi: checked.disk_centi,
            uptime_seconds: checked.uptime_seconds,
            is_sample: checked.is_sample,
            facts,
            session_id: session_id.to_string(),
            measurements: checked.measurements,
            late_samples: checked.late_samples,
        };
        self.delivery.admit(&mut results, Instant::now());
        let events = delivery::events(&self.agent, received_at_ms, results);
        self.publish(&report, &events);
        if self.must_renew(received_at_ms)? {
            self.leaving = Some(End::Renewal);
        }
        Ok(())
    }

    /// Agents of the original product look at their certificate only when they open a stream. One that stays connected
    /// until it expires would never get in again, so it is made to reconnect in time (wire contract 3.5).
    fn must_renew(&self, now_ms: i64) -> Result<bool, End> {
        let certificate = self.peer.certificate().map_err(End::Failed)?;
        let now = DateTime::from_timestamp_millis(now_ms).unwrap_or(self.opened_at);
        let quarter = (certificate.not_after - certificate.not_before) / RENEWAL_QUARTER;
        Ok(certificate.not_after - now < quarter && now - self.opened_at >= RENEWAL_PAUSE)
    }

    /// Hands a report and its results to the queue; both must be durable before it is acknowledged.
    fn publish(&mut self, report: &Report, events: &[AgentEvent]) {
        let queue = Arc::clone(&self.node.queue);
        let key = Bytes::copy_from_slice(self.agent.host_id.as_bytes());
        let payload = Bytes::from(report.encode_to_vec());
        let events: Vec<_> =
            events.iter().map(|event| (key.clone(), Bytes::from(event.encode_to_vec()))).collect();
        let began = Instant::now();
        self.in_flight.push_back(Box::pin(async move {
            let report = queue.publish(Topic::METRICS_RAW, key, payload);
            if events.is_empty() {
                report.await?;
            } else {
                futures_util::future::try_join(report, queue.publish_many(Topic::EVENTS_RAW, events)).await?;
            }
            Ok(began)
        }));
    }

    fn stored(&mut self, began: Instant) {
        self.unacknowledged += 1;
        metrics::counter!(measure::HEARTBEATS).increment(1);
        metrics::histogram!(measure::ACK_SECONDS).record(began.elapsed().as_secs_f64());
    }

    /// After the first acknowledgement a certificate that waited when the stream opened is delivered.
    async fn acknowledged(&mut self) -> Result<(), End> {
        self.unacknowledged -= 1;
        self.greeted = true;
        match self.waiting_certificate.take() {
            Some(certificate) => self.push(certificate).await,
            None => Ok(()),
        }
    }

    /// Announces a new lease and takes the place of an older stream of this agent.
    async fn begin_lease(&mut self) -> Result<Uuid, End> {
        let gate = self.node.streams.gate(&self.agent.agent_id).await;
        if self.entered && !self.node.streams.is_current(&self.mailbox) {
            return Err(End::Superseded);
        }
        let session_id = new_id();
        self.mailbox.announced_as(session_id);
        lease::begin(&self.node, &self.agent, session_id, self.rhythm.interval_seconds()).await?;
        self.node.streams.enter(&self.mailbox);
        drop(gate);
        self.entered = true;
        self.lease = Some(session_id);
        self.node.board.ask([self.agent.host_id]);
        self.silence.as_mut().reset(self.rhythm.deadline());
        // A revocation that was announced before the stream could be reached must not be missed.
        if self.node.tls.revoked().contains(&self.peer.certificate().map_err(End::Failed)?.serial_hex) {
            return Err(End::Revoked);
        }
        Ok(session_id)
    }

    async fn obey(&mut self, signals: Signals) -> Result<(), End> {
        if signals.has(Signal::Revoked) {
            return Err(End::Revoked);
        }
        if signals.has(Signal::Superseded) {
            return Err(End::Superseded);
        }
        if signals.has(Signal::Shutdown) {
            // Everything that was read is acknowledged first; the node's own limit is the only one.
            self.leaving.get_or_insert(End::Shutdown);
        }
        if signals.has(Signal::Work) {
            self.take_work();
        }
        if signals.has(Signal::BeginAgain) && self.lease.is_some() {
            self.begin_lease().await?;
        }
        if signals.has(Signal::Certificate) {
            match stream_identity(&self.node.agents.pool, &self.agent.agent_id).await {
                Ok(Some(identity)) => {
                    if let Some(certificate) = identity.certificate {
                        self.push(certificate).await?;
                    }
                }
                Ok(None) => return Err(End::Failed(Status::not_found("agent is not known"))),
                // The certificate stays in the database and is delivered when the agent connects next.
                Err(problem) => {
                    tracing::warn!(cause = problem.cause_chain(), "a certificate was not delivered yet");
                }
            }
        }
        Ok(())
    }

    /// Takes work out of the mailbox. What has not been sent yet stays in front: features may rely on their order.
    fn take_work(&mut self) {
        for mut response in self.mailbox.take_work() {
            response.ok = true;
            let size = response.encoded_len();
            if size < MAX_RESPONSE_BYTES {
                self.outbox.push_back(response);
            } else {
                tracing::error!(agent.id = %self.agent.agent_id, size, "work for an agent is too large to be sent");
            }
        }
    }

    /// Delivers `certificate` if the agent needs it. Agents of the original product end their process when they receive
    /// one, so one they have already must never be sent.
    async fn push(&mut self, certificate: ClientCertificate) -> Result<(), End> {
        let presented = self.peer.certificate().map_err(End::Failed)?;
        let is_known = certificate.serial == presented.serial_hex
            || self.peer.has_received(&certificate.serial)
            || self.pushed_serial.as_ref() == Some(&certificate.serial);
        if is_known || certificate.not_after <= presented.not_after {
            return Ok(());
        }
        self.pushed_serial = Some(certificate.serial.clone());
        self.replies.certificate(certificate, self.node.agents.trust.agent_ca_bundle()).await?;
        Ok(())
    }

    /// Ends the lease, but not the stream, when nothing was heard for two intervals: the next heartbeat begins a new one.
    /// Silence while we do not read, or still store what was read, is ours and does not count.
    fn check_silence(&mut self, may_read: bool) {
        let now = Instant::now();
        let deadline = self.rhythm.deadline();
        if !may_read || !self.in_flight.is_empty() {
            self.silence.as_mut().reset(now + self.rhythm.interval());
        } else if deadline > now {
            self.silence.as_mut().reset(deadline);
        } else if let Some(session_id) = self.lease.take() {
            tracing::info!(agent.id = %self.agent.agent_id, "an agent fell silent");
            let (node, agent) = (Arc::clone(&self.node), self.agent.clone());
            self.node
                .tasks
                .spawn(async move { lease::end(&node, &agent, session_id, LeaseEnd::Silent).await });
        }
    }

    /// Announces the end and tells the agent. When the node stops, the agent is told first and gets time to find another
    /// node: if it does, its host is never offline.
    async fn finish(self, end: End) {
        let (label, reason, status) = match end {
            End::Closed => ("closed", Some(LeaseEnd::Closed), None),
            End::Broken(status) => ("broken", Some(LeaseEnd::Closed), Some(status)),
            End::Failed(status) => ("failed", Some(LeaseEnd::Closed), Some(status)),
            End::Renewal => {
                let status = Status::unavailable("client certificate ends soon, reconnect to renew it");
                ("renewal", Some(LeaseEnd::Closed), Some(status))
            }
            // The newer stream owns the lease now; this end is nobody's business.
            End::Superseded => {
                ("superseded", None, Some(Status::aborted("a newer stream of this agent took over")))
            }
            End::Revoked => {
                ("revoked", Some(LeaseEnd::Revoked), Some(Status::permission_denied("agent is revoked")))
            }
            End::Shutdown => {
                ("shutdown", Some(LeaseEnd::Shutdown), Some(Status::unavailable("server is stopping")))
            }
        };
        metrics::counter!(measure::STREAMS_ENDED, "reason" => label).increment(1);
        tracing::debug!(agent.id = %self.agent.agent_id, reason = label, "a heartbeat stream ended");
        let Self { node, agent, mailbox, replies, lease, .. } = self;
        node.streams.leave(&mailbox);
        let (Some(session_id), Some(reason)) = (lease, reason) else {
            replies.end(status);
            return;
        };
        if matches!(reason, LeaseEnd::Shutdown) {
            node.departed.add(lease::ended(&node, &agent, session_id, reason));
            replies.end(status);
            return;
        }
        let mut announced = Box::pin(lease::end(&node, &agent, session_id, reason));
        let in_time = tokio::time::timeout(LAST_WORDS, &mut announced).await.is_ok();
        replies.end(status);
        if !in_time {
            announced.await;
        }
    }
}
