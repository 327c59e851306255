//! Records that have arrived and wait for their batch to be closed.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};

use tokio::time::Instant;

use crate::queue::{BatchLimits, Record};

/// Open batches, one for each partition that has records, oldest first.
#[derive(Default)]
pub(super) struct Pending {
    batches: HashMap<u32, Open>,
    order: VecDeque<u32>,
    records: usize,
    bytes: usize,
}

struct Open {
    since: Instant,
    records: VecDeque<Record>,
    bytes: usize,
}

impl Pending {
    pub(super) fn push(&mut self, partition: u32, record: Record, now: Instant) {
        let size = size(&record);
        let open = match self.batches.entry(partition) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(none) => {
                self.order.push_back(partition);
                none.insert(Open { since: now, records: VecDeque::new(), bytes: 0 })
            }
        };
        open.bytes += size;
        open.records.push_back(record);
        self.records += 1;
        self.bytes += size;
    }

    /// Whether there is as much as one batch may hold, so that nothing more should be taken in.
    pub(super) fn is_full(&self, limits: &BatchLimits) -> bool {
        self.records >= limits.max_records.max(1) || self.bytes >= limits.max_bytes.max(1)
    }

    /// When the oldest batch is to be closed.
    pub(super) fn closes_at(&self, limits: &BatchLimits) -> Option<Instant> {
        let oldest = self.batches.get(self.order.front()?)?;
        Some(oldest.since + limits.max_wait)
    }

    /// The oldest batch, if its time has come or there is no room for more.
    pub(super) fn take(&mut self, limits: &BatchLimits, now: Instant) -> Option<(u32, Vec<Record>)> {
        if !self.is_full(limits) && self.closes_at(limits)? > now {
            return None;
        }
        let partition = *self.order.front()?;
        let open = self.batches.get_mut(&partition)?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < limits.max_records.max(1)
            && bytes < limits.max_bytes.max(1)
            && let Some(record) = open.records.pop_front()
        {
            bytes += size(&record);
            records.push(record);
        }
        open.bytes -= bytes;
        let is_empty = open.records.is_empty();
        self.records -= records.len();
        self.bytes -= bytes;
        if is_empty {
            self.batches.remove(&partition);
            self.order.pop_front();
        }
        Some((partition, records))
    }

    /// Forgets the records of a partition.
    pub(super) fn forget(&mut self, partition: u32) {
        if let Some(open) = self.batches.remove(&partition) {
            self.records -= open.records.len();
            self.bytes -= open.bytes;
            self.order.retain(|other| *other != partition);
        }
    }
}

fn size(record: &Record) -> usize {
    record.key.len() + record.payload.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    const LIMITS: BatchLimits = BatchLimits {
        max_records: 3,
        max_bytes: 100,
        max_wait: Duration::from_millis(200),
        max_idle: Duration::from_secs(1),
    };

    fn record(offset: u64, bytes: usize) -> Record {
        Record { offset, key: Bytes::new(), payload: Bytes::from(vec![0; bytes]), appended_at_ms: 0 }
    }

    fn offsets(batch: Option<(u32, Vec<Record>)>) -> (u32, Vec<u64>) {
        let (partition, records) = batch.unwrap();
        (partition, records.iter().map(|record| record.offset).collect())
    }

    #[test]
    fn batch_is_closed_by_time_count_or_bytes_and_not_before() {
        let now = Instant::now();
        let mut pending = Pending::default();
        pending.push(1, record(5, 10), now);
        assert!(pending.take(&LIMITS, now).is_none());
        assert_eq!(offsets(pending.take(&LIMITS, now + LIMITS.max_wait)), (1, vec![5]));
        for offset in 0..4 {
            pending.push(1, record(offset, 10), now);
        }
        assert_eq!(offsets(pending.take(&LIMITS, now)), (1, vec![0, 1, 2]));
        assert!(pending.take(&LIMITS, now).is_none(), "one record is left and its time has not come");
        pending.push(1, record(4, 200), now);
        pending.push(1, record(5, 10), now);
        assert_eq!(
            offsets(pending.take(&LIMITS, now)),
            (1, vec![3, 4]),
            "closed by the record that reaches the limit"
        );
        assert!(pending.take(&LIMITS, now).is_none());
    }

    #[test]
    fn oldest_partition_comes_first_and_a_forgotten_one_not_at_all() {
        let now = Instant::now();
        let mut pending = Pending::default();
        for (partition, offset) in [(2, 7), (1, 8), (2, 9)] {
            pending.push(partition, record(offset, 1), now);
        }
        assert_eq!(offsets(pending.take(&LIMITS, now)), (2, vec![7, 9]));
        pending.forget(1);
        assert!(pending.closes_at(&LIMITS).is_none());
        assert!(pending.take(&LIMITS, now + LIMITS.max_wait).is_none());
    }
}
