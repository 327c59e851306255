//! What of a report becomes history.

use chrono::{DateTime, Utc};
use ctops_base::text::clean;
use ctops_proto::limits::{
    MAX_ERROR_CENTI, MAX_LATE_SAMPLES, MAX_LOAD_CENTI, MAX_PROCESSES, MAX_RATE, MAX_SERIES, MAX_SERIES_CHARS,
};
use ctops_proto::queue::{DiskUse, LateSample, Measurements, NetworkRate, Report};
use uuid::Uuid;

use super::moment;
use crate::hosts::model::VitalsSample;
use crate::metrics::{NewDisk, NewRate, NewSample};

/// The samples of a report: its own, when it is one, and those from before the stream (monitoring 3, 4).
pub(super) fn samples(
    host_id: Uuid,
    report: &mut Report,
    own: Option<&VitalsSample>,
    received_at: DateTime<Utc>,
) -> Result<Vec<NewSample>, String> {
    let late = std::mem::take(&mut report.late_samples);
    if late.len() > MAX_LATE_SAMPLES {
        return Err(format!("late_samples are {}, at most {MAX_LATE_SAMPLES}", late.len()));
    }
    let mut all = Vec::with_capacity(late.len() + 1);
    if let Some(own) = own {
        let sample = NewSample {
            host_id,
            recorded_at: own.recorded_at,
            received_at,
            late: false,
            cpu_centi: own.cpu_centi,
            memory_centi: own.memory_centi,
            disk_centi: own.disk_centi,
            uptime_seconds: own.uptime_seconds,
            swap_centi: None,
            load_centi: [None; 3],
            process_count: None,
            disks: Vec::new(),
            network: Vec::new(),
        };
        all.push(with(sample, report.measurements.take())?);
    }
    for sample in late {
        all.push(late_sample(host_id, sample, received_at)?);
    }
    Ok(all)
}

fn late_sample(host_id: Uuid, sample: LateSample, received_at: DateTime<Utc>) -> Result<NewSample, String> {
    if sample.uptime_seconds.is_some_and(|seconds| seconds < 0) {
        return Err("uptime_seconds of a late sample is negative".to_owned());
    }
    let new = NewSample {
        host_id,
        recorded_at: moment("recorded_at_ms", sample.recorded_at_ms)?,
        received_at,
        late: true,
        cpu_centi: centi("cpu_centi", sample.cpu_centi)?,
        memory_centi: centi("memory_centi", sample.memory_centi)?,
        disk_centi: centi("disk_centi", sample.disk_centi)?,
        uptime_seconds: sample.uptime_seconds,
        swap_centi: None,
        load_centi: [None; 3],
        process_count: None,
        disks: Vec::new(),
        network: Vec::new(),
    };
    with(new, sample.measurements)
}

fn with(mut sample: NewSample, measured: Option<Measurements>) -> Result<NewSample, String> {
    let Some(measured) = measured else { return Ok(sample) };
    if measured.network.len() > MAX_SERIES || measured.disks.len() > MAX_SERIES {
        return Err(format!("more than {MAX_SERIES} interfaces or mount points"));
    }
    sample.swap_centi = centi("swap_centi", measured.swap_centi)?;
    sample.load_centi = [
        number("load1_centi", measured.load1_centi, MAX_LOAD_CENTI)?,
        number("load5_centi", measured.load5_centi, MAX_LOAD_CENTI)?,
        number("load15_centi", measured.load15_centi, MAX_LOAD_CENTI)?,
    ];
    sample.process_count = number("process_count", measured.process_count, MAX_PROCESSES)?;
    sample.disks = measured.disks.iter().map(disk).collect::<Result<_, _>>()?;
    sample.network = measured.network.iter().map(rate).collect::<Result<_, _>>()?;
    Ok(sample)
}

fn disk(disk: &DiskUse) -> Result<NewDisk, String> {
    let bytes = |value: u64| i64::try_from(value).map_err(|_| "a disk has too many bytes".to_owned());
    Ok(NewDisk {
        mount_point: name(&disk.mount_point)?,
        total_bytes: bytes(disk.total_bytes)?,
        used_bytes: bytes(disk.used_bytes)?,
        used_centi: centi("used_centi", Some(disk.used_centi))?.unwrap_or_default(),
    })
}

fn rate(rate: &NetworkRate) -> Result<NewRate, String> {
    let bytes = |value: u64| {
        let within = i64::try_from(value).ok().filter(|_| value <= MAX_RATE);
        within.ok_or_else(|| format!("a network rate is {value}, at most {MAX_RATE}"))
    };
    let errors = |value: u32| number("errors", Some(value), MAX_ERROR_CENTI).map(Option::unwrap_or_default);
    Ok(NewRate {
        interface: name(&rate.name)?,
        receive_bytes: bytes(rate.receive_bytes)?,
        transmit_bytes: bytes(rate.transmit_bytes)?,
        receive_errors_centi: errors(rate.receive_errors_centi)?,
        transmit_errors_centi: errors(rate.transmit_errors_centi)?,
    })
}

