#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use ctops_proto::agent::{AgentQueryResult, AgentTaskProgress, AgentTaskResult, CheckResult};
use proptest::prelude::*;

const NOW: i64 = 1_795_341_600_000;

fn message() -> HeartbeatRequest {
    HeartbeatRequest {
        cpu_percent: 12.34,
        memory_percent: 56.0,
        disk_percent: 99.999,
        uptime_seconds: 3600,
        timestamp_unix: NOW / 1000 - 1,
        agent_version: "0.38.1".to_owned(),
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
        os_version: "Debian GNU/Linux 12".to_owned(),
        disks: vec![disk()],
        network_interfaces: vec![interface(&["10.0.0.5", "fe80::1"])],
        ..Default::default()
    }
}

fn disk() -> DiskInfo {
    DiskInfo {
        mount_point: "/".to_owned(),
        device: "/dev/sda1".to_owned(),
        fs_type: "ext4".to_owned(),
        total_bytes: 1000,
        used_bytes: 250,
        free_bytes: 750,
        percent_used: 25.0,
    }
}

fn interface(addresses: &[&str]) -> NetworkInterface {
    NetworkInterface {
        name: "eth0".to_owned(),
        ip_addresses: addresses.iter().map(|&a| a.to_owned()).collect(),
        mac_address: "AA:bb:cc:dd:ee:0f".to_owned(),
        is_up: true,
    }
}

fn check(change: impl FnOnce(&mut HeartbeatRequest)) -> Checked {
    let mut message = message();
    change(&mut message);
    heartbeat(&message, NOW)
}

#[test]
fn heartbeat_of_an_ordinary_agent_passes_unchanged() {
    let checked = check(|_| ());
    assert_eq!(
        (checked.cpu_centi, checked.memory_centi, checked.disk_centi),
        (Some(1234), Some(5600), Some(10_000))
    );
    assert_eq!(checked.uptime_seconds, Some(3600));
    assert_eq!((checked.recorded_at_ms, checked.clock_skewed), (NOW - 1000, false));
    assert!(checked.is_sample && !checked.corrected);
    assert_eq!(checked.interval_seconds, None);
    let facts = checked.facts;
    assert_eq!(
        (facts.os.as_str(), facts.arch.as_str(), facts.agent_version.as_str()),
        ("linux", "amd64", "0.38.1")
    );
    assert_eq!((facts.disks[0].used_centi, facts.disks[0].total_bytes), (2500, 1000));
    assert_eq!(facts.interfaces[0].ip_addresses, ["10.0.0.5", "fe80::1"]);
    assert_eq!(facts.interfaces[0].mac_address, "aa:bb:cc:dd:ee:0f");
}

#[test]
fn percent_when_not_a_number_or_infinite_is_absent() {
    for value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let checked = check(|m| m.cpu_percent = value);
        assert_eq!(checked.cpu_centi, None, "{value}");
        assert!(checked.corrected);
        assert_eq!(checked.memory_centi, Some(5600), "the others stay");
    }
}

#[test]
fn percent_when_out_of_range_is_clamped() {
    for (value, centi) in
        [(-0.001, 0), (-5.0, 0), (f32::MIN, 0), (100.001, 10_000), (1e30, 10_000), (f32::MAX, 10_000)]
    {
        let checked = check(|m| m.memory_percent = value);
        assert_eq!(checked.memory_centi, Some(centi), "{value}");
        assert!(checked.corrected);
    }
    for (value, centi) in [(0.0, 0), (-0.0, 0), (0.004, 0), (0.006, 1), (99.994, 9999), (100.0, 10_000)] {
        let checked = check(|m| m.disk_percent = value);
        assert_eq!((checked.disk_centi, checked.corrected), (Some(centi), false), "{value}");
    }
}

#[test]
fn uptime_when_negative_or_absurd_is_absent() {
    for value in [-1, i64::MIN, MAX_UPTIME_SECONDS + 1, i64::MAX] {
        let checked = check(|m| m.uptime_seconds = value);
        assert_eq!(checked.uptime_seconds, None, "{value}");
        assert!(checked.corrected);
    }
    assert_eq!(check(|m| m.uptime_seconds = 0).uptime_seconds, Some(0));
}

