//! From the engine's figures to a sample (containers 8, 9; wire contract 9.4).

use std::sync::Arc;

use super::Facts;
use super::answers::{CpuStats, MemoryStats, Stats};
use super::ring::Sample;

/// Processor time of a container and of the whole machine at one moment, in the engine's nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Baseline {
    container: u64,
    machine: u64,
}

impl Baseline {
    /// The reading in `stats`; `None` where the engine made none.
    pub(super) fn of(stats: &CpuStats) -> Option<Self> {
        (stats.system_cpu_usage > 0)
            .then_some(Self { container: stats.cpu_usage.total_usage, machine: stats.system_cpu_usage })
    }

    /// Share of one core used since `self`, in per cent: 100 for each fully used core, 0 when a counter was reset.
    fn percent_until(self, after: Self, cores: u32) -> f64 {
        let container = after.container.checked_sub(self.container);
        let machine = after.machine.checked_sub(self.machine).filter(|delta| *delta > 0);
        let (Some(container), Some(machine)) = (container, machine) else { return 0.0 };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a percentage needs no more than the precision of f64"
        )]
        let percent = container as f64 / machine as f64 * f64::from(cores) * 100.0;
        percent
    }
}

/// The sample in `stats`, measured against the reading before; `None` when there is none to compare with, neither the
/// agent's own nor one the engine took a second earlier.
pub(super) fn sample(
    container: &Arc<str>,
    stats: &Stats,
    before: Option<Baseline>,
    facts: Facts,
    recorded_at_unix: i64,
    host_memory_bytes: u64,
) -> Option<Sample> {
    let after = Baseline::of(&stats.cpu_stats)?;
    let before = before.or_else(|| Baseline::of(&stats.precpu_stats))?;
    let cores = cores(&stats.cpu_stats);
    let limit = match stats.memory_stats.limit {
        0 => host_memory_bytes,
        limit if host_memory_bytes > 0 => limit.min(host_memory_bytes),
        limit => limit,
    };
    Some(Sample {
        container: Arc::clone(container),
        recorded_at_unix,
        cpu_percent: before.percent_until(after, cores),
        memory_bytes: memory_in_use(&stats.memory_stats),
        memory_limit_bytes: limit,
        counters: counters(stats),
        pids: u32::try_from(stats.pids_stats.current).unwrap_or(u32::MAX),
        restart_count: facts.restart_count,
        cores_centi: match facts.cores_centi {
            0 => cores.saturating_mul(100),
            limited => limited.min(cores.saturating_mul(100)),
        },
    })
}

/// Processors of the machine: older engines do not count them, but list the time of each.
fn cores(stats: &CpuStats) -> u32 {
    match (stats.online_cpus, stats.cpu_usage.percpu_usage.len()) {
        (0, listed) => u32::try_from(listed).unwrap_or(u32::MAX).max(1),
        (online, _) => online,
    }
}

/// Memory without page cache, which the kernel gives back when asked: `cache` in control groups of version 1; in version
/// 2 the file pages, active or not.
fn memory_in_use(memory: &MemoryStats) -> u64 {
    let detail = &memory.stats;
    let cache = detail.cache.unwrap_or_else(|| detail.active_file.saturating_add(detail.inactive_file));
    memory.usage.saturating_sub(cache)
}

