//! What happens when: register, report, and which of the two after each failure (agents-enrolment 8 to 13).
//!
//! ```text
//!            no state                      active
//!   start ─────────────► register ───────────────────────► report
//!     │                   ▲  │ pending: ask again            │ NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED:
//!     │ state             │  │ error: back-off               │   forget the state, back-off
//!     └──────────► report │  │ revoked: end, exit code 3     │ certificate refused: register without it
//!                         └──┴───────────────────────────────┘ anything else: back-off, report again
//! ```

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ctops_base::Clock;
use ctops_proto::agent::HeartbeatRequest;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::buffer::SampleBuffer;
use crate::collect::{Collector, Sources};
use crate::containers::ContainerWatch;
use crate::data_dir::{DataDir, State};
use crate::dial::{DialError, Dialer};
use crate::identity::{Identity, IdentityError};
use crate::leaf::Leaf;
use crate::logging::chain;
use crate::pushed::PushedConfig;
use crate::registration::{self, Answer, Grant, RegisterError};
use crate::restart::Restart;
use crate::rhythm::Rhythm;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::timing::Timing;
use crate::trust::ServerTrust;
use crate::update::{Updater, Updates};
use crate::work::{Surroundings, Work};

/// Why the agent ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was asked to.
    Stopped,
    /// The server revoked it.
    Revoked,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Revoked => "revoked",
        })
    }
}

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("data directory {} cannot be used", .0.display())]
    DataDir(PathBuf, #[source] io::Error),
    /// There is no usable key pair.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// How one period of reporting ended.
pub(crate) enum Ended {
    /// The agent is to end.
    Stopped,
    /// The server no longer knows this agent under its token.
    Unknown,
    /// The server refuses this agent's certificate.
    CertificateRefused,
}

/// The agent with everything it knows.
#[derive(Debug)]
pub struct Agent {
    pub(crate) settings: Settings,
    pub(crate) timing: Timing,
    pub(crate) clock: Clock,
    pub(crate) sources: Sources,
    pub(crate) identity: Arc<Identity>,
    pub(crate) data: DataDir,
    pub(crate) dialer: Dialer,
    pub(crate) collector: Collector,
    pub(crate) work: Work,
    pub(crate) update: Updater,
    /// Woken when the agent should do with less.
    pub(crate) pressure: Arc<Notify>,
    /// The last scheduled report, whose vitals messages between two reports repeat.
    pub(crate) last_report: HeartbeatRequest,
    /// What was measured without a stream.
    pub(crate) buffer: SampleBuffer,
    pub(crate) deliver_at: Instant,
    pub(crate) rhythm: Rhythm,
    pub(crate) containers: ContainerWatch,
    /// The configuration the server pushed last.
    pub(crate) pushed: PushedConfig,
    /// Interval of the agent's own configuration.
    pub(crate) own_interval: Duration,
    /// The server of the present stream has shown that it understands more than the classic contract.
    pub(crate) extended: bool,
    /// The server has once accepted this agent, so its host has a history to complete.
    pub(crate) known: bool,
    pub(crate) csr: Vec<u8>,
    pub(crate) state: State,
    pub(crate) leaf: Option<Leaf>,
    pub(crate) web_fingerprint: String,
    pub(crate) update_signal_seen: bool,
    /// When the token was received; the start of the process for a stored one, whose age is not known.
    pub(crate) token_since: Instant,
}

impl Agent {
    /// An agent on its data directory; makes the key pair at the first start.
    ///
    /// # Errors
    /// When the data directory or the key pair in it cannot be used.
    pub fn new(
        settings: Settings,
        timing: Timing,
        clock: Clock,
        sources: Sources,
    ) -> Result<Self, StartError> {
        let data = DataDir::open(&settings.data_dir)
            .map_err(|error| StartError::DataDir(settings.data_dir.clone(), error))?;
        let identity = Arc::new(Identity::load_or_create(data.path())?);
        info!(data_dir = %data.path().display(), "agent identity ready");
        let trust = match (&settings.ca_cert_file, settings.tls_skip_verify) {
            (_, true) => ServerTrust::Unverified,
            (Some(path), false) => ServerTrust::Anchors(path.clone()),
            (None, false) => ServerTrust::System,
        };
        let dialer = Dialer { address: settings.address.clone(), trust, local: None, patience: timing.dial };
        let (state, now) = (data.load_state(), Instant::now());
        let work = Work::new(Surroundings {
            clock: clock.clone(),
            sources: sources.clone(),
            data_dir: data.path().to_owned(),
            allow_tasks: settings.allow_tasks.clone(),
        });
        let mut agent = Self {
            collector: Collector::new(sources.clone(), clock.clone(), timing.heartbeat),
            update: Updater::new(&Updates::none(), &timing, Restart::default(), work.tasks()),
            work,
            pressure: Arc::default(),
            last_report: HeartbeatRequest::default(),
            buffer: SampleBuffer::default(),
            deliver_at: now,
            rhythm: Rhythm::new(timing.heartbeat, now),
            containers: ContainerWatch::new(&sources, clock.clone()),
            pushed: data.load_config(),
            own_interval: timing.heartbeat,
            extended: false,
            known: !state.jwt_token.is_empty(),
            csr: identity.certificate_request()?,
            state,
            leaf: data.load_leaf(&identity),
            web_fingerprint: data.web_certificate_fingerprint(),
            update_signal_seen: false,
            token_since: now,
            settings,
            timing,
            clock,
            sources,
            identity,
            data,
            dialer,
        };
        agent.configure();
        Ok(agent)
    }

    /// Lets the agent update itself; `restart` is asked for when an update is ready.
    #[must_use]
    pub fn with_updates(mut self, updates: &Updates, restart: Restart) -> Self {
        self.update = Updater::new(updates, &self.timing, restart, self.work.tasks());
        self
    }

    /// Wakes the agent when it should do with less.
    pub fn pressure(&self) -> Arc<Notify> {
        Arc::clone(&self.pressure)
    }

    /// Works until it is asked to end or the server revokes this agent.
    pub async fn run(mut self, mut shutdown: Shutdown) -> Outcome {
        let mut backoff = Backoff::new(&self.timing);
        let mut refused = false;
        loop {
            let registered = !self.state.agent_id.is_empty() && !self.state.jwt_token.is_empty();
            if registered && !refused {
                match self.report(&mut shutdown, &mut backoff).await {
                    Ended::Stopped => return Outcome::Stopped,
                    Ended::CertificateRefused => refused = true,
                    Ended::Unknown => self.forget(),
                }
                // Even here: a server that registers and refuses in turn must not make the agent spin.
                let pause = tokio::time::sleep(backoff.next_delay());
                if self.meanwhile(&mut shutdown, pause).await.is_none() {
                    return Outcome::Stopped;
                }
                continue;
            }
            let registration = self.register_once(!refused);
            let Some(result) = Box::pin(self.meanwhile(&mut shutdown, registration)).await else {
                return Outcome::Stopped;
            };
            let pause = match result {
                Ok(Answer::Active(grant)) => {
                    refused = false;
                    self.accept(&grant);
                    continue;
                }
                Ok(Answer::Revoked) => {
                    self.forget();
                    warn!("this agent was revoked by the server");
                    return Outcome::Revoked;
                }
                Ok(Answer::Pending { agent_id, waited }) => {
                    self.state = State { agent_id, jwt_token: String::new() };
                    let pause = if waited { self.timing.waited_pause } else { self.timing.pending_poll };
                    info!(interval = ?pause, "agent pending approval, polling");
                    pause
                }
                Ok(Answer::Unknown(status)) => {
                    let pause = backoff.next_delay();
                    warn!(status, backoff = ?pause, "registration not settled, asking again");
                    pause
                }
                Err(error) => {
                    // Next time the other way round: with the certificate if it was left out (the server may have
                    // got its authority back), without it if it was refused.
                    refused = matches!(&error, RegisterError::Dial(DialError::CertificateRefused(_)));
                    let pause = backoff.next_delay();
                    warn!(err = chain(&error), backoff = ?pause, "registration failed, trying again");
                    pause
                }
            };
            if self.meanwhile(&mut shutdown, tokio::time::sleep(pause)).await.is_none() {
                return Outcome::Stopped;
            }
        }
    }

    /// One attempt to register; it borrows nothing, so that the agent can go on measuring.
    fn register_once(
        &self,
        with_certificate: bool,
    ) -> impl Future<Output = Result<Answer, RegisterError>> + use<> {
        info!(address = %self.settings.address, "registering agent");
        let (dialer, identity) = (self.dialer.clone(), self.identity.clone());
        let shown = self.leaf.clone().filter(|_| with_certificate);
        let (request, patience) = (self.registration_request(self.timing.wait_seconds), self.timing.answer);
        async move {
            let shown = shown.as_ref().map(|leaf| (identity.as_ref(), leaf));
            let connection = dialer.dial(shown).await?;
            registration::register(&connection, request, patience).await
        }
    }

    pub(crate) fn registration_request(&self, wait_seconds: u32) -> ctops_proto::agent::RegisterRequest {
        registration::request(
            &self.settings,
            &self.identity,
            &self.sources,
            self.csr.clone(),
            &self.state.agent_id,
            wait_seconds,
        )
    }

    fn accept(&mut self, grant: &Grant) {
        self.take_grant(grant);
        if !grant.leaf_pem.is_empty() {
            self.take_leaf(&grant.leaf_pem, &grant.authority_pem);
        }
        info!(agent_id = grant.agent_id.as_str(), "agent registered and active");
    }

    /// Takes over id and token. A full disk does not stop an agent that knows what it needs.
    pub(crate) fn take_grant(&mut self, grant: &Grant) {
        self.state = State { agent_id: grant.agent_id.clone(), jwt_token: grant.jwt_token.clone() };
        self.token_since = Instant::now();
        self.known = true;
        self.store_state();
    }

    /// Takes over a client certificate; whether it is another one than before.
    pub(crate) fn take_leaf(&mut self, leaf_pem: &str, authority_pem: &str) -> bool {
        let leaf = match Leaf::parse(leaf_pem, &self.identity) {
            Ok(leaf) => leaf,
            Err(error) => {
                warn!(err = %error, "certificate from the server not used");
                return false;
            }
        };
        if self.leaf.as_ref().is_some_and(|known| known.der() == leaf.der()) {
            return false;
        }
        if let Err(error) = self.data.save_leaf(&leaf, authority_pem) {
            warn!(err = %error, "certificate cannot be stored, keeping it in memory");
        }
        info!(not_after_unix = leaf.not_after(), "client certificate received");
        self.leaf = Some(leaf);
        true
    }

    fn forget(&mut self) {
        self.state = State::default();
        self.store_state();
    }

    fn store_state(&self) {
        if let Err(error) = self.data.save_state(&self.state) {
            warn!(err = %error, "state cannot be stored, keeping it in memory");
        }
    }
}
