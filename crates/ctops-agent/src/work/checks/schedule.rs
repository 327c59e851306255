//! Which checks run when: each has a timer of its own, starts at once, never overlaps itself, and at most 16 run at
//! the same time (monitoring 18, 19).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ctops_proto::agent::{CheckDefinition, CheckResult};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use super::{Check, Dialect, Outcome, Tools};
use crate::backoff::random_u16;
use crate::work::outbox::Outbox;

/// Checks that run at the same time.
const AT_ONCE: usize = 16;
/// Checks of one host.
const MAX_CHECKS: usize = 500;
/// Parameters of one check, bytes.
const MAX_CONFIG: usize = 256 * 1024;
/// Interval of a definition that names none, seconds.
const DEFAULT_INTERVAL: u64 = 60;
const MAX_INTERVAL: u64 = 24 * 3600;

/// The checks of this host.
#[derive(Debug)]
pub(in crate::work) struct Schedule {
    tools: Tools,
    outbox: Arc<Outbox>,
    places: Arc<Semaphore>,
    running: HashMap<String, Timer>,
}

/// A check with its timer, which ends with it.
#[derive(Debug)]
struct Timer {
    definition: CheckDefinition,
    dialect: Dialect,
    now: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Schedule {
    /// No checks yet.
    pub(in crate::work) fn new(tools: Tools, outbox: Arc<Outbox>) -> Self {
        Self { tools, outbox, places: Arc::new(Semaphore::new(AT_ONCE)), running: HashMap::new() }
    }

    /// Makes `definitions` the checks of this host. One that stays as it is goes on undisturbed; a new or changed one
    /// runs at once. Only this product's server marks its set as `complete`.
    pub(in crate::work) fn replace(&mut self, definitions: &[CheckDefinition], complete: bool) {
        let dialect = if complete { Dialect::Own } else { Dialect::Original };
        if definitions.len() > MAX_CHECKS {
            warn!(
                checks = definitions.len(),
                limit = MAX_CHECKS,
                "too many checks, the last ones are left out"
            );
        }
        let wanted = || definitions.iter().take(MAX_CHECKS);
        self.running.retain(|id, timer| {
            timer.dialect == dialect
                && wanted().any(|definition| definition.check_id == *id && *definition == timer.definition)
        });
        for definition in wanted() {
            if !self.running.contains_key(&definition.check_id) {
                let timer = self.start(definition.clone(), dialect);
                self.running.insert(definition.check_id.clone(), timer);
            }
        }
    }

    /// Runs checks once, besides their interval.
    pub(in crate::work) fn run_now(&self, ids: &[String]) {
        for timer in ids.iter().filter_map(|id| self.running.get(id)) {
            timer.now.notify_one();
        }
    }

    /// Lets no check begin for a while; those under way finish.
    pub(in crate::work) fn pause(&self, pause: Duration) {
        let places = Arc::clone(&self.places);
        tokio::spawn(async move {
            let all = places.acquire_many_owned(u32::try_from(AT_ONCE).unwrap_or(u32::MAX)).await;
            tokio::time::sleep(pause).await;
            drop(all);
        });
    }

    fn start(&self, definition: CheckDefinition, dialect: Dialect) -> Timer {
        let parsed = if definition.config_json.len() > MAX_CONFIG {
            Err(format!("invalid {} config: longer than {MAX_CONFIG} bytes", definition.check_type))
        } else {
            Check::parse(&definition.check_type, &definition.config_json, dialect).map(Arc::new)
        };
        let now = Arc::new(Notify::new());
        let repeated = Repeated {
            id: definition.check_id.clone(),
            interval: interval(definition.interval_seconds),
            parsed,
            tools: Tools { max_document: dialect.max_document(), ..self.tools.clone() },
            outbox: self.outbox.clone(),
            places: self.places.clone(),
            now: now.clone(),
        };
        Timer { definition, dialect, now, task: tokio::spawn(repeated.run()) }
    }
}

fn interval(seconds: i32) -> Duration {
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_INTERVAL);
    Duration::from_secs(seconds.min(MAX_INTERVAL))
}

/// `interval` with a tenth more or less: `random` 0 gives 90 %, 65535 gives 110 %.
fn jittered(interval: Duration, random: u16) -> Duration {
    interval.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u16::MAX))
}

/// One check, over and over.
struct Repeated {
    id: String,
    interval: Duration,
    parsed: Result<Arc<Check>, String>,
    tools: Tools,
    outbox: Arc<Outbox>,
    places: Arc<Semaphore>,
    now: Arc<Notify>,
}

impl Repeated {
    async fn run(self) {
        let busy = Arc::new(AtomicBool::new(false));
        let mut urgent = false;
        loop {
            // The semaphore is never closed.
            let Ok(place) = self.places.acquire().await else { return };
            let (ran_at, started) = (self.tools.clock.now(), Instant::now());
            let outcome = self.outcome(&busy).await;
            drop(place);
            let result = CheckResult {
                check_id: self.id.clone(),
                status: outcome.verdict.as_str().to_owned(),
                output: outcome.output,
                duration_ms: i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX),
                ran_at_unix: ran_at.timestamp(),
            };
            self.outbox.check(result, urgent);
            urgent = tokio::select! {
                () = tokio::time::sleep_until(started + jittered(self.interval, random_u16())) => false,
                () = self.now.notified() => true,
            };
        }
    }

    async fn outcome(&self, busy: &Arc<AtomicBool>) -> Outcome {
        let check = match &self.parsed {
            Ok(check) => check.clone(),
            Err(output) => return Outcome::error(output.as_str()),
        };
        let limit = check.limit();
        let run = tokio::time::timeout(limit, check.run(&self.tools, busy));
        run.await.unwrap_or_else(|_| Outcome::error("timed out"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: monitoring 18
    #[test]
    fn interval_when_jittered_then_varies_by_a_tenth() {
        let interval = Duration::from_secs(100);
        assert_eq!(jittered(interval, 0), Duration::from_secs(90));
        assert_eq!(jittered(interval, u16::MAX).as_secs_f64().round() as u64, 110);
        assert_eq!(super::interval(0), Duration::from_secs(60));
        assert_eq!(super::interval(-5), Duration::from_secs(60));
        assert_eq!(super::interval(10), Duration::from_secs(10));
    }
}
