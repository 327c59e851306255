//! Keeps the agent inside its own limits of memory and processor time.
//!
//! Over a limit, the agent first sheds what it can do without (buffered samples, checks); if that does not help, it
//! executes itself anew, which keeps its identity and costs one reconnection. systemd's `MemoryMax` and `CPUQuota` stand
//! behind it, for an agent that cannot even do that.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::restart::Restart;
use crate::timing::Timing;

/// Resident memory allowed unless told otherwise, MiB.
pub const DEFAULT_MEMORY_MIB: u64 = 64;
/// Share of one processor allowed on average unless told otherwise, percent.
pub const DEFAULT_CPU_PERCENT: u32 = 20;
/// Acceptable memory limits, MiB.
pub const MEMORY_MIB: std::ops::RangeInclusive<u64> = 8..=4096;
/// Acceptable processor limits, percent of one processor.
pub const CPU_PERCENT: std::ops::RangeInclusive<u32> = 1..=1600;
/// Looks over a limit after the first one, before the agent begins anew.
const PATIENCE: u32 = 4;

/// What the agent may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Resident memory, bytes.
    pub memory_bytes: u64,
    /// Share of one processor on average, percent.
    pub cpu_percent: u32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { memory_bytes: DEFAULT_MEMORY_MIB << 20, cpu_percent: DEFAULT_CPU_PERCENT }
    }
}

/// What the process uses.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    memory_bytes: u64,
    cpu: Duration,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
enum Advice {
    Nothing,
    Shed(String),
    BeginAnew(String),
}

/// Judges a series of readings.
#[derive(Debug)]
struct Watchdog {
    allowance: Allowance,
    /// Over which processor time is averaged.
    window: Duration,
    /// Readings over a limit need this age of the process before it begins anew: a limit that is too small must not
    /// make the agent spin.
    rest: Duration,
    began: Instant,
    last: Option<(Instant, Duration)>,
    average_percent: f64,
    memory_strikes: u32,
    cpu_over_since: Option<Instant>,
}

impl Watchdog {
    fn new(allowance: Allowance, timing: &Timing, now: Instant) -> Self {
        Self {
            allowance,
            window: timing.watchdog_average,
            rest: timing.watchdog_rest,
            began: now,
            last: None,
            average_percent: 0.0,
            memory_strikes: 0,
            cpu_over_since: None,
        }
    }

    fn judge(&mut self, now: Instant, usage: Usage) -> Advice {
        self.average(now, usage.cpu);
        let may_begin_anew = now.duration_since(self.began) >= self.rest;
        let limit = self.allowance.memory_bytes;
        self.memory_strikes = if usage.memory_bytes > limit { self.memory_strikes + 1 } else { 0 };
        if self.memory_strikes > 0 {
            let why =
                format!("{} KiB of memory in use, {} KiB allowed", usage.memory_bytes >> 10, limit >> 10);
            if self.memory_strikes > PATIENCE && may_begin_anew {
                return Advice::BeginAnew(why);
            }
            return if self.memory_strikes == 1 { Advice::Shed(why) } else { Advice::Nothing };
        }
        if self.average_percent <= f64::from(self.allowance.cpu_percent) {
            self.cpu_over_since = None;
            return Advice::Nothing;
        }
        let why = format!(
            "{:.0} % of a processor used on average, {} % allowed",
            self.average_percent, self.allowance.cpu_percent
        );
        match self.cpu_over_since {
            None => {
                self.cpu_over_since = Some(now);
                Advice::Shed(why)
            }
            // Shedding needs as long to show in the average.
            Some(since) if now.duration_since(since) >= self.window * 2 && may_begin_anew => {
                Advice::BeginAnew(why)
            }
            Some(_) => Advice::Nothing,
        }
    }

    /// An exponential average: what was used a window ago counts for a third.
    fn average(&mut self, now: Instant, cpu: Duration) {
        if let Some((at, before)) = self.last {
            let span = now.duration_since(at).as_secs_f64();
            if span > 0.0 {
                let percent = 100.0 * cpu.saturating_sub(before).as_secs_f64() / span;
                let weight = 1.0 - (-span / self.window.as_secs_f64()).exp();
                self.average_percent += weight * (percent - self.average_percent);
            }
        }
        self.last = Some((now, cpu));
    }
}

