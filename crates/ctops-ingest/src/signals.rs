//! Hands notifications of the database to live streams and to registrations that wait for a decision, and keeps the list
//! of revoked certificates fresh. What no notification told comes with the renewal of the node's lease.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_fleet::agents::{AgentDeps, AgentSignal, RevokedSerial, SupersededSessions, revoked_serials};
use ctops_pg::notify::{self, Notice};
use ctops_slice::agents::WorkNotice;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::node::Node;
use crate::stream::Signal;
use crate::tls::TlsMaterial;

/// The whole list is read again this often, so that it forgets certificates whose life is over.
const WHOLE_LIST_EVERY: Duration = Duration::from_secs(3600);
/// Registrations that may wait for approval at a time; further ones are answered at once and ask again later.
const MAX_WAITING: usize = 10_000;

/// Registrations that wait for a decision, by agent.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<String, watch::Sender<()>>>);

/// One place in the waiting room. Leaving it (also by being dropped) frees the place.
pub(crate) struct Place<'a> {
    room: &'a Waiting,
    agent_id: String,
    decided: watch::Receiver<()>,
}

impl Waiting {
    /// Waits for news about `agent_id`; none when too many wait already.
    pub(crate) fn enter(&self, agent_id: &str) -> Option<Place<'_>> {
        let mut room = self.lock();
        let is_full = room.len() >= MAX_WAITING;
        let decided = match room.entry(agent_id.to_owned()) {
            Entry::Occupied(waiting) => waiting.get().subscribe(),
            Entry::Vacant(_) if is_full => return None,
            Entry::Vacant(place) => place.insert(watch::Sender::new(())).subscribe(),
        };
        Some(Place { room: self, agent_id: agent_id.to_owned(), decided })
    }

    fn wake(&self, agent_id: &str) {
        if let Some(waiting) = self.lock().get(agent_id) {
            waiting.send_replace(());
        }
    }

    /// Lets everybody look at the state again.
    pub(crate) fn wake_all(&self) {
        self.lock().values().for_each(|waiting| waiting.send_replace(()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Resolves when something was decided since the place was entered.
    pub(crate) async fn decided(&mut self) {
        // The sender lives as long as a place does, so this is no busy loop.
        let _closed = self.decided.changed().await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut room = self.room.lock();
        if room.get(&self.agent_id).is_some_and(|waiting| waiting.receiver_count() <= 1) {
            room.remove(&self.agent_id);
        }
    }
}

/// How far the list of revoked certificates has been read.
pub(crate) struct Revocations {
    read_at: DateTime<Utc>,
    failing: bool,
}

impl Revocations {
    /// Reads the whole list for the first time.
    pub(crate) async fn load(agents: &AgentDeps, tls: &TlsMaterial) -> Result<Self, Problem> {
        let now = agents.clock.now();
        let all = revoked_serials(&agents.pool, None, now).await?;
        tls.revoked().replace(all.into_iter().map(serial));
        Ok(Self { read_at: now, failing: false })
    }

    /// Reads what is new, or everything, and ends the streams it concerns.
    async fn refresh(&mut self, node: &Node, whole: bool) {
        let now = node.agents.clock.now();
        let since = (!whole).then_some(self.read_at);
        match revoked_serials(&node.agents.pool, since, now).await {
            Ok(serials) => {
                let serials = serials.into_iter().map(serial);
                if whole {
                    node.tls.revoked().replace(serials);
                } else {
                    node.tls.revoked().extend(serials);
                }
                (self.read_at, self.failing) = (now, false);
                node.streams.post_revoked(node.tls.revoked());
            }
            Err(problem) => {
                if !self.failing {
                    tracing::warn!(cause = problem.cause_chain(), "revoked certificates could not be read");
                }
                self.failing = true;
            }
        }
    }
}

fn serial(revoked: RevokedSerial) -> String {
    revoked.serial
}

/// Runs until `finished`.
pub(crate) async fn run(
    node: Arc<Node>,
    mut notices: broadcast::Receiver<Notice>,
    mut revocations: Revocations,
    finished: CancellationToken,
) {
    let mut ticks = tokio::time::interval_at(Instant::now() + WHOLE_LIST_EVERY, WHOLE_LIST_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut listening = true;
    loop {
        tokio::select! {
            () = finished.cancelled() => return,
            _ = ticks.tick() => revocations.refresh(&node, true).await,
            notice = notices.recv(), if listening => match notice {
                Ok(Notice::Message { channel, payload }) if &*channel == notify::AGENTS => {
                    deliver(&node, &mut revocations, &payload).await;
                }
                Ok(Notice::Message { .. }) => {}
                // Something may have been missed. Certificates that wait are delivered when their agent connects next.
                Ok(Notice::Reconnected) | Err(RecvError::Lagged(_)) => {
                    revocations.refresh(&node, false).await;
                    node.waiting.wake_all();
                    node.board.ask_all();
                }
                // The listening connection was shut down; the ticks go on.
                Err(RecvError::Closed) => listening = false,
            },
        }
    }
}

async fn deliver(node: &Node, revocations: &mut Revocations, payload: &str) {
    if let Some(superseded) = SupersededSessions::parse(payload) {
        if superseded.node_id == node.lease.id() {
            node.streams.post_superseded(&superseded.sessions.into_iter().collect());
        }
        return;
    }
    match WorkNotice::parse(payload) {
        Some(WorkNotice::Hosts(hosts)) => return node.board.ask(hosts),
        Some(WorkNotice::Org(org_id)) => return node.board.ask_org(org_id),
        Some(WorkNotice::All) => return node.board.ask_all(),
        None => {}
    }
    match AgentSignal::parse(payload) {
        Some(AgentSignal::Approved(agent_id)) => node.waiting.wake(&agent_id),
        Some(AgentSignal::Revoked(agent_id)) => {
            node.streams.post(&agent_id, Signal::Revoked);
            node.waiting.wake(&agent_id);
            revocations.refresh(node, false).await;
        }
        Some(AgentSignal::Certificate(agent_id)) => node.streams.post(&agent_id, Signal::Certificate),
        None => tracing::warn!("a notification about agents has an unknown form"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn place_when_woken_is_decided_for_everybody_who_waits_for_that_agent() {
        let room = Waiting::default();
        let (mut one, mut two) = (room.enter("a").unwrap(), room.enter("a").unwrap());
        let mut other = room.enter("b").unwrap();
        assert!(one.decided().now_or_never().is_none());
        room.wake("a");
        assert!(one.decided().now_or_never().is_some() && two.decided().now_or_never().is_some());
        assert!(other.decided().now_or_never().is_none());
        room.wake_all();
        assert!(other.decided().now_or_never().is_some());
    }

    #[test]
    fn place_when_dropped_is_free_again() {
        let room = Waiting::default();
        let (one, two) = (room.enter("a").unwrap(), room.enter("a").unwrap());
        drop(one);
        assert_eq!(room.lock().len(), 1);
        drop(two);
        assert_eq!(room.lock().len(), 0);
        room.wake("a");
    }

    #[test]
    fn enter_when_too_many_wait_is_refused() {
        let room = Waiting::default();
        let places: Vec<_> = (0..MAX_WAITING).map(|n| room.enter(&n.to_string()).unwrap()).collect();
        assert!(room.enter("one more").is_none());
        assert!(room.enter("0").is_some(), "an agent that waits already may wait twice");
        drop(places);
        assert!(room.enter("one more").is_some());
    }
}
