#![allow(clippy::unwrap_used)]

use super::*;
use ctops_proto::agent::{DiskInfo, HeartbeatRequest, Measurements, NetworkRate};
use proptest::prelude::*;

fn report(second: i64) -> HeartbeatRequest {
    HeartbeatRequest {
        timestamp_unix: second,
        cpu_percent: 12.34,
        memory_percent: 50.0,
        disk_percent: 75.5,
        uptime_seconds: 99,
        disks: vec![DiskInfo {
            mount_point: "/".to_owned(),
            total_bytes: 100,
            used_bytes: 75,
            percent_used: 75.0,
            ..DiskInfo::default()
        }],
        measurements: Some(Measurements {
            load1_centi: Some(150),
            network: vec![NetworkRate {
                name: "eth0".to_owned(),
                receive_bytes: 7,
                ..NetworkRate::default()
            }],
            ..Measurements::default()
        }),
        ..HeartbeatRequest::default()
    }
}

fn sample(second: i64) -> BufferedSample {
    from_report(&report(second))
}

fn seconds(samples: &[BufferedSample]) -> Vec<i64> {
    samples.iter().map(|sample| sample.timestamp_unix).collect()
}

/// A buffer after `count` samples, `step` seconds apart, and the second of the last one.
fn filled(count: i64, step: i64) -> (SampleBuffer, i64) {
    let mut buffer = SampleBuffer::default();
    for second in (0..count).map(|n| n * step) {
        buffer.add([sample(second)], second);
    }
    (buffer, (count - 1) * step)
}

/// Spec: monitoring 1, 4
#[test]
fn sample_when_kept_then_has_the_measurements_of_its_report_and_absent_ones_stay_absent() {
    let sample = sample(5);
    assert_eq!(
        (sample.timestamp_unix, sample.cpu_centi, sample.memory_centi, sample.disk_centi),
        (5, Some(1234), Some(5000), Some(7550))
    );
    assert_eq!(sample.uptime_seconds, Some(99));
    let measurements = sample.measurements.unwrap();
    assert_eq!((measurements.load1_centi, measurements.swap_centi), (Some(150), None));
    assert_eq!(measurements.network[0].receive_bytes, 7);
    let disk = &measurements.disks[0];
    assert_eq!((disk.mount_point.as_str(), disk.total_bytes, disk.used_bytes), ("/", 100, 75));
    assert_eq!(disk.used_centi, 7500);
    let nothing = HeartbeatRequest {
        absent_vitals: ["cpu", "memory", "disk", "uptime"].map(str::to_owned).to_vec(),
        ..HeartbeatRequest::default()
    };
    let sample = from_report(&nothing);
    assert_eq!(
        (sample.cpu_centi, sample.memory_centi, sample.disk_centi, sample.uptime_seconds),
        (None, None, None, None)
    );
}

/// Spec: monitoring 4
#[test]
fn buffer_when_an_outage_is_long_then_keeps_the_newest_hour() {
    let (mut buffer, now) = filled(200, 30);
    assert_eq!(buffer.len(), 121, "an hour, both ends included");
    assert_eq!((buffer.take_lost(), buffer.take_lost()), (79, 0), "told once");
    let left = buffer.take(now + 1800);
    assert_eq!(seconds(&left), (139..200).map(|n| n * 30).collect::<Vec<_>>(), "they age while they wait");
    let (mut buffer, _) = filled(2000, 1);
    assert_eq!(buffer.len(), MAX_SAMPLES, "also when they come faster than they may");
    assert_eq!(buffer.clear(), MAX_SAMPLES);
    assert!(buffer.is_empty() && buffer.bytes == 0);
}

/// Spec: monitoring 4
#[test]
fn samples_when_taken_then_come_oldest_first_in_portions_and_return_to_their_place() {
    let (mut buffer, now) = filled(300, 5);
    let first = buffer.take(now);
    let second = buffer.take(now);
    assert_eq!(seconds(&first), (0..120).map(|n| n * 5).collect::<Vec<_>>());
    assert_eq!(seconds(&second), (120..240).map(|n| n * 5).collect::<Vec<_>>());
    buffer.add([sample(now + 5)], now + 5);
    buffer.add(second, now);
    buffer.add(first, now);
    let mut all = Vec::new();
    while !buffer.is_empty() {
        all.extend(buffer.take(now));
    }
    assert_eq!(all, (0..=300).map(|n| sample(n * 5)).collect::<Vec<_>>());
    assert_eq!(buffer.bytes, 0);
}

#[test]
fn samples_when_they_are_large_then_are_bounded_in_bytes() {
    let mut buffer = SampleBuffer::default();
    let mut large = report(0);
    large.disks = (0..256)
        .map(|n| DiskInfo { mount_point: format!("/{n}{}", "x".repeat(1000)), ..DiskInfo::default() })
        .collect();
    for _ in 0..20 {
        buffer.add([from_report(&large)], 0);
        assert!(buffer.bytes <= MAX_BYTES, "{}", buffer.bytes);
    }
    assert!(!buffer.is_empty() && buffer.take_lost() > 0);
}

proptest! {
    #[test]
    fn any_sequence_of_steps_keeps_the_order_and_the_bounds(
        steps in proptest::collection::vec((0u8..4, -100i64..900), 1..200),
    ) {
        let mut buffer = SampleBuffer::default();
        let (mut now, mut taken) = (1_000_000, Vec::new());
        for (step, pause) in steps {
            // Clocks are set back now and then.
            now += pause;
            match step {
                0 | 1 => buffer.add([sample(now)], now),
                2 => taken = buffer.take(now),
                _ => buffer.add(std::mem::take(&mut taken), now),
            }
            let sum: usize = buffer.samples.iter().map(|sample| sample.encoded.len()).sum();
            prop_assert_eq!(sum, buffer.bytes);
            prop_assert!(buffer.len() <= MAX_SAMPLES);
            prop_assert!(buffer.samples.iter().is_sorted_by_key(|sample| sample.timestamp_unix));
        }
    }
}