/// Watches this process until it ends: wakes `pressure` when something should be shed, asks for a `restart` when that
/// did not help.
pub async fn run(allowance: Allowance, timing: Timing, pressure: Arc<Notify>, restart: Restart) {
    let mut watchdog = Watchdog::new(allowance, &timing, Instant::now());
    let mut ticker = interval(timing.watchdog);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        match watchdog.judge(Instant::now(), usage()) {
            Advice::Nothing => {}
            Advice::Shed(why) => {
                warn!(why, "agent exceeds its limits, shedding buffers and checks");
                pressure.notify_one();
            }
            Advice::BeginAnew(why) => {
                error!(why, "agent still exceeds its limits, restarting itself");
                restart.ask();
                return;
            }
        }
    }
}

/// What this process uses; a value that cannot be read counts as 0.
fn usage() -> Usage {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let cpu = getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    });
    Usage { memory_bytes: resident_bytes(&status), cpu }
}

/// `VmRSS` of `/proc/<pid>/status` (proc_pid_status(5)).
fn resident_bytes(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Readings every 15 s: memory in MiB and processor share in percent; what was advised, with the second.
    fn advised(readings: impl IntoIterator<Item = (u64, u64)>) -> Vec<(u64, Advice)> {
        let began = Instant::now();
        let mut watchdog = Watchdog::new(Allowance::default(), &Timing::standard(30 * SECOND), began);
        let (mut seconds, mut cpu, mut advice) = (0, Duration::ZERO, Vec::new());
        for (memory, percent) in readings {
            seconds += 15;
            cpu += Duration::from_millis(15 * 10 * percent);
            let usage = Usage { memory_bytes: memory << 20, cpu };
            match watchdog.judge(began + seconds as u32 * SECOND, usage) {
                Advice::Nothing => {}
                other => advice.push((seconds, other)),
            }
        }
        advice
    }

    #[test]
    fn memory_over_the_limit_is_shed_and_after_a_minute_and_a_rest_the_agent_begins_anew() {
        assert_eq!(advised([(64, 1); 100]), []);
        let advice = advised([(65, 1); 50]);
        assert_eq!(advice[0], (15, Advice::Shed("66560 KiB of memory in use, 65536 KiB allowed".to_owned())));
        assert!(matches!(advice[1], (600, Advice::BeginAnew(_))), "not in the first ten minutes: {advice:?}");
        let late = advised([(5, 1); 60].into_iter().chain([(70, 1); 5]));
        let seconds: Vec<u64> = late.iter().map(|(seconds, _)| *seconds).collect();
        assert_eq!(seconds, [915, 975], "{late:?}");
        assert_eq!(
            advised([(5, 1); 60].into_iter().chain([(70, 1), (5, 1)].repeat(20))).len(),
            20,
            "each time anew"
        );
    }

    #[test]
    fn processor_time_counts_on_average_over_minutes() {
        assert_eq!(advised([(5, 19); 200]), []);
        let peak = [(5, 0); 40].into_iter().chain([(5, 100); 2]).chain([(5, 1); 100]);
        assert_eq!(advised(peak), [], "half a minute of full load is no reason");
        let advice = advised([(5, 60); 100]);
        assert!(matches!(advice[0], (150, Advice::Shed(_))), "{advice:?}");
        assert!(matches!(advice[1], (750, Advice::BeginAnew(_))), "{advice:?}");
    }

    #[test]
    fn usage_of_this_process_is_read() {
        assert_eq!(resident_bytes("VmPeak:\t 9 kB\nVmRSS:\t    5120 kB\nThreads:\t1\n"), 5 << 20);
        assert_eq!(resident_bytes("VmRSS: many"), 0);
        let usage = usage();
        assert!(usage.memory_bytes > 1 << 20, "{usage:?}");
    }
}
