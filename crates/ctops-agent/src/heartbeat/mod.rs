//! Reporting: a stream that is kept open, a report at once and then at every interval (agents-enrolment 13, 26; wire
//! contract 5). While there is no stream the samples go into a buffer, at the same interval.
//!
//! A new certificate, pushed or renewed, moves the reports to a second stream that is opened while the first one still
//! lives; the first is closed only after the server answered on the second. No report is missed, and the process goes
//! on.

use std::time::Duration;

use ctops_proto::agent::{HeartbeatRequest, HeartbeatResponse, RegisterResponse, RenewCertificateRequest};
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::{info, warn};

use crate::agent::{Agent, Ended};
use crate::backoff::Backoff;
use crate::dial::DialError;
use crate::leaf::Leaf;
use crate::logging::{chain, with_causes};
use crate::registration::Answer;
use crate::shutdown::Shutdown;

mod delivery;
mod errands;
mod obey;
mod report;
mod stream;

use errands::{Errand, Errands};
use stream::Stream;

/// Why a stream ended, or did not begin.
enum End {
    Stopped,
    Dial(DialError),
    Closed,
    Failed(Status),
    Silent(Duration),
}

/// Where in its stream a report stands: the first one carries the token in place of the agent id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Later,
}

impl Agent {
    /// Keeps a stream open until the agent is to end, or has to register again.
    pub(crate) async fn report(&mut self, shutdown: &mut Shutdown, backoff: &mut Backoff) -> Ended {
        let seconds = self.timing.heartbeat.as_secs_f64();
        info!(interval_secs = %seconds, version = crate::version(), "starting heartbeat");
        loop {
            let opened = Box::pin(self.open_stream(shutdown)).await;
            let (end, lived) = match opened {
                None => (End::Stopped, Duration::ZERO),
                Some(Err(end)) => (end, Duration::ZERO),
                Some(Ok((stream, answer))) => {
                    let opened = stream.opened;
                    let end = Box::pin(self.drive(stream, &answer, shutdown)).await;
                    (end, opened.elapsed())
                }
            };
            if lived >= self.timing.stable_after {
                backoff.reset();
            }
            let err = match end {
                End::Stopped => return Ended::Stopped,
                End::Dial(error @ DialError::CertificateRefused(_)) => {
                    warn!(err = chain(&error), "registering again without the certificate");
                    return Ended::CertificateRefused;
                }
                End::Failed(status) if means_unknown(&status) => {
                    warn!(err = describe(&status), "server does not accept this agent, registering again");
                    return Ended::Unknown;
                }
                End::Dial(error) => chain(&error),
                End::Failed(status) => describe(&status),
                End::Closed => "server closed the stream".to_owned(),
                End::Silent(after) => format!("nothing heard from the server for {after:?}"),
            };
            let delay = backoff.next_delay();
            warn!(err, backoff = ?delay, "heartbeat stream ended, reconnecting");
            if self.meanwhile(shutdown, tokio::time::sleep(delay)).await.is_none() {
                return Ended::Stopped;
            }
        }
    }

    /// Opens a stream; `None` when the agent is to end first.
    async fn open_stream(
        &mut self,
        shutdown: &mut Shutdown,
    ) -> Option<Result<(Stream, HeartbeatResponse), End>> {
        self.containers.beat(None);
        let (dialer, identity, leaf) = (self.dialer.clone(), self.identity.clone(), self.leaf.clone());
        let dial = async move { dialer.dial(leaf.as_ref().map(|leaf| (identity.as_ref(), leaf))).await };
        let connection = match self.meanwhile(shutdown, dial).await? {
            Ok(connection) => connection,
            Err(error) => return Some(Err(End::Dial(error))),
        };
        let mut first = self.next_report(Place::First).await;
        self.load(&mut first);
        let cargo = delivery::cargo(&first);
        let open = Stream::open(connection, first, self.timing.answer);
        Some(match Box::pin(self.meanwhile(shutdown, open)).await? {
            Ok((mut stream, answer)) => {
                stream.in_flight.sent(cargo);
                if let Some(cargo) = stream.in_flight.answered(&answer) {
                    self.delivered(&cargo);
                }
                Ok((stream, answer))
            }
            Err(status) => {
                self.unload(cargo);
                Err(End::Failed(status))
            }
        })
    }

    /// Reports on `stream`, or on the one that takes its place, until it ends.
    async fn drive(
        &mut self,
        mut stream: Stream,
        answer: &HeartbeatResponse,
        shutdown: &mut Shutdown,
    ) -> End {
        self.begin(&stream, answer);
        let refresh_at = self.token_since + self.timing.token_refresh;
        let mut errands = Errands::new(Backoff::new(&self.timing), refresh_at, self.timing.errand_retry);
        let mut ended = None;
        loop {
            let superseded = self.leaf.as_ref().is_some_and(|leaf| stream.shown() != Some(leaf.der()));
            if ended.is_none() {
                self.start_errands(&stream, superseded, &mut errands);
            }
            // A stream that ended while its successor is being opened leaves its place to it.
            if !errands.handing_over
                && let Some(end) = ended
            {
                stream.in_flight.lost().into_iter().for_each(|cargo| self.unload(cargo));
                return end;
            }
            tokio::select! {
                biased;
                () = shutdown.wait() => {
                    stream.finish(self.timing.farewell).await;
                    return End::Stopped;
                }
                message = stream.next(), if ended.is_none() => match message {
                    Ok(Some(message)) => self.hear(&mut stream, &message),
                    Ok(None) => ended = Some(End::Closed),
                    Err(status) => ended = Some(End::Failed(status)),
                },
                () = tokio::time::sleep_until(errands.handover_not_before),
                    if superseded && !errands.handing_over && ended.is_none() => {}
                errand = errands.next() => {
                    if let Some(next) = self.finish_errand(errand, &mut errands).await {
                        let mut last = std::mem::replace(&mut stream, next);
                        last.in_flight.lost().into_iter().for_each(|cargo| self.unload(cargo));
                        self.connected(&stream);
                        ended = None;
                        tokio::spawn(last.finish(self.timing.farewell));
                    }
                }
                () = tokio::time::sleep_until(self.rhythm.due()) => {
                    if ended.is_some() {
                        self.keep_sample().await;
                    } else if stream.heard.elapsed() > self.timing.silence() {
                        ended = Some(End::Silent(stream.heard.elapsed()));
                    } else {
                        let report = self.next_report(Place::Later).await;
                        self.send(&mut stream, report);
                        self.containers.beat(Some(self.container_link(&stream)));
                        self.settle_buffer(&stream);
                    }
                }
                () = tokio::time::sleep_until(self.deliver_at),
                    if ended.is_none() && self.may_deliver(&stream) => self.deliver(&mut stream),
                () = self.work.ready(), if ended.is_none() => {
                    let report = self.early_report();
                    self.send(&mut stream, report);
                }
                () = self.work.token_wanted() => errands.refresh_soon(),
                () = self.pressure.notified() => self.shed(),
            }
        }
    }

