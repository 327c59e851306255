//! What is accepted from a heartbeat. Pure: message and arrival time in, bounded values out.
//!
//! Nothing here fails: a value that makes no sense is left out, a number beyond its range is set to the bound, a text or
//! list that is too long is cut. A host must not vanish from view because one of its mount points is odd.

use std::net::IpAddr;

use ctops_base::text;
use ctops_proto::agent::{DiskInfo, HeartbeatRequest, NetworkInterface};
use ctops_proto::limits::{
    HEARTBEAT_INTERVAL_SECS, MAX_ADDRESSES, MAX_DISKS, MAX_INTERFACES, MAX_LABEL_CHARS, MAX_PATH_CHARS,
};
use ctops_proto::queue::{Disk, HostFacts, Interface, LateSample, Measurements};

#[cfg(test)]
mod hostile_tests;
mod results;
mod series;

pub(crate) use results::{Results, results};
pub(crate) use series::DiskPace;

/// How far an agent's clock may be ahead before its time is replaced by ours, milliseconds.
const MAX_AHEAD_MS: i64 = 5 * 60 * 1000;
/// How far it may be behind, milliseconds. Heartbeats are not stored up by agents, so an older one means a wrong clock.
const MAX_BEHIND_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest believable uptime, seconds: a hundred years.
const MAX_UPTIME_SECONDS: i64 = 100 * 366 * 24 * 60 * 60;
/// Sizes travel as 64-bit signed numbers from here on.
const MAX_BYTES: u64 = i64::MAX as u64;
/// Hundredths of a percent in a whole.
const FULL_CENTI: u32 = 10_000;
/// Octets of hardware addresses: Ethernet, EUI-64, InfiniBand.
const MAC_OCTETS: [usize; 3] = [6, 8, 20];

/// A heartbeat within its bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checked {
    /// Hundredths of a percent; absent when the agent could not read it.
    pub(crate) cpu_centi: Option<u32>,
    /// As `cpu_centi`.
    pub(crate) memory_centi: Option<u32>,
    /// As `cpu_centi`.
    pub(crate) disk_centi: Option<u32>,
    /// Absent when the agent could not read it.
    pub(crate) uptime_seconds: Option<i64>,
    /// The agent's time, or ours when the agent's cannot be right. Milliseconds since the Unix epoch.
    pub(crate) recorded_at_ms: i64,
    /// The agent's time was not believed.
    pub(crate) clock_skewed: bool,
    /// A scheduled heartbeat, not one that only delivers results with repeated values.
    pub(crate) is_sample: bool,
    /// Seconds between heartbeats, if the agent said so.
    pub(crate) interval_seconds: Option<u32>,
    /// Slowly changing facts.
    pub(crate) facts: HostFacts,
    /// What was measured beside the vitals; absent when there is nothing.
    pub(crate) measurements: Option<Measurements>,
    /// Samples from before the stream, at most [`MAX_LATE_SAMPLES`](ctops_proto::limits::MAX_LATE_SAMPLES).
    pub(crate) late_samples: Vec<LateSample>,
    /// How many such samples were left out for their time or their number.
    pub(crate) late_dropped: u64,
    /// Something was cut, clamped or left out.
    pub(crate) corrected: bool,
}

/// Bounds `message`, which arrived at `now_ms` (milliseconds since the Unix epoch).
pub(crate) fn heartbeat(message: &HeartbeatRequest, now_ms: i64) -> Checked {
    let mut notes = Notes::default();
    let absent = Absent::of(message);
    let (recorded_at_ms, clock_skewed) = recorded_at(message.timestamp_unix, now_ms);
    let is_sample = results::is_sample(message);
    let late_samples = notes.late_samples(&message.buffered_samples, now_ms);
    let vital = |notes: &mut Notes, is_absent: bool, percent: f32| {
        if is_absent { None } else { notes.percent(percent) }
    };
    Checked {
        cpu_centi: vital(&mut notes, absent.cpu, message.cpu_percent),
        memory_centi: vital(&mut notes, absent.memory, message.memory_percent),
        disk_centi: vital(&mut notes, absent.disk, message.disk_percent),
        uptime_seconds: if absent.uptime { None } else { notes.uptime(message.uptime_seconds) },
        recorded_at_ms,
        clock_skewed,
        is_sample,
        interval_seconds: interval(message.interval_seconds),
        facts: notes.facts(message),
        measurements: if is_sample { notes.current_measurements(message) } else { None },
        late_dropped: (message.buffered_samples.len() - late_samples.len()) as u64,
        late_samples,
        corrected: notes.corrected || clock_skewed,
    }
}

/// Zero means that the agent does not say.
fn interval(seconds: u32) -> Option<u32> {
    (seconds != 0).then(|| seconds.clamp(*HEARTBEAT_INTERVAL_SECS.start(), *HEARTBEAT_INTERVAL_SECS.end()))
}

