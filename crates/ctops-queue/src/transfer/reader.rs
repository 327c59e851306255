//! Reads a whole topic up to its end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::queue::{BatchLimits, Delivery, Position, Queue, QueueError, Record, Subscription};
use crate::topic::Topic;

const LIMITS: BatchLimits = BatchLimits {
    max_records: 1_000,
    max_bytes: 1024 * 1024,
    max_wait: Duration::ZERO,
    max_idle: Duration::from_secs(1),
};

/// The only member of its group: it has all partitions.
pub(super) struct Reader {
    subscription: Box<dyn Subscription>,
    partitions: BTreeMap<u32, Place>,
    records: VecDeque<Record>,
}

/// What is known of a partition.
struct Place {
    /// The end when it was last asked for.
    end: Position,
    /// The first offset that was not read yet; none before `start`.
    next: Option<u64>,
}

impl Reader {
    /// Waits until all partitions are there.
    pub(super) async fn join(
        queue: &dyn Queue,
        topic: Topic,
        group: &'static str,
    ) -> Result<Self, QueueError> {
        let subscription = queue.subscribe(group, topic).await?;
        let mut reader = Self { subscription, partitions: BTreeMap::new(), records: VecDeque::new() };
        while reader.partitions.len() < queue.partitions(topic) as usize {
            match reader.subscription.next_batch(&LIMITS).await? {
                Delivery::Assigned(partitions) => reader.learn(&partitions).await?,
                Delivery::Revoked(partitions) => {
                    reader.partitions.retain(|partition, _| !partitions.contains(partition));
                }
                Delivery::Batch(_) | Delivery::Idle => {}
            }
        }
        Ok(reader)
    }

    /// Asks for the ends again, because records were published.
    pub(super) async fn refresh(&mut self) -> Result<(), QueueError> {
        self.learn(&self.partitions()).await
    }

    async fn learn(&mut self, partitions: &[u32]) -> Result<(), QueueError> {
        for &partition in partitions {
            let begin = self.subscription.seek(partition, None).await?.position;
            let end = begin.next_offset + self.subscription.lag(partition, begin.next_offset);
            let end = Position { next_offset: end, ..begin };
            self.partitions.insert(partition, Place { end, next: None });
        }
        Ok(())
    }

    pub(super) fn partitions(&self) -> Vec<u32> {
        self.partitions.keys().copied().collect()
    }

    pub(super) fn ends(&self) -> BTreeMap<u32, Position> {
        self.partitions.iter().map(|(partition, place)| (*partition, place.end.clone())).collect()
    }

    /// Where a consumer with this stored position would begin.
    pub(super) async fn place_of(
        &mut self,
        partition: u32,
        stored: Option<&Position>,
    ) -> Result<Position, QueueError> {
        Ok(self.subscription.seek(partition, stored).await?.position)
    }

    /// Begins to read at these places.
    pub(super) async fn start(&mut self, at: &BTreeMap<u32, Position>) -> Result<(), QueueError> {
        self.records.clear();
        for (partition, place) in &mut self.partitions {
            let started = self.subscription.seek(*partition, at.get(partition)).await?;
            place.next = Some(started.position.next_offset);
        }
        Ok(())
    }

    /// Records that were not read yet.
    pub(super) fn pending(&self) -> u64 {
        let left = |place: &Place| place.end.next_offset.saturating_sub(place.next.unwrap_or(0));
        self.partitions.values().map(left).sum::<u64>() + self.records.len() as u64
    }

    /// At least one and at most `most` records, in the order of their partition; none at the end.
    pub(super) async fn some(&mut self, most: usize) -> Result<Vec<Record>, QueueError> {
        while self.records.is_empty() && self.pending() > 0 {
            self.step().await?;
        }
        let count = most.min(self.records.len());
        Ok(self.records.drain(..count).collect())
    }

    /// Reads everything.
    pub(super) async fn read(&mut self, mut each: impl FnMut(Record)) -> Result<(), QueueError> {
        while self.pending() > 0 {
            self.some(usize::MAX).await?.into_iter().for_each(&mut each);
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<(), QueueError> {
        match self.subscription.next_batch(&LIMITS).await? {
            Delivery::Batch(batch) => {
                let Some(place) = self.partitions.get_mut(&batch.partition) else {
                    return Ok(());
                };
                let end = place.end.next_offset;
                if let Some(last) = batch.records.last() {
                    place.next = Some((last.offset + 1).min(end));
                }
                self.records.extend(batch.records.into_iter().filter(|record| record.offset < end));
            }
            // The group was disturbed: go on where this reader was.
            Delivery::Assigned(partitions) => {
                for partition in partitions {
                    if let Some(Place { end, next: Some(next) }) = self.partitions.get(&partition) {
                        let at = Position { next_offset: *next, ..end.clone() };
                        self.subscription.seek(partition, Some(&at)).await?;
                    }
                }
            }
            Delivery::Revoked(_) | Delivery::Idle => {}
        }
        Ok(())
    }
}
