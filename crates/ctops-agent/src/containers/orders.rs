//! What the server wants to know about containers (containers 5, 6, 12).

use std::time::Duration;

use ctops_proto::agent::DockerTelemetryConfig;

/// Bounds of the sample interval, seconds (containers 6).
const SAMPLE_SECS: std::ops::RangeInclusive<i32> = 2..=300;
const DEFAULT_SAMPLE_SECS: i32 = 10;
/// Encoded size of one batch, bytes (containers 12); the least leaves room for one container with its labels.
const MAX_BATCH_BYTES: usize = 5 * 1024 * 1024;
const MIN_BATCH_BYTES: usize = 64 * 1024;
const MAX_SAMPLES: usize = 5000;
const MAX_INVENTORY: usize = 1000;
const MAX_LABEL_BYTES: usize = 16 * 1024;
/// Bounds of the inventory interval, seconds (containers 6).
const INVENTORY_SECS: std::ops::RangeInclusive<i32> = 30..=3600;
const DEFAULT_INVENTORY_SECS: i32 = 30;
/// Beginnings of label keys that are always collected (containers 11).
const LABEL_PREFIXES: [&str; 2] = ["com.docker.compose.", "org.opencontainers.image."];
/// Beginnings the server may add.
const MAX_LABEL_PREFIXES: usize = 128;

/// The orders in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Collection is on for this host.
    pub wanted: bool,
    /// The server takes telemetry.
    pub enabled: bool,
    /// Between two samples of a container.
    pub sample_interval: Duration,
    /// Between two inventories.
    pub inventory_interval: Duration,
    /// Encoded size of one batch.
    pub batch_bytes: usize,
    /// Samples in one batch.
    pub batch_samples: usize,
    /// Containers in one batch.
    pub batch_inventory: usize,
    /// Labels of one container, bytes of keys and values together.
    pub label_bytes: usize,
    /// Labels whose keys begin so are collected; an exact key is its own beginning.
    pub label_prefixes: Vec<String>,
}

impl Default for Orders {
    fn default() -> Self {
        let mut orders = Self {
            wanted: true,
            enabled: true,
            sample_interval: Duration::ZERO,
            inventory_interval: Duration::ZERO,
            batch_bytes: 0,
            batch_samples: 0,
            batch_inventory: 0,
            label_bytes: 0,
            label_prefixes: Vec::new(),
        };
        orders.take(&DockerTelemetryConfig { enabled: true, ..DockerTelemetryConfig::default() });
        orders
    }
}

impl Orders {
    /// Whether anything is to be probed, sampled and uploaded.
    pub fn active(&self) -> bool {
        self.wanted && self.enabled
    }

    /// Takes over what the server sent. A value of 0 or less means the default; none may exceed what every server
    /// accepts.
    pub fn take(&mut self, config: &DockerTelemetryConfig) {
        let limit = |wanted: i32, most: usize| {
            usize::try_from(wanted).ok().filter(|wanted| *wanted > 0).map_or(most, |wanted| wanted.min(most))
        };
        self.enabled = config.enabled;
        self.sample_interval = seconds(config.sample_interval_seconds, &SAMPLE_SECS, DEFAULT_SAMPLE_SECS);
        self.inventory_interval =
            seconds(config.inventory_interval_seconds, &INVENTORY_SECS, DEFAULT_INVENTORY_SECS);
        self.batch_bytes = limit(config.max_batch_bytes, MAX_BATCH_BYTES).max(MIN_BATCH_BYTES);
        self.batch_samples = limit(config.max_samples_per_batch, MAX_SAMPLES);
        self.batch_inventory = limit(config.max_inventory_items_per_batch, MAX_INVENTORY);
        self.label_bytes = limit(config.max_label_bytes_per_container, MAX_LABEL_BYTES);
        let added = config.label_prefixes.iter().filter(|prefix| !prefix.is_empty()).take(MAX_LABEL_PREFIXES);
        self.label_prefixes =
            LABEL_PREFIXES.iter().map(|prefix| (*prefix).to_owned()).chain(added.cloned()).collect();
    }
}

fn seconds(ordered: i32, bounds: &std::ops::RangeInclusive<i32>, default: i32) -> Duration {
    let seconds = if ordered > 0 { ordered.clamp(*bounds.start(), *bounds.end()) } else { default };
    Duration::from_secs(seconds.unsigned_abs().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: containers 6, 12
    #[test]
    fn configuration_when_taken_then_keeps_its_bounds_and_zero_means_the_default() {
        let mut orders = Orders::default();
        assert!(orders.active());
        assert_eq!(orders.sample_interval, Duration::from_secs(10));
        assert_eq!((orders.batch_bytes, orders.batch_samples), (5 * 1024 * 1024, 5000));
        assert_eq!((orders.batch_inventory, orders.label_bytes), (1000, 16 * 1024));
        for (seconds, expected) in [(1, 2), (2, 2), (30, 30), (301, 300), (0, 10), (-5, 10)] {
            let config = DockerTelemetryConfig { sample_interval_seconds: seconds, ..Default::default() };
            orders.take(&config);
            assert_eq!(orders.sample_interval, Duration::from_secs(expected), "{seconds}");
        }
        for (seconds, expected) in [(0, 30), (1, 30), (60, 60), (9999, 3600)] {
            let config = DockerTelemetryConfig { inventory_interval_seconds: seconds, ..Default::default() };
            orders.take(&config);
            assert_eq!(orders.inventory_interval, Duration::from_secs(expected), "{seconds}");
        }
        orders.take(&DockerTelemetryConfig {
            enabled: true,
            sample_interval_seconds: 0,
            max_batch_bytes: i32::MAX,
            max_samples_per_batch: 7,
            max_inventory_items_per_batch: 9999,
            max_label_bytes_per_container: -1,
            ..DockerTelemetryConfig::default()
        });
        assert_eq!((orders.batch_bytes, orders.batch_samples), (5 * 1024 * 1024, 7));
        assert_eq!((orders.batch_inventory, orders.label_bytes), (1000, 16 * 1024));
    }

    /// Spec: containers 5
    #[test]
    fn collection_when_off_on_the_server_or_for_the_host_then_is_off() {
        let mut orders = Orders { wanted: false, ..Orders::default() };
        assert!(!orders.active());
        orders.wanted = true;
        orders.take(&DockerTelemetryConfig::default());
        assert!(!orders.active());
    }
}
