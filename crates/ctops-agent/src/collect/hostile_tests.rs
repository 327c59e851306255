//! `/proc` as a container, a rootkit or an odd kernel may show it.

#![allow(clippy::unwrap_used)]

use ctops_proto::limits;
use proptest::prelude::*;

use super::{cpu, load, memory, mounts, network, release};

/// Blank, tab, line end and backslash as the kernel writes them in mount tables.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' => out.push_str(&format!("\\{:03o}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Spec: monitoring 1
#[test]
fn line_of_meminfo_when_given_twice_then_the_first_counts() {
    let text = "MemTotal: 100 kB\nMemTotal: 1 kB\nMemAvailable: 25 kB\nMemAvailable: 100 kB\n";
    assert_eq!(memory::percent_used(text), Some(75.0));
    assert_eq!(memory::percent_used(&text.replace('\n', "\r\n")), Some(75.0), "whatever ends the lines");
    assert_eq!(memory::percent_used(" MemTotal: 5 kB\nMemAvailable: 1 kB"), None, "names begin the line");
}

#[test]
fn numbers_of_meminfo_when_beyond_64_bits_or_signed_then_are_absent() {
    for number in ["18446744073709551616", "-1", "1.5", "0x10", "1e3", "", "kB"] {
        assert_eq!(memory::total_bytes(&format!("MemTotal: {number} kB\n")), None, "{number:?}");
    }
    assert_eq!(memory::total_bytes("MemTotal: 18446744073709551615 kB"), None, "bytes do not fit");
    assert_eq!(memory::swap_centi("SwapTotal: 18446744073709551615 kB\nSwapFree: 0 kB"), Some(10_000));
    let all = "MemTotal: 18446744073709551615 kB\nMemAvailable: 0 kB";
    assert_eq!(memory::percent_used(all), Some(100.0));
}

/// Spec: monitoring 2
#[test]
fn loadavg_when_at_the_edge_of_its_numbers_then_is_exact_or_absent() {
    assert_eq!(load::averages_centi("42949672.95 0.00 0.00"), Some([u32::MAX, 0, 0]));
    for bad in [
        "42949672.96 0.00 0.00",
        "1.000 1.00 1.00",
        ".50 .50 .50",
        "1,00 1,00 1,00",
        "NaN 1.00 1.00",
        "1.00\0 1.00 1.00",
    ] {
        assert_eq!(load::averages_centi(bad), None, "{bad:?}");
    }
}

/// Spec: monitoring 1
#[test]
fn stat_when_its_counters_are_at_their_limit_then_gives_a_percentage() {
    let full = format!("cpu  {0} {0} {0} {0} {0} {0} {0} {0}\n", u64::MAX);
    let (before, after) = (cpu::parse("cpu  0 0 0 0 0 0 0 0\n").unwrap(), cpu::parse(&full).unwrap());
    assert_eq!(cpu::percent_busy(&before, &after), Some(75.0), "six of eight counters are not idle");
    assert_eq!(cpu::parse("cpu  18446744073709551616 0 0 0\n"), None);
    assert_eq!(cpu::parse("cpux 1 2 3 4\ncpu  1 2 3 4\n"), cpu::parse("cpu  1 2 3 4\n"));
}

#[test]
fn uptime_when_damaged_then_is_absent() {
    for bad in ["", "12", "-5.00 1.00", "x.00", "9223372036854775808.00", " ", "\0.00"] {
        assert_eq!(release::uptime_seconds(bad), None, "{bad:?}");
    }
    assert_eq!(release::uptime_seconds("  0.04 0.00\n"), Some(0));
    assert_eq!(release::uptime_seconds("9223372036854775807.99"), Some(i64::MAX));
}

#[test]
fn escapes_of_mountinfo_when_beyond_a_byte_or_no_utf8_then_do_no_harm() {
    let point = |text: &str| {
        let table = format!("1 1 8:1 / {text} rw - ext4 /dev/sda rw\n");
        mounts::parse(&table, 9).pop().map(|mount| mount.point)
    };
    assert_eq!(point("/a\\777b").as_deref(), Some("/a\\777b"), "no byte has that number");
    assert_eq!(point("/a\\377").as_deref(), Some("/a\u{fffd}"));
    assert_eq!(point("/\\303\\244").as_deref(), Some("/ä"));
    assert_eq!(point("/\\\\040").as_deref(), Some("/\\ "));
    assert_eq!(point("/a\\8").as_deref(), Some("/a\\8"));
}

#[test]
fn table_of_mounts_when_a_hundred_thousand_lines_long_then_keeps_the_limit() {
    let line = |n: u32| format!("{n} 1 8:{n} / /m{n} rw shared:1 - ext4 /dev/sd{n} rw\n");
    let table: String = (0..100_000).map(line).collect();
    let found = mounts::parse(&table, limits::MAX_DISKS);
    assert_eq!((found.len(), found[0].point.as_str()), (limits::MAX_DISKS, "/m0"));
}

#[test]
fn interface_when_its_name_is_hostile_then_is_clean_and_bounded() {
    let counters = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
    let table = format!("e\u{1b}[2Jth0:{counters}\r\n{}:{counters}\nlo:{counters}\n", "x".repeat(10_000));
    let found = network::parse(&table);
    assert_eq!(found.len(), 2);
    let shown = format!("{found:?}");
    assert!(shown.contains("\"e[2Jth0\"") && shown.len() < 2_000, "{shown}");
}

proptest! {
    #[test]
    fn any_mount_point_comes_back_from_its_escaped_form(
        point in "/[a-zA-Z0-9 \t\n\\\\äß_.-]{0,40}", device in "/dev/[a-z \\\\]{1,20}", fs in "ext4|xfs|btrfs|vfat|nfs4",
    ) {
        let table = format!("36 35 98:0 / {} rw,noatime master:1 - {fs} {} rw\n", escaped(&point), escaped(&device));
        let found = mounts::parse(&table, 5);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!((&found[0].point, &found[0].device, &found[0].fs_type), (&point, &device, &fs));
    }

    /// Spec: monitoring 2
    #[test]
    fn any_loadavg_of_the_kernel_is_read_exactly(averages in proptest::array::uniform3(0_u32..=u32::MAX)) {
        let text = averages.map(|average| format!("{}.{:02}", average / 100, average % 100)).join(" ");
        prop_assert_eq!(load::averages_centi(&format!("{text} 1/2 3\n")), Some(averages));
    }

    #[test]
    fn any_table_of_mounts_names_each_point_once(points in proptest::collection::vec("/[ab]{0,2}", 0..30), limit in 0_usize..6) {
        let line = |(n, point): (usize, &String)| format!("{n} 1 8:{n} / {point} rw - {} /dev/x rw\n", if n % 5 == 4 { "tmpfs" } else { "ext4" });
        let table: String = points.iter().enumerate().map(line).collect();
        let found = mounts::parse(&table, limit);
        let distinct: std::collections::HashSet<_> = found.iter().map(|mount| &mount.point).collect();
        prop_assert!(found.len() <= limit && distinct.len() == found.len());
    }
}
