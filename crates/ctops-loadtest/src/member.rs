//! One simulated agent: key, registration, certificate, heartbeat stream, reconnects.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ctops_agent::backoff::Backoff;
use ctops_agent::dial::Dialer;
use ctops_agent::identity::Identity;
use ctops_agent::leaf::Leaf;
use ctops_agent::logging::chain;
use ctops_agent::registration::{self, Answer, Grant, RegisterError};
use ctops_agent::shutdown::Shutdown;
use ctops_proto::agent::{
    AgentInfo, DiskInfo, HeartbeatRequest, HeartbeatResponse, NetworkInterface, PlatformInfo, RegisterRequest,
};
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::fleet::{Fleet, PATIENCE};
use crate::simulate::{Duties, InventoryLink};

/// Heartbeats on their way to the server; beyond that they are left out and counted.
const QUEUED: usize = 64;
/// For the first agent, which tries the token.
const PREFLIGHT: Duration = Duration::from_secs(15);
/// For the acknowledgements still missing at the end of the run.
const LAST_ACKNOWLEDGEMENTS: Duration = Duration::from_secs(10);

/// One agent.
#[derive(Debug)]
pub struct Member {
    fleet: Arc<Fleet>,
    index: usize,
    hostname: String,
    identity: Identity,
    dialer: Dialer,
    leaf: Option<Leaf>,
    /// Id and token; `None` until registered.
    known: Option<(String, String)>,
    sequence: i64,
    /// Time of the last report, Unix seconds.
    reported_at: i64,
    duties: Duties,
}

/// An open stream.
struct Link {
    sender: mpsc::Sender<HeartbeatRequest>,
    responses: Streaming<HeartbeatResponse>,
    outstanding: Outstanding,
    inventory: InventoryLink,
}

/// Messages without acknowledgement and when they were sent, oldest first; scheduled heartbeats with their number.
type Outstanding = VecDeque<(Option<i64>, Instant)>;

