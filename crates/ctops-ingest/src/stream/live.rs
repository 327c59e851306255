//! The streams that are open on this node, one per agent, found by agent and by host.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctops_proto::agent::HeartbeatResponse;
use ctops_slice::ConnectedAgent;
use uuid::Uuid;

use super::mailbox::{Mailbox, Signal};
use crate::tls::RevokedSerials;
use crate::work::Asked;

/// How many agents can begin a lease at the same moment; more wait for each other's queue append.
const GATES: usize = 256;

/// Streams end in groups of at least this many when the node stops, with this pause in between: 500 a second.
const CLOSED_AT_A_TIME: usize = 10;
const CLOSING_STEP: Duration = Duration::from_millis(20);

/// All open streams of this node.
pub(crate) struct LiveStreams {
    by_agent: Mutex<Registered>,
    gates: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
}

#[derive(Default)]
struct Registered {
    streams: HashMap<String, Arc<Mailbox>>,
    by_host: HashMap<Uuid, Arc<Mailbox>>,
    closing: bool,
}

impl LiveStreams {
    pub(crate) fn new() -> Self {
        Self {
            by_agent: Mutex::default(),
            gates: (0..GATES).map(|_| tokio::sync::Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Held while a stream announces its lease and then enters. Without it two streams of one agent could announce
    /// themselves in one order and enter in the other, and the database would follow the wrong one.
    pub(crate) async fn gate(&self, agent_id: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let at = self.hasher.hash_one(agent_id) % self.gates.len() as u64;
        // The remainder is smaller than the number of gates, so it fits.
        self.gates[usize::try_from(at).unwrap_or_default()].lock().await
    }

    /// Makes `mailbox` the stream of its agent. A different one that was there before is told that it is superseded.
    pub(crate) fn enter(&self, mailbox: &Arc<Mailbox>) {
        let mut registered = self.lock();
        if registered.closing {
            mailbox.post(Signal::Shutdown);
        }
        registered.by_host.insert(mailbox.host_id, Arc::clone(mailbox));
        if let Some(older) = registered.streams.insert(mailbox.agent_id.clone(), Arc::clone(mailbox))
            && !Arc::ptr_eq(&older, mailbox)
        {
            older.post(Signal::Superseded);
        }
    }

    /// Whether `mailbox` is still the stream of its agent.
    pub(crate) fn is_current(&self, mailbox: &Arc<Mailbox>) -> bool {
        self.lock().streams.get(&mailbox.agent_id).is_some_and(|live| Arc::ptr_eq(live, mailbox))
    }

    /// Removes `mailbox`, unless a newer stream has taken its place.
    pub(crate) fn leave(&self, mailbox: &Arc<Mailbox>) {
        let mut registered = self.lock();
        if registered.streams.get(&mailbox.agent_id).is_some_and(|live| Arc::ptr_eq(live, mailbox)) {
            registered.streams.remove(&mailbox.agent_id);
        }
        if registered.by_host.get(&mailbox.host_id).is_some_and(|live| Arc::ptr_eq(live, mailbox)) {
            registered.by_host.remove(&mailbox.host_id);
        }
    }

    /// The agents that a question is about, as far as they are connected here.
    pub(crate) fn connected(&self, asked: &Asked) -> Vec<ConnectedAgent> {
        let registered = self.lock();
        if asked.all || !asked.orgs.is_empty() {
            let all = registered.by_host.values();
            return all
                .filter(|mailbox| asked.names(mailbox.host_id, mailbox.org_id))
                .map(|mailbox| mailbox.agent())
                .collect();
        }
        asked.hosts.iter().filter_map(|host_id| registered.by_host.get(host_id)).map(|m| m.agent()).collect()
    }

    /// Gives work to the stream of a host's agent; see [`Mailbox::give`]. False when it has none here.
    pub(crate) fn give(
        &self,
        host_id: Uuid,
        feature: usize,
        parcel: Vec<HeartbeatResponse>,
        repeats: bool,
    ) -> bool {
        let mailbox = self.lock().by_host.get(&host_id).map(Arc::clone);
        mailbox.is_some_and(|mailbox| mailbox.give(feature, parcel, repeats))
    }

    /// Tells the stream of one agent, if it has one here.
    pub(crate) fn post(&self, agent_id: &str, signal: Signal) {
        if let Some(mailbox) = self.lock().streams.get(agent_id) {
            mailbox.post(signal);
        }
    }

    /// Tells every stream.
    pub(crate) fn post_all(&self, signal: Signal) {
        self.lock().streams.values().for_each(|mailbox| mailbox.post(signal));
    }

    /// Tells every stream whose certificate is revoked.
    pub(crate) fn post_revoked(&self, revoked: &RevokedSerials) {
        let registered = self.lock();
        registered
            .streams
            .values()
            .filter(|mailbox| revoked.contains(&mailbox.serial_hex))
            .for_each(|mailbox| mailbox.post(Signal::Revoked));
    }

    /// Tells the streams that were announced under these sessions that other nodes hold their agents now.
    pub(crate) fn post_superseded(&self, sessions: &HashSet<Uuid>) {
        let registered = self.lock();
        registered
            .streams
            .values()
            .filter(|mailbox| mailbox.is_announced_as_one_of(sessions))
            .for_each(|mailbox| mailbox.post(Signal::Superseded));
    }

    /// Tells every stream that the node stops: future ones at once, present ones one after another, at most over `spread`.
    pub(crate) async fn close(&self, spread: Duration) {
        let present: Vec<Arc<Mailbox>> = {
            let mut registered = self.lock();
            registered.closing = true;
            registered.streams.values().map(Arc::clone).collect()
        };
        let steps = (spread.as_millis() / CLOSING_STEP.as_millis()).max(1);
        let at_a_time = present.len().div_ceil(usize::try_from(steps).unwrap_or(1)).max(CLOSED_AT_A_TIME);
        for (number, group) in present.chunks(at_a_time).enumerate() {
            if number > 0 {
                tokio::time::sleep(CLOSING_STEP).await;
            }
            group.iter().for_each(|mailbox| mailbox.post(Signal::Shutdown));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.by_agent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::mailbox::Signals;
    use super::*;
    use futures_util::FutureExt;

    fn mailbox(agent: &str, serial: &str) -> Arc<Mailbox> {
        let number = u128::from(agent.as_bytes()[0]);
        super::super::mailbox::tests::mailbox(agent, serial, number, number % 2)
    }

    fn received(mailbox: &Mailbox) -> Option<Signals> {
        mailbox.receive().now_or_never()
    }

    #[test]
    fn connected_finds_live_agents_by_host_and_organisation() {
        let live = LiveStreams::new();
        let (a, b, c) = (mailbox("a", "1"), mailbox("b", "2"), mailbox("c", "3"));
        [&a, &b, &c].into_iter().for_each(|mailbox| live.enter(mailbox));
        live.leave(&c);
        let found = |asked: Asked| {
            let mut ids: Vec<_> = live.connected(&asked).into_iter().map(|agent| agent.agent_id).collect();
            ids.sort_unstable();
            ids.join(",")
        };
        let hosts = [a.host_id, c.host_id].into();
        assert_eq!(found(Asked { hosts, ..Asked::default() }), "a", "c has left");
        assert_eq!(found(Asked { orgs: [b.org_id].into(), ..Asked::default() }), "b");
        assert_eq!(found(Asked { all: true, ..Asked::default() }), "a,b");
        assert!(live.give(a.host_id, 0, vec![HeartbeatResponse::default()], false));
        assert!(!live.give(c.host_id, 0, vec![HeartbeatResponse::default()], false));
    }

    /// Spec: hosts 4
    #[test]
    fn enter_when_another_stream_of_the_agent_lives_supersedes_it() {
        let live = LiveStreams::new();
        let (older, newer) = (mailbox("a", "1"), mailbox("a", "1"));
        live.enter(&older);
        live.enter(&older);
        assert_eq!(received(&older), None, "entering again is no supersession");
        live.enter(&newer);
        assert!(received(&older).is_some_and(|s| s.has(Signal::Superseded)));
        assert!(!live.is_current(&older) && live.is_current(&newer));
        live.leave(&older);
        live.post("a", Signal::Certificate);
        assert!(received(&newer).is_some(), "the leaving older stream must not remove the newer one");
        assert_eq!(received(&older), None);
    }

    #[test]
    fn post_revoked_reaches_only_streams_with_a_revoked_certificate() {
        let live = LiveStreams::new();
        let (good, bad) = (mailbox("a", "1"), mailbox("b", "2"));
        live.enter(&good);
        live.enter(&bad);
        let revoked = RevokedSerials::default();
        revoked.extend(["2".to_owned()]);
        live.post_revoked(&revoked);
        assert_eq!(received(&good), None);
        assert!(received(&bad).is_some_and(|s| s.has(Signal::Revoked)));
    }

    #[tokio::test]
    async fn enter_after_close_is_told_to_stop_at_once() {
        let live = LiveStreams::new();
        live.close(Duration::ZERO).await;
        let late = mailbox("a", "1");
        live.enter(&late);
        assert!(received(&late).is_some_and(|s| s.has(Signal::Shutdown)));
    }

    #[tokio::test]
    async fn close_when_there_are_many_streams_then_ends_them_one_after_another_within_the_limit() {
        let live = LiveStreams::new();
        let open: Vec<_> = (0..1000).map(|n| mailbox(&n.to_string(), "1")).collect();
        open.iter().for_each(|mailbox| live.enter(mailbox));
        let told = || open.iter().filter(|mailbox| received(mailbox).is_some()).count();
        let mut closing = Box::pin(live.close(CLOSING_STEP * 5));
        assert!(futures_util::poll!(&mut closing).is_pending());
        assert_eq!(told(), 200, "a fifth at a time");
        closing.await;
        assert_eq!(told(), 800);
    }

    /// Spec: hosts 4
    #[test]
    fn post_superseded_ends_only_the_announced_session_and_not_a_later_one() {
        let live = LiveStreams::new();
        let (one, two) = (mailbox("a", "1"), mailbox("b", "1"));
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        one.announced_as(first);
        two.announced_as(first);
        two.announced_as(second);
        live.enter(&one);
        live.enter(&two);
        live.post_superseded(&HashSet::from([first]));
        assert!(received(&one).is_some_and(|s| s.has(Signal::Superseded)));
        assert_eq!(received(&two), None, "it was announced again in the meantime");
    }
}
