//! Where the log lives and how much it may take.

use std::path::PathBuf;

use super::frame::OVERHEAD_BYTES;
use super::segment::HEADER_BYTES;
use super::writer::RESERVED_SEGMENTS;
use crate::queue::QueueError;
use crate::topic::Topic;

const MIB: u64 = 1024 * 1024;
/// A segment must hold its header and at least a few small records.
const MIN_SEGMENT_BYTES: u64 = 1024;
/// A segment is scanned as a whole at start, so it must not become arbitrarily large.
const MAX_SEGMENT_BYTES: u64 = 1024 * MIB;
/// Most memory one topic may use for waiting records.
const MAX_PENDING_BYTES: usize = 1024 * 1024 * 1024;

/// Settings of a [`super::Log`].
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The queue's own directory; created when missing.
    pub directory: PathBuf,
    /// Size of a segment file, bytes; reserved at once.
    pub segment_bytes: u64,
    /// Most disk space for all segments together, bytes. Publishers wait when it is used up.
    pub max_bytes: u64,
    /// Most bytes of each topic that may wait in memory for their commit.
    pub max_pending_bytes: usize,
    /// Most records of each topic that may wait in memory for their commit.
    pub max_pending_records: usize,
    /// What the log carries. Two segments are reserved for each topic.
    pub topics: Vec<Topic>,
    /// Groups that must have committed a record before it is dropped, even while they are not subscribed. A topic
    /// without any group keeps everything.
    pub groups: Vec<(Topic, &'static str)>,
}

impl LogOptions {
    /// All topics with the sizes of the seeds: segments of 64 MiB, 2 GiB in all (deployment 2).
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: 64 * MIB,
            max_bytes: 2 * 1024 * MIB,
            max_pending_bytes: 32 * MIB as usize,
            max_pending_records: 100_000,
            topics: Topic::ALL.to_vec(),
            groups: Vec::new(),
        }
    }

    pub(super) fn check(&self) -> Result<(), QueueError> {
        let refuse = |text: String| Err(QueueError::Options(text));
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            return refuse(format!(
                "a segment has {} bytes, allowed are {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}",
                self.segment_bytes
            ));
        }
        let least = self.topics.len() as u64 * RESERVED_SEGMENTS * self.segment_bytes;
        if self.max_bytes < least {
            let topics = self.topics.len();
            return refuse(format!(
                "the size cap is {} bytes, at least {least} are needed for {topics} topics",
                self.max_bytes
            ));
        }
        if !(1..=MAX_PENDING_BYTES).contains(&self.max_pending_bytes) || self.max_pending_records == 0 {
            return refuse(format!("waiting records may take 1 to {MAX_PENDING_BYTES} bytes"));
        }
        let duplicate = self.topics.iter().enumerate().find(|(at, topic)| self.topics[..*at].contains(topic));
        if let Some((_, topic)) = duplicate {
            return refuse(format!("topic {topic} is listed twice"));
        }
        Ok(())
    }

    /// How much of a topic's room records take. One number bounds both bytes and count: a small record takes as much as
    /// it would if the largest allowed number of records filled the room.
    pub(super) fn room_for(&self, records: usize, frame_bytes: usize) -> u32 {
        let least = records * (self.max_pending_bytes / self.max_pending_records);
        // A record larger than the room still gets through, alone.
        frame_bytes.max(least).min(self.max_pending_bytes) as u32
    }

    /// Largest record, bytes of key and payload, that a segment can hold.
    pub(super) fn largest_in_segment(&self) -> usize {
        (self.segment_bytes - HEADER_BYTES) as usize - OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn options_of_the_seeds_are_accepted() {
        let options = LogOptions::new("q");
        options.check().unwrap();
        assert_eq!((options.segment_bytes, options.max_bytes), (67_108_864, 2_147_483_648));
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        let good = LogOptions::new("q");
        let bad = [
            LogOptions { segment_bytes: 1023, ..good.clone() },
            LogOptions { segment_bytes: MAX_SEGMENT_BYTES + 1, ..good.clone() },
            LogOptions { max_bytes: 8 * 64 * MIB - 1, ..good.clone() },
            LogOptions { max_pending_bytes: 0, ..good.clone() },
            LogOptions { max_pending_records: 0, ..good.clone() },
            LogOptions { topics: vec![Topic::EVENTS_RAW, Topic::EVENTS_RAW], ..good },
        ];
        for options in bad {
            assert!(matches!(options.check(), Err(QueueError::Options(_))), "{options:?}");
        }
    }

    #[test]
    fn room_is_bounded_by_bytes_and_by_count() {
        let options = LogOptions { max_pending_bytes: 1000, max_pending_records: 10, ..LogOptions::new("q") };
        assert_eq!(options.room_for(1, 20), 100, "a small record takes a tenth of the room");
        assert_eq!(options.room_for(1, 600), 600);
        assert_eq!(options.room_for(1, 5000), 1000, "a large one takes all of it");
    }
}
