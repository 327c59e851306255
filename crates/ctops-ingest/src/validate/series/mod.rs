//! What is accepted of the measurements beside the vitals, and of samples from before the stream (monitoring 2, 4).

use std::collections::HashSet;

use ctops_proto::agent::{BufferedSample, HeartbeatRequest, Measurements as Sent, NetworkRate as SentRate};
use ctops_proto::limits::{
    MAX_ERROR_CENTI, MAX_LATE_SAMPLES, MAX_LOAD_CENTI, MAX_PROCESSES, MAX_RATE, MAX_SERIES, MAX_SERIES_CHARS,
};
use ctops_proto::queue::{DiskUse, LateSample, Measurements, NetworkRate};

use super::{Checked, FULL_CENTI, MAX_AHEAD_MS, MAX_UPTIME_SECONDS, Notes};

/// How old a sample from before the stream may be, milliseconds: agents keep one hour, and need a while to deliver it.
const MAX_LATE_MS: i64 = 65 * 60 * 1000;
/// Space on disks moves slowly: it becomes history once a minute, which is the finest aggregate, however often an agent
/// reports. A host with four file systems would otherwise cost five rows per heartbeat instead of two.
const DISKS_EVERY_MS: i64 = 60 * 1000;

/// Decides which reports of one stream carry the space used on each mount point.
#[derive(Debug, Default)]
pub(crate) struct DiskPace {
    last_minute: Option<i64>,
}

impl DiskPace {
    /// Adds the disks of `facts` to what was measured, if this is the first sample of its minute.
    pub(crate) fn add(&mut self, checked: &mut Checked) {
        let minute = Some(checked.recorded_at_ms.div_euclid(DISKS_EVERY_MS));
        if !checked.is_sample || checked.facts.disks.is_empty() || self.last_minute == minute {
            return;
        }
        self.last_minute = minute;
        let disks = checked
            .facts
            .disks
            .iter()
            .map(|disk| (disk.mount_point.as_str(), disk.total_bytes, disk.used_bytes, disk.used_centi));
        let disks = Notes::default().disk_series(disks);
        if !disks.is_empty() {
            checked.measurements.get_or_insert_default().disks = disks;
        }
    }
}

impl Notes {
    /// What a scheduled report measured; the space used is in its `disks` (see [`DiskPace`]).
    pub(super) fn current_measurements(&mut self, message: &HeartbeatRequest) -> Option<Measurements> {
        present(self.figures(message.measurements.as_ref()?))
    }

    /// Samples from before the stream whose time can be right, one for each moment.
    pub(super) fn late_samples(&mut self, sent: &[BufferedSample], now_ms: i64) -> Vec<LateSample> {
        let mut moments = HashSet::new();
        let mut kept = Vec::with_capacity(sent.len().min(MAX_LATE_SAMPLES));
        for sample in sent {
            let at = sample.timestamp_unix.saturating_mul(1000);
            let age = now_ms.saturating_sub(at);
            let believed = (-MAX_AHEAD_MS..=MAX_LATE_MS).contains(&age);
            if believed && kept.len() < MAX_LATE_SAMPLES && moments.insert(at) {
                kept.push(self.late_sample(sample, at));
            }
        }
        self.corrected |= kept.len() < sent.len();
        kept
    }

    fn late_sample(&mut self, sample: &BufferedSample, recorded_at_ms: i64) -> LateSample {
        let measurements = sample.measurements.as_ref().and_then(|sent| {
            let mut measurements = self.figures(sent);
            measurements.disks = self.disk_series(
                sent.disks
                    .iter()
                    .map(|d| (d.mount_point.as_str(), d.total_bytes, d.used_bytes, d.used_centi)),
            );
            present(measurements)
        });
        LateSample {
            recorded_at_ms,
            cpu_centi: self.at_most(sample.cpu_centi, FULL_CENTI),
            memory_centi: self.at_most(sample.memory_centi, FULL_CENTI),
            disk_centi: self.at_most(sample.disk_centi, FULL_CENTI),
            uptime_seconds: sample
                .uptime_seconds
                .filter(|seconds| (0..=MAX_UPTIME_SECONDS).contains(seconds)),
            measurements,
        }
    }

    /// Everything but the disks.
    fn figures(&mut self, sent: &Sent) -> Measurements {
        Measurements {
            load1_centi: self.at_most(sent.load1_centi, MAX_LOAD_CENTI),
            load5_centi: self.at_most(sent.load5_centi, MAX_LOAD_CENTI),
            load15_centi: self.at_most(sent.load15_centi, MAX_LOAD_CENTI),
            swap_centi: self.at_most(sent.swap_centi, FULL_CENTI),
            process_count: self.at_most(sent.process_count, MAX_PROCESSES),
            network: self.network_series(&sent.network),
            disks: Vec::new(),
        }
    }

    fn at_most(&mut self, value: Option<u32>, limit: u32) -> Option<u32> {
        self.corrected |= value.is_some_and(|value| value > limit);
        value.map(|value| value.min(limit))
    }

    /// A name that a series can have, once per sample.
    fn series_name(&mut self, name: &str, known: &mut HashSet<String>) -> Option<String> {
        let name = self.text(name, MAX_SERIES_CHARS);
        (!name.is_empty() && known.len() < MAX_SERIES && known.insert(name.clone())).then_some(name)
    }

    fn disk_series<'a>(&mut self, disks: impl Iterator<Item = (&'a str, u64, u64, u32)>) -> Vec<DiskUse> {
        let mut known = HashSet::new();
        disks
            .filter_map(|(mount_point, total, used, used_centi)| {
                Some(DiskUse {
                    mount_point: self.series_name(mount_point, &mut known)?,
                    total_bytes: self.bytes(total),
                    used_bytes: self.bytes(used),
                    used_centi: used_centi.min(FULL_CENTI),
                })
            })
            .collect()
    }

    fn network_series(&mut self, sent: &[SentRate]) -> Vec<NetworkRate> {
        let mut known = HashSet::new();
        sent.iter()
            .filter_map(|rate| {
                Some(NetworkRate {
                    name: self.series_name(&rate.name, &mut known)?,
                    receive_bytes: rate.receive_bytes.min(MAX_RATE),
                    transmit_bytes: rate.transmit_bytes.min(MAX_RATE),
                    receive_errors_centi: rate.receive_errors_centi.min(MAX_ERROR_CENTI),
                    transmit_errors_centi: rate.transmit_errors_centi.min(MAX_ERROR_CENTI),
                })
            })
            .collect()
    }
}

/// Nothing measured is nothing to send.
fn present(measurements: Measurements) -> Option<Measurements> {
    (measurements != Measurements::default()).then_some(measurements)
}

#[cfg(test)]
mod tests;
