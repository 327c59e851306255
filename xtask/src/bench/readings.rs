//! What the kernel says about processes (proc(5)) and about this machine.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result};

/// Unit of processor time in `/proc/<pid>/stat`: `USER_HZ` is 100 on every architecture that is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory of one process, bytes.
pub(super) fn resident_bytes(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0)
}

/// Processor time that one process took so far, seconds, to the nanosecond.
pub(super) fn own_cpu_seconds(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the process has ended")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

/// Processor time of a process and everything below it, also of what has ended, seconds.
pub(super) fn tree_cpu_seconds(root: u32) -> Result<f64> {
    let processes: HashMap<u32, Process> = fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Process::read(pid)?)))
        .collect();
    let belongs = |mut pid: u32| {
        while pid != root {
            match processes.get(&pid) {
                Some(process) if process.parent != 0 => pid = process.parent,
                _ => return false,
            }
        }
        true
    };
    let ticks: f64 =
        processes.iter().filter(|(pid, _)| belongs(**pid)).map(|(_, process)| process.ticks).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

struct Process {
    parent: u32,
    /// In user and kernel mode, its ended children included.
    ticks: f64,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything; what follows the last parenthesis begins with field 3.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
        Some(Self { parent: fields.get(1)?.parse().ok()?, ticks })
    }
}

/// Processor time all of the machine spent on anything, seconds; tells whether somebody else was at work.
pub(super) fn machine_busy_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat")?;
    let fields: Vec<f64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq: all but idle and iowait.
    let busy: f64 =
        fields.iter().take(7).enumerate().filter(|(n, _)| *n != 3 && *n != 4).map(|(_, f)| f).sum();
    Ok(busy / TICKS_PER_SECOND)
}
