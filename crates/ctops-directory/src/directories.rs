//! What all requests to one directory share in this process: how many are at it at once, and which of its servers failed
//! a moment ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctops_base::Problem;
use ctops_egress::Egress;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::connection::{Connection, Endpoint, Failure, Step, dial};
use crate::ldap_configurations::{Directory, Server};

/// Connections to one directory at once.
const AT_ONCE: usize = 4;
/// How long one more waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(5);
/// How long a server that failed is passed over (ldap-directory-lookup 19).
const BACK_OFF: Duration = Duration::from_secs(30);

/// Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Directories(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    gates: HashMap<Uuid, Arc<Semaphore>>,
    failed: HashMap<(Uuid, Server), Instant>,
}

/// A turn at a directory, with a connection that the service account signed in to.
pub(crate) struct Session {
    /// The connection.
    pub(crate) connection: Connection,
    _turn: OwnedSemaphorePermit,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum Unreached {
    /// Too many others are at it.
    Busy,
    /// A step failed with the server that was tried last.
    Failed(Failure),
}

impl From<Failure> for Unreached {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Unreached {
    /// What the caller is told: which step failed only if they may see how the directory is set up (13).
    pub(crate) fn problem(&self, is_admin: bool) -> Problem {
        match self {
            Self::Failed(failure) if is_admin => {
                let detail = format!("the directory is unavailable: {}", failure.detail);
                Problem::new(ctops_base::ProblemKind::Unavailable, "directory_unavailable", detail)
                    .with_member("step", failure.step.as_str())
            }
            Self::Failed(_) => {
                let detail = "the directory is unavailable";
                Problem::new(ctops_base::ProblemKind::Unavailable, "directory_unavailable", detail)
            }
            Self::Busy => Problem::unavailable("the directory is busy, try again in a moment"),
        }
    }
}

impl Directories {
    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a turn, connects to the first server that answers and signs the service account in.
    ///
    /// # Errors
    /// [`Unreached`].
    pub(crate) async fn enter(&self, egress: &Egress, directory: &Directory) -> Result<Session, Unreached> {
        let gate = self.with(|known| {
            Arc::clone(known.gates.entry(directory.id).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        });
        let turn = timeout(TURN_WAIT, gate.acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Unreached::Busy)?;
        let connection = self.connect(egress, directory).await?;
        Ok(Session { connection, _turn: turn })
    }

    async fn connect(&self, egress: &Egress, directory: &Directory) -> Result<Connection, Failure> {
        let mut last = Failure::new(Step::Resolve, "no_server", "the directory has no servers");
        for server in self.in_order(directory, Instant::now()) {
            match open(egress, directory, &server).await {
                Ok(connection) => {
                    self.with(|known| known.failed.remove(&(directory.id, server)));
                    return Ok(connection);
                }
                Err(failure) => {
                    tracing::warn!(
                        directory.id = %directory.id,
                        step = failure.step.as_str(),
                        code = failure.code,
                        "directory server {}:{} failed",
                        server.host,
                        server.port
                    );
                    // A server that answers and refuses the service account would refuse it again: the next one too.
                    self.with(|known| known.failed.insert((directory.id, server), Instant::now()));
                    last = failure;
                }
            }
        }
        Err(last)
    }

    /// The servers to try: those that did not fail a moment ago or, when all did, all.
    fn in_order(&self, directory: &Directory, now: Instant) -> Vec<Server> {
        let servers = &directory.settings.servers;
        let ready: Vec<Server> = self.with(|known| {
            known.failed.retain(|_, at| now.duration_since(*at) < BACK_OFF);
            let is_ready = |server: &&Server| !known.failed.contains_key(&(directory.id, (*server).clone()));
            servers.iter().filter(is_ready).cloned().collect()
        });
        if ready.is_empty() { servers.clone() } else { ready }
    }
}

/// Connects to one server and signs the service account in.
async fn open(egress: &Egress, directory: &Directory, server: &Server) -> Result<Connection, Failure> {
    let endpoint = endpoint(directory, server);
    let mut connection = dial(egress, endpoint, directory.security(), |_| {}).await?;
    bind_service(&mut connection, directory).await?;
    Ok(connection)
}

/// Where a server of a directory is.
pub(crate) fn endpoint<'a>(directory: &Directory, server: &'a Server) -> Endpoint<'a> {
    Endpoint {
        org_id: directory.org_id,
        host: &server.host,
        port: server.port,
        connect_within: Duration::from_secs(directory.settings.connect_timeout_s.into()),
        answer_within: Duration::from_secs(directory.settings.operation_timeout_s.into()),
    }
}

/// Signs the service account in; without one the directory is asked anonymously.
///
/// # Errors
/// [`Failure`], also when the directory refuses the account.
pub(crate) async fn bind_service(connection: &mut Connection, directory: &Directory) -> Result<(), Failure> {
    let (Some(dn), Some(password)) = (&directory.bind_dn, &directory.bind_password) else {
        return Ok(());
    };
    let refused = |reason: &str| Failure::new(Step::Bind, "service_account_refused", reason.to_owned());
    connection.bind(dn, password.reveal()).await?.map_err(|refusal| refused(refusal.reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn a_directory(hosts: &[&str]) -> Directory {
        let mut directory = Directory::default();
        let server = |host: &&str| Server { host: (*host).to_owned(), port: 389 };
        directory.settings.servers = hosts.iter().map(server).collect();
        directory
    }

    fn hosts(servers: &[Server]) -> Vec<&str> {
        servers.iter().map(|server| server.host.as_str()).collect()
    }

    /// Spec: ldap-directory-lookup 19
    #[test]
    fn a_failed_server_is_passed_over_for_half_a_minute() {
        let (directories, directory) = (Directories::default(), a_directory(&["one", "two"]));
        let start = Instant::now();
        let fail = |host: &str, at| {
            let server = Server { host: host.to_owned(), port: 389 };
            directories.with(|known| known.failed.insert((directory.id, server), at))
        };
        let after = |seconds| start + Duration::from_secs(seconds);
        fail("one", start);
        assert_eq!(hosts(&directories.in_order(&directory, start)), ["two"]);
        fail("two", after(20));
        assert_eq!(
            hosts(&directories.in_order(&directory, after(20))),
            ["one", "two"],
            "all failed, so all are tried"
        );
        assert_eq!(hosts(&directories.in_order(&directory, after(31))), ["one"]);
    }

    #[test]
    fn only_administrators_learn_which_step_failed() {
        let failed = Unreached::Failed(Failure::new(Step::Tls, "tls_failed", "TLS with dc1 failed"));
        assert!(failed.problem(true).detail().contains("dc1"));
        assert_eq!(failed.problem(true).members(), [("step", "tls".to_owned())]);
        assert_eq!(failed.problem(false).detail(), "the directory is unavailable");
        assert!(failed.problem(false).members().is_empty());
    }
}