    /// Takes in the answer to the first message of a stream.
    fn begin(&mut self, stream: &Stream, answer: &HeartbeatResponse) {
        info!(agent_id = self.state.agent_id.as_str(), "heartbeat stream opened");
        self.extended = self.pushed.revision > 0;
        self.connected(stream);
        self.obey(answer);
        self.update.obey(answer, || stream.releases());
    }

    /// Takes in a later message of the server.
    fn hear(&mut self, stream: &mut Stream, message: &HeartbeatResponse) {
        if let Some(cargo) = stream.in_flight.answered(message) {
            self.delivered(&cargo);
        }
        self.obey(message);
        self.update.obey(message, || stream.releases());
    }

    fn start_errands(&self, stream: &Stream, superseded: bool, errands: &mut Errands) {
        if errands.may_refresh() {
            errands.refresh(stream.client(), self.registration_request(0), self.timing.answer);
        }
        let Some(leaf) = &self.leaf else { return };
        if superseded {
            if errands.may_hand_over() {
                errands.dial(self.dialer.clone(), self.identity.clone(), leaf.clone());
            }
        } else if leaf.renewal_due(self.clock.now().timestamp()) && errands.may_renew() {
            let request =
                RenewCertificateRequest { agent_id: self.state.agent_id.clone(), csr_der: self.csr.clone() };
            errands.renew(stream.client(), request, self.timing.answer);
        }
    }

    /// Takes in the result of an errand; a stream if it is to replace the present one.
    async fn finish_errand(&mut self, errand: Errand, errands: &mut Errands) -> Option<Stream> {
        match errand {
            Errand::Dialled(Ok(connection)) => {
                // This report is the next one due, sent early: the interval begins anew.
                let first = self.next_report(Place::First).await;
                errands.open(connection, first, self.timing.answer);
            }
            Errand::Dialled(Err(error)) => {
                warn!(err = chain(&error), "no connection with the new certificate yet");
                errands.handover_failed();
            }
            Errand::Opened(Ok(opened)) => {
                let (mut stream, answer) = *opened;
                // Its first report carried nothing that could be lost, but its answer counts.
                stream.in_flight.sent(HeartbeatRequest::default());
                stream.in_flight.answered(&answer);
                errands.handover_done();
                info!(
                    agent_id = self.state.agent_id.as_str(),
                    "heartbeat stream moved to the new certificate"
                );
                self.obey(&answer);
                return Some(stream);
            }
            Errand::Opened(Err(status)) => {
                warn!(err = describe(&status), "server does not accept the new certificate yet");
                errands.handover_failed();
                // The report that was lost with it goes out on the present stream.
                self.rhythm.hasten(Instant::now());
            }
            Errand::Renewed(Ok(renewed)) => {
                self.take_leaf(&renewed.client_cert_pem, &renewed.agent_ca_cert_pem);
            }
            Errand::Renewed(Err(status)) => {
                warn!(err = describe(&status), retry = ?self.timing.errand_retry, "certificate not renewed");
            }
            Errand::Refreshed(Ok(response)) => {
                if self.take_refreshed(response) {
                    errands.refresh_at(self.token_since + self.timing.token_refresh);
                }
            }
            Errand::Refreshed(Err(status)) => {
                warn!(err = describe(&status), retry = ?self.timing.errand_retry, "token not replaced");
            }
        }
        None
    }

    fn take_refreshed(&mut self, response: RegisterResponse) -> bool {
        let Answer::Active(grant) = Answer::from(response) else {
            warn!(retry = ?self.timing.errand_retry, "token not replaced, the agent is not active");
            return false;
        };
        self.take_grant(&grant);
        self.work.token_replaced(&self.state);
        // The answer may carry a certificate signed long ago; only a younger one is worth a new stream.
        let younger = Leaf::parse(&grant.leaf_pem, &self.identity)
            .is_ok_and(|leaf| self.leaf.as_ref().is_none_or(|known| leaf.not_after() > known.not_after()));
        if younger {
            self.take_leaf(&grant.leaf_pem, &grant.authority_pem);
        }
        true
    }
}

/// Codes after which the server has to be asked anew who this agent is (wire contract 5.6).
fn means_unknown(status: &Status) -> bool {
    matches!(status.code(), Code::NotFound | Code::PermissionDenied | Code::Unauthenticated)
}

fn describe(status: &Status) -> String {
    with_causes(format!("{:?}: {}", status.code(), status.message()), std::error::Error::source(status))
}