#[test]
fn vitals_when_named_absent_are_absent_although_their_field_is_zero() {
    let checked = check(|m| {
        m.absent_vitals = ["cpu", "uptime", "unknown"].map(str::to_owned).to_vec();
        m.cpu_percent = 0.0;
    });
    assert_eq!((checked.cpu_centi, checked.uptime_seconds), (None, None));
    assert_eq!((checked.memory_centi, checked.disk_centi), (Some(5600), Some(10_000)));
}

#[test]
fn vitals_when_all_zero_from_a_system_without_collector_are_absent() {
    let zero = |m: &mut HeartbeatRequest, os: &str| {
        (m.cpu_percent, m.memory_percent, m.disk_percent, m.uptime_seconds) = (0.0, 0.0, 0.0, 0);
        m.os = os.to_owned();
    };
    for os in ["darwin", "windows"] {
        let checked = check(|m| zero(m, os));
        assert_eq!((checked.cpu_centi, checked.disk_centi, checked.uptime_seconds), (None, None, None));
    }
    assert_eq!(check(|m| zero(m, "linux")).cpu_centi, Some(0));
    assert_eq!(check(|m| zero(m, "")).cpu_centi, Some(0));
    let real = check(|m| {
        zero(m, "windows");
        m.memory_percent = 40.0;
    });
    assert_eq!((real.cpu_centi, real.memory_centi), (Some(0), Some(4000)));
}

#[test]
fn time_when_more_than_five_minutes_ahead_is_replaced_by_ours() {
    let at = |offset: i64| check(|m| m.timestamp_unix = NOW / 1000 + offset);
    assert_eq!((at(300).recorded_at_ms, at(300).clock_skewed), (NOW + 300_000, false));
    assert_eq!((at(301).recorded_at_ms, at(301).clock_skewed), (NOW, true));
    assert_eq!((at(-86_400).recorded_at_ms, at(-86_400).clock_skewed), (NOW - 86_400_000, false));
    assert_eq!((at(-86_401).recorded_at_ms, at(-86_401).clock_skewed), (NOW, true));
    for wild in [i64::MAX, i64::MIN, -1, 1] {
        let checked = check(|m| m.timestamp_unix = wild);
        assert_eq!((checked.recorded_at_ms, checked.clock_skewed), (NOW, true), "{wild}");
    }
    let silent = check(|m| m.timestamp_unix = 0);
    assert_eq!((silent.recorded_at_ms, silent.clock_skewed), (NOW, false));
}

#[test]
fn interval_is_unknown_at_zero_and_clamped_otherwise() {
    for (sent, expected) in
        [(0, None), (1, Some(5)), (5, Some(5)), (30, Some(30)), (300, Some(300)), (u32::MAX, Some(300))]
    {
        assert_eq!(check(|m| m.interval_seconds = sent).interval_seconds, expected);
    }
}

#[test]
fn messages_that_deliver_results_are_no_samples_but_check_results_do_not_matter() {
    assert!(!check(|m| m.query_results = vec![AgentQueryResult::default()]).is_sample);
    assert!(!check(|m| m.task_progress = vec![AgentTaskProgress::default()]).is_sample);
    assert!(!check(|m| m.task_results = vec![AgentTaskResult::default()]).is_sample);
    assert!(check(|m| m.check_results = vec![CheckResult::default()]).is_sample);
}

#[test]
fn texts_when_too_long_or_hostile_are_cut_and_cleaned() {
    let checked = check(|m| {
        m.os_version = "x".repeat(MAX_LABEL_CHARS + 1);
        m.agent_version = "1.0\u{1b}[31m\u{202e}".to_owned();
        m.disks[0].mount_point = "/".repeat(MAX_PATH_CHARS + 5);
        m.network_interfaces[0].name = "eth\0zero".to_owned();
    });
    assert!(checked.corrected);
    assert_eq!(checked.facts.os_version.len(), MAX_LABEL_CHARS);
    assert_eq!(checked.facts.agent_version, "1.0[31m");
    assert_eq!(checked.facts.disks[0].mount_point.len(), MAX_PATH_CHARS);
    assert_eq!(checked.facts.interfaces[0].name, "ethzero");
}

#[test]
fn lists_when_too_long_are_cut() {
    let many: Vec<String> = (0..=MAX_ADDRESSES).map(|n| format!("10.0.{}.{}", n / 256, n % 256)).collect();
    let checked = check(|m| {
        m.disks = vec![disk(); MAX_DISKS + 1];
        m.network_interfaces = vec![interface(&[]); MAX_INTERFACES + 1];
        m.network_interfaces[0].ip_addresses = many;
    });
    assert!(checked.corrected);
    assert_eq!((checked.facts.disks.len(), checked.facts.interfaces.len()), (MAX_DISKS, MAX_INTERFACES));
    assert_eq!(checked.facts.interfaces[0].ip_addresses.len(), MAX_ADDRESSES);
}

