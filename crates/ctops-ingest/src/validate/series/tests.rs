#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::super::heartbeat;
use super::*;
use ctops_proto::agent::{DiskInfo, DiskUse as SentUse};
use proptest::prelude::*;

const NOW: i64 = 1_795_341_600_000;

fn rate(name: &str) -> SentRate {
    SentRate {
        name: name.to_owned(),
        receive_bytes: 1_000,
        transmit_bytes: 2_000,
        receive_errors_centi: 50,
        transmit_errors_centi: 0,
    }
}

fn measured() -> Sent {
    Sent {
        load1_centi: Some(150),
        load5_centi: Some(120),
        load15_centi: Some(90),
        swap_centi: Some(0),
        process_count: Some(311),
        network: vec![rate("eth0")],
        disks: Vec::new(),
    }
}

fn buffered(age_seconds: i64) -> BufferedSample {
    BufferedSample {
        timestamp_unix: (NOW / 1000).saturating_sub(age_seconds),
        cpu_centi: Some(1_200),
        memory_centi: None,
        disk_centi: Some(3_000),
        uptime_seconds: Some(77),
        measurements: Some(measured()),
    }
}

fn check(message: &HeartbeatRequest) -> Checked {
    heartbeat(message, NOW)
}

fn with_disks(mount_points: &[&str]) -> HeartbeatRequest {
    let disk = |mount_point: &&str| DiskInfo {
        mount_point: (*mount_point).to_owned(),
        total_bytes: 1_000,
        used_bytes: 250,
        percent_used: 25.0,
        ..DiskInfo::default()
    };
    HeartbeatRequest { disks: mount_points.iter().map(disk).collect(), ..HeartbeatRequest::default() }
}

/// Spec: monitoring 2
#[test]
fn measurements_within_bounds_pass_unchanged_and_absent_ones_stay_absent() {
    let message = HeartbeatRequest { measurements: Some(measured()), ..HeartbeatRequest::default() };
    let checked = check(&message);
    let taken = checked.measurements.unwrap();
    assert_eq!((taken.load1_centi, taken.swap_centi, taken.process_count), (Some(150), Some(0), Some(311)));
    assert_eq!((taken.network.len(), taken.network[0].receive_bytes), (1, 1_000));
    assert!(!checked.corrected);
    assert_eq!(check(&HeartbeatRequest::default()).measurements, None, "a report of the original agent");
    let empty = HeartbeatRequest { measurements: Some(Sent::default()), ..HeartbeatRequest::default() };
    assert_eq!(check(&empty).measurements, None);
}

/// Spec: monitoring 3
#[test]
fn messages_that_only_deliver_results_are_no_samples_and_carry_no_measurements() {
    let message = HeartbeatRequest {
        results_only: true,
        measurements: Some(measured()),
        buffered_samples: vec![buffered(60)],
        ..with_disks(&["/"])
    };
    let mut checked = check(&message);
    assert!(!checked.is_sample);
    DiskPace::default().add(&mut checked);
    assert_eq!(checked.measurements, None);
    assert_eq!(checked.late_samples.len(), 1, "samples from before the stream are samples in any message");
}

#[test]
fn measurements_out_of_range_are_bounded() {
    let mut sent = measured();
    (sent.load1_centi, sent.swap_centi, sent.process_count) = (Some(u32::MAX), Some(10_001), Some(u32::MAX));
    sent.network = vec![SentRate { receive_bytes: u64::MAX, receive_errors_centi: u32::MAX, ..rate("eth0") }];
    let checked = check(&HeartbeatRequest { measurements: Some(sent), ..HeartbeatRequest::default() });
    let taken = checked.measurements.unwrap();
    assert_eq!((taken.load1_centi, taken.swap_centi), (Some(MAX_LOAD_CENTI), Some(10_000)));
    assert_eq!(taken.process_count, Some(MAX_PROCESSES));
    assert_eq!(
        (taken.network[0].receive_bytes, taken.network[0].receive_errors_centi),
        (MAX_RATE, MAX_ERROR_CENTI)
    );
    assert!(checked.corrected);
}

#[test]
fn interfaces_without_name_twice_or_too_many_are_left_out() {
    let mut sent = measured();
    sent.network = vec![rate("eth0"), rate("eth\u{0}0"), rate(""), rate("\u{202e}")];
    sent.network.extend((0..100).map(|n| rate(&format!("veth{n}"))));
    let checked = check(&HeartbeatRequest { measurements: Some(sent), ..HeartbeatRequest::default() });
    let network = checked.measurements.unwrap().network;
    assert_eq!(network.len(), MAX_SERIES);
    assert_eq!(network.iter().filter(|rate| rate.name == "eth0").count(), 1);
}

