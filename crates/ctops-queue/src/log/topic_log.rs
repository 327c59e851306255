//! What publishers, the writer and readers share about one topic.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Notify, Semaphore, watch};

use super::segment::Segment;
use crate::queue::Health;
use crate::topic::Topic;

/// Shared state of one topic.
pub(super) struct TopicLog {
    pub(super) topic: Topic,
    pub(super) directory: PathBuf,
    /// Room for records that wait for their commit.
    pub(super) budget: Arc<Semaphore>,
    /// Signalled when a subscription leaves its group.
    pub(super) released: Notify,
    end: watch::Sender<u64>,
    segments: RwLock<Vec<Arc<Segment>>>,
    groups: Mutex<BTreeMap<&'static str, Group>>,
    health: AtomicU8,
}

#[derive(Default)]
struct Group {
    /// Everything before this offset is in the database.
    committed: u64,
    /// The subscription that reads for the group.
    owner: Option<u64>,
}

impl TopicLog {
    pub(super) fn new(
        topic: Topic,
        directory: PathBuf,
        budget: usize,
        segments: Vec<Arc<Segment>>,
        end: u64,
    ) -> Self {
        Self {
            topic,
            directory,
            budget: Arc::new(Semaphore::new(budget)),
            released: Notify::new(),
            end: watch::Sender::new(end),
            segments: RwLock::new(segments),
            groups: Mutex::default(),
            health: AtomicU8::new(0),
        }
    }

    /// The offset after the last durable record.
    pub(super) fn end(&self) -> u64 {
        *self.end.borrow()
    }

    pub(super) fn watch_end(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Shows records to readers. They must be durable.
    pub(super) fn set_end(&self, end: u64) {
        self.end.send_replace(end);
    }

    /// The offset of the oldest record that is still there.
    pub(super) fn begin(&self) -> u64 {
        self.read_segments(|segments| segments.first().map_or_else(|| self.end(), |first| first.base))
    }

    pub(super) fn read_segments<T>(&self, look: impl FnOnce(&[Arc<Segment>]) -> T) -> T {
        look(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a new last segment; one with the same base is replaced.
    pub(super) fn push_segment(&self, segment: Arc<Segment>) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.retain(|old| old.base != segment.base);
        segments.push(segment);
    }

    /// The segment that holds `offset`, or would hold it.
    pub(super) fn segment_with(&self, offset: u64) -> Option<Arc<Segment>> {
        self.read_segments(|segments| segments.iter().rev().find(|segment| segment.base <= offset).cloned())
    }

    /// The segment after the one with the given base.
    pub(super) fn segment_after(&self, base: u64) -> Option<Arc<Segment>> {
        self.read_segments(|segments| segments.iter().find(|segment| segment.base > base).cloned())
    }

    /// Opens the file of a segment for reading.
    pub(super) fn open(segment: &Segment) -> std::io::Result<File> {
        File::open(&segment.path)
    }

    /// Takes the segments that every group is done with out of the list. The last one always stays, because it carries
    /// the next offset.
    pub(super) fn take_finished(&self) -> Vec<Arc<Segment>> {
        let Some(floor) = self.floor() else {
            return Vec::new();
        };
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let finished = finished(&segments, floor);
        segments.drain(..finished).collect()
    }

    /// Makes the group count for retention, from the log's beginning on.
    pub(super) fn register(&self, group: &'static str) {
        let begin = self.begin();
        self.groups().entry(group).or_insert(Group { committed: begin, owner: None });
    }

    /// Notes how far a group is. Returns whether segments can be deleted now.
    pub(super) fn set_committed(&self, group: &'static str, next_offset: u64) -> bool {
        self.groups().entry(group).or_default().committed = next_offset;
        self.floor().is_some_and(|floor| self.read_segments(|segments| finished(segments, floor) > 0))
    }

    /// Tries to become the one reader of a group.
    pub(super) fn acquire(&self, group: &'static str, subscription: u64) -> bool {
        let mut groups = self.groups();
        let owner = &mut groups.entry(group).or_default().owner;
        *owner.get_or_insert(subscription) == subscription
    }

    /// Leaves a group, if it is the reader of it.
    pub(super) fn release(&self, group: &'static str, subscription: u64) {
        if let Some(group) = self.groups().get_mut(group)
            && group.owner == Some(subscription)
        {
            group.owner = None;
        }
        self.released.notify_waiters();
    }

    pub(super) fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Ready,
            1 => Health::Full,
            _ => Health::Unavailable,
        }
    }

    /// Returns whether that is news.
    pub(super) fn set_health(&self, health: Health) -> bool {
        let code = match health {
            Health::Ready => 0,
            Health::Full => 1,
            Health::Unavailable => 2,
        };
        self.health.swap(code, Ordering::Relaxed) != code
    }

    /// Everything before this offset is done with by all groups. Without a group everything is kept.
    fn floor(&self) -> Option<u64> {
        self.groups().values().map(|group| group.committed).min()
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<&'static str, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many segments from the first on end at or before `floor` and are not the last.
fn finished(segments: &[Arc<Segment>], floor: u64) -> usize {
    segments.windows(2).take_while(|pair| pair[1].base <= floor).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> TopicLog {
        let segments = [0, 10, 20].map(|base| Arc::new(Segment::new(base, PathBuf::new(), 0, 0)));
        TopicLog::new(Topic::EVENTS_RAW, PathBuf::new(), 1, segments.into(), 25)
    }

    #[test]
    fn segments_are_finished_when_the_slowest_group_is_past_them() {
        let log = log();
        assert!(log.take_finished().is_empty(), "without a group everything is kept");
        log.register("slow");
        assert!(!log.set_committed("fast", 25));
        assert!(log.take_finished().is_empty(), "the registered group has not read anything");
        assert!(!log.set_committed("slow", 9));
        assert!(log.set_committed("slow", 10));
        let gone: Vec<u64> = log.take_finished().iter().map(|segment| segment.base).collect();
        assert_eq!((gone, log.begin()), (vec![0], 10));
    }

    #[test]
    fn last_segment_stays_when_everything_is_committed() {
        let log = log();
        log.set_committed("only", 25);
        assert_eq!(log.take_finished().len(), 2);
        assert_eq!(log.begin(), 20);
    }

    #[test]
    fn group_has_one_owner_until_it_leaves() {
        let log = log();
        assert!(log.acquire("g", 1) && log.acquire("g", 1));
        assert!(!log.acquire("g", 2));
        log.release("g", 2);
        assert!(!log.acquire("g", 2), "only the owner can release");
        log.release("g", 1);
        assert!(log.acquire("g", 2));
    }
}
