//! Processor use between two readings of `/proc/stat` (proc_stat(5)).

/// Ticks of one processor in a second (USER_HZ, fixed in the Linux interface). Readings closer together than that say
/// more about chance than about load; the last value is repeated then.
const SHORTEST_WINDOW: u128 = 100;

/// Counters over all processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// User, nice, system, idle, iowait, irq, softirq, steal. Guest time is part of user time already.
    ticks: [u64; 8],
    /// How many processors they are summed over.
    processors: u32,
}

/// The counters of `/proc/stat`; kernels before 2.6.11 have fewer, the rest is 0.
pub fn parse(stat: &str) -> Option<Counters> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let mut ticks = [0; 8];
    let mut found = 0;
    for (counter, text) in ticks.iter_mut().zip(line.split_ascii_whitespace()) {
        *counter = text.parse().ok()?;
        found += 1;
    }
    let single = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let processors = u32::try_from(stat.lines().filter(single).count()).unwrap_or(u32::MAX).max(1);
    // Without the idle counter there is nothing to tell.
    (found >= 4).then_some(Counters { ticks, processors })
}

/// Ticks passed between two readings. Single counters can go backwards (iowait does); that counts as no change.
fn passed(before: &Counters, after: &Counters) -> [u128; 8] {
    std::array::from_fn(|index| u128::from(after.ticks[index].saturating_sub(before.ticks[index])))
}

/// Share of time not idle between two readings, in per cent. `None` when no time has passed.
pub fn percent_busy(before: &Counters, after: &Counters) -> Option<f32> {
    let passed = passed(before, after);
    let total: u128 = passed.iter().sum();
    if total == 0 {
        return None;
    }
    let idle = passed[3] + passed[4];
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than the precision of f64")]
    let busy = (total - idle) as f64 / total as f64 * 100.0;
    #[expect(clippy::cast_possible_truncation, reason = "a value from 0 to 100 fits")]
    Some(busy as f32)
}

/// Remembers the last reading. The first one of a process gives no value.
#[derive(Debug, Default)]
pub struct CpuMeter {
    last: Option<Counters>,
    value: Option<f32>,
}

impl CpuMeter {
    /// Processor use since the last reading, in per cent.
    pub fn measure(&mut self, reading: Option<Counters>) -> Option<f32> {
        let counters = reading?;
        if let Some(before) = &self.last {
            let ticks: u128 = passed(before, &counters).iter().sum();
            if (1..SHORTEST_WINDOW * u128::from(counters.processors)).contains(&ticks) {
                return self.value;
            }
            self.value = percent_busy(before, &counters);
        }
        self.last = Some(counters);
        self.value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const BEFORE: &str = "cpu  1000 100 500 8000 400 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n";
    const AFTER: &str = "cpu  1150 100 550 8700 500 0 0 0 70 0\n";

    fn counters(ticks: [u64; 8]) -> Counters {
        Counters { ticks, processors: 1 }
    }

    /// Spec: monitoring 1
    #[test]
    fn use_when_two_readings_are_compared_then_counts_all_but_idle_and_iowait() {
        let (before, after) = (parse(BEFORE).unwrap(), parse(AFTER).unwrap());
        assert_eq!(before, counters([1000, 100, 500, 8000, 400, 0, 0, 0]));
        assert_eq!(percent_busy(&before, &after), Some(20.0), "200 of 1000 ticks");
        assert_eq!(percent_busy(&before, &before), None);
        assert_eq!(percent_busy(&after, &before), None, "all counters going back is no time passing");
    }

    #[test]
    fn counters_when_incomplete_or_damaged_then_are_absent() {
        for bad in ["", "cpu", "cpu0 1 2 3 4\n", "cpu  1 2 3\n", "cpu  1 2 x 4\n", "cpu  1 2 3 -4 5\n"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse("cpu  1 2 3 4"), Some(counters([1, 2, 3, 4, 0, 0, 0, 0])), "an old kernel");
    }

    /// Spec: monitoring 1
    #[test]
    fn meter_when_read_then_covers_the_whole_interval_and_starts_absent() {
        let mut meter = CpuMeter::default();
        assert_eq!(meter.measure(parse(BEFORE)), None);
        assert_eq!(meter.measure(parse(AFTER)), Some(20.0));
        let soon = "cpu  1249 100 550 8700 500 0 0 0 70 0\n";
        assert_eq!(meter.measure(parse(soon)), Some(20.0), "a report too early repeats the value");
        let later = "cpu  1250 100 550 8700 500 0 0 0 70 0\n";
        assert_eq!(meter.measure(parse(later)), Some(100.0), "and its ticks count in the next one");
        assert_eq!(meter.measure(None), None, "unreadable is absent");
        assert_eq!(meter.measure(parse(later)), None, "no time passed");
    }

    proptest! {
        #[test]
        fn any_counters_give_a_percentage_or_nothing(before: [u64; 8], after: [u64; 8]) {
            if let Some(value) = percent_busy(&counters(before), &counters(after)) {
                prop_assert!((0.0..=100.0).contains(&value));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(cpu ?|[0-9 ]{1,30}|\\PC|\n)*") {
            let _ = parse(&text);
        }
    }
}
