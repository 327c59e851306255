//! Reads durable records of one topic across its segments.

use std::sync::Arc;

use super::cursor::{Cursor, Step};
use super::segment::Segment;
use super::topic_log::TopicLog;
use crate::queue::{QueueError, Record};

/// Reads in order; jumping elsewhere costs a scan of one segment.
pub(super) struct Reader {
    log: Arc<TopicLog>,
    place: Option<(Arc<Segment>, Cursor)>,
}

impl Reader {
    pub(super) fn new(log: Arc<TopicLog>) -> Self {
        Self { log, place: None }
    }

    /// Reads records from `from` on, up to the end of what is durable, until one of the limits is reached.
    pub(super) fn read(
        &mut self,
        from: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, QueueError> {
        let end = self.log.end();
        let mut records = Vec::with_capacity(max_records.min(end.saturating_sub(from) as usize));
        let mut bytes = 0;
        self.go_to(from)?;
        let mut next = from;
        while next < end && records.len() < max_records && bytes < max_bytes {
            let record = self.next()?;
            bytes += record.key.len() + record.payload.len();
            next = record.offset + 1;
            records.push(record);
        }
        Ok(records)
    }

    fn go_to(&mut self, offset: u64) -> Result<(), QueueError> {
        if self.place.as_ref().is_some_and(|(_, cursor)| cursor.next_offset == offset) {
            return Ok(());
        }
        let segment = self.log.segment_with(offset);
        let segment =
            segment.ok_or_else(|| self.gone(offset, "the records before the first segment are gone"))?;
        self.enter(segment)?;
        while self.place.as_ref().is_some_and(|(_, cursor)| cursor.next_offset < offset) {
            self.next()?;
        }
        Ok(())
    }

    /// The next record. Must only be called when one is known to be durable.
    fn next(&mut self) -> Result<Record, QueueError> {
        loop {
            let Some((segment, cursor)) = &mut self.place else {
                return Err(self.gone(0, "no segment is open"));
            };
            let (offset, byte, base) = (cursor.next_offset, cursor.at, cursor.base);
            let step = cursor.step(segment.durable()).map_err(QueueError::storage("read a segment"))?;
            let damage = match step {
                Step::Record { frame, key, payload } => {
                    return Ok(Record { offset, key, payload, appended_at_ms: frame.time_ms });
                }
                Step::Damaged(detail) => detail,
                Step::End => match self.log.segment_after(base) {
                    Some(next) if next.base == offset => {
                        self.enter(next)?;
                        continue;
                    }
                    Some(_) => "the segment ends before the next one begins",
                    None => "the log ends before its last durable record",
                },
            };
            // The place is kept out of use, so that the next attempt reads the bytes anew.
            self.place = None;
            return Err(QueueError::Corrupt {
                topic: self.log.topic,
                offset,
                segment: base,
                byte,
                detail: damage.into(),
            });
        }
    }

    fn enter(&mut self, segment: Arc<Segment>) -> Result<(), QueueError> {
        let file = TopicLog::open(&segment).map_err(QueueError::storage("open a segment"))?;
        let cursor = Cursor::new(file, segment.base);
        self.place = Some((segment, cursor));
        Ok(())
    }

    fn gone(&self, offset: u64, detail: &str) -> QueueError {
        let segment = self.log.begin();
        QueueError::Corrupt { topic: self.log.topic, offset, segment, byte: 0, detail: detail.into() }
    }
}
