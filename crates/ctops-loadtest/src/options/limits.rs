//! What makes a run a failure, so that the exit code can be used by automation.

use std::time::Duration;

use serde_json::Value;

use super::{parse_duration, put};

/// Limits of a run; one that is not set is not checked.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Least share of agents that became active, percent.
    pub active_percent: Option<f64>,
    /// Longest time within which 99 of 100 heartbeats are acknowledged.
    pub ack_p99: Option<Duration>,
    /// Most heartbeats sent and never acknowledged.
    pub unacknowledged: Option<u64>,
    /// Most streams opened again.
    pub reconnects: Option<u64>,
    /// Most errors of any kind.
    pub errors: Option<u64>,
}

impl Limits {
    /// Takes the value of one flag in; false when it cannot be that or is none of these flags.
    pub(super) fn take(&mut self, name: &str, value: &str) -> bool {
        let number = || value.parse().ok().map(Some);
        match name {
            "fail-active-below" => {
                let percent = value.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
                put(&mut self.active_percent, percent.map(Some))
            }
            "fail-ack-p99" => put(&mut self.ack_p99, parse_duration(value).map(Some)),
            "fail-unacknowledged" => put(&mut self.unacknowledged, number()),
            "fail-reconnects" => put(&mut self.reconnects, number()),
            "fail-errors" => put(&mut self.errors, number()),
            _ => false,
        }
    }

    /// A sentence for every limit that `summary` exceeds.
    pub fn exceeded(&self, summary: &Value) -> Vec<String> {
        let number = |name: &str| summary[name].as_u64().unwrap_or_default();
        let mut found = Vec::new();
        let percent = number("registrations_active") as f64 * 100.0 / number("target_agents").max(1) as f64;
        if let Some(least) = self.active_percent.filter(|least| percent < *least) {
            found.push(format!("{percent:.1} % of the agents became active, at least {least} % wanted"));
        }
        let p99 = Duration::from_micros(number("ack_latency_p99_us"));
        if let Some(most) = self.ack_p99.filter(|most| p99 > *most) {
            found.push(format!("99 of 100 acknowledgements took up to {p99:?}, at most {most:?} wanted"));
        }
        let unacknowledged = number("heartbeats_sent").saturating_sub(number("heartbeats_acknowledged"));
        let counts = [
            ("heartbeats without acknowledgement", unacknowledged, self.unacknowledged),
            ("reconnects", number("reconnects"), self.reconnects),
            ("errors", number("errors"), self.errors),
        ];
        for (what, count, most) in counts {
            if let Some(most) = most.filter(|most| count > *most) {
                found.push(format!("{count} {what}, at most {most} wanted"));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_when_exceeded_then_are_named_with_both_figures() {
        let summary = json!({
            "target_agents": 10, "registrations_active": 9, "ack_latency_p99_us": 2_000,
            "heartbeats_sent": 100, "heartbeats_acknowledged": 97, "reconnects": 1, "errors": 4,
        });
        let mut limits = Limits::default();
        assert!(limits.exceeded(&summary).is_empty(), "what is not set is not checked");
        for (name, kept) in [
            ("fail-active-below", "90"),
            ("fail-ack-p99", "2ms"),
            ("fail-unacknowledged", "3"),
            ("fail-reconnects", "1"),
            ("fail-errors", "4"),
        ] {
            assert!(limits.take(name, kept));
        }
        assert!(limits.exceeded(&summary).is_empty(), "the limit itself is allowed");
        for (name, broken) in [
            ("fail-active-below", "90.1"),
            ("fail-ack-p99", "1ms"),
            ("fail-unacknowledged", "2"),
            ("fail-reconnects", "0"),
            ("fail-errors", "3"),
        ] {
            assert!(limits.take(name, broken));
        }
        let found = limits.exceeded(&summary);
        assert_eq!(found.len(), 5);
        assert_eq!(found[0], "90.0 % of the agents became active, at least 90.1 % wanted");
        assert!(found[2].starts_with("3 heartbeats without acknowledgement, at most 2"));
    }
}
