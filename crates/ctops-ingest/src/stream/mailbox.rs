//! Where a stream is reached while it lives: signals, and work that waits to be sent.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctops_proto::agent::HeartbeatResponse;
use ctops_slice::ConnectedAgent;
use prost::Message;
use tokio::sync::Notify;
use uuid::Uuid;

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
    /// Work waits in the mailbox.
    Work = 32,
}

/// Signals that wait for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signals(u8);

impl Signals {
    pub(crate) fn has(self, signal: Signal) -> bool {
        self.0 & signal as u8 != 0
    }
}

/// One stream's mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(super) agent_id: String,
    pub(super) host_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) serial_hex: String,
    /// The session under which it is announced.
    session: Mutex<Option<Uuid>>,
    known: Mutex<ConnectedAgent>,
    parcels: Mutex<Parcels>,
    waiting: AtomicU8,
    wake: Notify,
}

/// Work by the number of its feature.
#[derive(Debug, Default)]
struct Parcels {
    waiting: Vec<(usize, Vec<HeartbeatResponse>)>,
    /// Fingerprint of what each feature gave last.
    last: Vec<(usize, u64)>,
}

impl Mailbox {
    pub(crate) fn new(agent: ConnectedAgent, serial_hex: String) -> Arc<Self> {
        Arc::new(Self {
            agent_id: agent.agent_id.clone(),
            host_id: agent.host_id,
            org_id: agent.org_id,
            serial_hex,
            session: Mutex::default(),
            known: Mutex::new(agent),
            parcels: Mutex::default(),
            waiting: AtomicU8::new(0),
            wake: Notify::new(),
        })
    }

    /// Notes the session under which the stream is announced.
    pub(crate) fn announced_as(&self, session_id: Uuid) {
        *lock(&self.session) = Some(session_id);
    }

    /// Whether the stream is announced under one of these sessions.
    pub(super) fn is_announced_as_one_of(&self, sessions: &HashSet<Uuid>) -> bool {
        lock(&self.session).is_some_and(|session| sessions.contains(&session))
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

    /// Changes what is known about the agent.
    pub(crate) fn learn(&self, change: impl FnOnce(&mut ConnectedAgent)) {
        change(&mut lock(&self.known));
    }

    /// What is known about the agent.
    pub(crate) fn agent(&self) -> ConnectedAgent {
        lock(&self.known).clone()
    }

    /// Puts a feature's work in, in place of what it gave before. What equals the last parcel is left out unless it
    /// `repeats`; false then.
    pub(crate) fn give(&self, feature: usize, parcel: Vec<HeartbeatResponse>, repeats: bool) -> bool {
        let fingerprint = fingerprint(&parcel);
        let mut parcels = lock(&self.parcels);
        match parcels.last.iter_mut().find(|(number, _)| *number == feature) {
            Some((_, last)) if *last == fingerprint && !repeats => return false,
            Some((_, last)) => *last = fingerprint,
            None => parcels.last.push((feature, fingerprint)),
        }
        match parcels.waiting.iter_mut().find(|(number, _)| *number == feature) {
            Some((_, waiting)) => *waiting = parcel,
            None => parcels.waiting.push((feature, parcel)),
        }
        drop(parcels);
        self.post(Signal::Work);
        true
    }

    /// Takes all work, feature by feature.
    pub(crate) fn take_work(&self) -> impl Iterator<Item = HeartbeatResponse> + use<> {
        std::mem::take(&mut lock(&self.parcels).waiting).into_iter().flat_map(|(_, parcel)| parcel)
    }
}

fn fingerprint(parcel: &[HeartbeatResponse]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for response in parcel {
        hasher.write(&response.encode_length_delimited_to_vec());
    }
    hasher.finish()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// A mailbox of agent `agent` on the host and in the organisation with these numbers.
    pub(in crate::stream) fn mailbox(agent: &str, serial: &str, host: u128, org: u128) -> Arc<Mailbox> {
        let agent = ConnectedAgent {
            host_id: Uuid::from_u128(host),
            org_id: Uuid::from_u128(org),
            agent_id: agent.to_owned(),
            version: String::new(),
            os: String::new(),
            arch: String::new(),
            capabilities: ctops_slice::Capabilities::default(),
            config_revision: 0,
            pinned_certificate: String::new(),
        };
        Mailbox::new(agent, serial.to_owned())
    }

    fn version(text: &str) -> HeartbeatResponse {
        HeartbeatResponse { latest_version: text.to_owned(), ..Default::default() }
    }

    fn taken(mailbox: &Mailbox) -> Vec<String> {
        mailbox.take_work().map(|response| response.latest_version).collect()
    }

    #[test]
    fn receive_gives_everything_that_was_posted_once() {
        let mailbox = mailbox("a", "1", 1, 1);
        assert_eq!(mailbox.receive().now_or_never(), None);
        mailbox.post(Signal::Certificate);
        mailbox.post(Signal::Certificate);
        mailbox.post(Signal::BeginAgain);
        let signals = mailbox.receive().now_or_never();
        assert!(signals.is_some_and(|s| s.has(Signal::Certificate) && s.has(Signal::BeginAgain)));
        assert!(signals.is_some_and(|s| !s.has(Signal::Revoked)));
        assert_eq!(mailbox.receive().now_or_never(), None);
    }

    #[test]
    fn give_when_the_feature_gave_before_replaces_what_waits() {
        let mailbox = mailbox("a", "1", 1, 1);
        assert!(mailbox.give(0, vec![version("old")], false));
        assert!(mailbox.give(1, vec![version("other")], false));
        assert!(mailbox.give(0, vec![version("new"), version("newer")], false));
        assert!(mailbox.receive().now_or_never().is_some_and(|signals| signals.has(Signal::Work)));
        assert_eq!(taken(&mailbox), ["new", "newer", "other"]);
        assert!(taken(&mailbox).is_empty());
    }

    #[test]
    fn give_of_what_was_given_last_is_left_out_unless_it_repeats() {
        let mailbox = mailbox("a", "1", 1, 1);
        assert!(mailbox.give(0, vec![version("1")], false));
        assert!(!mailbox.give(0, vec![version("1")], false));
        assert!(mailbox.give(0, vec![version("2")], false));
        assert!(mailbox.give(0, vec![version("1")], false), "only the last one counts");
        assert!(mailbox.give(0, vec![version("1")], true));
        assert_eq!(taken(&mailbox), ["1"]);
    }
}