/// The agent's time in milliseconds, unless it is missing or cannot be right.
fn recorded_at(unix_seconds: i64, now_ms: i64) -> (i64, bool) {
    if unix_seconds == 0 {
        return (now_ms, false);
    }
    let at = unix_seconds.saturating_mul(1000);
    let ahead = at.saturating_sub(now_ms);
    if (-MAX_BEHIND_MS..=MAX_AHEAD_MS).contains(&ahead) { (at, false) } else { (now_ms, true) }
}

/// Vitals that carry no value although their field is 0.
#[derive(Default)]
struct Absent {
    cpu: bool,
    memory: bool,
    disk: bool,
    uptime: bool,
}

impl Absent {
    fn of(message: &HeartbeatRequest) -> Self {
        // Agents of the original product read vitals on Linux only and send zeros elsewhere (wire contract 5.7).
        let no_collector = !message.os.is_empty()
            && message.os != "linux"
            && message.uptime_seconds == 0
            && [message.cpu_percent, message.memory_percent, message.disk_percent]
                .iter()
                .all(|value| *value == 0.0);
        let named = |name: &str| no_collector || message.absent_vitals.iter().any(|absent| absent == name);
        Self { cpu: named("cpu"), memory: named("memory"), disk: named("disk"), uptime: named("uptime") }
    }
}

/// Remembers whether anything had to be corrected.
#[derive(Default)]
struct Notes {
    corrected: bool,
}

impl Notes {
    fn percent(&mut self, value: f32) -> Option<u32> {
        if !value.is_finite() {
            self.corrected = true;
            return None;
        }
        let bounded = value.clamp(0.0, 100.0);
        self.corrected |= bounded != value;
        Some(centi(bounded))
    }

    fn uptime(&mut self, seconds: i64) -> Option<i64> {
        let believable = (0..=MAX_UPTIME_SECONDS).contains(&seconds);
        self.corrected |= !believable;
        believable.then_some(seconds)
    }

    fn text(&mut self, value: &str, max_chars: usize) -> String {
        let cleaned = text::clean(value, max_chars);
        self.corrected |= cleaned != value;
        cleaned
    }

    fn bytes(&mut self, value: u64) -> u64 {
        self.corrected |= value > MAX_BYTES;
        value.min(MAX_BYTES)
    }

    fn facts(&mut self, message: &HeartbeatRequest) -> HostFacts {
        self.corrected |=
            message.disks.len() > MAX_DISKS || message.network_interfaces.len() > MAX_INTERFACES;
        HostFacts {
            agent_version: self.text(&message.agent_version, MAX_LABEL_CHARS),
            os: self.text(&message.os, MAX_LABEL_CHARS),
            arch: self.text(&message.arch, MAX_LABEL_CHARS),
            os_version: self.text(&message.os_version, MAX_LABEL_CHARS),
            disks: message.disks.iter().take(MAX_DISKS).map(|disk| self.disk(disk)).collect(),
            interfaces: message
                .network_interfaces
                .iter()
                .take(MAX_INTERFACES)
                .map(|interface| self.interface(interface))
                .collect(),
        }
    }

    fn disk(&mut self, disk: &DiskInfo) -> Disk {
        let (total, used) = (self.bytes(disk.total_bytes), self.bytes(disk.used_bytes));
        let used_centi = self.percent(disk.percent_used).unwrap_or_else(|| share(used, total));
        Disk {
            mount_point: self.text(&disk.mount_point, MAX_PATH_CHARS),
            device: self.text(&disk.device, MAX_LABEL_CHARS),
            fs_type: self.text(&disk.fs_type, MAX_LABEL_CHARS),
            total_bytes: total,
            used_bytes: used,
            free_bytes: self.bytes(disk.free_bytes),
            used_centi,
        }
    }

    fn interface(&mut self, interface: &NetworkInterface) -> Interface {
        let ip_addresses: Vec<String> =
            interface.ip_addresses.iter().filter_map(|text| address(text)).take(MAX_ADDRESSES).collect();
        let mac_address = mac(&interface.mac_address);
        self.corrected |= ip_addresses.len() != interface.ip_addresses.len()
            || mac_address.is_empty() != interface.mac_address.is_empty();
        Interface {
            name: self.text(&interface.name, MAX_LABEL_CHARS),
            ip_addresses,
            mac_address,
            is_up: interface.is_up,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value lies between 0 and 100"
)]
fn centi(percent: f32) -> u32 {
    (f64::from(percent) * 100.0).round() as u32
}

fn share(used: u64, total: u64) -> u32 {
    if total == 0 {
        return 0;
    }
    let centi = u128::from(used) * u128::from(FULL_CENTI) / u128::from(total);
    u32::try_from(centi).map_or(FULL_CENTI, |centi| centi.min(FULL_CENTI))
}

/// The address in its usual spelling, without a zone (`fe80::1%eth0`).
fn address(text: &str) -> Option<String> {
    let without_zone = text.split_once('%').map_or(text, |(address, _)| address);
    without_zone.parse::<IpAddr>().ok().map(|address| address.to_string())
}

/// A hardware address in lower case, or nothing.
fn mac(text: &str) -> String {
    let octets: Vec<&str> = text.split(':').collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit());
    if MAC_OCTETS.contains(&octets.len()) && octets.iter().all(is_octet) {
        text.to_ascii_lowercase()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests;
