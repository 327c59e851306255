//! Samples of one container, and the rates between them.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_proto::agent::DockerContainerMetricSample;

use super::{MAX_AHEAD, MAX_RATE_GAP, MAX_SAMPLE_AGE, bounded};

/// More per cent of a core than any machine has: 10,000 cores.
const MAX_CPU_PERCENT: f64 = 1_000_000.0;

/// One sample, within the bounds of the database.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::containers) struct Sample {
    pub(in crate::containers) container_id: String,
    pub(in crate::containers) recorded_at: DateTime<Utc>,
    /// Per cent of one core, so more than 100 on several (containers 8).
    pub(in crate::containers) cpu_percent: f32,
    pub(in crate::containers) cpu_cores: Option<f32>,
    pub(in crate::containers) memory_used: i64,
    pub(in crate::containers) memory_limit: Option<i64>,
    pub(in crate::containers) memory_percent: f32,
    pub(in crate::containers) counters: Counters,
    pub(in crate::containers) pids: i32,
    pub(in crate::containers) restart_count: i32,
}

/// Counters of bytes since the container's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::containers) struct Counters {
    pub(in crate::containers) rx: i64,
    pub(in crate::containers) tx: i64,
    pub(in crate::containers) block_read: i64,
    pub(in crate::containers) block_write: i64,
}

/// Bytes per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::containers) struct Rates {
    pub(in crate::containers) rx: f32,
    pub(in crate::containers) tx: f32,
    pub(in crate::containers) block_read: f32,
    pub(in crate::containers) block_write: f32,
}

impl Sample {
    /// Checks and bounds what an agent sent; none when its time or a value cannot be right (containers 14, Bad input).
    #[expect(clippy::cast_possible_truncation, reason = "the values were bounded before")]
    pub(in crate::containers) fn from_wire(
        sample: &DockerContainerMetricSample,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let recorded_at = DateTime::from_timestamp(sample.recorded_at_unix, 0)?;
        let in_time = recorded_at >= now - MAX_SAMPLE_AGE && recorded_at <= now + MAX_AHEAD;
        let sound = |percent: f64| percent.is_finite() && percent >= 0.0;
        if !in_time || !sound(sample.cpu_percent) || !sound(sample.memory_percent) {
            return None;
        }
        let container_id = bounded(&sample.docker_container_id, 128);
        let cores = Some(sample.cpu_cores_centi).filter(|centi| *centi > 0);
        Some(Self {
            cpu_percent: sample.cpu_percent.min(MAX_CPU_PERCENT) as f32,
            cpu_cores: cores.map(|centi| (f64::from(centi) / 100.0) as f32),
            memory_used: bytes(sample.memory_usage_bytes),
            memory_limit: Some(bytes(sample.memory_limit_bytes)).filter(|limit| *limit > 0),
            memory_percent: sample.memory_percent.min(100.0) as f32,
            counters: Counters {
                rx: bytes(sample.network_rx_bytes),
                tx: bytes(sample.network_tx_bytes),
                block_read: bytes(sample.block_read_bytes),
                block_write: bytes(sample.block_write_bytes),
            },
            pids: i32::try_from(sample.pids_current).unwrap_or(i32::MAX),
            restart_count: sample.restart_count.max(0),
            container_id,
            recorded_at,
        })
    }
}

fn bytes(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The rates between two samples, none when too much time passed or a counter went down: the container restarted
/// (containers 9).
pub(in crate::containers) fn rates(
    before: (DateTime<Utc>, Counters),
    now: (DateTime<Utc>, Counters),
) -> Option<Rates> {
    let passed: TimeDelta = now.0 - before.0;
    let grew = now.1.rx >= before.1.rx
        && now.1.tx >= before.1.tx
        && now.1.block_read >= before.1.block_read
        && now.1.block_write >= before.1.block_write;
    if passed <= TimeDelta::zero() || passed > MAX_RATE_GAP || !grew {
        return None;
    }
    let seconds = passed.as_seconds_f64();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "rates are drawn, not summed"
    )]
    let rate = |new: i64, old: i64| ((new - old) as f64 / seconds) as f32;
    Some(Rates {
        rx: rate(now.1.rx, before.1.rx),
        tx: rate(now.1.tx, before.1.tx),
        block_read: rate(now.1.block_read, before.1.block_read),
        block_write: rate(now.1.block_write, before.1.block_write),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    const NOW: i64 = 1_780_000_000;

    fn wire() -> DockerContainerMetricSample {
        DockerContainerMetricSample {
            docker_container_id: "c".into(),
            recorded_at_unix: NOW,
            cpu_percent: 250.5,
            memory_usage_bytes: 50,
            memory_limit_bytes: 200,
            memory_percent: 25.0,
            cpu_cores_centi: 150,
            ..DockerContainerMetricSample::default()
        }
    }

    fn taken(change: impl FnOnce(&mut DockerContainerMetricSample)) -> Option<Sample> {
        let mut sample = wire();
        change(&mut sample);
        Sample::from_wire(&sample, at(NOW))
    }

    /// Spec: containers 8
    #[test]
    fn sample_on_several_cores_keeps_more_than_a_hundred_per_cent() {
        let sample = taken(|_| ()).unwrap();
        assert_eq!(
            (sample.cpu_percent, sample.cpu_cores, sample.memory_limit),
            (250.5, Some(1.5), Some(200))
        );
        let unlimited = taken(|s| (s.memory_limit_bytes, s.cpu_cores_centi) = (0, 0)).unwrap();
        assert_eq!((unlimited.memory_limit, unlimited.cpu_cores), (None, None));
        assert_eq!(taken(|s| s.memory_usage_bytes = u64::MAX).unwrap().memory_used, i64::MAX);
    }

    /// Spec: containers 14
    #[test]
    fn sample_outside_the_accepted_times_or_values_is_dropped() {
        let day = 86_400;
        assert!(taken(|s| s.recorded_at_unix = NOW - 35 * day).is_some());
        assert!(taken(|s| s.recorded_at_unix = NOW + 300).is_some());
        for time in [NOW - 35 * day - 1, NOW + 301, 0, -1, i64::MAX, i64::MIN] {
            assert_eq!(taken(|s| s.recorded_at_unix = time), None, "{time}");
        }
        for value in [f64::NAN, f64::INFINITY, -0.1] {
            assert_eq!(taken(|s| s.cpu_percent = value), None, "{value}");
            assert_eq!(taken(|s| s.memory_percent = value), None, "{value}");
        }
    }

    /// Spec: containers 9
    #[test]
    fn rates_of_counters_that_went_down_or_after_a_gap_are_none() {
        let counters = |rx| Counters { rx, tx: 5, block_read: 0, block_write: 0 };
        let between = |seconds, rx| rates((at(NOW), counters(1_000)), (at(NOW + seconds), counters(rx)));
        assert_eq!(between(10, 2_000).map(|rates| (rates.rx, rates.tx)), Some((100.0, 0.0)));
        assert_eq!(between(10, 999), None, "a restart is a gap, not a negative rate");
        assert_eq!(between(0, 2_000), None);
        assert_eq!(between(-10, 2_000), None);
        assert_eq!(between(901, 2_000), None);
    }
}
