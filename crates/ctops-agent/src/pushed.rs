//! The configuration the server pushes: interval and what is collected (agents-enrolment 32).
//!
//! It is kept in the data directory, so that a restarted agent does not collect what was turned off until the server
//! says so again.

use std::time::Duration;

use ctops_proto::agent::AgentConfig;
use ctops_proto::limits;
use serde::{Deserialize, Serialize};

/// The last configuration received. Without one everything is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PushedConfig {
    /// Revision the server gave it; 0 while none was received.
    pub revision: u64,
    /// Seconds between heartbeats; 0 leaves it to the agent's own configuration.
    pub interval_seconds: u32,
    /// Processor use, load averages, number of processes.
    pub collect_cpu: bool,
    /// Memory and swap.
    pub collect_memory: bool,
    /// File systems.
    pub collect_disk: bool,
    /// Network traffic. Interfaces and addresses are part of what a host is, not of this.
    pub collect_network: bool,
    /// Container runtime, containers and their use of resources.
    pub collect_containers: bool,
}

impl Default for PushedConfig {
    fn default() -> Self {
        Self {
            revision: 0,
            interval_seconds: 0,
            collect_cpu: true,
            collect_memory: true,
            collect_disk: true,
            collect_network: true,
            collect_containers: true,
        }
    }
}

impl From<AgentConfig> for PushedConfig {
    fn from(config: AgentConfig) -> Self {
        Self {
            revision: config.revision,
            interval_seconds: config.interval_seconds,
            collect_cpu: config.collect_cpu,
            collect_memory: config.collect_memory,
            collect_disk: config.collect_disk,
            collect_network: config.collect_network,
            collect_containers: config.collect_containers,
        }
    }
}

impl PushedConfig {
    /// The interval in force when the agent's own is `own`; one out of bounds (5 to 300 s) is moved to the nearest bound.
    pub fn interval(&self, own: Duration) -> Duration {
        if self.interval_seconds == 0 {
            return own;
        }
        let (least, most) =
            (*limits::HEARTBEAT_INTERVAL_SECS.start(), *limits::HEARTBEAT_INTERVAL_SECS.end());
        Duration::from_secs(self.interval_seconds.clamp(least, most).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: agents-enrolment 26, 32
    #[test]
    fn interval_when_pushed_then_is_kept_within_its_bounds_and_zero_leaves_the_own() {
        let own = Duration::from_secs(42);
        for (pushed, expected) in [(0, 42), (1, 5), (5, 5), (60, 60), (300, 300), (4000, 300)] {
            let config = PushedConfig { interval_seconds: pushed, ..PushedConfig::default() };
            assert_eq!(config.interval(own), Duration::from_secs(expected), "{pushed}");
        }
    }

    /// Spec: agents-enrolment 32
    #[test]
    fn configuration_when_none_was_received_then_collects_everything() {
        let config = PushedConfig::default();
        assert!(config.collect_cpu && config.collect_memory && config.collect_disk);
        assert!(config.collect_network && config.collect_containers);
        let off = PushedConfig::from(AgentConfig { revision: 7, ..AgentConfig::default() });
        assert!(!off.collect_cpu && !off.collect_memory && !off.collect_disk && !off.collect_network);
        assert_eq!((off.revision, off.collect_containers), (7, false));
    }
}
