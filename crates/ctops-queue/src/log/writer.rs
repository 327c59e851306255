//! The one thread that writes. It stores everything that arrived while the last sync ran as one group, so groups grow
//! with the load and no record waits for a timer.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

use ctops_base::clock::Clock;
use uuid::Uuid;

use super::disk::{Disk, sync_directory};
use super::frame;
use super::inbox::{Entry, Inbox};
use super::segment::{self, HEADER_BYTES, Segment};
use super::topic_log::TopicLog;
use crate::measure;
use crate::queue::{Health, PublishError};

/// Segments every topic may have whatever the others take, so that a full topic cannot starve one that its consumer
/// publishes to.
pub(super) const RESERVED_SEGMENTS: u64 = 2;

/// What a topic's buffer keeps between groups; a burst must not hold its memory for ever.
const IDLE_BUFFER_BYTES: usize = 1024 * 1024;

/// Everything the writer thread owns.
pub(super) struct Writer {
    pub(super) inbox: Arc<Inbox>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Clock,
    pub(super) log_id: Uuid,
    pub(super) segment_bytes: u64,
    pub(super) max_bytes: u64,
    pub(super) lanes: Vec<Lane>,
}

/// The writer's side of one topic.
pub(super) struct Lane {
    log: Arc<TopicLog>,
    active: Option<Active>,
    /// The offset the next stored record gets.
    next_offset: u64,
    /// Encoded records that are not written yet.
    buffer: Vec<u8>,
    buffered: u32,
}

/// The segment that is being written.
struct Active {
    file: File,
    segment: Arc<Segment>,
    /// Where the next frame goes; everything before is durable.
    at: u64,
    /// A write or sync failed, so the bytes after `at` are unknown and must be cut off first.
    uncertain: bool,
}

/// Whether a topic got a new segment.
enum Roll {
    Done,
    /// The size cap is reached.
    Full,
}

impl Lane {
    pub(super) fn new(log: Arc<TopicLog>, tail: Option<(File, u64)>, next_offset: u64) -> Self {
        let last = log.read_segments(|segments| segments.last().cloned());
        let active =
            tail.zip(last).map(|((file, at), segment)| Active { file, segment, at, uncertain: false });
        Self { log, active, next_offset, buffer: Vec::new(), buffered: 0 }
    }

    fn fits(&self, bytes: usize, segment_bytes: u64) -> bool {
        let needed = (self.buffer.len() + bytes) as u64;
        self.active.as_ref().is_some_and(|active| !active.uncertain && active.at + needed <= segment_bytes)
    }

    fn encode(&mut self, entry: &Entry, now_ms: i64) {
        for (key, payload) in entry.records.as_slice() {
            let offset = self.next_offset + u64::from(self.buffered);
            frame::encode(&mut self.buffer, offset, now_ms, self.buffered, key, payload);
            self.buffered += 1;
        }
    }

    /// Writes the buffer and waits until it is durable.
    fn store(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let Some(active) = &mut self.active else {
            return Err(io::Error::other("there is no segment to write to"));
        };
        // Until both have worked, nobody knows what the disk will show after a crash.
        active.uncertain = true;
        disk.write(&active.file, &self.buffer, active.at)?;
        disk.sync(&active.file)?;
        active.uncertain = false;
        active.at += self.buffer.len() as u64;
        self.next_offset += u64::from(self.buffered);
        active.segment.set_durable(active.at);
        self.log.set_end(self.next_offset);
        Ok(())
    }

    /// Cuts off what a failed write may have left and leaves the segment. A sync that failed once is never trusted to
    /// succeed later on the same bytes, so writing goes on in a new file.
    fn repair(&mut self, disk: &dyn Disk) -> io::Result<()> {
        if let Some(active) = self.active.take_if(|active| active.uncertain) {
            let cut = disk.cut(&active.file, active.at).and_then(|()| disk.sync(&active.file));
            if let Err(error) = cut {
                self.active = Some(active);
                return Err(error);
            }
            active.segment.set_allocated(active.at);
        }
        Ok(())
    }

    /// Gives back the space a segment reserved and did not use. Only an economy: readers stop at the zeros as well.
    fn seal(&mut self, disk: &dyn Disk) {
        if let Some(active) = self.active.take() {
            match disk.cut(&active.file, active.at) {
                Ok(()) => active.segment.set_allocated(active.at),
                Err(error) => tracing::warn!(%error, "The unused space of a segment could not be given back"),
            }
        }
    }
}

impl Writer {
    /// Works until the inbox is closed.
    pub(super) fn run(mut self) {
        self.report_size();
        while let Some(work) = self.inbox.take() {
            if work.retire {
                self.delete_finished();
            }
            for (lane, entries) in work.entries.into_iter().enumerate() {
                if !entries.is_empty() {
                    self.commit(lane, entries);
                }
            }
        }
    }

    /// Stores the entries of one topic, in as few syncs as its segments allow.
    fn commit(&mut self, lane: usize, mut entries: VecDeque<Entry>) {
        let mut group = Vec::with_capacity(entries.len());
        while let Some(entry) = entries.pop_front() {
            if !self.lanes[lane].fits(entry.records.frame_bytes(), self.segment_bytes) {
                self.flush(lane, std::mem::take(&mut group));
                match self.roll(lane) {
                    Ok(Roll::Done) => {}
                    Ok(Roll::Full) => {
                        entries.push_front(entry);
                        self.stall(lane, entries);
                        return;
                    }
                    Err(error) => {
                        entries.push_front(entry);
                        self.refuse(lane, entries, error);
                        return;
                    }
                }
            }
            let now_ms = self.clock.now_ms();
            self.lanes[lane].encode(&entry, now_ms);
            group.push(entry);
        }
        self.flush(lane, group);
    }

