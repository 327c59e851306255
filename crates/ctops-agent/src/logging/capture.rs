//! Collects the log of one test.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use ctops_base::Clock;

use super::SlogText;

/// Lines written during a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Everything written so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Collects the log of this thread until the guard is dropped.
pub(crate) fn captured() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let subscriber = SlogText::new(Clock::system(), Box::new(lines.clone()));
    (lines, tracing::subscriber::set_default(subscriber))
}
