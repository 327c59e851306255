//! What is counted while the fleet runs, and the summary made of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// Errors listed in the summary.
const TOP_ERRORS: usize = 10;
/// Different error texts remembered.
const MAX_ERRORS: usize = 1000;
/// Buckets per doubling: a percentile is at most 1/16 too high.
const SUB_BUCKETS: u64 = 16;
/// Enough for every u64: 16 values below 16, and 60 doublings above.
const BUCKETS: usize = 61 * 16;

/// A number that only grows, or goes up and down.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes one away.
    pub fn less(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Times in buckets that grow with the time.
#[derive(Debug)]
pub struct Histogram(Box<[AtomicU64]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Histogram {
    /// Counts one time.
    pub fn record(&self, time: Duration) {
        let bucket = bucket_of(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        if let Some(counter) = self.0.get(bucket) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forgets what was counted.
    fn clear(&self) {
        self.0.iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
    }

    /// The time, in microseconds, that `permille` of the counted times do not exceed; 0 if nothing was counted.
    pub fn at(&self, permille: u64) -> u64 {
        let counts: Vec<u64> = self.0.iter().map(|counter| counter.load(Ordering::Relaxed)).collect();
        let rank = (counts.iter().sum::<u64>() * permille).div_ceil(1000).max(1);
        let mut passed = 0;
        let found = counts.iter().position(|count| {
            passed += count;
            passed >= rank
        });
        found.map_or(0, |bucket| limit_of(bucket as u64))
    }
}

fn bucket_of(micros: u64) -> usize {
    let doublings = (micros / SUB_BUCKETS).checked_ilog2().map_or(0, |log| u64::from(log) + 1);
    let within = if doublings == 0 { micros } else { micros >> (doublings - 1) };
    usize::try_from(doublings * SUB_BUCKETS + within % SUB_BUCKETS).unwrap_or(usize::MAX)
}

fn limit_of(bucket: u64) -> u64 {
    let (doublings, within) = (bucket / SUB_BUCKETS, bucket % SUB_BUCKETS);
    if doublings == 0 {
        return within;
    }
    let width = 1 << (doublings - 1);
    (SUB_BUCKETS + within) * width + (width - 1)
}

/// Everything counted, shared by all agents.
#[derive(Debug, Default)]
pub struct Score {
    /// Agents that began to register.
    pub registrations_started: Counter,
    /// Agents approved.
    pub registrations_active: Counter,
    /// Agents left waiting for approval, and given up.
    pub registrations_pending: Counter,
    /// Agents refused for good.
    pub registrations_failed: Counter,
    /// Streams opened after the first one of an agent.
    pub reconnects: Counter,
    /// Streams open now.
    pub streams_open: Counter,
    /// Heartbeats handed to a stream.
    pub heartbeats_sent: Counter,
    /// Heartbeats acknowledged.
    pub heartbeats_acknowledged: Counter,
    /// Heartbeats left out because the stream took no more.
    pub heartbeats_failed: Counter,
    /// Tasks done.
    pub tasks_completed: Counter,
    /// Results of checks sent.
    pub checks_reported: Counter,
    /// Queries answered.
    pub queries_answered: Counter,
    /// Inventories the server took.
    pub inventory_scans: Counter,
    /// Errors of all kinds.
    pub errors_counted: Counter,
    /// Encoded heartbeats, bytes.
    pub bytes_sent: Counter,
    /// From the moment a heartbeat was due to its sending.
    pub send_latency: Histogram,
    /// From sending to acknowledgement.
    pub ack_latency: Histogram,
    /// Time, in milliseconds from the start, at which all streams were open for the first time; 0 until then.
    pub all_open_after_ms: Counter,
    errors: Mutex<HashMap<String, u64>>,
    ledger: Option<Mutex<BufWriter<File>>>,
}

impl Score {
    /// Nothing counted yet; acknowledgements also go to the file `ledger`.
    ///
    /// # Errors
    /// When the ledger cannot be made.
    pub fn new(ledger: Option<&Path>) -> io::Result<Self> {
        let ledger = ledger.map(File::create).transpose()?;
        Ok(Self { ledger: ledger.map(|file| Mutex::new(BufWriter::new(file))), ..Self::default() })
    }

    /// Notes that all streams were open `elapsed` after the start, for the first time. Latencies count from here: what the
    /// registrations before it took is another question.
    pub fn all_open(&self, elapsed: Duration) {
        self.all_open_after_ms.add(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        self.send_latency.clear();
        self.ack_latency.clear();
    }

    /// Counts an error by its text.
    pub fn error(&self, text: &str) {
        self.errors_counted.add(1);
        let mut errors = lock(&self.errors);
        if errors.len() < MAX_ERRORS || errors.contains_key(text) {
            *errors.entry(text.to_owned()).or_default() += 1;
        }
    }

    /// Counts an acknowledged heartbeat.
    ///
    /// # Errors
    /// When the ledger cannot be written; a ledger with holes would accuse the server of what it did not do.
    pub fn acknowledged(&self, hostname: &str, sequence: i64, latency: Duration) -> io::Result<()> {
        self.heartbeats_acknowledged.add(1);
        self.ack_latency.record(latency);
        match &self.ledger {
            Some(ledger) => writeln!(lock(ledger), "{hostname} {sequence}"),
            None => Ok(()),
        }
    }

    /// Writes what the ledger still holds in memory.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn flush(&self) -> io::Result<()> {
        self.ledger.as_ref().map_or(Ok(()), |ledger| lock(ledger).flush())
    }

    /// One line about the progress.
    pub fn line(&self, elapsed: Duration) -> String {
        format!(
            "t={}s active={} open={} sent={} acked={} reconnects={} ack_p50_us={} ack_p99_us={}",
            elapsed.as_secs(),
            self.registrations_active.get(),
            self.streams_open.get(),
            self.heartbeats_sent.get(),
            self.heartbeats_acknowledged.get(),
            self.reconnects.get(),
            self.ack_latency.at(500),
            self.ack_latency.at(990),
        )
    }

    /// The summary of the whole run, with the names of the original load tester and some more. Latencies count from the
    /// moment at which all streams were open, if there was one; what this version does not simulate is 0.
    pub fn summary(&self, run_id: &str, started_at: &str, elapsed: Duration, agents: usize) -> Value {
        let mut errors: Vec<(String, u64)> = lock(&self.errors).clone().into_iter().collect();
        errors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        errors.truncate(TOP_ERRORS);
        let top_errors: Vec<Value> =
            errors.into_iter().map(|(error, count)| json!({"error": error, "count": count})).collect();
        json!({
            "run_id": run_id,
            "started_at": started_at,
            "duration": u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
            "target_agents": agents,
            "registrations_started": self.registrations_started.get(),
            "registrations_active": self.registrations_active.get(),
            "registrations_pending": self.registrations_pending.get(),
            "registrations_failed": self.registrations_failed.get(),
            "reconnects": self.reconnects.get(),
            "heartbeats_sent": self.heartbeats_sent.get(),
            "heartbeats_acknowledged": self.heartbeats_acknowledged.get(),
            "heartbeats_failed": self.heartbeats_failed.get(),
            "tasks_completed": self.tasks_completed.get(),
            "checks_reported": self.checks_reported.get(),
            "queries_answered": self.queries_answered.get(),
            "terminal_sessions": 0,
            "inventory_scans": self.inventory_scans.get(),
            "bytes_sent": self.bytes_sent.get(),
            "all_open_after_ms": self.all_open_after_ms.get(),
            "send_latency_p50_us": self.send_latency.at(500),
            "send_latency_p90_us": self.send_latency.at(900),
            "send_latency_p95_us": self.send_latency.at(950),
            "send_latency_p99_us": self.send_latency.at(990),
            "send_latency_p999_us": self.send_latency.at(999),
            "rtt_p50_us": self.ack_latency.at(500),
            "rtt_p95_us": self.ack_latency.at(950),
            "ack_latency_p50_us": self.ack_latency.at(500),
            "ack_latency_p90_us": self.ack_latency.at(900),
            "ack_latency_p99_us": self.ack_latency.at(990),
            "ack_latency_p999_us": self.ack_latency.at(999),
            "errors": self.errors_counted.get(),
            "top_errors": top_errors,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_when_asked_for_then_is_at_most_a_sixteenth_too_high() {
        let histogram = Histogram::default();
        assert_eq!(histogram.at(500), 0);
        for micros in 1..=100_000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (permille, exact) in [(1, 100), (500, 50_000), (900, 90_000), (990, 99_000), (999, 99_900)] {
            let found = histogram.at(permille);
            assert!(found >= exact && found <= exact + exact / 16 + 1, "{permille}: {found}");
        }
        histogram.record(Duration::MAX);
        assert_eq!(histogram.at(1000), u64::MAX);
        histogram.clear();
        assert_eq!(histogram.at(1000), 0);
    }

    #[test]
    fn buckets_when_counted_up_then_neither_overlap_nor_leave_gaps() {
        for bucket in 0..500 {
            assert_eq!(bucket_of(limit_of(bucket)), usize::try_from(bucket).unwrap_or_default());
            assert_eq!(bucket_of(limit_of(bucket) + 1), usize::try_from(bucket).unwrap_or_default() + 1);
        }
    }

    #[test]
    fn errors_when_summarised_then_come_by_frequency() {
        let score = Score::default();
        for text in ["a", "b", "b"] {
            score.error(text);
        }
        let summary = score.summary("r", "now", Duration::from_secs(1), 2);
        assert_eq!(summary["top_errors"], json!([{"error": "b", "count": 2}, {"error": "a", "count": 1}]));
        assert_eq!(summary["duration"], 1_000_000_000);
    }
}
