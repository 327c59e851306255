//! Names to checked addresses to connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Problem, ProblemKind};
use ctops_pg::Pool;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::policy::{Policy, Purpose, Refusal};
use crate::store;

/// Addresses of one name that are tried at most.
const MAX_ADDRESSES: usize = 16;

/// Why nothing was reached.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The policy forbids it.
    #[error("{host} may not be reached: {}", .why.in_words())]
    Refused {
        /// As asked for.
        host: String,
        /// Why.
        why: Refusal,
    },
    /// Not an address that can be asked for.
    #[error("the address is not usable: {0}")]
    BadUrl(&'static str),
    /// The name has no addresses.
    #[error("{0} has no address in the DNS")]
    Unresolved(String),
    /// No connection.
    #[error("{host}:{port} does not answer")]
    Connect {
        /// As asked for.
        host: String,
        /// As asked for.
        port: u16,
        /// What the last attempt said.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The other side's certificate is not trusted, or TLS failed otherwise.
    #[error("TLS with {host} failed")]
    Tls {
        /// As asked for.
        host: String,
        /// What the library said.
        #[source]
        source: io::Error,
    },
    /// The trusted certificates cannot be read.
    #[error("the trusted certificates are not PEM, or there are none")]
    BadTrust,
    /// The answer is larger than asked for.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// What came is not HTTP.
    #[error("the answer is not HTTP")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The organisation's policy cannot be read.
    #[error("the policy for outgoing connections cannot be read")]
    Policy(#[from] sqlx::Error),
}

impl EgressError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { why, .. } if why.helped_by_entry() => "egress_needs_target",
            Self::Refused { .. } => "egress_refused",
            Self::BadUrl(_) => "bad_url",
            Self::Unresolved(_) => "unresolved",
            Self::Connect { .. } => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::Tls { .. } => "tls_failed",
            Self::BadTrust => "bad_trust",
            Self::TooLarge(_) => "answer_too_large",
            Self::Protocol(_) => "bad_answer",
            Self::Policy(_) => "internal",
        }
    }
}

impl From<EgressError> for Problem {
    /// 422 for what the policy or the input forbids, 503 for what the other side did.
    fn from(error: EgressError) -> Self {
        let kind = match &error {
            EgressError::Refused { .. } | EgressError::BadUrl(_) | EgressError::BadTrust => {
                ProblemKind::Invalid
            }
            EgressError::Policy(_) => return Problem::internal(error),
            _ => ProblemKind::Unavailable,
        };
        let problem = Problem::new(kind, error.code(), error.to_string());
        match &error {
            EgressError::Refused { host, .. } => problem.with_member("host", host.clone()),
            _ => problem.caused_by(error),
        }
    }
}

/// Looks names up.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of `host`; an address is its own.
    ///
    /// # Errors
    /// Whatever the system says.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the operating system.
struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect())
    }
}

/// What is fixed for the life of the process.
#[derive(Clone, Default)]
pub struct EgressOptions {
    /// Development and tests only: this machine may be reached, and plain HTTP on it is enough.
    pub allow_loopback: bool,
    /// Services of this installation (database, brokers), never reached through here.
    pub own_services: Vec<(String, u16)>,
    /// Instead of the operating system's.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Trusted beside the system's certificate authorities, PEM.
    pub extra_ca_pem: Option<String>,
}

/// The outbound client. Clones share everything.
#[derive(Clone)]
pub struct Egress(Arc<Shared>);

struct Shared {
    pool: Pool,
    options: EgressOptions,
    resolver: Arc<dyn Resolver>,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").finish_non_exhaustive()
    }
}

impl Egress {
    /// A client that reads policies from the database.
    pub fn new(pool: Pool, options: EgressOptions) -> Self {
        let resolver = options.resolver.clone().unwrap_or_else(|| Arc::new(SystemResolver));
        Self(Arc::new(Shared { pool, options, resolver }))
    }

    pub(crate) fn options(&self) -> &EgressOptions {
        &self.0.options
    }

    /// Connects to `host`, a name or an address, within `timeout`. Without an organisation the address comes from the
    /// operator's own configuration, so private networks are open.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn connect(
        &self,
        org_id: Option<Uuid>,
        purpose: Purpose,
        host: &str,
        port: u16,
        timeout: Duration,
    ) -> Result<TcpStream, EgressError> {
        let deadline = Instant::now() + timeout;
        let connecting = self.connect_checked(org_id, purpose, host, port);
        let outcome = timeout_at(deadline, connecting).await;
        let outcome = outcome.unwrap_or_else(|_| Err(EgressError::Timeout(host.to_owned())));
        if let Err(error @ EgressError::Refused { .. }) = &outcome {
            tracing::warn!(purpose = purpose.as_str(), "outgoing connection refused: {error}");
        }
        outcome
    }

    /// Checks without connecting: for forms, so that a target that can never work is refused when it is entered.
    ///
    /// # Errors
    /// [`EgressError::Refused`] and failures of the look-up.
    pub async fn check(
        &self,
        org_id: Option<Uuid>,
        purpose: Purpose,
        host: &str,
        port: u16,
    ) -> Result<(), EgressError> {
        self.addresses(org_id, purpose, host, port).await.map(drop)
    }

    async fn connect_checked(
        &self,
        org_id: Option<Uuid>,
        purpose: Purpose,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, EgressError> {
        let addresses = self.addresses(org_id, purpose, host, port).await?;
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => {
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(EgressError::Connect { host: host.to_owned(), port, source: last })
    }

    /// The addresses of `host`, all of which passed (security 9).
    async fn addresses(
        &self,
        org_id: Option<Uuid>,
        purpose: Purpose,
        host: &str,
        port: u16,
    ) -> Result<Vec<IpAddr>, EgressError> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let refused = |why| EgressError::Refused { host: host.to_owned(), why };
        let loopback = self.0.options.allow_loopback;
        if !purpose.allows_port(port) {
            return Err(refused(Refusal::Port));
        }
        let policy = match org_id {
            Some(org_id) => store::load_policy(&self.0.pool, org_id).await?,
            None => Policy::default(),
        };
        let found = self.0.resolver.addresses(host).await;
        let found = found.map_err(|_| EgressError::Unresolved(host.to_owned()))?;
        if found.is_empty() {
            return Err(EgressError::Unresolved(host.to_owned()));
        }
        for address in &found {
            match policy.judge(purpose, host, *address, loopback) {
                // The operator's own configuration needs no entry beside it.
                Err(Refusal::NeedsEntry) if org_id.is_none() => {}
                Err(why) => return Err(refused(why)),
                Ok(()) => {}
            }
        }
        if self.is_own_service(host, &found, port).await {
            return Err(refused(Refusal::OwnService));
        }
        Ok(found.into_iter().take(MAX_ADDRESSES).collect())
    }

    async fn is_own_service(&self, host: &str, addresses: &[IpAddr], port: u16) -> bool {
        for (own, own_port) in &self.0.options.own_services {
            if *own_port != port {
                continue;
            }
            let known = self.0.resolver.addresses(own).await.unwrap_or_default();
            if own.eq_ignore_ascii_case(host) || known.iter().any(|address| addresses.contains(address)) {
                return true;
            }
        }
        false
    }
}
