//! How often an agent is heard, and when it counts as silent.

use std::time::Duration;

use ctops_proto::limits::{DEFAULT_HEARTBEAT_INTERVAL_SECS, HEARTBEAT_INTERVAL_SECS};
use tokio::time::Instant;

/// A lease ends after this many intervals without a heartbeat (hosts 1).
const SILENT_INTERVALS: u32 = 2;

/// How often the agent is heard.
pub(super) struct Rhythm {
    interval: Duration,
    announced: bool,
    last: Instant,
}

impl Rhythm {
    pub(super) fn new(now: Instant) -> Self {
        let interval = Duration::from_secs(u64::from(DEFAULT_HEARTBEAT_INTERVAL_SECS));
        Self { interval, announced: false, last: now }
    }

    /// Notes a heartbeat. Agents of the original product do not say their interval; when one was thought silent and speaks
    /// again, the pause it made is taken as its interval, so that it is not thought silent each time.
    pub(super) fn heard(&mut self, now: Instant, interval_seconds: Option<u32>, was_silent: bool) {
        if let Some(seconds) = interval_seconds {
            self.interval = Duration::from_secs(u64::from(seconds));
            self.announced = true;
        } else if was_silent && !self.announced {
            let longest = Duration::from_secs(u64::from(*HEARTBEAT_INTERVAL_SECS.end()));
            let pause = now.duration_since(self.last);
            self.interval = self.interval.max(pause).min(longest);
        }
        self.last = now;
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn interval_seconds(&self) -> u32 {
        u32::try_from(self.interval.as_secs()).unwrap_or(DEFAULT_HEARTBEAT_INTERVAL_SECS)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.last + self.interval * SILENT_INTERVALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Spec: hosts 1, 2
    #[test]
    fn rhythm_when_the_interval_is_not_announced_allows_sixty_seconds() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start);
        rhythm.heard(start, None, true);
        assert_eq!(rhythm.deadline(), start + 60 * SECOND);
        rhythm.heard(start + 29 * SECOND, None, false);
        assert_eq!(rhythm.deadline(), start + 89 * SECOND);
    }

    /// Spec: hosts 1
    #[test]
    fn rhythm_when_the_interval_is_announced_allows_twice_as_long() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start);
        rhythm.heard(start, Some(5), true);
        assert_eq!((rhythm.interval_seconds(), rhythm.deadline()), (5, start + 10 * SECOND));
    }

    #[test]
    fn rhythm_when_a_silent_agent_speaks_again_learns_its_pause() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start);
        rhythm.heard(start, None, true);
        rhythm.heard(start + 120 * SECOND, None, true);
        assert_eq!(rhythm.interval_seconds(), 120);
        rhythm.heard(start + 5000 * SECOND, None, true);
        assert_eq!(rhythm.interval_seconds(), 300, "bounded by the longest interval");
        let mut announced = Rhythm::new(start);
        announced.heard(start, Some(30), true);
        announced.heard(start + 120 * SECOND, None, true);
        assert_eq!(announced.interval_seconds(), 30, "what was announced counts");
    }
}
