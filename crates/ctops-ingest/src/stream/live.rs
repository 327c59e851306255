//! The streams that are open on this node, one per agent, and what others tell them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::tls::RevokedSerials;

/// How many agents can begin a lease at the same moment; more wait for each other's queue append.
const GATES: usize = 256;

/// Something a stream is told. Several may wait at once; repeated ones count once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Signal {
    /// A newer stream of the same agent took over.
    Superseded = 1,
    /// The agent or its certificate was revoked.
    Revoked = 2,
    /// A newer certificate may wait in the database.
    Certificate = 4,
    /// The node's lease had lapsed: announce the stream again.
    BeginAgain = 8,
    /// The node stops.
    Shutdown = 16,
}

/// Signals that wait for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signals(u8);

impl Signals {
    pub(crate) fn has(self, signal: Signal) -> bool {
        self.0 & signal as u8 != 0
    }
}

/// Where a stream is reached while it lives.
#[derive(Debug)]
pub(crate) struct Mailbox {
    agent_id: String,
    serial_hex: String,
    waiting: AtomicU8,
    wake: Notify,
}

impl Mailbox {
    pub(crate) fn new(agent_id: String, serial_hex: String) -> Arc<Self> {
        Arc::new(Self { agent_id, serial_hex, waiting: AtomicU8::new(0), wake: Notify::new() })
    }

    pub(crate) fn post(&self, signal: Signal) {
        self.waiting.fetch_or(signal as u8, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// Waits until something was posted, and takes all of it. Safe to cancel: nothing is taken before it is returned.
    pub(crate) async fn receive(&self) -> Signals {
        loop {
            let waiting = self.waiting.swap(0, Ordering::AcqRel);
            if waiting != 0 {
                return Signals(waiting);
            }
            self.wake.notified().await;
        }
    }
}

/// All open streams of this node.
pub(crate) struct LiveStreams {
    by_agent: Mutex<Registered>,
    gates: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
}

#[derive(Default)]
struct Registered {
    streams: HashMap<String, Arc<Mailbox>>,
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

    /// Tells every stream, present and future, that the node stops.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.post_all(Signal::Shutdown);
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.by_agent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn mailbox(agent: &str, serial: &str) -> Arc<Mailbox> {
        Mailbox::new(agent.to_owned(), serial.to_owned())
    }

    fn received(mailbox: &Mailbox) -> Option<Signals> {
        mailbox.receive().now_or_never()
    }

    #[test]
    fn receive_gives_everything_that_was_posted_once() {
        let mailbox = mailbox("a", "1");
        assert_eq!(received(&mailbox), None);
        mailbox.post(Signal::Certificate);
        mailbox.post(Signal::Certificate);
        mailbox.post(Signal::BeginAgain);
        let signals = received(&mailbox);
        assert!(signals.is_some_and(|s| s.has(Signal::Certificate) && s.has(Signal::BeginAgain)));
        assert!(signals.is_some_and(|s| !s.has(Signal::Revoked)));
        assert_eq!(received(&mailbox), None);
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

    #[test]
    fn enter_after_close_is_told_to_stop_at_once() {
        let live = LiveStreams::new();
        live.close();
        let late = mailbox("a", "1");
        live.enter(&late);
        assert!(received(&late).is_some_and(|s| s.has(Signal::Shutdown)));
    }
}
