//! The embedded log passes what every queue must pass.

use std::sync::Arc;

use ctops_queue::log::{Log, LogOptions};
use ctops_queue::{Queue, Topic};
use tempfile::TempDir;

use crate::conformance::Fixture;
use crate::support::{open, small};

struct Embedded {
    directory: TempDir,
    log: Arc<Log>,
}

impl Embedded {
    fn options(directory: &TempDir) -> LogOptions {
        // Small segments, so that the cases cross their borders.
        LogOptions { segment_bytes: 8 * 1024, ..small(directory.path(), &Topic::ALL) }
    }
}

impl Fixture for Embedded {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = open(Self::options(&directory)).await;
        Self { directory, log }
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.log) as Arc<dyn Queue>
    }

    async fn restart(self) -> Self {
        self.log.close().await;
        let log = open(Self::options(&self.directory)).await;
        Self { directory: self.directory, log }
    }
}

conformance!(Embedded);
exactly_once!(Embedded);
