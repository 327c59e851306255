//! Traffic of the network interfaces: the counters of `/proc/net/dev` (proc_pid_net(5)) as rates per second.

use std::time::Duration;

use ctops_base::text;
use ctops_proto::agent::NetworkRate;
use ctops_proto::limits;
use tokio::time::Instant;

/// Readings closer together than this say more about chance than about load; the last rates are repeated then.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);

/// Counters of one interface since it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    name: String,
    /// Received bytes and errors, transmitted bytes and errors.
    values: [u64; 4],
}

/// The interfaces of `/proc/net/dev` but loopback; lines that cannot be understood are left out.
pub fn parse(net_dev: &str) -> Vec<Counters> {
    net_dev.lines().filter_map(line).take(limits::MAX_INTERFACES).collect()
}

fn line(line: &str) -> Option<Counters> {
    // An alias such as `eth0:1` has a colon in its name; the last one ends the name.
    let (name, counters) = line.rsplit_once(':')?;
    let name = name.trim();
    if name.is_empty() || name == "lo" {
        return None;
    }
    let mut fields = [0; 16];
    let mut found = 0;
    for (field, text) in fields.iter_mut().zip(counters.split_ascii_whitespace()) {
        *field = text.parse().ok()?;
        found += 1;
    }
    // Eight fields for each direction: bytes, packets, errors, and five others.
    (found == fields.len()).then(|| Counters {
        name: text::clean(name, limits::MAX_LABEL_CHARS),
        values: [fields[0], fields[2], fields[8], fields[10]],
    })
}

/// Remembers the last reading. The first one of a process gives no rates.
#[derive(Debug, Default)]
pub struct NetworkMeter {
    last: Option<(Instant, Vec<Counters>)>,
    rates: Vec<NetworkRate>,
}

impl NetworkMeter {
    /// Rates since the last reading. An interface that is new, or whose counters went down, has none this time.
    pub fn measure(&mut self, reading: Vec<Counters>, now: Instant) -> Vec<NetworkRate> {
        if let Some((then, before)) = &self.last {
            let passed = now.saturating_duration_since(*then);
            if passed < SHORTEST_WINDOW {
                return self.rates.clone();
            }
            self.rates = reading
                .iter()
                .filter_map(|after| {
                    let before = before.iter().find(|before| before.name == after.name)?;
                    rate(before, after, passed)
                })
                .collect();
        }
        self.last = Some((now, reading));
        self.rates.clone()
    }

    /// Forgets the last reading: what follows is no continuation of it.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

fn rate(before: &Counters, after: &Counters, passed: Duration) -> Option<NetworkRate> {
    let mut delta = [0; 4];
    for (delta, (before, after)) in delta.iter_mut().zip(before.values.iter().zip(after.values)) {
        *delta = after.checked_sub(*before)?;
    }
    let [receive_bytes, receive_errors, transmit_bytes, transmit_errors] = delta;
    let errors = |count| u32::try_from(per_second(count, 100, passed)).unwrap_or(u32::MAX);
    Some(NetworkRate {
        name: after.name.clone(),
        receive_bytes: per_second(receive_bytes, 1, passed),
        transmit_bytes: per_second(transmit_bytes, 1, passed),
        receive_errors_centi: errors(receive_errors),
        transmit_errors_centi: errors(transmit_errors),
    })
}

/// `count` × `scale` per second, rounded.
fn per_second(count: u64, scale: u128, passed: Duration) -> u64 {
    let millis = passed.as_millis().max(1);
    u64::try_from((u128::from(count) * scale * 1000 + millis / 2) / millis).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

    fn table(rows: &[(&str, [u64; 4])]) -> Vec<Counters> {
        let lines: String = rows
            .iter()
            .map(|(name, [rx, rx_errors, tx, tx_errors])| {
                format!("{name:>6}: {rx} 9 {rx_errors} 9 9 9 9 9 {tx} 9 {tx_errors} 9 9 9 9 9\n")
            })
            .collect();
        parse(&format!("{HEAD}{lines}"))
    }

    /// Spec: monitoring 2
    #[test]
    fn rates_when_two_readings_are_compared_then_are_per_second_and_the_first_reading_has_none() {
        let mut meter = NetworkMeter::default();
        let start = Instant::now();
        let first = table(&[("lo", [5, 5, 5, 5]), ("eth0", [1000, 0, 500, 2]), ("eth1", [7, 0, 7, 0])]);
        assert_eq!(first.len(), 2, "loopback is left out");
        assert_eq!(meter.measure(first, start), []);
        let second =
            table(&[("eth0", [301_000, 3, 30_500, 2]), ("eth1", [7, 0, 7, 0]), ("wg0", [9, 9, 9, 9])]);
        let rates = meter.measure(second, start + Duration::from_secs(30));
        let busy = NetworkRate {
            name: "eth0".to_owned(),
            receive_bytes: 10_000,
            transmit_bytes: 1000,
            receive_errors_centi: 10,
            transmit_errors_centi: 0,
        };
        let idle = NetworkRate { name: "eth1".to_owned(), ..NetworkRate::default() };
        assert_eq!(rates, [busy.clone(), idle.clone()], "an interface seen for the first time has no rate");
        let soon = table(&[("eth0", [999_000, 3, 30_500, 2])]);
        assert_eq!(
            meter.measure(soon, start + Duration::from_millis(30_500)),
            [busy, idle],
            "too soon to tell: repeated"
        );
    }

    /// Spec: monitoring 2
    #[test]
    fn counter_when_it_went_down_then_the_interface_has_no_rate_this_time() {
        let mut meter = NetworkMeter::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        meter.measure(table(&[("eth0", [1000, 0, 1000, 0])]), at(0));
        assert_eq!(meter.measure(table(&[("eth0", [50, 0, 2000, 0])]), at(10)), []);
        assert_eq!(meter.measure(table(&[("eth0", [150, 0, 2000, 0])]), at(20))[0].receive_bytes, 10);
        meter.reset();
        assert_eq!(meter.measure(table(&[("eth0", [250, 0, 2000, 0])]), at(30)), []);
    }

    #[test]
    fn line_when_damaged_then_is_left_out() {
        for bad in [
            "",
            "eth0",
            "eth0: 1 2 3",
            ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
            "eth0: x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        ] {
            assert_eq!(parse(bad), [], "{bad:?}");
        }
        let glued = parse("  eth0:123 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
        assert_eq!(glued[0].values, [123, 3, 9, 11], "old kernels write no blank behind the colon");
        let many: Vec<_> = (0..400).map(|n| (format!("veth{n}"), [0; 4])).collect();
        let rows: Vec<_> = many.iter().map(|(name, values)| (name.as_str(), *values)).collect();
        assert_eq!(table(&rows).len(), limits::MAX_INTERFACES);
    }

    proptest! {
        #[test]
        fn any_counters_give_rates_without_panic(before: [u64; 4], after: [u64; 4], millis in 0u64..10_000_000) {
            let mut meter = NetworkMeter::default();
            let start = Instant::now();
            meter.measure(table(&[("e", before)]), start);
            let rates = meter.measure(table(&[("e", after)]), start + Duration::from_millis(millis));
            let grew = before.iter().zip(after).all(|(before, after)| *before <= after);
            prop_assert_eq!(rates.len(), usize::from(grew && millis >= 1000));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "([a-z0-9:]{0,9}:?( [0-9]{1,21}){14,17}\n|\\PC)*") {
            let _ = parse(&text);
        }
    }
}
