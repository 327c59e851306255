//! One open heartbeat stream.

use std::time::Duration;

use ctops_proto::agent::{HeartbeatRequest, HeartbeatResponse};
use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::delivery::InFlight;
use crate::dial::{Client, Connection, Releases};

/// Reports on their way; when the server takes none for as long, newer ones are left out instead of piling up.
const QUEUED: usize = 4;

/// A stream the server has answered on, and the connection it lives on.
#[derive(Debug)]
pub(crate) struct Stream {
    connection: Connection,
    sender: mpsc::Sender<HeartbeatRequest>,
    responses: Streaming<HeartbeatResponse>,
    /// When the server accepted it.
    pub(crate) opened: Instant,
    /// When the server was last heard.
    pub(crate) heard: Instant,
    /// What was sent and not yet acknowledged.
    pub(super) in_flight: InFlight,
}

impl Stream {
    /// Opens a stream with its `first` message and waits for the answer to it: only then the server has accepted
    /// the agent.
    ///
    /// # Errors
    /// The status the server ends the stream with, or one of our own when it does not answer within `patience`.
    pub(crate) async fn open(
        connection: Connection,
        first: HeartbeatRequest,
        patience: Duration,
    ) -> Result<(Self, HeartbeatResponse), Status> {
        timeout(patience, Self::begin(connection, first)).await.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded("the server did not answer the first heartbeat"))
        })
    }

    async fn begin(
        connection: Connection,
        first: HeartbeatRequest,
    ) -> Result<(Self, HeartbeatResponse), Status> {
        let (sender, outgoing) = mpsc::channel(QUEUED);
        // The channel is new and has room.
        let _ = sender.try_send(first);
        let mut client = connection.client.clone();
        let mut responses = client.heartbeat(ReceiverStream::new(outgoing)).await?.into_inner();
        let answer = responses
            .message()
            .await?
            .ok_or_else(|| Status::unavailable("the server closed the stream without an answer"))?;
        let now = Instant::now();
        let in_flight = InFlight::default();
        Ok((Self { connection, sender, responses, opened: now, heard: now, in_flight }, answer))
    }

    /// The certificate this stream was opened with.
    pub(crate) fn shown(&self) -> Option<&CertificateDer<'static>> {
        self.connection.shown.as_ref()
    }

    /// Makes calls on the same connection.
    pub(crate) fn client(&self) -> Client {
        self.connection.client.clone()
    }

    /// Fetches releases on the same connection.
    pub(crate) fn releases(&self) -> Releases {
        self.connection.releases.clone()
    }

    /// Sends a report; `false` if too many are waiting already.
    pub(crate) fn send(&self, report: HeartbeatRequest) -> bool {
        self.sender.try_send(report).is_ok()
    }

    /// The next message of the server, `None` when it closed the stream. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Option<HeartbeatResponse>, Status> {
        let message = self.responses.message().await?;
        self.heard = Instant::now();
        Ok(message)
    }

    /// Says goodbye: no more reports, then the server's last words, for at most `patience`.
    pub(crate) async fn finish(self, patience: Duration) {
        let Self { connection, sender, mut responses, .. } = self;
        drop(sender);
        // What the server still has to say belongs to a stream that is no longer used.
        let _ = timeout(patience, async { while let Ok(Some(_)) = responses.message().await {} }).await;
        drop(connection);
    }
}
