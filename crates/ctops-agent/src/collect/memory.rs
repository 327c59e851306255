//! Memory and swap use from `/proc/meminfo` (proc_meminfo(5)).

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

/// Swap in use in hundredths of a per cent; `None` on a machine without swap.
pub fn swap_centi(meminfo: &str) -> Option<u32> {
    let total = field(meminfo, "SwapTotal").filter(|total| *total > 0)?;
    let used = total - field(meminfo, "SwapFree")?.min(total);
    u32::try_from((u128::from(used) * 10_000 + u128::from(total) / 2) / u128::from(total)).ok()
}

/// All memory of the machine in bytes.
pub fn total_bytes(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal")?.checked_mul(1024)
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

    /// Spec: monitoring 2
    #[test]
    fn swap_when_there_is_some_then_is_its_used_part_and_without_swap_absent() {
        assert_eq!(swap_centi("SwapTotal: 3000 kB\nSwapFree: 2000 kB\n"), Some(3333));
        assert_eq!(swap_centi("SwapTotal: 3000 kB\nSwapFree: 4000 kB\n"), Some(0));
        for absent in
            ["", "SwapTotal: 0 kB\nSwapFree: 0 kB", "SwapTotal: 5 kB", "SwapTotal: 5 kB\nSwapFree: x"]
        {
            assert_eq!(swap_centi(absent), None, "{absent:?}");
        }
        assert_eq!(total_bytes("MemTotal: 8 kB\n"), Some(8192));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_percentage_or_nothing(total: u64, available: u64, noise in "\\PC*") {
            let text = format!("{noise}\nMemTotal: {total} kB\nMemAvailable: {available} kB\n");
            if let Some(value) = percent_used(&text) {
                prop_assert!((0.0..=100.0).contains(&value));
            }
            let swap = format!("SwapTotal: {total} kB\nSwapFree: {available} kB\n");
            prop_assert!(swap_centi(&swap).is_none_or(|value| value <= 10_000));
        }
    }
}
