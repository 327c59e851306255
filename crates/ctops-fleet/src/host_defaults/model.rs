//! The defaults and how agents are told.

use ctops_base::Problem;
use ctops_proto::agent::AgentConfig;
use ctops_proto::limits::HEARTBEAT_INTERVAL_SECS;

/// Revision that stands for the defaults of an organisation that never chose anything.
pub(super) const UNCHOSEN: i64 = 1;

/// What the hosts of an organisation collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct HostDefaults {
    /// Between heartbeats, 5 to 300; none leaves it to each agent.
    pub(super) heartbeat_interval_seconds: Option<i32>,
    /// Processor use, load averages, number of processes.
    pub(super) collect_cpu: bool,
    /// Memory and swap.
    pub(super) collect_memory: bool,
    /// File systems.
    pub(super) collect_disk: bool,
    /// Network traffic.
    pub(super) collect_network: bool,
    /// Container runtimes and containers.
    pub(super) collect_containers: bool,
}

impl Default for HostDefaults {
    fn default() -> Self {
        Self {
            heartbeat_interval_seconds: None,
            collect_cpu: true,
            collect_memory: true,
            collect_disk: true,
            collect_network: true,
            collect_containers: true,
        }
    }
}

impl HostDefaults {
    /// Refuses an interval that agents would not keep (agents-enrolment 26).
    ///
    /// # Errors
    /// `validation_failed` naming the bounds.
    pub(super) fn check(self) -> Result<Self, Problem> {
        let allowed =
            |seconds: i32| u32::try_from(seconds).is_ok_and(|s| HEARTBEAT_INTERVAL_SECS.contains(&s));
        if self.heartbeat_interval_seconds.is_none_or(allowed) {
            return Ok(self);
        }
        let (least, most) = (HEARTBEAT_INTERVAL_SECS.start(), HEARTBEAT_INTERVAL_SECS.end());
        let message = format!("must be null or from {least} to {most}");
        Err(Problem::invalid_field("heartbeat_interval_seconds", "out_of_range", message))
    }

    /// The same for an agent.
    pub(super) fn config(self, revision: i64) -> AgentConfig {
        AgentConfig {
            revision: revision.unsigned_abs(),
            interval_seconds: self.heartbeat_interval_seconds.unwrap_or_default().unsigned_abs(),
            collect_cpu: self.collect_cpu,
            collect_memory: self.collect_memory,
            collect_disk: self.collect_disk,
            collect_network: self.collect_network,
            collect_containers: self.collect_containers,
        }
    }
}

/// The configuration an agent that reports `reported` is to be told; none when it works with it already. An agent that
/// was never told anything works with the defaults, which is what an organisation without a choice wants.
pub(super) fn to_tell(chosen: Option<(i64, HostDefaults)>, reported: u64) -> Option<AgentConfig> {
    let config = match chosen {
        None if reported == 0 => return None,
        None => HostDefaults::default().config(UNCHOSEN),
        Some((revision, defaults)) => defaults.config(revision),
    };
    (config.revision != reported).then_some(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: agents-enrolment 26, 32
    #[test]
    fn interval_when_outside_5_to_300_is_refused() {
        for (seconds, fine) in [
            (None, true),
            (Some(5), true),
            (Some(300), true),
            (Some(4), false),
            (Some(301), false),
            (Some(-30), false),
        ] {
            let defaults = HostDefaults { heartbeat_interval_seconds: seconds, ..HostDefaults::default() };
            assert_eq!(defaults.check().is_ok(), fine, "{seconds:?}");
        }
    }

    /// Spec: agents-enrolment 32
    #[test]
    fn agent_is_told_when_it_works_with_another_revision() {
        let off = HostDefaults {
            collect_disk: false,
            heartbeat_interval_seconds: Some(60),
            ..HostDefaults::default()
        };
        let told = |chosen, reported| {
            to_tell(chosen, reported).map(|c| (c.revision, c.interval_seconds, c.collect_disk))
        };
        assert_eq!(told(Some((77, off)), 0), Some((77, 60, false)));
        assert_eq!(told(Some((77, off)), 78), Some((77, 60, false)), "it comes from another server");
        assert_eq!(told(Some((77, off)), 77), None);
        assert_eq!(told(None, 0), None, "both work with the defaults");
        assert_eq!(told(None, 77), Some((1, 0, true)), "what another server chose is taken back");
        assert_eq!(told(None, 1), None);
    }
}