#[test]
fn addresses_are_normalised_and_the_unreadable_left_out() {
    let checked = check(|m| {
        m.network_interfaces[0] =
            interface(&["FE80:0:0::1%eth0", "10.0.0.5", "", "10.0.0.5/24", "nonsense", "1.2.3"]);
    });
    assert_eq!(checked.facts.interfaces[0].ip_addresses, ["fe80::1", "10.0.0.5"]);
    assert!(checked.corrected);
}

#[test]
fn mac_when_not_hex_octets_is_left_out() {
    let of = |text: &str| {
        let checked = check(|m| m.network_interfaces[0].mac_address = text.to_owned());
        (checked.facts.interfaces[0].mac_address.clone(), checked.corrected)
    };
    assert_eq!(of(""), (String::new(), false));
    assert_eq!(of("00:11:22:33:44:55:66:77"), ("00:11:22:33:44:55:66:77".to_owned(), false));
    for bad in ["00:11:22:33:44", "00-11-22-33-44-55", "00:11:22:33:44:zz", "<script>", "0:1:2:3:4:5"] {
        assert_eq!(of(bad), (String::new(), true), "{bad}");
    }
}

#[test]
fn disk_numbers_when_absurd_are_bounded() {
    let checked = check(|m| {
        m.disks[0].total_bytes = u64::MAX;
        m.disks[0].used_bytes = u64::MAX;
        m.disks[0].percent_used = f32::NAN;
    });
    let disk = &checked.facts.disks[0];
    assert_eq!((disk.total_bytes, disk.used_bytes, disk.used_centi), (MAX_BYTES, MAX_BYTES, 10_000));
    assert!(checked.corrected);
    assert_eq!(share(1, 0), 0);
    assert_eq!(share(5, 3), 10_000);
    assert_eq!(share(1, 3), 3333);
}

proptest! {
    #[test]
    fn heartbeat_of_any_numbers_stays_within_bounds(
        percents in any::<[f32; 4]>(), uptime in any::<i64>(), at in any::<i64>(), sizes in any::<[u64; 3]>(),
        interval in any::<u32>(),
    ) {
        let checked = check(|m| {
            (m.cpu_percent, m.memory_percent, m.disk_percent) = (percents[0], percents[1], percents[2]);
            (m.uptime_seconds, m.timestamp_unix, m.interval_seconds) = (uptime, at, interval);
            m.disks[0].percent_used = percents[3];
            (m.disks[0].total_bytes, m.disks[0].used_bytes, m.disks[0].free_bytes) = (sizes[0], sizes[1], sizes[2]);
        });
        for centi in [checked.cpu_centi, checked.memory_centi, checked.disk_centi].into_iter().flatten() {
            prop_assert!(centi <= 10_000);
        }
        prop_assert!(checked.uptime_seconds.is_none_or(|s| (0..=MAX_UPTIME_SECONDS).contains(&s)));
        prop_assert!(checked.recorded_at_ms <= NOW + MAX_AHEAD_MS && checked.recorded_at_ms >= NOW - MAX_BEHIND_MS);
        prop_assert!(checked.interval_seconds.is_none_or(|s| HEARTBEAT_INTERVAL_SECS.contains(&s)));
        let disk = &checked.facts.disks[0];
        prop_assert!(disk.used_centi <= 10_000 && i64::try_from(disk.total_bytes).is_ok());
    }

    #[test]
    fn heartbeat_of_any_text_stays_within_bounds(text in ".{0,300}", address in ".{0,60}", mac in "[0-9a-fA-F:]{0,24}") {
        let checked = check(|m| {
            m.os = text.clone();
            m.disks[0].device = text.clone();
            m.network_interfaces[0].ip_addresses = vec![address];
            m.network_interfaces[0].mac_address = mac;
        });
        prop_assert!(checked.facts.os.chars().count() <= MAX_LABEL_CHARS);
        prop_assert!(!checked.facts.disks[0].device.chars().any(text::is_hostile));
        let interface = &checked.facts.interfaces[0];
        prop_assert!(interface.ip_addresses.iter().all(|a| a.parse::<IpAddr>().is_ok()));
        prop_assert!(interface.mac_address.len() <= 59);
    }
}
