//! Measures the running containers at the ordered interval (containers 7).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::answers::{Listed, Stats};
use super::engine::{Engine, is_id};
use super::inventory::AT_ONCE;
use super::values::{self, Baseline};
use super::{Orders, Shared};
use crate::collect::memory;
use crate::files;

/// For one question to the engine.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_MEMINFO_BYTES: u64 = 64 * 1024;

/// Samples until the agent ends. Without an engine, or with collection off, it only waits.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut orders: watch::Receiver<Orders>,
    mut engine: watch::Receiver<Option<Engine>>,
) {
    let mut known = HashMap::new();
    let mut due = Instant::now();
    loop {
        let (now_ordered, present) = (orders.borrow_and_update().clone(), engine.borrow_and_update().clone());
        let changed = async {
            tokio::select! {
                change = orders.changed() => change,
                change = engine.changed() => change,
            }
        };
        let Some(present) = present.filter(|_| now_ordered.active()) else {
            known.clear();
            if changed.await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            change = changed => {
                if change.is_err() {
                    return;
                }
                due = due.min(Instant::now() + now_ordered.sample_interval);
                continue;
            }
            () = sleep_until(due) => {}
        }
        due = Instant::now() + now_ordered.sample_interval;
        pass(&shared, &present, &mut known).await;
    }
}

/// One sample of each running container. One whose figures cannot be had has a gap.
async fn pass(shared: &Shared, engine: &Engine, known: &mut HashMap<Arc<str>, Baseline>) {
    let Ok(listed) = engine.get::<Vec<Listed>>("/containers/json", PATIENCE).await else { return };
    let host_memory = host_memory_bytes(shared);
    let running = listed
        .into_iter()
        .filter(|container| matches!(container.state.as_str(), "running" | "") && is_id(&container.id))
        .map(|container| Arc::<str>::from(container.id));
    let mut answers = stream::iter(running)
        .map(|id| async move {
            // The agent compares with its own last reading, so the engine need not wait a second for one.
            let path = format!("/containers/{id}/stats?stream=false&one-shot=true");
            let stats = engine.get::<Stats>(&path, PATIENCE).await.ok();
            (id, stats)
        })
        .buffer_unordered(AT_ONCE);
    let mut readings = HashMap::with_capacity(known.len());
    while let Some((id, stats)) = answers.next().await {
        let Some(stats) = stats else { continue };
        let before = known.get(&id).copied();
        let mut state = shared.state();
        let facts = state.facts.get(&id).copied().unwrap_or_default();
        if let Some(sample) = values::sample(&id, &stats, before, facts, shared.now(), host_memory) {
            state.ring.push(sample);
        }
        if let Some(reading) = Baseline::of(&stats.cpu_stats) {
            readings.insert(id, reading);
        }
    }
    // Those that are gone are forgotten.
    *known = readings;
}

/// All memory of the machine, 0 if unknown.
fn host_memory_bytes(shared: &Shared) -> u64 {
    let text = files::read_text_if_present(&shared.proc.join("meminfo"), MAX_MEMINFO_BYTES);
    text.ok().flatten().as_deref().and_then(memory::total_bytes).unwrap_or_default()
}
