//! Watches a TLS stream for the server's first words, or for the alert it sends instead.
//!
//! HTTP/2 libraries turn errors of their stream into text, and the alert with them; here it is still whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was heard yet.
    Silent,
    /// The server sent something.
    Speaking,
    /// The server ended TLS with this alert before it sent anything.
    Refused(AlertDescription),
    /// The stream ended before the server sent anything.
    Closed,
}

/// A stream that reports its [`Phase`].
pub(super) struct Observed<S> {
    inner: S,
    phase: watch::Sender<Phase>,
}

impl<S> Observed<S> {
    pub(super) fn new(inner: S) -> (Self, watch::Receiver<Phase>) {
        let (phase, receiver) = watch::channel(Phase::Silent);
        (Self { inner, phase }, receiver)
    }

    fn note(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let first = *current == Phase::Silent;
            if first {
                *current = phase;
            }
            first
        });
    }

    fn note_error(&self, error: &io::Error) {
        self.note(alert_of(error).map_or(Phase::Closed, Phase::Refused));
    }
}

/// The alert behind an error of a TLS stream.
pub(super) fn alert_of(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        match &result {
            Ok(()) if buffer.filled().len() > before => self.note(Phase::Speaking),
            Ok(()) => self.note(Phase::Closed),
            Err(error) => self.note_error(error),
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.inner).poll_write(context, bytes));
        Poll::Ready(result.inspect_err(|error| self.note_error(error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.inner).poll_flush(context));
        Poll::Ready(result.inspect_err(|error| self.note_error(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