/// Bytes since the start of the container: received, transmitted, read, written; over all networks and devices.
fn counters(stats: &Stats) -> [u64; 4] {
    let network = stats.networks.values().fold([0_u64; 2], |[rx, tx], network| {
        [rx.saturating_add(network.rx_bytes), tx.saturating_add(network.tx_bytes)]
    });
    let block = |operation: &str| {
        let entries = stats.blkio_stats.io_service_bytes_recursive.iter();
        entries
            .filter(|entry| entry.op.eq_ignore_ascii_case(operation))
            .fold(0_u64, |sum, entry| sum.saturating_add(entry.value))
    };
    [network[0], network[1], block("read"), block("write")]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn stats(value: serde_json::Value) -> Stats {
        serde_json::from_value(value).unwrap()
    }

    fn cpu(container: u64, machine: u64, online: u32) -> serde_json::Value {
        json!({"cpu_usage": {"total_usage": container}, "system_cpu_usage": machine, "online_cpus": online})
    }

    fn sampled(value: serde_json::Value, before: Option<Baseline>) -> Option<Sample> {
        sample(&Arc::from("c1"), &stats(value), before, Facts::default(), 7, 16_000)
    }

    const BEFORE: Option<Baseline> = Some(Baseline { container: 1000, machine: 100_000 });

    /// Spec: containers 8
    #[test]
    fn processor_when_several_cores_are_used_then_exceeds_one_hundred() {
        let busy = sampled(json!({"cpu_stats": cpu(26_000, 200_000, 8)}), BEFORE).unwrap();
        assert_eq!((busy.cpu_percent, busy.cores_centi), (200.0, 800));
        let listed = json!({"cpu_stats": {"cpu_usage": {"total_usage": 26_000, "percpu_usage": [1, 2]}, "system_cpu_usage": 200_000}});
        assert_eq!(sampled(listed, BEFORE).unwrap().cpu_percent, 50.0, "without online_cpus the list counts");
        let reset = sampled(json!({"cpu_stats": cpu(5, 200_000, 8)}), BEFORE).unwrap();
        assert_eq!(reset.cpu_percent, 0.0, "a container that began again");
        assert_eq!(sampled(json!({"cpu_stats": cpu(5, 100_000, 8)}), BEFORE).unwrap().cpu_percent, 0.0);
    }

    /// Spec: containers 7
    #[test]
    fn first_reading_when_the_engine_has_none_before_it_then_gives_no_sample() {
        let once =
            json!({"cpu_stats": cpu(2000, 200_000, 1), "precpu_stats": {"cpu_usage": {"total_usage": 0}}});
        assert_eq!(sampled(once, None), None);
        let twice = json!({"cpu_stats": cpu(2000, 200_000, 1), "precpu_stats": cpu(1000, 190_000, 1)});
        assert_eq!(sampled(twice, None).unwrap().cpu_percent, 10.0);
        assert_eq!(sampled(json!({"cpu_stats": null}), BEFORE), None, "a container that just ended");
    }

    /// Spec: containers 8
    #[test]
    fn memory_when_page_cache_is_in_it_then_is_without_it_on_both_versions_of_control_groups() {
        let used = |memory: serde_json::Value| {
            let value = json!({"cpu_stats": cpu(2000, 200_000, 1), "memory_stats": memory});
            let sample = sampled(value, BEFORE).unwrap();
            (sample.memory_bytes, sample.memory_limit_bytes)
        };
        let one = json!({"usage": 1000, "limit": 4000, "stats": {"cache": 300, "active_file": 100, "inactive_file": 200}});
        assert_eq!(used(one), (700, 4000));
        let two = json!({"usage": 1000, "limit": 4000, "stats": {"active_file": 100, "inactive_file": 200, "file": 350}});
        assert_eq!(used(two), (700, 4000));
        assert_eq!(used(json!({"usage": 10, "limit": 4000, "stats": {"cache": 300}})), (0, 4000));
        assert_eq!(
            used(json!({"usage": 10, "limit": u64::MAX})),
            (10, 16_000),
            "no limit is all of the host"
        );
        assert_eq!(used(json!({"usage": 10})), (10, 16_000));
        assert_eq!(used(json!({})), (0, 16_000));
    }

    /// Spec: containers 7, 9
    #[test]
    fn counters_when_there_are_several_networks_and_devices_then_are_summed() {
        let value = json!({
            "cpu_stats": cpu(2000, 200_000, 1),
            "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 10}, "eth1": {"rx_bytes": 2, "tx_bytes": 20}},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"op": "Read", "value": 5}, {"op": "write", "value": 6}, {"op": "read", "value": 7}, {"op": "Sync", "value": 99},
            ]},
            "pids_stats": {"current": 12},
        });
        let sample = sampled(value, BEFORE).unwrap();
        assert_eq!((sample.counters, sample.pids), ([3, 30, 12, 6], 12));
        let none = json!({"cpu_stats": cpu(2000, 200_000, 1), "networks": null, "blkio_stats": {"io_service_bytes_recursive": null}});
        assert_eq!(sampled(none, BEFORE).unwrap().counters, [0; 4]);
    }

    proptest! {
        #[test]
        fn any_figures_give_finite_values(container: u64, machine: u64, online: u32, before: (u64, u64), usage: u64, cache: u64) {
            let value = json!({"cpu_stats": cpu(container, machine, online), "memory_stats": {"usage": usage, "stats": {"cache": cache}}});
            let before = Baseline { container: before.0, machine: before.1 };
            if let Some(sample) = sampled(value, Some(before)) {
                prop_assert!(sample.cpu_percent.is_finite() && sample.cpu_percent >= 0.0);
                prop_assert!(sample.to_message().memory_percent.is_finite());
            }
        }
    }
}
