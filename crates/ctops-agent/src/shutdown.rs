//! The wish to end, handed to everything that waits.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::restart::Restart;

/// Whether the process was asked to end. Cloning shares the same wish.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Asks everything holding the [`Shutdown`] made with it to end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// A wish that is not yet expressed, and the means to express it.
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Shutdown(receiver))
}

/// A wish expressed by SIGTERM, SIGINT or `restart`. A signal takes the wish to restart back. Needs a running tokio
/// runtime.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn on_signals(restart: &Restart) -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stopper, shutdown) = channel();
    let restart = restart.clone();
    tokio::spawn(async move {
        let restarting = tokio::select! {
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
            () = restart.wait() => true,
        };
        stopper.stop();
        if restarting {
            tokio::select! {
                _ = terminate.recv() => restart.forget(),
                _ = interrupt.recv() => restart.forget(),
                () = stopper.0.closed() => {}
            }
        } else {
            restart.forget();
        }
        // The channel stays open until nobody listens any more.
        stopper.0.closed().await;
    });
    Ok(shutdown)
}

impl Stopper {
    /// Expresses the wish.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Returns once the wish was expressed. Never returns when the [`Stopper`] is gone without a word.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|wished| *wished).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Runs `work` unless the wish comes first: `None` then, and `work` is dropped.
    pub async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            result = work => Some(result),
        }
    }
}
