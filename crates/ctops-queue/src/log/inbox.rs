//! Where publishers leave records for the writer, and where the writer sleeps.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::frame::OVERHEAD_BYTES;
use crate::queue::PublishError;

/// Most bytes the writer takes of one topic at once: bounds its buffer and the time until the first of them is
/// acknowledged.
const MAX_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// The records of one call, stored together or not at all.
pub(super) struct Entry {
    pub(super) records: Records,
    pub(super) done: oneshot::Sender<Result<(), PublishError>>,
    /// Gives the room back when the entry is dropped.
    pub(super) _room: OwnedSemaphorePermit,
}

/// One record is by far the usual case and needs no list.
pub(super) enum Records {
    One([(Bytes, Bytes); 1]),
    Many(Vec<(Bytes, Bytes)>),
}

impl Records {
    pub(super) fn as_slice(&self) -> &[(Bytes, Bytes)] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }

    /// Bytes the records take in a segment.
    pub(super) fn frame_bytes(&self) -> usize {
        self.as_slice().iter().map(|(key, payload)| OVERHEAD_BYTES + key.len() + payload.len()).sum()
    }
}

/// What the writer is woken for.
pub(super) struct Work {
    /// By topic, in order of arrival.
    pub(super) entries: Vec<VecDeque<Entry>>,
    /// Segments may be deletable.
    pub(super) retire: bool,
}

/// The waiting records of all topics.
pub(super) struct Inbox {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    waiting: Vec<VecDeque<Entry>>,
    /// Topics the writer does not touch until space was freed.
    stalled: Vec<bool>,
    retire: bool,
    closing: bool,
}

impl Inbox {
    pub(super) fn new(topics: usize) -> Self {
        let waiting = (0..topics).map(|_| VecDeque::new()).collect();
        let state = State { waiting, stalled: vec![false; topics], retire: false, closing: false };
        Self { state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Leaves an entry for the writer. After [`Inbox::close`] the entry is dropped, which its sender notices.
    pub(super) fn push(&self, topic: usize, entry: Entry) {
        let mut state = self.lock();
        if state.closing {
            return;
        }
        state.waiting[topic].push_back(entry);
        drop(state);
        self.wake.notify_one();
    }

    /// Puts back what cannot be stored for lack of space, before everything that came later.
    pub(super) fn give_back(&self, topic: usize, mut entries: VecDeque<Entry>) {
        let mut state = self.lock();
        entries.append(&mut state.waiting[topic]);
        state.waiting[topic] = entries;
        state.stalled[topic] = true;
    }

    /// Space was freed: stalled topics are tried again.
    pub(super) fn unstall(&self) {
        self.lock().stalled.fill(false);
    }

    /// Asks the writer to delete finished segments.
    pub(super) fn retire(&self) {
        self.lock().retire = true;
        self.wake.notify_one();
    }

    /// No more entries are taken; the writer stops when it has stored what it can.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Drops everything that waits.
    pub(super) fn clear(&self) {
        self.lock().waiting.iter_mut().for_each(VecDeque::clear);
    }

    /// Waits for work. `None` when closed and nothing storable is left.
    pub(super) fn take(&self) -> Option<Work> {
        let idle = |state: &mut State| !state.closing && !state.retire && !state.ready();
        let mut state = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.closing && !state.ready() {
            return None;
        }
        let State { waiting, stalled, retire, .. } = &mut *state;
        let entries = waiting.iter_mut().zip(stalled);
        let entries =
            entries.map(|(queue, stalled)| if *stalled { VecDeque::new() } else { split(queue) }).collect();
        Some(Work { entries, retire: std::mem::take(retire) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ready(&self) -> bool {
        self.waiting.iter().zip(&self.stalled).any(|(queue, stalled)| !stalled && !queue.is_empty())
    }
}

/// Takes entries from the front until the group is large enough.
fn split(queue: &mut VecDeque<Entry>) -> VecDeque<Entry> {
    let mut bytes = 0;
    let fitting = queue.iter().take_while(|entry| {
        let before = bytes;
        bytes += entry.records.frame_bytes();
        before < MAX_GROUP_BYTES
    });
    let count = fitting.count();
    if count == queue.len() {
        return std::mem::take(queue);
    }
    queue.drain(..count).collect()
}
