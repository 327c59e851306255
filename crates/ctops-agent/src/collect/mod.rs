//! What the agent measures: one report per heartbeat (wire contract 5.7, monitoring 1, 2).
//!
//! A value that cannot be read is absent, never 0: its name goes into `absent_vitals`. The same holds for what the
//! server turned off, which is not even read. All of `/proc` is treated as foreign text: bounded, and never a reason to
//! fail.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ctops_base::{Clock, text};
use ctops_proto::agent::{HeartbeatRequest, Measurements};
use ctops_proto::limits;
use ring::digest;
use tokio::time::Instant;

use crate::data_dir::hex;
use crate::files;
use crate::pushed::PushedConfig;

pub mod cpu;
pub mod disks;
#[cfg(test)]
mod hostile_tests;
pub mod interfaces;
pub mod load;
pub mod memory;
pub mod mounts;
pub mod network;
pub mod release;
pub mod ssh_keys;

use cpu::CpuMeter;
use disks::DiskMeter;
use network::NetworkMeter;

const MAX_PROC_BYTES: u64 = 4 * 1024 * 1024;
const MAX_MACHINE_ID_BYTES: u64 = 256;

/// Where the facts come from; another root lets tests use recorded ones.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `/proc`.
    pub proc: PathBuf,
    /// `/etc`.
    pub etc: PathBuf,
    /// `/var/run`, where container engines have their sockets.
    pub run: PathBuf,
}

impl Sources {
    /// Those of this machine.
    pub fn system() -> Self {
        let [proc, etc, run] = ["/proc", "/etc", "/var/run"].map(PathBuf::from);
        Self { proc, etc, run }
    }

    /// The `PRETTY_NAME` of the operating system, empty if unknown.
    pub fn os_version(&self) -> String {
        let name = self.text(&self.etc.join("os-release")).as_deref().and_then(release::pretty_name);
        text::clean(&name.unwrap_or_default(), limits::MAX_LABEL_CHARS)
    }

    /// A value that recognises this machine after a new installation of the agent: SHA-256, lower-case hex, of a
    /// fixed label and `/etc/machine-id`. The machine id itself must not be published (machine-id(5)). Empty if
    /// there is none.
    pub fn machine_id(&self) -> String {
        let Ok(Some(text)) = files::read_text_if_present(&self.etc.join("machine-id"), MAX_MACHINE_ID_BYTES)
        else {
            return String::new();
        };
        let id = text.trim();
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return String::new();
        }
        let labelled = format!("ct-ops machine id\n{}", id.to_ascii_lowercase());
        hex(digest::digest(&digest::SHA256, labelled.as_bytes()).as_ref())
    }

    fn text(&self, path: &Path) -> Option<String> {
        let content = files::read(path, MAX_PROC_BYTES).ok()?;
        Some(String::from_utf8_lossy(&content).into_owned())
    }
}

/// This machine's name as the operating system knows it, `unknown` if it has none.
pub fn hostname() -> String {
    let name = nix::unistd::gethostname().ok();
    let name = name.map(|name| text::clean(&name.to_string_lossy(), limits::MAX_HOSTNAME_CHARS));
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// The operating system under the name Go gives it.
pub const OS: &str = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };

/// The architecture under the name Go gives it.
pub fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// Measures one report after the other; some values need the one before.
#[derive(Debug)]
pub struct Collector {
    sources: Sources,
    clock: Clock,
    interval_seconds: u32,
    wanted: PushedConfig,
    cpu: CpuMeter,
    disks: DiskMeter,
    network: NetworkMeter,
}

impl Collector {
    /// A collector for reports sent every `interval` that measures everything.
    pub fn new(sources: Sources, clock: Clock, interval: Duration) -> Self {
        let mut collector = Self {
            sources,
            clock,
            interval_seconds: 0,
            wanted: PushedConfig::default(),
            cpu: CpuMeter::default(),
            disks: DiskMeter::default(),
            network: NetworkMeter::default(),
        };
        collector.configure(PushedConfig::default(), interval);
        collector
    }

    /// From now on collects what `wanted` says, for reports sent every `interval`.
    pub fn configure(&mut self, wanted: PushedConfig, interval: Duration) {
        self.wanted = wanted;
        self.interval_seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
    }

    /// One report, complete but for `agent_id`, the pinned fingerprint and what others than this collector know.
    pub async fn collect(&mut self) -> HeartbeatRequest {
        self.collect_at(Instant::now()).await
    }

    async fn collect_at(&mut self, now: Instant) -> HeartbeatRequest {
        let wanted = self.wanted;
        let cpu = self.measure_cpu();
        let meminfo = wanted.collect_memory.then(|| self.proc_text("meminfo")).flatten();
        let memory = meminfo.as_deref().and_then(memory::percent_used);
        let uptime = self.proc_text("uptime").as_deref().and_then(release::uptime_seconds);
        let mounts = wanted.collect_disk.then(|| self.proc_text("self/mountinfo")).flatten();
        let disks = match mounts {
            Some(mounts) => self.disks.measure(&mounts).await,
            None => Vec::new(),
        };
        let disk = disks::headline_percent(&disks);
        let absent = [
            ("cpu", cpu.is_none()),
            ("memory", memory.is_none()),
            ("disk", disk.is_none()),
            ("uptime", uptime.is_none()),
        ];
        HeartbeatRequest {
            cpu_percent: cpu.unwrap_or_default(),
            memory_percent: memory.unwrap_or_default(),
            disk_percent: disk.unwrap_or_default(),
            uptime_seconds: uptime.unwrap_or_default(),
            timestamp_unix: self.clock.now().timestamp(),
            agent_version: crate::version().to_owned(),
            os_version: self.sources.os_version(),
            disks,
            network_interfaces: interfaces::collect(),
            os: OS.to_owned(),
            arch: arch().to_owned(),
            ssh_host_keys: ssh_keys::collect(&self.sources.etc),
            absent_vitals: absent
                .iter()
                .filter(|(_, absent)| *absent)
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            interval_seconds: self.interval_seconds,
            measurements: Some(self.measure_more(meminfo.as_deref(), now)),
            config_revision: wanted.revision,
            ..HeartbeatRequest::default()
        }
    }

    fn measure_cpu(&mut self) -> Option<f32> {
        if !self.wanted.collect_cpu {
            self.cpu = CpuMeter::default();
            return None;
        }
        let stat = self.proc_text("stat");
        self.cpu.measure(stat.as_deref().and_then(cpu::parse))
    }

    /// What the classic report has no room for (monitoring 2).
    fn measure_more(&mut self, meminfo: Option<&str>, now: Instant) -> Measurements {
        let mut more =
            Measurements { swap_centi: meminfo.and_then(memory::swap_centi), ..Measurements::default() };
        if self.wanted.collect_cpu {
            let averages = self.proc_text("loadavg").as_deref().and_then(load::averages_centi);
            if let Some([one, five, fifteen]) = averages {
                (more.load1_centi, more.load5_centi, more.load15_centi) =
                    (Some(one), Some(five), Some(fifteen));
            }
            more.process_count = load::processes(&self.sources.proc);
        }
        match self.wanted.collect_network.then(|| self.proc_text("net/dev")).flatten() {
            Some(text) => more.network = self.network.measure(network::parse(&text), now),
            None => self.network.reset(),
        }
        more
    }

    fn proc_text(&self, name: &str) -> Option<String> {
        self.sources.text(&self.sources.proc.join(name))
    }
}

#[cfg(test)]
mod tests;