    /// Makes the buffered records durable and tells their publishers.
    fn flush(&mut self, lane: usize, group: Vec<Entry>) {
        if group.is_empty() {
            return;
        }
        let began = self.clock.now();
        let Self { lanes, disk, .. } = self;
        let lane_state = &mut lanes[lane];
        let stored = lane_state.store(disk.as_ref());
        let records = std::mem::take(&mut lane_state.buffered);
        lane_state.buffer.clear();
        lane_state.buffer.shrink_to(IDLE_BUFFER_BYTES);
        if let Err(error) = stored {
            self.refuse(lane, group, error);
            return;
        }
        let topic = lane_state.log.topic.name();
        let seconds = (self.clock.now() - began).as_seconds_f64();
        metrics::histogram!(measure::COMMIT_SECONDS, "topic" => topic).record(seconds);
        metrics::counter!(measure::PUBLISHED, "topic" => topic).increment(u64::from(records));
        if lane_state.log.set_health(Health::Ready) {
            tracing::info!(queue.topic = topic, "The queue stores records again");
        }
        for entry in group {
            // A publisher that no longer waits is no reason to undo anything.
            let _ = entry.done.send(Ok(()));
        }
    }

    /// Gives the topic a new last segment.
    fn roll(&mut self, lane: usize) -> io::Result<Roll> {
        if !self.may_roll(lane) {
            return Ok(Roll::Full);
        }
        let Self { lanes, disk, .. } = self;
        let lane = &mut lanes[lane];
        lane.repair(disk.as_ref())?;
        let base = lane.next_offset;
        let directory = lane.log.directory.clone();
        let file = segment::create(disk.as_ref(), &directory, base, self.log_id, self.segment_bytes)?;
        lane.seal(disk.as_ref());
        let path = directory.join(segment::file_name(base));
        let segment = Arc::new(Segment::new(base, path, HEADER_BYTES, self.segment_bytes));
        lane.log.push_segment(Arc::clone(&segment));
        lane.active = Some(Active { file, segment, at: HEADER_BYTES, uncertain: false });
        self.report_size();
        Ok(Roll::Done)
    }

    /// Whether one more segment keeps the log under its cap, counting what is reserved for the other topics.
    fn may_roll(&self, lane: usize) -> bool {
        let count = |log: &TopicLog| log.read_segments(<[_]>::len) as u64;
        if count(&self.lanes[lane].log) < RESERVED_SEGMENTS {
            return true;
        }
        let others = self.lanes.iter().enumerate().filter(|(other, _)| *other != lane);
        let reserved: u64 =
            others.map(|(_, other)| RESERVED_SEGMENTS.saturating_sub(count(&other.log))).sum();
        self.size() + (reserved + 1) * self.segment_bytes <= self.max_bytes
    }

    /// Lets the publishers wait until consumers have freed space.
    fn stall(&mut self, lane: usize, entries: VecDeque<Entry>) {
        let log = &self.lanes[lane].log;
        if log.set_health(Health::Full) {
            tracing::warn!(
                queue.topic = %log.topic, size_bytes = self.max_bytes,
                "The queue is full; publishers wait for its consumers"
            );
        }
        self.inbox.give_back(lane, entries);
        // What was committed before this moment may have made room that nobody will announce again.
        self.delete_finished();
    }

    /// Tells publishers that their records were not stored.
    fn refuse(&mut self, lane: usize, entries: impl IntoIterator<Item = Entry>, error: io::Error) {
        let log = &self.lanes[lane].log;
        metrics::counter!(measure::STORE_FAILED, "topic" => log.topic.name()).increment(1);
        if log.set_health(Health::Unavailable) {
            tracing::error!(queue.topic = %log.topic, %error, "The queue cannot store records");
        }
        let refusal = PublishError::Unavailable { topic: log.topic, source: Arc::new(error) };
        for entry in entries {
            let _ = entry.done.send(Err(refusal.clone()));
        }
    }

    /// Deletes segments that every group is done with, oldest first.
    fn delete_finished(&mut self) {
        let mut freed = false;
        for lane in &self.lanes {
            let finished = lane.log.take_finished();
            for segment in &finished {
                freed = true;
                if let Err(error) = std::fs::remove_file(&segment.path) {
                    tracing::warn!(queue.topic = %lane.log.topic, %error, "A finished segment could not be deleted");
                }
            }
            if !finished.is_empty()
                && let Err(error) = sync_directory(&lane.log.directory)
            {
                tracing::warn!(queue.topic = %lane.log.topic, %error, "The deletion of segments may be undone by a crash");
            }
        }
        if freed {
            self.report_size();
            self.inbox.unstall();
        }
    }

    /// Disk space of all segments.
    fn size(&self) -> u64 {
        let size = |lane: &Lane| {
            lane.log.read_segments(|segments| segments.iter().map(|segment| segment.allocated()).sum::<u64>())
        };
        self.lanes.iter().map(size).sum()
    }

    fn report_size(&self) {
        metrics::gauge!(measure::LOG_BYTES).set(self.size() as f64);
    }
}
