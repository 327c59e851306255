//! What a report measured, in the form in which it is delivered later.

use ctops_proto::agent::{BufferedSample, DiskInfo, DiskUse, HeartbeatRequest};

/// The measurements of `report`; what was absent in it stays absent.
pub fn from_report(report: &HeartbeatRequest) -> BufferedSample {
    let present = |name: &str| !report.absent_vitals.iter().any(|absent| absent == name);
    let mut measurements = report.measurements.clone().unwrap_or_default();
    measurements.disks = report.disks.iter().map(disk_use).collect();
    BufferedSample {
        timestamp_unix: report.timestamp_unix,
        cpu_centi: present("cpu").then(|| centi(report.cpu_percent)),
        memory_centi: present("memory").then(|| centi(report.memory_percent)),
        disk_centi: present("disk").then(|| centi(report.disk_percent)),
        uptime_seconds: present("uptime").then_some(report.uptime_seconds),
        measurements: Some(measurements),
    }
}

fn disk_use(disk: &DiskInfo) -> DiskUse {
    DiskUse {
        mount_point: disk.mount_point.clone(),
        total_bytes: disk.total_bytes,
        used_bytes: disk.used_bytes,
        used_centi: centi(disk.percent_used),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentage from 0 to 100 in hundredths fits"
)]
fn centi(percent: f32) -> u32 {
    (percent.clamp(0.0, 100.0) * 100.0).round() as u32
}
