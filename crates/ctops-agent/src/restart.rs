//! The wish to execute the program anew, after a clean end of everything that runs.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether the process is to begin anew. Cloning shares the wish.
#[derive(Clone, Debug)]
pub struct Restart(Arc<watch::Sender<bool>>);

impl Default for Restart {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Restart {
    /// Expresses the wish.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Takes the wish back: the process was asked to end.
    pub fn forget(&self) {
        self.0.send_replace(false);
    }

    /// Whether the wish stands.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the wish is expressed.
    pub async fn wait(&self) {
        // The sender lives as long as this value.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}
