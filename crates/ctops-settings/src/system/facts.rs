//! What only the process knows about its health.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// A certificate that this installation shows.
#[derive(Clone, Debug)]
pub struct CertificateFact {
    /// Who is shown it: `web` or `ingest`.
    pub name: &'static str,
    /// When it ends.
    pub not_after: DateTime<Utc>,
}

/// A file system that holds data.
#[derive(Clone, Debug)]
pub struct VolumeFact {
    /// What it holds.
    pub name: &'static str,
    /// Size, bytes.
    pub total_bytes: u64,
    /// Free for this program, bytes.
    pub free_bytes: u64,
}

/// How far a consumer of this process is behind.
#[derive(Clone, Debug)]
pub struct QueueFact {
    /// Consumer group.
    pub group: String,
    /// Topic.
    pub topic: String,
    /// Records that wait.
    pub waiting: u64,
}

/// Everything of that kind.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Version of the program.
    pub version: &'static str,
    /// Name of this node.
    pub node: String,
    /// `embedded` or `brokers`.
    pub queue: &'static str,
    /// Consumers of this process.
    pub waiting: Vec<QueueFact>,
    /// Certificates.
    pub certificates: Vec<CertificateFact>,
    /// File systems.
    pub volumes: Vec<VolumeFact>,
    /// Remarks about the configuration.
    pub remarks: Vec<String>,
    /// Settings of the environment, one per line, secrets masked.
    pub configuration: Vec<String>,
}

/// Knows them.
#[async_trait]
pub trait ServerFacts: Send + Sync {
    /// The facts as they are now.
    async fn facts(&self) -> Facts;
}
