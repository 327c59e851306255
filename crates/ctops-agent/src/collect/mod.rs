//! What the agent measures: one report per heartbeat (wire contract 5.7, monitoring 1).
//!
//! A value that cannot be read is absent, never 0: its name goes into `absent_vitals`. All of `/proc` is treated as
//! foreign text: bounded, and never a reason to fail.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ctops_base::{Clock, text};
use ctops_proto::agent::HeartbeatRequest;
use ctops_proto::limits;
use ring::digest;

use crate::data_dir::hex;
use crate::files;

pub mod cpu;
pub mod disks;
pub mod interfaces;
pub mod memory;
pub mod mounts;
pub mod release;

use cpu::CpuMeter;
use disks::DiskMeter;

const MAX_PROC_BYTES: u64 = 4 * 1024 * 1024;
const MAX_MACHINE_ID_BYTES: u64 = 256;

/// Where the facts come from; another root lets tests use recorded ones.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `/proc`.
    pub proc: PathBuf,
    /// `/etc`.
    pub etc: PathBuf,
}

impl Sources {
    /// Those of this machine.
    pub fn system() -> Self {
        Self { proc: PathBuf::from("/proc"), etc: PathBuf::from("/etc") }
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
    cpu: CpuMeter,
    disks: DiskMeter,
}

impl Collector {
    /// A collector for reports sent every `interval`.
    pub fn new(sources: Sources, clock: Clock, interval: Duration) -> Self {
        let interval_seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
        Self { sources, clock, interval_seconds, cpu: CpuMeter::default(), disks: DiskMeter::default() }
    }

    /// One report, complete but for `agent_id` and the pinned fingerprint.
    pub async fn collect(&mut self) -> HeartbeatRequest {
        let proc = &self.sources.proc;
        let stat = self.sources.text(&proc.join("stat"));
        let cpu = self.cpu.measure(stat.as_deref().and_then(cpu::parse));
        let memory = self.sources.text(&proc.join("meminfo")).as_deref().and_then(memory::percent_used);
        let uptime = self.sources.text(&proc.join("uptime")).as_deref().and_then(release::uptime_seconds);
        let mounts = self.sources.text(&proc.join("self/mountinfo"));
        let disks = self.disks.measure(mounts.as_deref().unwrap_or_default()).await;
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
            agent_version: crate::VERSION.to_owned(),
            os_version: self.sources.os_version(),
            disks,
            network_interfaces: interfaces::collect(),
            os: OS.to_owned(),
            arch: arch().to_owned(),
            absent_vitals: absent
                .iter()
                .filter(|(_, absent)| *absent)
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            interval_seconds: self.interval_seconds,
            ..HeartbeatRequest::default()
        }
    }
}

#[cfg(test)]
mod tests;
