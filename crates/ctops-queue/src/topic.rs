//! The closed list of topics.

use std::fmt;

/// A named stream of records. The list is closed: the seeds name the topics (deployment 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(&'static str);

impl Topic {
    /// Accepted heartbeats, keyed by host.
    pub const METRICS_RAW: Self = Self("metrics.raw");
    /// Leases of agents that began or ended, keyed by host.
    pub const AGENT_STATUS: Self = Self("agent.status");
    /// Everything else that happened, keyed by its subject.
    pub const EVENTS_RAW: Self = Self("events.raw");
    /// Alerts on their way to be delivered, keyed by alert.
    pub const ALERTS_PENDING: Self = Self("alerts.pending");
    /// Every topic.
    pub const ALL: [Self; 4] =
        [Self::METRICS_RAW, Self::AGENT_STATUS, Self::EVENTS_RAW, Self::ALERTS_PENDING];

    /// The name on the wire, on disk and in the database.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