/// Spec: monitoring 1, 2
#[test]
fn disks_become_history_with_the_first_sample_of_each_minute() {
    let mut pace = DiskPace::default();
    let mut at = |seconds: i64| {
        let mut checked =
            check(&HeartbeatRequest { timestamp_unix: NOW / 1000 + seconds, ..with_disks(&["/", "/var"]) });
        pace.add(&mut checked);
        checked.measurements.map_or(0, |measurements| measurements.disks.len())
    };
    assert_eq!(NOW % DISKS_EVERY_MS, 0);
    assert_eq!([at(0), at(30), at(60), at(61), at(120)], [2, 0, 2, 0, 2]);
}

#[test]
fn disks_with_long_or_equal_names_are_cut_to_what_an_index_takes() {
    let long = "/".repeat(2_000);
    let mut checked = check(&with_disks(&[&long, "/", "/", ""]));
    DiskPace::default().add(&mut checked);
    let disks = checked.measurements.unwrap().disks;
    assert_eq!(disks.len(), 2);
    assert_eq!(disks[0].mount_point.chars().count(), MAX_SERIES_CHARS);
    assert_eq!((disks[1].mount_point.as_str(), disks[1].used_centi), ("/", 2_500));
}

/// Spec: monitoring 4
#[test]
fn late_samples_are_taken_from_65_minutes_ago_to_5_minutes_ahead() {
    let message = |ages: &[i64]| HeartbeatRequest {
        buffered_samples: ages.iter().map(|age| buffered(*age)).collect(),
        ..HeartbeatRequest::default()
    };
    let checked = check(&message(&[3_900, 3_600, 30, 0, -300]));
    assert_eq!((checked.late_samples.len(), checked.late_dropped, checked.corrected), (5, 0, false));
    let sample = &checked.late_samples[1];
    assert_eq!(
        (sample.recorded_at_ms, sample.cpu_centi, sample.memory_centi),
        (NOW - 3_600_000, Some(1_200), None)
    );
    assert_eq!(sample.measurements.as_ref().unwrap().process_count, Some(311));
    let checked = check(&message(&[3_901, -301, i64::MAX, i64::MIN + 1, 60, 60]));
    assert_eq!((checked.late_samples.len(), checked.late_dropped), (1, 5), "and each moment once");
    assert!(checked.corrected);
}

/// Spec: monitoring 4
#[test]
fn late_samples_beyond_the_limit_are_left_out_and_counted() {
    let ages = 0..i64::try_from(MAX_LATE_SAMPLES).unwrap() + 30;
    let message =
        HeartbeatRequest { buffered_samples: ages.map(buffered).collect(), ..HeartbeatRequest::default() };
    let checked = check(&message);
    assert_eq!((checked.late_samples.len(), checked.late_dropped), (MAX_LATE_SAMPLES, 30));
}

proptest! {
    #[test]
    fn late_samples_of_any_numbers_stay_within_bounds(
        at in any::<i64>(), near in -4_000_i64..400, centi in any::<u32>(), uptime in any::<i64>(), bytes in any::<u64>(),
        name in ".{0,300}",
    ) {
        let disk = SentUse { mount_point: name.clone(), total_bytes: bytes, used_bytes: bytes, used_centi: centi };
        let one = |timestamp_unix| BufferedSample {
            timestamp_unix,
            cpu_centi: Some(centi),
            uptime_seconds: Some(uptime),
            measurements: Some(Sent { load1_centi: Some(centi), disks: vec![disk.clone()], ..Sent::default() }),
            ..BufferedSample::default()
        };
        let message = HeartbeatRequest {
            buffered_samples: vec![one(at), one(NOW / 1000 + near)],
            ..HeartbeatRequest::default()
        };
        for sample in check(&message).late_samples {
            prop_assert!((NOW - MAX_LATE_MS..=NOW + MAX_AHEAD_MS).contains(&sample.recorded_at_ms));
            prop_assert!(sample.cpu_centi.unwrap() <= FULL_CENTI);
            prop_assert!(sample.uptime_seconds.is_none_or(|s| (0..=MAX_UPTIME_SECONDS).contains(&s)));
            let measurements = sample.measurements.unwrap();
            prop_assert!(measurements.load1_centi.unwrap() <= MAX_LOAD_CENTI);
            for disk in measurements.disks {
                prop_assert!(i64::try_from(disk.used_bytes).is_ok() && disk.used_centi <= FULL_CENTI);
                prop_assert!(disk.mount_point.chars().count() <= MAX_SERIES_CHARS && !disk.mount_point.is_empty());
            }
        }
    }
}
