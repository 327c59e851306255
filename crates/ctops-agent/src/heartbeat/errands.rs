//! What is done beside the reports while a stream is open: renewing the certificate, replacing the token, and opening
//! the next stream before this one ends (agents-enrolment 11, 13).

use std::sync::Arc;
use std::time::Duration;

use ctops_proto::agent::{
    HeartbeatRequest, HeartbeatResponse, RegisterRequest, RegisterResponse, RenewCertificateRequest,
    RenewCertificateResponse,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::Status;

use super::stream::Stream;
use crate::backoff::Backoff;
use crate::dial::{Client, Connection, DialError, Dialer};
use crate::identity::Identity;
use crate::leaf::Leaf;

/// A finished errand.
pub(super) enum Errand {
    /// A connection with the new certificate.
    Dialled(Result<Connection, DialError>),
    /// A stream on that connection with the answer to its first message.
    Opened(Result<Box<(Stream, HeartbeatResponse)>, Status>),
    /// A new certificate.
    Renewed(Result<RenewCertificateResponse, Status>),
    /// A new token.
    Refreshed(Result<RegisterResponse, Status>),
}

/// The errands under way: at most one of each kind. Dropping it ends them.
pub(super) struct Errands {
    running: JoinSet<Errand>,
    /// Whether a next stream is being opened.
    pub(super) handing_over: bool,
    /// Earliest time for the next attempt to open one.
    pub(super) handover_not_before: Instant,
    handover_backoff: Backoff,
    renewing: bool,
    renew_not_before: Instant,
    refreshing: bool,
    refresh_not_before: Instant,
    retry: Duration,
}

impl Errands {
    /// No errands yet; the token is to be replaced at `refresh_at`, failures are repeated after `retry`.
    pub(super) fn new(handover_backoff: Backoff, refresh_at: Instant, retry: Duration) -> Self {
        let now = Instant::now();
        Self {
            running: JoinSet::new(),
            handing_over: false,
            handover_not_before: now,
            handover_backoff,
            renewing: false,
            renew_not_before: now,
            refreshing: false,
            refresh_not_before: refresh_at,
            retry,
        }
    }

    /// The next finished errand; never returns while there is none. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Errand {
        loop {
            match self.running.join_next().await {
                Some(Ok(errand)) => {
                    match errand {
                        Errand::Renewed(_) => self.renewing = false,
                        Errand::Refreshed(_) => self.refreshing = false,
                        Errand::Dialled(_) | Errand::Opened(_) => {}
                    }
                    return errand;
                }
                // An errand that panicked is lost with its kind; that is a bug, and the stream goes on.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    pub(super) fn dial(&mut self, dialer: Dialer, identity: Arc<Identity>, leaf: Leaf) {
        self.handing_over = true;
        self.running
            .spawn(async move { Errand::Dialled(dialer.dial(Some((identity.as_ref(), &leaf))).await) });
    }

    pub(super) fn open(&mut self, connection: Connection, first: HeartbeatRequest, patience: Duration) {
        self.running.spawn(async move {
            Errand::Opened(Stream::open(connection, first, patience).await.map(Box::new))
        });
    }

    /// Whether the next stream may be opened now.
    pub(super) fn may_hand_over(&self) -> bool {
        !self.handing_over && Instant::now() >= self.handover_not_before
    }

    /// The next stream could not be opened; the present one goes on.
    pub(super) fn handover_failed(&mut self) {
        self.handing_over = false;
        self.handover_not_before = Instant::now() + self.handover_backoff.next_delay();
    }

    /// The next stream is the present one now.
    pub(super) fn handover_done(&mut self) {
        self.handing_over = false;
        self.handover_backoff.reset();
    }

    /// Whether a certificate that is due may be renewed now.
    pub(super) fn may_renew(&self) -> bool {
        !self.renewing && Instant::now() >= self.renew_not_before
    }

    pub(super) fn renew(&mut self, mut client: Client, request: RenewCertificateRequest, patience: Duration) {
        self.renewing = true;
        self.renew_not_before = Instant::now() + self.retry;
        self.running.spawn(async move {
            let answer = timeout(patience, client.renew_certificate(request)).await;
            Errand::Renewed(answer.unwrap_or_else(|_| Err(late())).map(tonic::Response::into_inner))
        });
    }

    /// The token is to be replaced before its time.
    pub(super) fn refresh_soon(&mut self) {
        self.refresh_not_before = Instant::now();
    }

    /// Whether the token is old enough to be replaced.
    pub(super) fn may_refresh(&self) -> bool {
        !self.refreshing && Instant::now() >= self.refresh_not_before
    }

    pub(super) fn refresh(&mut self, mut client: Client, request: RegisterRequest, patience: Duration) {
        self.refreshing = true;
        self.refresh_not_before = Instant::now() + self.retry;
        self.running.spawn(async move {
            let answer = timeout(patience, client.register(request)).await;
            Errand::Refreshed(answer.unwrap_or_else(|_| Err(late())).map(tonic::Response::into_inner))
        });
    }

    /// The token was replaced; it is to be replaced again at `when`.
    pub(super) fn refresh_at(&mut self, when: Instant) {
        self.refresh_not_before = when;
    }
}

fn late() -> Status {
    Status::deadline_exceeded("the server did not answer in time")
}
