//! When the next sample is due: at a fixed interval, whether there is a stream or not.

use std::time::Duration;

use tokio::time::Instant;

/// The rhythm of the samples.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    interval: Duration,
    due: Instant,
}

impl Rhythm {
    /// A rhythm whose first sample is due an interval from `now`.
    pub fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, due: now + interval }
    }

    /// When the next sample is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// A sample is taken at `now`. One taken in time keeps the rhythm; one taken early, or late by more than a twentieth
    /// of the interval, starts it anew, so that samples never follow each other much closer than the interval.
    pub fn taken(&mut self, now: Instant) {
        let in_time = now >= self.due && now - self.due <= self.interval / 20;
        self.due = if in_time { self.due } else { now } + self.interval;
    }

    /// The next sample is due at once.
    pub fn hasten(&mut self, now: Instant) {
        self.due = now;
    }

    /// Changes the interval. The next sample comes no later than the new interval allows.
    pub fn set_interval(&mut self, interval: Duration, now: Instant) {
        self.interval = interval;
        self.due = self.due.min(now + interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rhythm_when_samples_are_a_little_late_then_keeps_its_pace() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(30 * SECOND, start);
        for round in 1..5 {
            rhythm.taken(rhythm.due() + SECOND / 10);
            assert_eq!(rhythm.due(), start + 30 * SECOND * (round + 1));
        }
    }

    #[test]
    fn rhythm_when_a_sample_is_early_or_missed_then_starts_anew() {
        let start = Instant::now();
        let at = |second| start + SECOND * second;
        let mut rhythm = Rhythm::new(30 * SECOND, start);
        rhythm.taken(at(10));
        assert_eq!(rhythm.due(), at(40), "taken early");
        rhythm.taken(at(43));
        assert_eq!(rhythm.due(), at(73), "taken late");
        rhythm.taken(at(105));
        assert_eq!(rhythm.due(), at(135), "no burst after a suspend");
        rhythm.hasten(at(106));
        assert_eq!(rhythm.due(), at(106));
    }

    #[test]
    fn interval_when_changed_then_counts_from_now_at_the_latest() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(300 * SECOND, start);
        rhythm.set_interval(5 * SECOND, start);
        assert_eq!(rhythm.due(), start + 5 * SECOND);
        rhythm.set_interval(60 * SECOND, start);
        assert_eq!(rhythm.due(), start + 5 * SECOND, "the one under way is not put off");
    }
}
