//! Whether the brokers can be reached, for readiness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::publisher::Publisher;

/// How often brokers that could not be reached are asked again. Without it, a process that gets no traffic because it is
/// not ready would never become ready again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Set by whoever learns something about the brokers.
#[derive(Debug, Default)]
pub(super) struct Reachability {
    lost: AtomicBool,
}

impl Reachability {
    pub(super) fn is_reachable(&self) -> bool {
        !self.lost.load(Ordering::Acquire)
    }

    pub(super) fn set(&self, reachable: bool) {
        let was_lost = self.lost.swap(!reachable, Ordering::AcqRel);
        if was_lost && reachable {
            tracing::info!("The brokers can be reached again");
        } else if !was_lost && !reachable {
            tracing::warn!("The brokers cannot be reached");
        }
    }
}

/// Asks lost brokers until they answer; ends with the queue.
pub(super) async fn watch(reachability: Arc<Reachability>, publisher: Publisher, closed: CancellationToken) {
    let mut ticks = tokio::time::interval(ASK_AGAIN);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = closed.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if !reachability.is_reachable() {
            let asking = publisher.clone();
            let answered = tokio::task::spawn_blocking(move || asking.brokers_answer(ASK_AGAIN)).await;
            if answered.unwrap_or(false) {
                reachability.set(true);
            }
        }
    }
}
