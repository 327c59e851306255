//! What goes back to the agent on its stream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use ctops_fleet::agents::ClientCertificate;
use ctops_proto::agent::HeartbeatResponse;
use futures_util::Stream;
use tokio::sync::mpsc;
use tonic::Status;

/// Answers that may wait for an agent that does not read. Small values, because the channel allocates for all at once.
const WAITING: usize = 32;

/// One answer. Kept apart from the wire message, which has half a kilobyte even when it is empty.
enum Reply {
    Ack,
    Certificate(Box<Push>),
    Work(Box<HeartbeatResponse>),
    End(Option<Box<Status>>),
}

struct Push {
    certificate: ClientCertificate,
    agent_ca_pem: String,
}

/// The sending side. The last place in the channel is kept for the end, so that a stream can always be ended.
pub(super) struct Replies {
    sender: mpsc::Sender<Reply>,
    end: mpsc::OwnedPermit<Reply>,
}

/// The agent is gone: nobody reads answers any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Replies {
    /// Both sides.
    pub(super) fn channel() -> Result<(Self, ReplyStream), Status> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let end =
            sender.clone().try_reserve_owned().map_err(|_| Status::internal("answers cannot be queued"))?;
        Ok((Self { sender, end }, ReplyStream { receiver, ended: false }))
    }

    /// Acknowledges one report. Safe to cancel: nothing is sent then.
    pub(super) async fn ack(&self) -> Result<(), Gone> {
        self.sender.reserve().await.map(|permit| permit.send(Reply::Ack)).map_err(|_| Gone)
    }

    /// Delivers a newer client certificate, in a message of its own.
    pub(super) async fn certificate(
        &self,
        certificate: ClientCertificate,
        agent_ca_pem: String,
    ) -> Result<(), Gone> {
        let push = Reply::Certificate(Box::new(Push { certificate, agent_ca_pem }));
        self.sender.send(push).await.map_err(|_| Gone)
    }

    /// Sends the first of `waiting`, if any. Safe to cancel: nothing is taken then.
    pub(super) async fn work(&self, waiting: &mut VecDeque<HeartbeatResponse>) -> Result<(), Gone> {
        let permit = self.sender.reserve().await.map_err(|_| Gone)?;
        if let Some(response) = waiting.pop_front() {
            permit.send(Reply::Work(Box::new(response)));
        }
        Ok(())
    }

    /// Ends the stream; without a status it ends with `OK`.
    pub(super) fn end(self, status: Option<Status>) {
        self.end.send(Reply::End(status.map(Box::new)));
    }
}

/// The receiving side, as the transport wants it.
pub(crate) struct ReplyStream {
    receiver: mpsc::Receiver<Reply>,
    ended: bool,
}

impl ReplyStream {
    /// A stream that ends with `OK` before the first message.
    pub(super) fn empty() -> Self {
        Self { receiver: mpsc::channel(1).1, ended: true }
    }
}

impl Stream for ReplyStream {
    type Item = Result<HeartbeatResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(context).map(|reply| match reply {
            Some(Reply::Ack) => Some(Ok(HeartbeatResponse { ok: true, ..Default::default() })),
            Some(Reply::Certificate(push)) => Some(Ok(HeartbeatResponse {
                ok: true,
                is_push: true,
                pending_client_cert_not_after_unix: push.certificate.not_after.timestamp(),
                pending_client_cert_pem: push.certificate.pem,
                agent_ca_cert_pem: push.agent_ca_pem,
                ..Default::default()
            })),
            Some(Reply::Work(response)) => Some(Ok(HeartbeatResponse { is_push: true, ..*response })),
            Some(Reply::End(status)) => {
                self.ended = true;
                status.map(|status| Err(*status))
            }
            // The stream's task died without an end: a bug of ours, which must not look like a clean close.
            None => {
                self.ended = true;
                Some(Err(Status::internal("the stream ended unexpectedly")))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use futures_util::{FutureExt, StreamExt};

    #[tokio::test]
    async fn answers_arrive_in_order_and_the_end_always_fits() {
        let (replies, mut stream) = Replies::channel().unwrap();
        let mut sent = 0;
        while let Some(result) = replies.ack().now_or_never() {
            result.unwrap();
            sent += 1;
        }
        assert_eq!(sent, WAITING - 1);
        replies.end(Some(Status::aborted("over")));
        for _ in 0..sent {
            let answer = stream.next().await.unwrap().unwrap();
            assert!(answer.ok && !answer.is_push, "an answer acknowledges a report");
        }
        assert_eq!(stream.next().await.unwrap().unwrap_err().code(), tonic::Code::Aborted);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn certificate_travels_in_a_message_of_its_own() {
        let (replies, mut stream) = Replies::channel().unwrap();
        let not_after = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let certificate = ClientCertificate { pem: "leaf".to_owned(), serial: "1".to_owned(), not_after };
        replies.certificate(certificate, "ca".to_owned()).await.unwrap();
        let message = stream.next().await.unwrap().unwrap();
        assert_eq!(
            (message.pending_client_cert_pem.as_str(), message.agent_ca_cert_pem.as_str()),
            ("leaf", "ca")
        );
        assert_eq!(message.pending_client_cert_not_after_unix, 1_800_000_000);
        assert!(message.ok && message.is_push, "it acknowledges no report");
        replies.end(None);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn work_is_sent_one_piece_at_a_time_and_marked_as_a_push() {
        let (replies, mut stream) = Replies::channel().unwrap();
        let piece = |version: &str| HeartbeatResponse {
            ok: true,
            latest_version: version.to_owned(),
            ..HeartbeatResponse::default()
        };
        let mut waiting = VecDeque::from([piece("1"), piece("2")]);
        replies.work(&mut waiting).await.unwrap();
        assert_eq!(waiting, [piece("2")]);
        replies.ack().await.unwrap();
        let pushed = stream.next().await.unwrap().unwrap();
        assert_eq!(pushed, HeartbeatResponse { is_push: true, ..piece("1") });
        assert!(!stream.next().await.unwrap().unwrap().is_push, "pushes do not mark the answers after them");
    }

    #[tokio::test]
    async fn stream_when_its_task_died_ends_with_internal() {
        let (replies, mut stream) = Replies::channel().unwrap();
        drop(replies);
        assert_eq!(stream.next().await.unwrap().unwrap_err().code(), tonic::Code::Internal);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn ack_when_nobody_reads_any_more_says_so() {
        let (replies, stream) = Replies::channel().unwrap();
        drop(stream);
        assert_eq!(replies.ack().await, Err(Gone));
    }
}
