//! Samples that wait for their upload (containers 10).

use std::collections::VecDeque;
use std::sync::Arc;

use ctops_proto::agent::DockerContainerMetricSample;

/// Samples kept; the oldest make room.
pub(super) const CAPACITY: usize = 10_000;

/// One sample of one container. A third of the size of the message, and its id is shared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) container: Arc<str>,
    pub(super) recorded_at_unix: i64,
    pub(super) cpu_percent: f64,
    pub(super) memory_bytes: u64,
    pub(super) memory_limit_bytes: u64,
    /// Network received and transmitted, block read and written: bytes since the start of the container.
    pub(super) counters: [u64; 4],
    pub(super) pids: u32,
    pub(super) restart_count: i32,
    pub(super) cores_centi: u32,
}

impl Sample {
    /// The sample as it is sent.
    pub(super) fn to_message(&self) -> DockerContainerMetricSample {
        let [network_rx_bytes, network_tx_bytes, block_read_bytes, block_write_bytes] = self.counters;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a percentage needs no more than the precision of f64"
        )]
        let memory_percent = match self.memory_limit_bytes {
            0 => 0.0,
            limit => self.memory_bytes as f64 / limit as f64 * 100.0,
        };
        DockerContainerMetricSample {
            docker_container_id: self.container.to_string(),
            recorded_at_unix: self.recorded_at_unix,
            cpu_percent: self.cpu_percent,
            memory_usage_bytes: self.memory_bytes,
            memory_limit_bytes: self.memory_limit_bytes,
            memory_percent,
            network_rx_bytes,
            network_tx_bytes,
            block_read_bytes,
            block_write_bytes,
            pids_current: self.pids,
            restart_count: self.restart_count,
            cpu_cores_centi: self.cores_centi,
        }
    }
}

/// The samples, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ring {
    samples: VecDeque<Sample>,
    /// Samples handed out whose upload is not certain yet; they count towards the capacity.
    pub(super) handed_out: usize,
    /// Samples dropped since this was last reported.
    pub(super) lost: u32,
}

impl Ring {
    /// Adds a sample.
    pub(super) fn push(&mut self, sample: Sample) {
        if self.samples.len() + self.handed_out >= CAPACITY && self.samples.pop_front().is_some() {
            self.lost = self.lost.saturating_add(1);
        }
        self.samples.push_back(sample);
    }

    /// Takes the oldest samples, at most `count`.
    pub(super) fn take(&mut self, count: usize) -> Vec<Sample> {
        let count = count.min(self.samples.len());
        let taken = self.samples.drain(..count).collect();
        if self.samples.is_empty() {
            // The memory of a long outage is given back.
            self.samples = VecDeque::new();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64) -> Sample {
        Sample {
            container: Arc::from("c1"),
            recorded_at_unix: second,
            cpu_percent: 150.0,
            memory_bytes: 50,
            memory_limit_bytes: 200,
            counters: [1, 2, 3, 4],
            pids: 5,
            restart_count: 6,
            cores_centi: 250,
        }
    }

    /// Spec: containers 10
    #[test]
    fn ring_when_full_then_drops_the_oldest_and_counts_them() {
        let mut ring = Ring::default();
        for second in 0..10_005 {
            ring.push(sample(second));
        }
        assert_eq!((ring.samples.len(), ring.lost), (CAPACITY, 5));
        let taken = ring.take(100);
        assert_eq!((taken[0].recorded_at_unix, taken[99].recorded_at_unix), (5, 104));
        ring.handed_out = 100;
        ring.push(sample(10_005));
        assert_eq!((ring.samples.len(), ring.lost), (CAPACITY - 100, 6), "what is being uploaded counts too");
        assert_eq!(ring.take(usize::MAX).len(), CAPACITY - 100);
        assert_eq!(ring.samples.len(), 0);
    }

    /// Spec: containers 7, 8
    #[test]
    fn sample_when_sent_then_carries_everything_and_memory_as_part_of_the_limit() {
        let message = sample(9).to_message();
        assert_eq!((message.docker_container_id.as_str(), message.recorded_at_unix), ("c1", 9));
        assert_eq!((message.cpu_percent, message.cpu_cores_centi), (150.0, 250));
        assert_eq!((message.memory_usage_bytes, message.memory_limit_bytes), (50, 200));
        assert_eq!(message.memory_percent, 25.0);
        assert_eq!((message.network_rx_bytes, message.network_tx_bytes), (1, 2));
        assert_eq!((message.block_read_bytes, message.block_write_bytes), (3, 4));
        assert_eq!((message.pids_current, message.restart_count), (5, 6));
        assert_eq!(Sample { memory_limit_bytes: 0, ..sample(9) }.to_message().memory_percent, 0.0);
    }
}