impl Member {
    /// Agent number `index` with a fresh key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(fleet: Arc<Fleet>, index: usize) -> anyhow::Result<Self> {
        let (hostname, dialer) = (fleet.options.hostname(index), fleet.dialer(index));
        let identity = Identity::generate()?;
        Ok(Self {
            fleet,
            index,
            hostname,
            identity,
            dialer,
            leaf: None,
            known: None,
            sequence: 0,
            reported_at: 0,
            duties: Duties::new(index),
        })
    }

    /// Registers an agent of its own, so that a wrong token is found before the whole fleet tries it.
    ///
    /// # Errors
    /// When that agent does not become active within 15 s.
    pub async fn preflight(fleet: Arc<Fleet>) -> anyhow::Result<()> {
        if !fleet.options.preflight {
            return Ok(());
        }
        let member = Self { hostname: fleet.options.preflight_hostname(), ..Self::new(fleet, 0)? };
        let attempt = async {
            let connection =
                member.dialer.dial(None).await.map_err(|error| anyhow::anyhow!(chain(&error)))?;
            match registration::register(&connection, member.registration_request()?, PREFLIGHT).await {
                Ok(Answer::Active(_)) => Ok(()),
                Ok(_) => anyhow::bail!("the token does not approve agents by itself"),
                Err(error) => anyhow::bail!(chain(&error)),
            }
        };
        timeout(PREFLIGHT, attempt)
            .await
            .context("no answer in time")
            .flatten()
            .context("the first agent failed")
    }

    /// Lives until `stop`, or until the server refuses it for good.
    pub async fn live(mut self, mut stop: Shutdown) {
        let share = self.fleet.options.ramp.mul_f64(self.index as f64 / self.fleet.options.agents as f64);
        if stop.or(sleep(share)).await.is_none() {
            return;
        }
        self.fleet.score.registrations_started.add(1);
        let mut backoff = Backoff::new(&self.fleet.timing);
        loop {
            let begun = Instant::now();
            let result = if self.known.is_none() {
                match stop.or(self.register()).await {
                    Some(result) => result,
                    None => return,
                }
            } else {
                self.report(&mut stop).await
            };
            match result {
                Ok(Next::Report) => continue,
                Ok(Next::End) => return,
                Err(error) => self.fleet.score.error(&format!("{error:#}")),
            }
            if begun.elapsed() >= self.fleet.timing.stable_after {
                backoff.reset();
            }
            if stop.or(sleep(backoff.next_delay())).await.is_none() {
                return;
            }
        }
    }

    async fn register(&mut self) -> anyhow::Result<Next> {
        let fleet = self.fleet.clone();
        let score = &fleet.score;
        let _permit = fleet.registering.acquire().await?;
        // The certificate is left out: if it is the reason for registering again, it would be refused here as well.
        let connection = fleet.registration_connection(self.index).await;
        let connection = connection.map_err(|error| anyhow::anyhow!(chain(&error)))?;
        match registration::register(&connection, self.registration_request()?, PATIENCE).await {
            Ok(Answer::Active(grant)) => {
                score.registrations_active.add(u64::from(self.sequence == 0));
                self.take(&grant)?;
                Ok(Next::Report)
            }
            Ok(Answer::Pending { .. }) => {
                score.registrations_pending.add(1);
                Ok(Next::End)
            }
            Ok(Answer::Revoked | Answer::Unknown(_)) => {
                score.registrations_failed.add(1);
                Ok(Next::End)
            }
            Err(RegisterError::Refused(status)) if !passes(&status) => {
                score.registrations_failed.add(1);
                score.error(&describe(&status));
                Ok(Next::End)
            }
            Err(error) => Err(anyhow::anyhow!(chain(&error))),
        }
    }

    fn registration_request(&self) -> anyhow::Result<RegisterRequest> {
        let agent_info = AgentInfo {
            agent_id: String::new(),
            version: "loadtest-v1".to_owned(),
            hostname: self.hostname.clone(),
        };
        let platform_info =
            PlatformInfo { os: "linux".to_owned(), arch: "amd64".to_owned(), ..PlatformInfo::default() };
        Ok(RegisterRequest {
            enrolment_token: self.fleet.options.token.expose().to_owned(),
            public_key: self.identity.public_text().to_owned(),
            platform_info: Some(platform_info),
            agent_info: Some(agent_info),
            csr_der: self.identity.certificate_request()?,
            ..RegisterRequest::default()
        })
    }

    fn take(&mut self, grant: &Grant) -> anyhow::Result<()> {
        self.leaf =
            Some(Leaf::parse(&grant.leaf_pem, &self.identity).context("no certificate with the approval")?);
        self.known = Some((grant.agent_id.clone(), grant.jwt_token.clone()));
        Ok(())
    }

    /// Opens a stream and reports on it until it ends; always ends with an error unless `stop` came.
    async fn report(&mut self, stop: &mut Shutdown) -> anyhow::Result<Next> {
        let shown = self.leaf.as_ref().map(|leaf| (&self.identity, leaf));
        let Some(connection) = stop.or(self.dialer.dial(shown)).await else { return Ok(Next::End) };
        let connection = connection.map_err(|error| anyhow::anyhow!(chain(&error)))?;
        let (sender, outgoing) = mpsc::channel(QUEUED);
        let mut outstanding = VecDeque::new();
        self.beat(&sender, &mut outstanding, true, Instant::now());
        let mut client = connection.client.clone();
        let opening = stop.or(client.heartbeat(ReceiverStream::new(outgoing))).await;
        let Some(opened) = opening else { return Ok(Next::End) };
        let responses = opened.map_err(|status| self.lost(&status))?.into_inner();
        let score = &self.fleet.score;
        score.streams_open.add(1);
        score.reconnects.add(u64::from(self.sequence > 1));
        let (agent_id, token) = self.known.clone().unwrap_or_default();
        let inventory = InventoryLink { client, token, agent_id };
        let mut link = Link { sender, responses, outstanding, inventory };
        let result = self.exchange(&mut link, stop).await;
        self.fleet.score.streams_open.less();
        result
    }

    async fn exchange(&mut self, link: &mut Link, stop: &mut Shutdown) -> anyhow::Result<Next> {
        let every = self.fleet.options.heartbeat_interval;
        let mut ticker = interval(every);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticker.reset();
        loop {
            tokio::select! {
                biased;
                () = stop.wait() => {
                    self.settle(link).await?;
                    return Ok(Next::End);
                }
                message = link.responses.message() => match message {
                    Ok(Some(message)) => self.hear(&message, link)?,
                    Ok(None) => anyhow::bail!("server closed the stream"),
                    Err(status) => return Err(self.lost(&status)),
                },
                () = self.duties.urgent(&self.fleet) => self.deliver(link),
                due = ticker.tick() => self.beat(&link.sender, &mut link.outstanding, false, due),
            }
        }
    }

    /// Waits for the acknowledgements still missing.
    async fn settle(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let end = Instant::now() + LAST_ACKNOWLEDGEMENTS;
        while !link.outstanding.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            match timeout(left, link.responses.message()).await {
                Ok(Ok(Some(message))) => self.hear(&message, link)?,
                Ok(Err(status)) => anyhow::bail!(describe(&status)),
                Ok(Ok(None)) => anyhow::bail!("server closed the stream"),
                Err(_) => anyhow::bail!("acknowledgements missing at the end of the run"),
            }
        }
        Ok(())
    }

    /// Takes in a message of the server: one answer per heartbeat, in order, and now and then something pushed.
    fn hear(&mut self, message: &HeartbeatResponse, link: &mut Link) -> anyhow::Result<()> {
        let fleet = self.fleet.clone();
        self.duties.obey(&fleet, message, &link.inventory);
        if !message.pending_client_cert_pem.is_empty() {
            // Shown at the next connection.
            self.leaf =
                Leaf::parse(&message.pending_client_cert_pem, &self.identity).ok().or(self.leaf.take());
        }
        if is_push(message) {
            return Ok(());
        }
        let answered = link.outstanding.pop_front();
        if !message.ok {
            fleet.score.error("heartbeat not accepted");
        } else if let Some((Some(sequence), sent)) = answered {
            let written = fleet.score.acknowledged(&self.hostname, sequence, sent.elapsed());
            written.context("the ledger cannot be written")?;
        }
        Ok(())
    }

    /// Sends results between two heartbeats.
    fn deliver(&mut self, link: &mut Link) {
        let fleet = self.fleet.clone();
        let agent_id = self.known.as_ref().map(|(agent_id, _)| agent_id.clone()).unwrap_or_default();
        let mut report = HeartbeatRequest { results_only: true, ..self.heartbeat(self.sequence, agent_id) };
        self.duties.drain(&fleet, &mut report);
        let bytes = report.encoded_len() as u64;
        if link.sender.try_send(report).is_err() {
            fleet.score.error("results left out because the stream took no more");
            return;
        }
        link.outstanding.push_back((None, Instant::now()));
        fleet.score.bytes_sent.add(bytes);
    }

    /// Sends the next heartbeat, `due` at a certain time; its number is used once, whether or not it arrives.
    fn beat(
        &mut self,
        sender: &mpsc::Sender<HeartbeatRequest>,
        outstanding: &mut Outstanding,
        first: bool,
        due: Instant,
    ) {
        self.reported_at =
            (self.fleet.clock.now().timestamp() - self.fleet.options.clock_lead()).max(self.reported_at + 1);
        let (agent_id, token) = self.known.clone().unwrap_or_default();
        let mut report = self.heartbeat(self.sequence + 1, if first { token } else { agent_id });
        let fleet = self.fleet.clone();
        for vital in [&mut report.cpu_percent, &mut report.memory_percent, &mut report.disk_percent] {
            *vital = self.duties.vary(&fleet, *vital);
        }
        self.duties.drain(&fleet, &mut report);
        let score = &fleet.score;
        let bytes = report.encoded_len() as u64;
        if sender.try_send(report).is_err() {
            score.heartbeats_failed.add(1);
            return;
        }
        self.sequence += 1;
        let now = Instant::now();
        outstanding.push_back((Some(self.sequence), now));
        score.heartbeats_sent.add(1);
        score.bytes_sent.add(bytes);
        score.send_latency.record(now.saturating_duration_since(due));
    }

    fn heartbeat(&self, sequence: i64, agent_id: String) -> HeartbeatRequest {
        let wave = (sequence + self.index as i64).rem_euclid(50) as f32;
        let disk = |mount_point: &str, percent_used: f32| DiskInfo {
            mount_point: mount_point.to_owned(),
            device: "/dev/vda1".to_owned(),
            fs_type: "ext4".to_owned(),
            total_bytes: 100 << 30,
            used_bytes: 40 << 30,
            free_bytes: 60 << 30,
            percent_used,
        };
        let interface = NetworkInterface {
            name: "eth0".to_owned(),
            ip_addresses: vec![format!("10.255.{}.{}", self.index / 256 % 256, self.index % 256)],
            mac_address: "02:00:00:00:00:01".to_owned(),
            is_up: true,
        };
        HeartbeatRequest {
            agent_id,
            cpu_percent: 20.0 + wave,
            memory_percent: 40.0 + wave / 2.0,
            disk_percent: 40.0,
            uptime_seconds: sequence,
            timestamp_unix: self.reported_at,
            agent_version: "loadtest-v1".to_owned(),
            os_version: "Loadtest Linux 1.0".to_owned(),
            disks: vec![disk("/", 40.0), disk("/var", 55.0)],
            network_interfaces: vec![interface],
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            interval_seconds: u32::try_from(self.fleet.options.heartbeat_interval.as_secs())
                .unwrap_or(0)
                .max(1),
            ..HeartbeatRequest::default()
        }
    }

    /// The error of a stream; after some, the agent registers again.
    fn lost(&mut self, status: &Status) -> anyhow::Error {
        if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied | Code::NotFound) {
            self.known = None;
        }
        anyhow::anyhow!(describe(status))
    }
}

/// What to do next.
enum Next {
    Report,
    End,
}

/// Whether a refusal passes by itself.
fn passes(status: &Status) -> bool {
    !matches!(
        status.code(),
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::Unimplemented
    )
}

fn describe(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// Whether a message was pushed, and is not the answer to a heartbeat (wire contract 5.2). This product's server marks
/// what it pushes.
fn is_push(message: &HeartbeatResponse) -> bool {
    message.is_push
        || !message.pending_client_cert_pem.is_empty()
        || !message.pending_queries.is_empty()
        || message.pending_task.is_some()
        || !message.cancel_task_ids.is_empty()
        || !message.pending_terminal_sessions.is_empty()
        || !message.cancel_terminal_sessions.is_empty()
}
