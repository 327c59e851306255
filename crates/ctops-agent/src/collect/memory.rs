//! Memory use from `/proc/meminfo` (proc_meminfo(5)).

/// (MemTotal − MemAvailable) / MemTotal in per cent; `None` when either is missing (MemAvailable came with Linux
/// 3.14).
pub fn percent_used(meminfo: &str) -> Option<f32> {
    let total = field(meminfo, "MemTotal")?;
    let available = field(meminfo, "MemAvailable")?.min(total);
    if total == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than the precision of f64")]
    let used = (total - available) as f64 / total as f64 * 100.0;
    #[expect(clippy::cast_possible_truncation, reason = "a value from 0 to 100 fits")]
    Some(used as f32)
}

fn field(meminfo: &str, name: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spec: monitoring 1
    #[test]
    fn use_when_total_and_available_are_known_then_is_their_difference() {
        let text = "MemTotal:       8000000 kB\nMemFree:  100 kB\nMemAvailable:   6000000 kB\n";
        assert_eq!(percent_used(text), Some(25.0));
        assert_eq!(percent_used("MemTotal: 10 kB\nMemAvailable: 11 kB\n"), Some(0.0), "more than all is all");
    }

    #[test]
    fn value_when_missing_or_damaged_then_is_absent() {
        for bad in
            ["", "MemTotal: 5 kB", "MemTotal: 0 kB\nMemAvailable: 0 kB", "MemTotal: x\nMemAvailable: 1"]
        {
            assert_eq!(percent_used(bad), None, "{bad:?}");
        }
        assert_eq!(percent_used("MemTotal: 5 kB\nMemAvailableX: 1 kB"), None);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_percentage_or_nothing(total: u64, available: u64, noise in "\\PC*") {
            let text = format!("{noise}\nMemTotal: {total} kB\nMemAvailable: {available} kB\n");
            if let Some(value) = percent_used(&text) {
                prop_assert!((0.0..=100.0).contains(&value));
            }
        }
    }
}
