//! What is measured, where it is kept, and at which resolutions.

use chrono::TimeDelta;

/// Measurements that arrive and are kept together: one table of samples and three of aggregates.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::metrics) struct Family {
    /// Table of the samples. Aggregates are in tables of this name with the suffix of their level.
    pub(in crate::metrics) samples: &'static str,
    /// Column that tells the series of one host apart.
    pub(in crate::metrics) label: Option<&'static str>,
    /// Columns with figures.
    pub(in crate::metrics) columns: &'static [&'static str],
}

/// Figures of the whole machine.
pub(in crate::metrics) static HOST: Family = Family {
    samples: "metric_samples",
    label: None,
    columns: &[
        "cpu_centi",
        "memory_centi",
        "disk_centi",
        "swap_centi",
        "load1_centi",
        "load5_centi",
        "load15_centi",
        "process_count",
    ],
};
/// Space used on each mount point.
pub(in crate::metrics) static DISKS: Family =
    Family { samples: "host_disk_samples", label: Some("mount_point"), columns: &["used_centi"] };
/// Traffic of each interface.
pub(in crate::metrics) static NETWORK: Family = Family {
    samples: "host_network_samples",
    label: Some("interface"),
    columns: &["receive_bytes", "transmit_bytes", "receive_errors_centi", "transmit_errors_centi"],
};

/// Every family.
pub(in crate::metrics) fn families() -> [&'static Family; 3] {
    [&HOST, &DISKS, &NETWORK]
}

/// Width of an aggregate (monitoring 5). Ordered from fine to coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::metrics) enum Level {
    Minute,
    Hour,
    Day,
}

impl Level {
    /// Every level.
    pub(in crate::metrics) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Name in the API and at the end of its tables' names.
    pub(in crate::metrics) fn name(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Width of its buckets, as PostgreSQL reads it.
    pub(in crate::metrics) fn interval(self) -> &'static str {
        match self {
            Self::Minute => "1 minute",
            Self::Hour => "1 hour",
            Self::Day => "1 day",
        }
    }

    /// Width of its buckets.
    pub(in crate::metrics) fn width(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// The level it is made from; the finest is made from samples.
    pub(in crate::metrics) fn finer(self) -> Option<Self> {
        match self {
            Self::Minute => None,
            Self::Hour => Some(Self::Minute),
            Self::Day => Some(Self::Hour),
        }
    }
}

impl Family {
    /// Table of the aggregates of one level.
    pub(in crate::metrics) fn aggregates(&self, level: Level) -> String {
        format!("{}_{}", self.samples, level.name())
    }
}

/// A line that a chart can show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::metrics) struct Metric {
    /// Name in the API.
    pub(in crate::metrics) name: &'static str,
    /// Where it is kept.
    pub(in crate::metrics) family: &'static Family,
    /// In which column.
    pub(in crate::metrics) column: &'static str,
    /// What the column is divided by to have the unit of the API.
    pub(in crate::metrics) scale: f64,
}

const fn metric(name: &'static str, family: &'static Family, column: &'static str, scale: f64) -> Metric {
    Metric { name, family, column, scale }
}

/// Every metric: percent, load, processes, bytes per second, errors per second.
pub(in crate::metrics) static METRICS: [Metric; 13] = [
    metric("cpu", &HOST, "cpu_centi", 100.0),
    metric("memory", &HOST, "memory_centi", 100.0),
    metric("disk", &HOST, "disk_centi", 100.0),
    metric("swap", &HOST, "swap_centi", 100.0),
    metric("load1", &HOST, "load1_centi", 100.0),
    metric("load5", &HOST, "load5_centi", 100.0),
    metric("load15", &HOST, "load15_centi", 100.0),
    metric("processes", &HOST, "process_count", 1.0),
    metric("mount_disk", &DISKS, "used_centi", 100.0),
    metric("network_receive", &NETWORK, "receive_bytes", 1.0),
    metric("network_transmit", &NETWORK, "transmit_bytes", 1.0),
    metric("network_receive_errors", &NETWORK, "receive_errors_centi", 100.0),
    metric("network_transmit_errors", &NETWORK, "transmit_errors_centi", 100.0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_columns_of_their_families_and_every_column_has_one() {
        for family in families() {
            let named: Vec<&str> =
                METRICS.iter().filter(|metric| metric.family == family).map(|metric| metric.column).collect();
            assert_eq!(named, family.columns);
        }
    }
}