fn name(text: &str) -> Result<String, String> {
    let name = clean(text, MAX_SERIES_CHARS);
    if name.is_empty() { Err("a mount point or interface has no name".to_owned()) } else { Ok(name) }
}

/// Hundredths of a percent.
pub(super) fn centi(name: &str, value: Option<u32>) -> Result<Option<i16>, String> {
    match value {
        None => Ok(None),
        Some(value @ 0..=10_000) => Ok(i16::try_from(value).ok()),
        Some(value) => Err(format!("{name} is {value}, at most 10000")),
    }
}

fn number(name: &str, value: Option<u32>, limit: u32) -> Result<Option<i32>, String> {
    let Some(value) = value else { return Ok(None) };
    let within = i32::try_from(value).ok().filter(|_| value <= limit);
    within.map(Some).ok_or_else(|| format!("{name} is {value}, at most {limit}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_488_000 + second, 0).unwrap()
    }

    fn measured() -> Measurements {
        Measurements {
            load1_centi: Some(150),
            swap_centi: Some(10_000),
            process_count: Some(300),
            disks: vec![DiskUse {
                mount_point: "/var".into(),
                total_bytes: 10,
                used_bytes: 5,
                used_centi: 5_000,
            }],
            network: vec![NetworkRate { name: "eth0".into(), receive_bytes: 7, ..NetworkRate::default() }],
            ..Measurements::default()
        }
    }

    fn late(second: i64) -> LateSample {
        LateSample {
            recorded_at_ms: at(second).timestamp_millis(),
            cpu_centi: Some(10),
            measurements: Some(measured()),
            ..LateSample::default()
        }
    }

    fn reason(change: impl FnOnce(&mut LateSample)) -> String {
        let mut sample = late(0);
        change(&mut sample);
        let mut report = Report { late_samples: vec![sample], ..Report::default() };
        samples(Uuid::nil(), &mut report, None, at(9)).err().unwrap_or_default()
    }

    /// Spec: monitoring 2, 4
    #[test]
    fn samples_of_a_report_are_its_own_and_those_from_before_the_stream() {
        let own = VitalsSample {
            recorded_at: at(5),
            received_at: at(6),
            cpu_centi: Some(1),
            memory_centi: None,
            disk_centi: None,
            uptime_seconds: None,
            clock_skewed: false,
        };
        let mut report =
            Report { measurements: Some(measured()), late_samples: vec![late(0)], ..Report::default() };
        let all = samples(Uuid::nil(), &mut report, Some(&own), at(6)).unwrap();
        assert_eq!(
            all.iter().map(|sample| (sample.recorded_at, sample.late)).collect::<Vec<_>>(),
            [(at(5), false), (at(0), true)]
        );
        assert_eq!((all[0].load_centi, all[0].process_count), ([Some(150), None, None], Some(300)));
        assert_eq!((all[1].disks[0].used_centi, all[1].network[0].receive_bytes), (5_000, 7));
        let mut delivery = Report { late_samples: vec![late(0)], ..Report::default() };
        assert_eq!(samples(Uuid::nil(), &mut delivery, None, at(6)).unwrap().len(), 1);
    }

    #[test]
    fn samples_of_values_the_database_would_refuse_say_which() {
        assert_eq!(reason(|_| ()), "");
        assert!(reason(|s| s.cpu_centi = Some(10_001)).contains("cpu_centi"));
        assert!(reason(|s| s.uptime_seconds = Some(-1)).contains("uptime"));
        assert!(reason(|s| s.recorded_at_ms = -1).contains("recorded_at_ms"));
        let measured = |change: fn(&mut Measurements)| reason(|s| change(s.measurements.as_mut().unwrap()));
        assert!(measured(|m| m.load5_centi = Some(u32::MAX)).contains("load5_centi"));
        assert!(measured(|m| m.process_count = Some(u32::MAX)).contains("process_count"));
        assert!(measured(|m| m.disks[0].total_bytes = u64::MAX).contains("bytes"));
        assert!(measured(|m| m.disks[0].mount_point = "\0".into()).contains("no name"));
        assert!(measured(|m| m.network[0].transmit_bytes = u64::MAX).contains("network rate"));
        assert!(measured(|m| m.network = vec![NetworkRate::default(); MAX_SERIES + 1]).contains("64"));
        let mut report = Report { late_samples: vec![late(0); MAX_LATE_SAMPLES + 1], ..Report::default() };
        assert!(samples(Uuid::nil(), &mut report, None, at(9)).err().unwrap().contains("120"));
    }
}
