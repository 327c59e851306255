//! Delays between attempts: 1, 2, 4, 8, 16, 32, 60, 60 … seconds with jitter (agents-enrolment 26).

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::timing::Timing;

/// A growing delay. Each delay lies between half and all of its nominal step, so that a fleet that lost its
/// server at one moment does not come back in one moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    steps: u32,
    random: fn() -> u16,
}

impl Backoff {
    /// A back-off with the steps of `timing` and real randomness.
    pub fn new(timing: &Timing) -> Self {
        Self::with_random(timing, random_u16)
    }

    /// The same with a given source of randomness: 0 gives half of a step, 65535 the whole.
    pub fn with_random(timing: &Timing, random: fn() -> u16) -> Self {
        Self { first: timing.backoff_first, cap: timing.backoff_cap, steps: 0, random }
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let nominal =
            self.first.saturating_mul(1u32.checked_shl(self.steps).unwrap_or(u32::MAX)).min(self.cap);
        // 2^16 times the first step is beyond any cap in use; further steps must not overflow the shift.
        self.steps = (self.steps + 1).min(16);
        let half = nominal / 2;
        let delay = half + half.mul_f64(f64::from((self.random)()) / f64::from(u16::MAX));
        Duration::from_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
    }

    /// Starts again at the first step.
    pub fn reset(&mut self) {
        self.steps = 0;
    }
}

/// A random number; the middle of the range should the system have none, for a delay is better than an end.
pub(crate) fn random_u16() -> u16 {
    let mut bytes = [0x7f, 0xff];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        bytes = [0x7f, 0xff];
    }
    u16::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn timing() -> Timing {
        Timing::standard(Duration::from_secs(30))
    }

    /// Spec: agents-enrolment 26
    #[test]
    fn nominal_steps_double_up_to_a_minute() {
        let mut backoff = Backoff::with_random(&timing(), || u16::MAX);
        let steps: Vec<u64> = (0..9).map(|_| backoff.next_delay().as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.next_delay(), Duration::from_secs(1));
    }

    /// Spec: agents-enrolment 26
    #[test]
    fn jitter_takes_away_at_most_half_of_a_step() {
        let mut backoff = Backoff::with_random(&timing(), || 0);
        let steps: Vec<u128> = (0..7).map(|_| backoff.next_delay().as_millis()).collect();
        assert_eq!(steps, [500, 1000, 2000, 4000, 8000, 16000, 30000]);
    }

    #[test]
    fn real_delays_differ_between_agents() {
        let delays: std::collections::BTreeSet<_> =
            (0..32).map(|_| Backoff::new(&timing()).next_delay()).collect();
        assert!(delays.len() > 8, "a fleet spreads out, {} different delays", delays.len());
    }

    proptest! {
        #[test]
        fn any_number_of_failures_keeps_the_delay_within_bounds(failures in 1usize..200) {
            let mut backoff = Backoff::new(&timing());
            for _ in 0..failures {
                let delay = backoff.next_delay();
                prop_assert!(delay >= Duration::from_millis(500) && delay <= Duration::from_secs(60));
            }
        }
    }
}
